package hooks

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Caller is who runs a package manager, and how.
type Caller struct {
	PID     int    // of the package manager; 0 when it is not known
	Command string // its command line, in one line; "" when it is not known
	// Ancestors are the processes above this one, nearest first.
	Ancestors []int

	Sudo   string // SUDO_USER: the user who ran sudo(8), or ""
	Pkexec string // PKEXEC_UID: that of the user who ran pkexec(1), or ""
	// Login is the number of the user who logged in, which the kernel keeps through
	// all changes of identity; "" where nobody did (cron, a container). Source:
	// /proc/PID/loginuid, see pam_loginuid(8).
	Login string
}

const (
	mostAncestors = 32
	mostWords     = 2000 // bytes of a command line that are kept
)

// FindCaller looks for the package manager among the processes above pid: the
// nearest that is neither rootwc nor the shell that a hook is run by. apt starts each hook
// from a fork of itself, which has the same arguments and is not meant. What
// /proc does not tell stays empty.
func FindCaller(proc fs.FS, pid int, getenv func(string) string) Caller {
	c := Caller{Sudo: getenv("SUDO_USER"), Pkexec: getenv("PKEXEC_UID"), Login: login(proc, pid)}
	var found []string
	for at := parent(proc, pid); at > 0 && len(c.Ancestors) < mostAncestors; at = parent(proc, at) {
		c.Ancestors = append(c.Ancestors, at)
		args := arguments(proc, at)
		switch {
		case len(args) == 0:
		case found == nil && !isWrapper(args):
			found, c.PID = args, at
		case slices.Equal(args, found) && c.Ancestors[len(c.Ancestors)-2] == c.PID:
			c.PID = at
		}
	}
	if found != nil {
		c.Command = commandLine(found)
	}
	return c
}

func login(proc fs.FS, pid int) string {
	const nobody = "4294967295" // (uid_t) -1
	text, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/loginuid")
	uid := strings.TrimSpace(string(text))
	if err != nil || uid == nobody {
		return ""
	}
	return uid
}

func parent(proc fs.FS, pid int) int {
	ppid, _ := strconv.Atoi(stat(proc, pid, 4)) // 0 ends the walk
	return ppid
}

// Started is when a process was started, in clock ticks since the machine was;
// "" when there is none of this number. It tells one process from a later one.
func Started(proc fs.FS, pid int) string { return stat(proc, pid, 22) }

// stat is a field of /proc/PID/stat, from 3; see proc(5). The second is the name
// in parentheses, which may hold any character.
func stat(proc fs.FS, pid, field int) string {
	text, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= field-3 {
		return ""
	}
	return fields[field-3]
}

func arguments(proc fs.FS, pid int) []string {
	text, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/cmdline")
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// isWrapper says whether a process stands between a package manager and its
// hook: it has the name of rootwc in its script. Any other shell is a person's.
func isWrapper(args []string) bool {
	name := path.Base(args[0])
	return name == "rootwc" || slices.Contains([]string{"sh", "dash", "bash", "busybox"}, name) &&
		slices.ContainsFunc(args[1:], func(arg string) bool { return strings.Contains(arg, "rootwc") })
}

// Aside says that a run of dpkg is no run of its own, or not of this root:
// another package manager, which has hooks itself, follows it by --status-fd, and
// the configuration holds for --root too.
func (c Caller) Aside() bool {
	return strings.HasPrefix(c.Command, "dpkg ") && aside.MatchString(c.Command)
}

// commandLine is a command line as a person would write it: without the
// interpreter and the path of the program, and without what may be secret.
func commandLine(args []string) string {
	if len(args) > 1 && interpreter.MatchString(path.Base(args[0])) && strings.HasPrefix(args[1], "/") {
		args = args[1:]
	}
	args = slices.Clone(args)
	args[0] = path.Base(args[0])
	hide(args)
	line := strings.Join(args, " ")
	if len(line) > mostWords {
		line = strings.ToValidUTF8(line[:mostWords], "") + " …"
	}
	if !utf8.ValidString(line) {
		line = strings.ToValidUTF8(line, "?")
	}
	return line
}

var (
	interpreter = regexp.MustCompile(`^(python|perl|ruby)[0-9.]*$`)
	aside       = regexp.MustCompile(` --(status-fd |(root|instdir|admindir)=)`)
	userInfo    = regexp.MustCompile(`://[^/@\s]+@`)
	secretName  = regexp.MustCompile(`(?i)^.*?(pass(word|wd|phrase)?|secret|token|api-?key|credentials?)(=|$)`)
)

// hide replaces what is no business of a log: the user and password of a URL,
// "…password=VALUE", and the argument after "--…password".
func hide(args []string) {
	const hidden = "…"
	for i, arg := range args {
		name := secretName.FindString(arg)
		switch {
		case strings.HasSuffix(name, "="):
			args[i] = name + hidden
		case i > 0 && strings.HasPrefix(args[i-1], "--") && secretName.FindString(args[i-1]) == args[i-1] && !strings.HasPrefix(arg, "-"):
			args[i] = hidden
		default:
			args[i] = userInfo.ReplaceAllString(arg, "://"+hidden+"@")
		}
	}
}

// Who names the caller in words; name gives the name of a user's number.
func (c Caller) Who(name func(uid string) string) string {
	who, how := "root", ""
	switch {
	case c.Sudo != "":
		who, how = c.Sudo, " with sudo"
	case c.Pkexec != "":
		who, how = name(c.Pkexec), " with pkexec"
	}
	words := who + how
	if c.Login != "" && name(c.Login) != who {
		words += ", logged in as " + name(c.Login)
	}
	return words
}
