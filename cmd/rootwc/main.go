// Command rootwc keeps whole Linux machines in Subversion.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"rootwc/wc"
)

func main() {
	// What rootwc and its children make is private until it has its final
	// mode. A reader that closes the pipe early (| head) is no error, and must
	// not kill a command that is writing.
	syscall.Umask(0o077)
	signal.Ignore(syscall.SIGPIPE)
	openStandardFiles()
	if os.Getenv("GOMEMLIMIT") == "" {
		// Where the first status of a large tree gets there, it collects garbage
		// earlier instead of taking twice what it needs.
		debug.SetMemoryLimit(112 << 20)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(rootwc(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// openStandardFiles opens /dev/null for those of 0, 1 and 2 that are closed:
// otherwise the next file that is opened would get the number, and messages
// would be written into it.
func openStandardFiles() {
	for fd := range 3 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			_, _ = unix.Open(os.DevNull, unix.O_RDWR, 0)
		}
	}
}

// rootwc is the program as a function: arguments in, exit status out.
func rootwc(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	a := &app{ctx: ctx, stdin: stdin, out: out, err: stderr, progress: newProgress(stderr)}
	var cli grammar
	done := -1
	parser, err := kong.New(&cli, kong.Name("rootwc"), kong.Description(description), kong.UsageOnError(),
		kong.Writers(out, stderr), kong.Exit(func(status int) { done = status; panic(exit{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}), helpWords)
	if err != nil {
		a.complain(fmt.Errorf("internal error: %w", err))
		return wc.ExitFailed
	}
	status := func() (status int) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(exit); !ok {
					panic(r)
				}
				status = done
			}
		}()
		parsed, err := parser.Parse(args)
		if err != nil {
			a.complain(wc.Hint(err, "rootwc --help"))
			return wc.ExitFailed
		}
		a.global = cli.Global
		err = parsed.Run(a)
		if a.tree != nil && a.tree.BadPage != nil && !errors.Is(err, a.tree.BadPage) {
			a.warn("%v", a.tree.BadPage)
		}
		if a.tree != nil && a.tree.Distrusted != nil && !errors.Is(err, a.tree.Distrusted) {
			a.warn("%v; nothing is committed until then: rootwc secrets trust", a.tree.Distrusted)
		}
		return a.finish(err)
	}()
	if err := out.Flush(); err != nil && !errors.Is(err, syscall.EPIPE) {
		a.complain(fmt.Errorf("cannot write the answer: %w", err))
		return max(status, wc.ExitFailed)
	}
	return status
}

// exit unwinds the stack when kong has answered by itself (--help).
type exit struct{}

// errDifferences ends a verb with status 1: differences were found, and asked
// for with --exit-code or --check. It is no failure and says nothing.
var errDifferences = errors.New("differences found")

// finish turns a verb's error into messages and an exit status.
func (a *app) finish(err error) int {
	a.progress.clear()
	if err == nil {
		return 0
	}
	if errors.Is(err, errDifferences) {
		return 1
	}
	a.complain(err)
	var known interface{ ExitCode() int }
	if errors.As(err, &known) {
		return known.ExitCode()
	}
	return wc.ExitFailed
}
