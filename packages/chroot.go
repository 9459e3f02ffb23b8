package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// shared are the file systems of the running system that programs below another
// root look into. /run is none of them: in it they would find the running
// system's services, and talk to them.
var shared = []string{"/proc", "/sys", "/dev"}

// Apart calls work on a thread of its own, which sees a root with /proc, /sys
// and /dev in it, and has a umask of its own. Nobody else sees these mounts, and
// they end with the thread: a killed rootwc leaves none behind. A container may
// forbid them; the error then goes to denied, and work does without.
func Apart(root string, denied func(error), work func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends here
		done <- apart(root, denied, work)
	}()
	return <-done
}

func apart(root string, denied func(error), work func() error) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if root != "/" {
		err := mountShared(root)
		if err != nil && !errors.Is(err, unix.EPERM) {
			return err
		}
		if err != nil {
			denied(err)
		}
	}
	return work()
}

func mountShared(root string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	for _, dir := range shared {
		if err := bind(dir, root+dir); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// bind mounts a directory in a second place. The place is a directory: a link in
// the root could lead into the running system.
func bind(dir, at string) error {
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Mount(dir, fmt.Sprintf("/proc/thread-self/fd/%d", fd), "", unix.MS_BIND|unix.MS_REC, "")
}
