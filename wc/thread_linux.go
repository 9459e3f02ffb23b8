package wc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// setThreadGroups calls setgroups(2) for this thread alone; the function of
// package unix sets them for the whole process.
func setThreadGroups(groups []uint32) error {
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); errno != 0 {
		return errno
	}
	return nil
}
