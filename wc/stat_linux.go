package wc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// statAt is fstatat(2) of a name that ends with a zero, not following a
// symlink; the function of package unix copies each name.
func statAt(dir int, name *byte, st *unix.Stat_t) bool {
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(dir), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	return errno == 0
}
