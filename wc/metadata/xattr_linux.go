package metadata

import (
	"bytes"
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// getXattr calls get with a buffer that is large enough.
func getXattr(get func(dest []byte) (int, error)) ([]byte, error) {
	var small [256]byte
	buf := small[:]
	for {
		n, err := get(buf)
		switch {
		case err == nil:
			return append([]byte{}, buf[:n]...), nil
		case err == unix.ENODATA || notSupported(err):
			return nil, nil
		case err != unix.ERANGE || len(buf) >= maxXattrValue:
			return nil, err
		}
		buf = make([]byte, maxXattrValue) // XATTR_SIZE_MAX of linux/limits.h
	}
}

// listXattr calls list with a buffer that is large enough.
func listXattr(list func(dest []byte) (int, error)) ([]string, error) {
	var small [1024]byte
	buf := small[:]
	for {
		n, err := list(buf)
		switch {
		case err == nil:
			return relevantNames(buf[:n]), nil
		case notSupported(err):
			return nil, nil
		case err != unix.ERANGE || len(buf) >= maxXattrValue:
			return nil, err
		}
		buf = make([]byte, maxXattrValue) // XATTR_LIST_MAX is the same
	}
}

// relevantNames picks the names used here from the kernel's list, in which
// each ends with a NUL. A list without one (security.selinux alone) costs no
// allocation.
func relevantNames(list []byte) []string {
	var names []string
	for len(list) > 0 {
		end := bytes.IndexByte(list, 0)
		if end < 0 {
			break
		}
		name := list[:end]
		if bytes.HasPrefix(name, []byte("user.")) || bytes.HasPrefix(name, []byte("trusted.")) ||
			string(name) == xattrCapability || string(name) == xattrACL || string(name) == xattrDefaultACL {
			names = append(names, string(name))
		}
		list = list[end+1:]
	}
	slices.Sort(names)
	return names
}

// notSupported reports that the file system has no such attributes at all.
func notSupported(err error) bool {
	return errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP)
}
