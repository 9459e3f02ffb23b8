package metadata

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadXattrs reads ACLs and versioned attributes of the entry name in the
// directory dirfd (or AT_FDCWD) into v, whose Kind must be set, as [FromStat]
// sets it. A symlink is not followed and has none. A file system without
// attributes is no error. [ErrChanged] says that the entry is of another kind
// by now; [ErrTooLarge] and errors of the system name the entry. After an
// error v has no ACL and no attributes.
func (v *Values) ReadXattrs(dirfd int, name string) error {
	v.ACL, v.DefaultACL, v.Xattrs = nil, nil, nil
	if v.Kind == Symlink || nothingListed(dirfd, name) {
		return nil
	}
	h, err := openPath(dirfd, name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	defer h.close()
	st, err := h.stat()
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if kindOf(uint32(st.Mode)) != v.Kind {
		return fmt.Errorf("%q %w", name, ErrChanged)
	}
	return v.readFrom(h, name)
}

// ReadXattrsPath is [Values.ReadXattrs] by path, for a system without /proc.
// Symlinks among the directories of path are followed: use it only where
// nobody else can replace one of them.
func (v *Values) ReadXattrsPath(path string) error {
	v.ACL, v.DefaultACL, v.Xattrs = nil, nil, nil
	if v.Kind == Symlink {
		return nil
	}
	return v.fill(path,
		func() ([]string, error) {
			return listXattr(func(dest []byte) (int, error) { return unix.Llistxattr(path, dest) })
		},
		func(name string) ([]byte, error) {
			return getXattr(func(dest []byte) (int, error) { return unix.Lgetxattr(path, name, dest) })
		})
}

// Read reads all metadata of the entry name in the directory dirfd, of one
// inode, together with its stat. A symlink is not followed.
func Read(dirfd int, name string) (Values, unix.Stat_t, error) {
	h, err := openPath(dirfd, name)
	if err != nil {
		return Values{}, unix.Stat_t{}, fmt.Errorf("%q: %w", name, err)
	}
	defer h.close()
	st, err := h.stat()
	if err != nil {
		return Values{}, st, fmt.Errorf("%q: %w", name, err)
	}
	v := FromStat(&st)
	return v, st, v.readFrom(h, name)
}

// ReadFD reads all metadata of an open file, which may be open with O_PATH.
func ReadFD(fd int) (Values, unix.Stat_t, error) {
	h, err := handleOf(fd)
	if err != nil {
		return Values{}, unix.Stat_t{}, fmt.Errorf("file %d: %w", fd, err)
	}
	st, err := h.stat()
	if err != nil {
		return Values{}, st, fmt.Errorf("file %d: %w", fd, err)
	}
	v := FromStat(&st)
	return v, st, v.readFrom(h, fmt.Sprintf("file %d", fd))
}

func (v *Values) readFrom(h handle, name string) error {
	if v.Kind == Symlink {
		return nil
	}
	return v.fill(name, h.listXattr, h.getXattr)
}

// fill lists the attributes and gets each. One that disappears in between is
// not there.
func (v *Values) fill(path string, list func() ([]string, error), get func(string) ([]byte, error)) error {
	names, err := list()
	if err != nil {
		return fmt.Errorf("extended attributes of %q: %w", path, err)
	}
	read := *v
	total := 0
	for _, name := range names {
		value, err := get(name)
		if err == nil && value != nil {
			if total += len(name) + len(value); total > maxXattrs {
				return fmt.Errorf("%q: %w", path, ErrTooLarge)
			}
			err = read.add(name, value)
		}
		if err != nil {
			return fmt.Errorf("attribute %s of %q: %w", quoteXattrName(name), path, err)
		}
	}
	*v = read
	return nil
}

// add files one attribute under its field.
func (v *Values) add(name string, value []byte) (err error) {
	switch {
	case name == xattrACL:
		v.ACL, err = ParseACL(value)
	case name == xattrDefaultACL:
		v.DefaultACL, err = ParseDefaultACL(value)
	default:
		v.Xattrs = append(v.Xattrs, Xattr{Name: name, Value: value})
	}
	return err
}

// noListxattrat is set once listxattrat(2) turned out to be missing: it came
// with Linux 6.13, and sandboxes answer EPERM to calls they do not know.
var noListxattrat atomic.Bool

// nothingListed reports that an entry has no attributes that matter here, in
// one system call and without allocation, as is true of nearly every file.
// False means that nothing is known.
func nothingListed(dirfd int, name string) bool {
	var path [maxXattrName + 1]byte // NAME_MAX is the same
	if noListxattrat.Load() || !isName(name) {
		return false
	}
	copy(path[:], name)
	var list [512]byte
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dirfd), uintptr(unsafe.Pointer(&path[0])),
		unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), 0)
	switch {
	case errno == unix.ENOSYS || errno == unix.EPERM:
		noListxattrat.Store(true)
		return false
	case errno != 0:
		return notSupported(errno)
	case n == 0:
		return true
	}
	return len(relevantNames(list[:n])) == 0
}
