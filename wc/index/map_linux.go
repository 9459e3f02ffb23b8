package index

import (
	"os"

	"golang.org/x/sys/unix"
)

// Map reads the head of an index and no more: what is asked of it later is
// read from the file then. [Index.Check] reads all of it. The map stays for as
// long as the process.
func Map(f *os.File) (*Index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(headerLen) {
		return nil, ErrDamaged
	}
	// An index is replaced and never cut: the pages stay.
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	x, err := parseWhole(data)
	if err != nil {
		_ = unix.Munmap(data)
	}
	return x, err
}
