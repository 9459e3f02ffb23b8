package wc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
)

// hidden is a file without a name in the directory where it is going to
// appear: O_TMPFILE of open(2). A crash leaves nothing of it. Where the file
// system knows no such files, it has a name of its own, noted for the next
// command to remove.
type hidden struct {
	rel   string // where it appears, relative to the working copy
	at    string // its name for the time being, relative to the machine's root; "" for none
	dir   *os.File
	file  *os.File
	state *State
	copy  *Copy
}

// hiddenFile, in the state directory, holds the path of a hidden file with a
// name.
const hiddenFile = "hidden"

// newHidden makes one as the owner of the working copy, readable by that one
// alone. No symlink and no mount point is crossed on the way to its directory.
func newHidden(c *Copy, rel string) (*hidden, error) {
	h := &hidden{rel: rel, state: c.tree.State, copy: c}
	err := as(c.user, h.open)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		var name string
		if name, err = h.name(); err == nil {
			err = as(c.user, func() error { return h.create(name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW) })
		}
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// open opens the directory and makes the file in it.
func (h *hidden) open() error {
	top, err := openDir(h.copy.fs, "")
	if err != nil {
		return err
	}
	defer top.Close()
	dir := parentOf(h.rel)
	fd, err := openBeneath(int(top.Fd()), dir)
	if err != nil {
		return &os.PathError{Op: "open", Path: h.copy.path(dir), Err: err}
	}
	h.dir = os.NewFile(uintptr(fd), h.copy.path(dir))
	return h.create(".", unix.O_TMPFILE)
}

func (h *hidden) create(name string, how int) error {
	fd, err := unix.Openat(int(h.dir.Fd()), name, how|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: h.copy.path(h.rel), Err: err}
	}
	h.file = os.NewFile(uintptr(fd), h.copy.path(h.rel))
	return nil
}

// name chooses a name for the time being and notes it.
func (h *hidden) name() (string, error) {
	name := stageNear + rand.Text()
	h.at = joinPath(h.copy.path(parentOf(h.rel)), name)
	return name, h.state.writeDurable(hiddenFile, []byte(h.at))
}

// appear puts the file in its place, wholly, when that is still what it was:
// otherwise the error is fs.ErrExist.
func (h *hidden) appear(was identity) error {
	_, name := splitPath(h.rel)
	dir := int(h.dir.Fd())
	if !was.Exists && h.at == "" {
		fault.At("place")
		return errors.Join(h.link(name), h.dir.Sync())
	}
	if h.at == "" {
		at, err := h.name()
		if err == nil {
			err = h.link(at)
		}
		if err != nil {
			return err
		}
	}
	fault.At("place")
	_, at := splitPath(h.at)
	err := as(h.copy.user, func() error {
		var st unix.Stat_t
		now := identity{}
		if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
			now = identityOf(&st)
		} else if !errors.Is(err, unix.ENOENT) {
			return err
		}
		if now != was {
			return fs.ErrExist
		}
		flags := uint(0)
		if !was.Exists {
			flags = unix.RENAME_NOREPLACE
		}
		return unix.Renameat2(dir, at, dir, name, flags)
	})
	if err != nil {
		return err
	}
	h.at = ""
	return errors.Join(h.dir.Sync(), h.state.forgetHidden())
}

// link gives the file a name, linkat(2). It is done with root's own rights, which
// alone reach such a file through /proc: that the owner may write in the
// directory has been proven by making it there.
func (h *hidden) link(name string) error {
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", h.file.Fd()), int(h.dir.Fd()), name, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: h.rel, New: name, Err: err}
	}
	return nil
}

// close lets the file go; one that did not appear is gone then.
func (h *hidden) close() {
	if h.at != "" {
		h.state.removeHidden()
	}
	if h.file != nil {
		h.file.Close()
	}
	h.dir.Close() // which says no more than that there is none
}

// removeHidden removes a hidden file that has a name, of this process or of
// one that crashed.
func (s *State) removeHidden() {
	text, err := os.ReadFile(s.path(hiddenFile))
	if err != nil {
		return
	}
	if err := s.tree.fs.Remove(string(text)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.tree.Warn("cannot remove %s, which holds a secret: %v", text, cause(err))
		return
	}
	_ = s.forgetHidden() // it is gone: looking for it again does no harm
}

func (s *State) forgetHidden() error {
	err := os.Remove(s.path(hiddenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
