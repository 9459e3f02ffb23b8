package probes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// extSuper is the superblock of one device.
type extSuper struct {
	medium
	b []byte
}

func (s *extSuper) u16(at int) uint64 { return uint64(binary.LittleEndian.Uint16(s.b[at:])) }
func (s *extSuper) u32(at int) uint64 { return uint64(binary.LittleEndian.Uint32(s.b[at:])) }
func (s *extSuper) has(field int, bit uint) bool {
	return s.u32(field)&(1<<bit) != 0
}

// the three words of features
const (
	extCompatAt   = 0x5c
	extIncompatAt = 0x60
	extROCompatAt = 0x64
)

// extSuperblock reads it until its checksum fits: the kernel changes a mounted
// one field by field in the memory that is read here (e2fsprogs tries again as
// well, lib/ext2fs/openfs.c).
func extSuperblock(m medium) ([]byte, error) {
	const attempts = 1000
	var before []byte
	for range attempts {
		b, err := m.at(1024, 1024)
		if b == nil || err != nil || binary.LittleEndian.Uint16(b[0x38:]) != 0xef53 {
			return nil, err
		}
		sum := ^crc32.Checksum(b[:0x3fc], castagnoli)
		stored := binary.LittleEndian.Uint32(b[0x3fc:])
		if b[extROCompatAt+1]&0x04 == 0 || sum == stored { // metadata_csum
			return b, nil
		}
		if bytes.Equal(b, before) {
			return nil, fmt.Errorf("ext superblock: checksum is %08x, should be %08x", stored, sum)
		}
		before = b
		time.Sleep(time.Millisecond)
	}
	return nil, errors.New("ext superblock: changes all the time")
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fsType tells the three apart as blkid does: ext3 is what has a journal and
// nothing that ext3's driver did not know. What blkid calls ext4dev is mounted
// as ext4 today.
func (s *extSuper) fsType() string {
	const oldROCompat, oldIncompat = 0x7, 0x16 // with needs_recovery
	switch {
	case s.has(extIncompatAt, 3):
		return "jbd"
	case s.u32(extROCompatAt)&^oldROCompat != 0 || s.u32(extIncompatAt)&^oldIncompat != 0:
		return "ext4"
	case s.has(extCompatAt, 2):
		return "ext3"
	}
	return "ext2"
}

func (s *extSuper) blockSize() uint64 { return 1024 << s.u32(0x18) }
func (s *extSuper) ratio() uint64 { // blocks a cluster
	if s.has(extROCompatAt, 9) {
		return 1 << (s.u32(0x1c) - s.u32(0x18))
	}
	return 1
}
func (s *extSuper) blocks() uint64 {
	n := s.u32(0x4)
	if s.has(extIncompatAt, 7) {
		n |= s.u32(0x150) << 32
	}
	return n
}
func (s *extSuper) inodeSize() uint64 {
	if s.u32(0x4c) == 0 { // revision
		return 128
	}
	return s.u16(0x58)
}
func (s *extSuper) descriptorSize() uint64 {
	if s.has(extIncompatAt, 7) {
		return s.u16(0xfe)
	}
	return 32
}

// check refuses what cannot be, as the kernel does in ext4_fill_super.
func (s *extSuper) check() error {
	if s.u32(0x18) > 6 {
		return fmt.Errorf("block size 2^%d KiB", s.u32(0x18))
	}
	bs, first, perGroup, inodes := s.blockSize(), s.u32(0x14), s.u32(0x20), s.u32(0x28)
	if s.has(extROCompatAt, 9) && (s.u32(0x1c) < s.u32(0x18) || s.u32(0x1c) > 20) {
		return fmt.Errorf("cluster size 2^%d KiB", s.u32(0x1c))
	}
	switch {
	case s.u32(0x4c) > 1:
		return fmt.Errorf("revision %d", s.u32(0x4c))
	case !powerOf2(s.inodeSize(), 128, bs):
		return fmt.Errorf("inode size %d", s.inodeSize())
	case !powerOf2(s.descriptorSize(), 32, 1024):
		return fmt.Errorf("group descriptor size %d", s.descriptorSize())
	case perGroup == 0 || perGroup > 8*bs*s.ratio():
		return fmt.Errorf("%d blocks in a group", perGroup)
	case inodes == 0 || inodes > 8*bs:
		return fmt.Errorf("%d inodes in a group", inodes)
	case first > 1 || first >= s.blocks():
		return fmt.Errorf("first block %d of %d", first, s.blocks())
	}
	if err := s.fits(s.blocks(), bs); err != nil {
		return err
	}
	groups := (s.blocks() - first + perGroup - 1) / perGroup
	if s.u32(0) != groups*inodes {
		return fmt.Errorf("%d inodes, %d groups of %d inodes", s.u32(0), groups, inodes)
	}
	if n := s.reserved(); n > s.blocks() {
		return fmt.Errorf("%d of %d blocks reserved", n, s.blocks())
	}
	return nil
}

func (s *extSuper) reserved() uint64 {
	n := s.u32(0x8)
	if s.has(extIncompatAt, 7) {
		n |= s.u32(0x154) << 32
	}
	return n
}
