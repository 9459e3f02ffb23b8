package conffiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// Sandbox lets the validators of a machine look at a text that is not in place
// yet. The program is the machine's own. It sees the machine's files, read-only
// and with the text at its path; its /tmp and /run are empty and in memory; it
// has no network, and twenty seconds.
//
// That keeps a program from its mistakes, not from malice: it runs as root.
type Sandbox struct {
	Root string // of the machine
	// All lets every known validator run. Without it those do not that may load
	// code which the configuration names, and below another root than / none do:
	// the programs there are not this machine's.
	All bool
}

// patience is how long a validator may take.
const patience = 20 * time.Second

// ErrUnchecked says that a validator is known and there, and did not run.
var ErrUnchecked = errors.New("not checked")

// Check lets the validator of a path look at a text; nil too when none is known,
// or not installed. A text is refused for what the validator says of it and not
// of the file that is there: a fresh machine may lack what both need.
func (s Sandbox) Check(ctx context.Context, conffile string, text []byte) error {
	v := ValidatorOf(conffile)
	if v == nil || !s.has(v) {
		return nil
	}
	if !s.All && (v.Loads || s.Root != "/") {
		return fmt.Errorf("%w by %s", ErrUnchecked, v.Args[0])
	}
	err := s.run(ctx, v, conffile, text)
	var failed *run.Error
	if !errors.As(err, &failed) || failed.Status < 0 {
		return err
	}
	var before *run.Error
	if err := s.run(ctx, v, "", nil); errors.As(err, &before) && before.Stderr == failed.Stderr && failed.Stderr != "" {
		return nil
	}
	return err
}

// programs are the directories in which a validator is looked for.
var programs = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"}

func (s Sandbox) has(v *Validator) bool {
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return false
	}
	defer root.Close()
	for _, dir := range programs {
		if _, err := root.Lstat(path.Join(dir, v.Args[0])); err == nil { // alternatives are absolute symlinks
			return true
		}
	}
	return false
}

// run starts the validator on a thread with namespaces of its own, which end
// with it: unshare(2). Without a path it looks at the machine as it is.
func (s Sandbox) run(ctx context.Context, v *Validator, conffile string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		if err := s.enter(v, conffile, text); err != nil {
			done <- fmt.Errorf("%w by %s: no sandbox for it: %w", ErrUnchecked, v.Args[0], err)
			return
		}
		out, _, err := run.Output(ctx, run.Command{
			Args: v.Args, Dir: "/", Stdin: strings.NewReader(""), Kill: true,
			Env: []string{"PATH=/" + strings.Join(programs, ":/"), "HOME=/", "TMPDIR=/tmp"},
		})
		var failed *run.Error
		if errors.As(err, &failed) && failed.Stderr == "" { // named-checkconf and testparm explain there
			failed.Stderr = string(bytes.TrimSpace(out))
		}
		done <- err
	}()
	return <-done
}

// enter takes the thread into the sandbox.
func (s Sandbox) enter(v *Validator, conffile string, text []byte) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := loopback(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, readOnly)
	if err != nil && !errors.Is(err, unix.ENOSYS) { // Linux before 5.12 cannot
		return os.NewSyscallError("mount_setattr", err)
	}
	root, err := os.OpenRoot(s.Root) // now: what was opened outside cannot be mounted on here
	if err != nil {
		return err
	}
	defer root.Close()
	for _, dir := range append([]string{"tmp", "run"}, v.Scratch...) {
		if err := scratch(root, dir); err != nil {
			return err
		}
	}
	for _, dir := range v.Dirs {
		if err := root.MkdirAll(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if conffile != "" {
		if err := lay(root, conffile, text); err != nil {
			return err
		}
	}
	top, err := root.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	return os.NewSyscallError("chroot", errors.Join(unix.Fchdir(int(top.Fd())), unix.Chroot(".")))
}

// loopback brings up the one interface of the new network: postfix(1) fails
// without any. It leads nowhere.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}

// scratch puts an empty directory in memory on one of the machine; one that the
// machine does not have is not missed.
func scratch(root *os.Root, dir string) error {
	at, err := root.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	return os.NewSyscallError("mount", unix.Mount("tmpfs", handle(at), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64m"))
}

// staged is the text's own name in the sandbox.
const staged = "tmp/.rootwc-staged"

// lay puts the text at the path of the live file, with that file's owner and
// mode, which some validators look at as well.
func lay(root *os.Root, conffile string, text []byte) error {
	live, err := root.OpenFile(conffile, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer live.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(live.Fd()), &st); err != nil {
		return err
	}
	if err := root.WriteFile(staged, text, 0o600); err != nil {
		return err
	}
	err = errors.Join(root.Lchown(staged, int(st.Uid), int(st.Gid)), root.Chmod(staged, fs.FileMode(st.Mode&0o777)))
	if err != nil {
		return err
	}
	from, err := root.OpenFile(staged, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	return os.NewSyscallError("mount", unix.Mount(handle(from), handle(live), "", unix.MS_BIND, ""))
}

// handle names an open file for mount(2), which then follows no path.
func handle(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
