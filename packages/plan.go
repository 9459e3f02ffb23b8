package packages

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// Plan is what brings recorded packages back. What [Plan.Steps] has is what
// runs, in this order.
type Plan struct {
	Steps   []Step
	Install []string // keys of packages to install, sorted
	Also    int      // how many more these need
	Remove  []string // what has to make way, and is not recorded
	Gone    []Gone   // wanted packages that cannot come, sorted
	Notes   []string // sentences on what will not be as it was
}

// Step is a program that runs below the root.
type Step struct {
	Title string   // "install 12 packages"
	Args  []string // program and arguments
	// Others goes on when this one fails: a repository that is away costs its own
	// packages only.
	Others bool
}

// String is the command line, to be pasted.
func (s Step) String() string { return run.Quote(s.Args) }

// Gone is a wanted package that cannot come, and why.
type Gone struct{ Name, Why string }

// Installer brings packages back below a root. It runs the root's own package
// manager, and with it, as root, what the packages and their repositories say.
type Installer interface {
	// Prepare are the steps before anything can be asked: finish what was
	// interrupted, know the repositories. None when nothing is missing.
	Prepare() []Step
	// Plan asks what is to be had. It writes nothing. Where the steps of Prepare
	// are only a plan themselves, it tells what it cannot know.
	Plan(ctx context.Context, prepared bool) (*Plan, error)
}

// NewInstaller gives the one for the manager of what was recorded.
func NewInstaller(recorded, now *Installed, program Program) (Installer, error) {
	if recorded.Manager != now.Manager {
		return nil, fmt.Errorf("packages are recorded of %s, and this root has %s", recorded.Manager, now.Manager)
	}
	w := wish{recorded: recorded, now: now, program: program}
	switch now.Manager {
	case Apt:
		return &apt{wish: w}, nil
	case Pacman:
		return &pacman{w}, nil
	case Dnf:
		return &dnf{w}, nil
	}
	return nil, fmt.Errorf("installing with %s is not known here", now.Manager)
}

// wish is what was recorded, beside what is.
type wish struct {
	recorded, now *Installed
	program       Program
}

// missing are the recorded packages that are not installed: the wanted ones,
// and those that came as recommendations and would not come by themselves.
// What others depend on comes with them.
func (w *wish) missing() (wanted, recommended []string) {
	now := w.now.byKey()
	for _, key := range slices.Sorted(maps.Keys(w.recorded.byKey())) {
		p := w.recorded.Get(key)[0]
		switch {
		case now[key] != nil:
		case p.Wanted:
			wanted = append(wanted, key)
		case p.Recommended:
			recommended = append(recommended, key)
		}
	}
	return wanted, recommended
}

// marks are the packages to be marked, of those that are installed in the end.
func (w *wish) marks(install, also []string) (manual, auto, hold []string) {
	for _, key := range slices.Sorted(maps.Keys(w.recorded.byKey())) {
		was := w.recorded.Get(key)[0]
		var is *Package
		if found := w.now.Get(key); len(found) > 0 {
			is = found[0]
		}
		asked := slices.Contains(install, key)
		if is == nil && !asked && !slices.Contains(also, key) {
			continue
		}
		if was.Wanted && is != nil && !is.marked {
			manual = append(manual, key)
		}
		if !was.Wanted && (asked || is != nil && is.Wanted) {
			auto = append(auto, key)
		}
		if was.Held && (is == nil || !is.Held) {
			hold = append(hold, key)
		}
	}
	return manual, auto, hold
}

// Program runs a program below the root, and gives its standard output.
type Program func(ctx context.Context, args []string) ([]byte, error)

// environment keeps package managers and maintainer scripts from asking.
var environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "TMPDIR=/tmp",
	"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true",
	"APT_LISTCHANGES_FRONTEND=none", "NEEDRESTART_MODE=l",
	"UCF_FORCE_CONFFOLD=1", // ucf(1) leaves files in /etc as they are, as dpkg does
}

// In gives the [Program] for a root. Each line of what programs say goes to
// line, each command before it runs to echo.
//
// The process has the usual umask meanwhile: what package managers write is
// read by everybody. Nothing else may write files beside it.
func In(root string, echo, line func(string)) Program {
	return func(ctx context.Context, args []string) ([]byte, error) {
		defer unix.Umask(unix.Umask(0o022))
		if root != "/" {
			args = append([]string{"chroot", root}, args...)
		}
		out, _, err := run.Output(ctx, run.Command{Args: args, Dir: "/", Env: environment, Echo: echo, Line: line})
		return out, err
	}
}

// policyFile forbids the start of services, invoke-rc.d(8).
const policyFile = "usr/sbin/policy-rc.d"

// policy does so in a chroot alone: when a power cut leaves it behind, the
// machine starts its services all the same.
const policy = `#!/bin/sh
# Written by rootwc while it installs packages in a chroot, where no service
# starts. It removes this file in the end, and you may.
[ "$(stat -Lc %d:%i /)" = "$(stat -Lc %d:%i /proc/1/root)" ] || exit 101
`

// Quiet keeps services from being started below a root while packages are
// installed; a policy that is there already stays. The function that it returns
// takes it back.
func Quiet(root *os.Root) (back func() error, err error) {
	none := func() error { return nil }
	if text, err := root.ReadFile(policyFile); err == nil && string(text) != policy {
		return none, nil
	} else if err == nil {
		return func() error { return root.Remove(policyFile) }, nil
	}
	f, err := root.OpenFile(policyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return none, err
	}
	_, err = f.WriteString(policy)
	if err == nil {
		err = f.Chmod(0o755) // whatever the umask
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return func() error { return root.Remove(policyFile) }, err
}
