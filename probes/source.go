package probes

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// source is an open block device. It is read by way of the kernel's cache, where
// ext4's journal and the writers of tables leave what is not on the disk yet.
// md, XFS, F2FS and btrfs write past that cache: what was read there before
// stays for as long as they hold the device. Their readers take [medium.past].
type source struct {
	*os.File
	direct *os.File
	sector int64
	size   int64
}

// open opens a device for reading. A node may be another device than the one
// that was meant: its number is compared.
func (m Machine) open(d *Device) (*source, error) {
	s := &source{sector: int64(max(d.Sector, 512)), size: int64(d.Size)}
	for file, flag := range map[**os.File]int{&s.File: 0, &s.direct: unix.O_DIRECT} {
		f, err := os.OpenFile(filepath.Join(m.Dev, d.Name), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|flag, 0)
		if err == nil {
			*file, err = f, d.is(f)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// is compares an open file with the device.
func (d *Device) is(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	if st.Mode&unix.S_IFMT != unix.S_IFBLK || number != d.Number {
		return fmt.Errorf("%s: it is not block device %s", f.Name(), d.Number)
	}
	return nil
}

// Close closes the device.
func (s *source) Close() error {
	var err error
	for _, f := range []*os.File{s.File, s.direct} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// medium is the device to read from.
func (s *source) medium() medium { return medium{s, uint64(s.size)} }

// past reads past the kernel's cache, where there is one.
func (m medium) past() medium {
	if s, ok := m.ReaderAt.(*source); ok {
		return medium{direct{s}, m.size}
	}
	return m
}

// direct reads whole sectors into aligned memory, as O_DIRECT wants it (open(2)).
type direct struct{ *source }

// memoryAlign suits every block device: a page.
const memoryAlign = 4096

func (r direct) ReadAt(b []byte, at int64) (int, error) {
	if at >= r.size {
		return 0, io.EOF
	}
	first := at / r.sector * r.sector
	end := min((at+int64(len(b))+r.sector-1)/r.sector*r.sector, r.size)
	memory := make([]byte, end-first+memoryAlign)
	unaligned := int(uintptr(unsafe.Pointer(&memory[0])) % memoryAlign)
	whole := memory[memoryAlign-unaligned:][:end-first]
	n, err := r.direct.ReadAt(whole, first)
	n = copy(b, whole[min(int(at-first), n):n])
	if n == len(b) {
		return n, nil
	}
	return n, cmp.Or(err, io.EOF)
}
