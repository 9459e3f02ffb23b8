// Package run starts external programs: argument lists without a shell, a
// small clean environment, typed errors, and cancellation that first asks.
// It is the one importer of os/exec.
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a cancelled program may take to leave by itself.
const grace = 5 * time.Second

// Command is one program to run. The zero value of every field but Args is
// usable.
type Command struct {
	Args  []string  // program and arguments; the program is looked up in PATH
	Dir   string    // working directory; "" is the caller's
	Env   []string  // added to [Environment], later entries win
	Stdin io.Reader // nil is an empty input; secrets travel here, never in Args

	// Secrets are further inputs, on descriptors 3, 4, …, for programs that want
	// more than one: "/dev/fd/3". They are in memory only.
	Secrets [][]byte
	// User runs the program with that user's ids; nil keeps the caller's.
	User *User
	// Echo receives the command line, quoted for a shell, before it starts.
	Echo func(line string)
	// Line receives each line of standard output as it comes, without its end.
	Line func(line string)
	// Pace is how long a line may wait for further ones. A program that flushes
	// each costs both sides a wake-up for each.
	Pace time.Duration
	// Stdout receives standard output as it comes; [Output] then returns none.
	Stdout io.Writer
	// Together makes standard error go where standard output goes.
	Together bool
	// Kill makes cancelling end the program at once, without asking first.
	Kill bool
	// Group, with Kill, makes it end whatever the program has started as well.
	Group bool
}

// User holds the numeric ids that a program runs with, as setgroups(2),
// setgid(2) and setuid(2) take them.
type User struct {
	UID, GID uint32
	Groups   []uint32
	Home     string // value of HOME; "" unsets it
}

// kept are the caller's variables that reach a program: where programs are,
// who asks, and how Subversion's tunnels find their agent.
var kept = []string{"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "SSH_AUTH_SOCK", "SVN_SSH", "KRB5CCNAME"}

// Environment is what every program starts with: a few of the caller's
// variables and LC_ALL=C.UTF-8, because svn in the C locale gives up at the
// first name that is not ASCII (E000022).
func Environment() []string {
	env := []string{"LC_ALL=C.UTF-8"}
	for _, name := range kept {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// A unit or a rescue shell may start rootwc without a PATH, in which its own
// look-ups would find nothing.
func init() {
	if os.Getenv("PATH") == "" {
		os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
}

// Error is a program that could not be started or did not exit with 0.
type Error struct {
	Args   []string
	Dir    string
	Status int    // exit status; -1 when it was not started or was killed
	Stderr string // what it wrote to standard error, trimmed
	Err    error
}

// Error gives the program, the first line that explains, and nothing secret:
// arguments carry no secrets by the package's rule.
func (e *Error) Error() string {
	text := e.Stderr
	if text == "" {
		text = e.Err.Error()
	}
	return fmt.Sprintf("%s: %s", name(e.Args), firstWords(text))
}

// Unwrap returns the cause: an [exec.Error], the context's error, or a
// sentence on how the program ended.
func (e *Error) Unwrap() error { return e.Err }

// Command is the command line, quoted for pasting into a shell.
func (e *Error) Command() string { return Quote(e.Args) }

func name(args []string) string {
	if len(args) == 0 {
		return "nothing"
	}
	return args[0][strings.LastIndexByte(args[0], '/')+1:]
}

// firstWords joins the lines of a message, so that an error stays one line.
func firstWords(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, strings.TrimPrefix(line, "svn: "))
		}
		if len(out) == 4 {
			break
		}
	}
	return strings.Join(out, "; ")
}

// Output runs c and returns what it wrote to standard output. A failure is
// an [*Error]. Standard error of a successful run is returned in warnings:
// svn 1.14 reports some failures there and still exits with 0 (W155007).
func Output(ctx context.Context, c Command) (stdout []byte, warnings string, err error) {
	if len(c.Args) == 0 {
		return nil, "", &Error{Status: -1, Err: errors.New("internal error: no program named")}
	}
	if err := ctx.Err(); err != nil {
		return nil, "", &Error{Args: c.Args, Dir: c.Dir, Status: -1, Err: err}
	}
	if c.Echo != nil {
		c.Echo(Quote(c.Args))
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	cmd.Env = append(Environment(), c.Env...)
	if !c.Kill { // which is what CommandContext does by itself
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	}
	if c.Kill && c.Group {
		cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) } // its own group, see below
	}
	cmd.WaitDelay = grace
	// Its own process group: a Ctrl-C at the terminal reaches rootwc alone,
	// which then ends its children in order. Pdeathsig: a child never outlives
	// a killed parent to write behind the back of the recovery.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.User != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.User.UID, Gid: c.User.GID, Groups: c.User.Groups}
		cmd.Env = append(cmd.Env, "HOME="+c.User.Home)
	}
	for _, secret := range c.Secrets {
		f, err := inMemory(secret)
		if err != nil {
			return nil, "", &Error{Args: c.Args, Dir: c.Dir, Status: -1, Err: err}
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Together {
		cmd.Stderr = cmd.Stdout
	}
	var lines *lineWriter
	if c.Line != nil {
		lines = &lineWriter{each: c.Line, pace: c.Pace}
		cmd.Stdout = io.MultiWriter(cmd.Stdout, lines)
	}
	err = runLocked(cmd)
	if lines != nil {
		lines.flush()
	}
	if err == nil {
		return out.Bytes(), strings.TrimSpace(errs.String()), nil
	}
	status := -1
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
		err = errors.New(exit.String()) // its ExitCode must not pass for rootwc's
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.Bytes(), "", &Error{Args: c.Args, Dir: c.Dir, Status: status, Stderr: strings.TrimSpace(errs.String()), Err: err}
}

// inMemory is a file that has no name and is on no disk.
func inMemory(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("input", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "input")
	if _, err = f.Write(content); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Interactive runs c on the caller's own terminal (an editor, a merge tool)
// with the caller's whole environment.
func Interactive(ctx context.Context, c Command, stdin, stdout, stderr *os.File) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Run(); err != nil {
		return &Error{Args: c.Args, Dir: c.Dir, Status: cmd.ProcessState.ExitCode(), Err: errors.New(err.Error())}
	}
	return nil
}

// Look tells whether a program is to be had, and where.
func Look(program string) (string, bool) {
	path, err := exec.LookPath(program)
	return path, err == nil
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./^-]+$`)

// Quote joins arguments so that a POSIX shell reads them back.
func Quote(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if plain.MatchString(a) {
			quoted[i] = a
		} else {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// lineWriter hands on whole lines.
type lineWriter struct {
	each func(string)
	part []byte
	pace time.Duration
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		i := bytes.IndexByte(w.part, '\n')
		if i < 0 {
			time.Sleep(w.pace)
			return len(p), nil
		}
		w.each(string(w.part[:i]))
		w.part = w.part[i+1:]
	}
}

func (w *lineWriter) flush() {
	if len(w.part) > 0 {
		w.each(string(w.part))
		w.part = nil
	}
}
