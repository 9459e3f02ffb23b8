package metadata

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrHardLink says that a file has more names than one.
var ErrHardLink = errors.New("has several hard links")

// Options are what [ApplyAt] checks before it touches an entry.
type Options struct {
	// Dev and Ino, from stat(2), are the inode that the entry must be. An Ino
	// of zero is not compared.
	Dev, Ino uint64

	// HardLinks allows a file with several links. Without it such a file is
	// refused: where others may write, one of its names may have been made to
	// get another file changed, /etc/shadow for one.
	HardLinks bool
}

// ApplyAt gives the entry name in the directory dirfd (or AT_FDCWD) the
// metadata want, in place. It follows no symlink, and what it checked is what
// it changes. name is a single path element, or ".".
//
// The error is [ErrChanged] when the entry is of another kind than want or not
// the expected inode, [ErrHardLink], [ErrNoProc], or [Problems].
func ApplyAt(dirfd int, name string, want Values, opt Options) error {
	h, err := openPath(dirfd, name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	defer h.close()
	st, err := h.stat()
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	switch {
	case opt.Ino != 0 && (st.Ino != opt.Ino || uint64(st.Dev) != opt.Dev):
		return fmt.Errorf("%q %w", name, ErrChanged)
	case kindOf(uint32(st.Mode)) != want.Kind:
		return fmt.Errorf("%q %w", name, ErrChanged)
	case want.Kind != Dir && st.Nlink > 1 && !opt.HardLinks:
		return fmt.Errorf("%q %w", name, ErrHardLink)
	}
	return apply(h, &st, want)
}

// Apply gives an open file the metadata want. fd is open for reading, for
// writing, or with O_PATH; a symlink can only be open with O_PATH, and takes
// only its owner and group.
//
// It suits a new file that nobody else can reach and one that is live alike:
// at no moment does the file grant more than it granted before or shall grant
// afterwards. Values that the file has already are not set again; versioned
// attributes and ACLs that are not wanted are removed, other attributes stay.
//
// When the owner or group cannot be set, the bits that would speak for the
// wrong one are left out: setuid, setgid, and what the group may do but others
// may not. Whether the file has other hard links is the caller's to know. The
// error is [ErrChanged] when the file is of another kind than want, or
// [Problems].
func Apply(fd int, want Values) error {
	h, err := handleOf(fd)
	if err != nil {
		return fmt.Errorf("file %d: %w", fd, err)
	}
	st, err := h.stat()
	if err != nil {
		return fmt.Errorf("file %d: %w", fd, err)
	}
	if kindOf(uint32(st.Mode)) != want.Kind {
		return fmt.Errorf("file %d %w", fd, ErrChanged)
	}
	return apply(h, &st, want)
}

// apply runs the steps in an order that the kernel dictates: chown(2) clears
// setuid, setgid and capabilities, so it comes before them; an ACL rewrites
// the group's bits of the mode, so it comes after chmod(2).
func apply(h handle, st *unix.Stat_t, want Values) error {
	if want.ACL != nil {
		want.Mode = want.Mode&^permBits | want.ACL.statBits()
	}
	a := applier{h: h, have: FromStat(st), want: want, full: want.Mode}
	if want.Kind == Symlink {
		a.chown()
		return a.result()
	}
	a.look()
	if !a.tighten() {
		return a.result()
	}
	a.chown()
	a.setXattrs()
	a.setAccess()
	a.setDefaultACL()
	a.setCapability()
	a.verify()
	return a.result()
}
