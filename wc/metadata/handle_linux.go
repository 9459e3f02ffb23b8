package metadata

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoProc says that a file could not be reached through /proc/self/fd,
// because no proc(5) is mounted.
var ErrNoProc = errors.New("/proc is not mounted")

// handle is an open file whose metadata is read and set. Opened with O_PATH
// (which needs no permission on the file, waits for no fifo and touches no
// device) it has no attribute calls of its own; then its /proc/self/fd path
// stands in. That is a magic link, see proc_pid_fd(5): following it leads to
// the very inode, even when that is a symlink, and no further.
type handle struct {
	fd    int
	proc  string // "" for a file opened for reading or writing
	trace func() // for tests, called after each change
}

// handleOf makes a handle of an open file of either sort.
func handleOf(fd int) (handle, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return handle{}, err
	}
	if flags&unix.O_PATH == 0 {
		return handle{fd: fd}, nil
	}
	return pathHandle(fd), nil
}

func pathHandle(fd int) handle {
	return handle{fd: fd, proc: "/proc/self/fd/" + strconv.Itoa(fd)}
}

// openPath opens an entry of a directory with O_PATH; it follows no symlink.
// name must be a single path element, or "." for the directory itself.
func openPath(dirfd int, name string) (handle, error) {
	if !isName(name) {
		return handle{}, errors.New("internal error: not a name in a directory")
	}
	for {
		fd, err := unix.Openat(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return handle{}, err
		}
		return pathHandle(fd), nil
	}
}

// isName reports whether a name stays in its directory.
func isName(name string) bool {
	return name != "" && name != ".." && len(name) <= maxXattrName && !strings.ContainsAny(name, "/\x00")
}

func (h handle) close() { unix.Close(h.fd) }

func (h handle) stat() (st unix.Stat_t, err error) {
	err = unix.Fstat(h.fd, &st)
	return st, err
}

func (h handle) changed() {
	if h.trace != nil {
		h.trace()
	}
}

// chown sets owner and group; noID leaves one alone. With AT_EMPTY_PATH it
// works on every sort of file.
func (h handle) chown(uid, gid uint32) error {
	defer h.changed()
	return unix.Fchownat(h.fd, "", int(uid), int(gid), unix.AT_EMPTY_PATH)
}

// chmod sets the mode. fchmodat2(2) would take an O_PATH file, from Linux 6.6
// on; it stands in where /proc is missing.
func (h handle) chmod(mode uint32) error {
	defer h.changed()
	if h.proc == "" {
		return unix.Fchmod(h.fd, mode)
	}
	err := unix.Fchmodat(unix.AT_FDCWD, h.proc, mode, 0)
	if err == unix.ENOENT {
		if unix.Fchmodat(h.fd, "", mode, unix.AT_EMPTY_PATH) == nil {
			return nil
		}
		return ErrNoProc
	}
	return err
}

// procError tells a missing /proc from the errors of the file.
func (h handle) procError(err error) error {
	if h.proc != "" && err == unix.ENOENT {
		return ErrNoProc
	}
	return err
}

func (h handle) setXattr(name string, value []byte) error {
	defer h.changed()
	if h.proc == "" {
		return unix.Fsetxattr(h.fd, name, value, 0)
	}
	return h.procError(unix.Setxattr(h.proc, name, value, 0))
}

// removeXattr succeeds when the attribute is not there.
func (h handle) removeXattr(name string) (err error) {
	defer h.changed()
	if h.proc == "" {
		err = unix.Fremovexattr(h.fd, name)
	} else {
		err = h.procError(unix.Removexattr(h.proc, name))
	}
	if err == unix.ENODATA || notSupported(err) {
		return nil
	}
	return err
}

// getXattr returns one attribute, nil when it is not there, and []byte{} when
// it is empty.
func (h handle) getXattr(name string) ([]byte, error) {
	return getXattr(func(dest []byte) (int, error) {
		if h.proc == "" {
			return unix.Fgetxattr(h.fd, name, dest)
		}
		n, err := unix.Getxattr(h.proc, name, dest)
		return n, h.procError(err)
	})
}

// listXattr returns the names that are read or set here, sorted: the versioned
// ones and the ACLs. A file system without attributes has none.
func (h handle) listXattr() ([]string, error) {
	return listXattr(func(dest []byte) (int, error) {
		if h.proc == "" {
			return unix.Flistxattr(h.fd, dest)
		}
		n, err := unix.Listxattr(h.proc, dest)
		return n, h.procError(err)
	})
}
