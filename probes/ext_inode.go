package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// journal takes the size of the journal from its inode, of which the
// superblock holds a copy, and the part for fast commits from its own
// superblock.
func (s *extSuper) journal(e *Ext) error {
	var inode []byte // i_block, then i_size's high and low half
	if s.b[0xfd] == 1 {
		inode = s.b[0x10c:0x150]
	} else {
		i, err := s.inode(s.u32(0xe0))
		if err != nil {
			return err
		}
		inode = slices.Concat(i[0x28:0x64], i[0x6c:0x70], i[0x4:0x8])
	}
	le := binary.LittleEndian
	length := uint64(le.Uint32(inode[60:]))<<32 | uint64(le.Uint32(inode[64:]))
	e.Journal = length / e.BlockSize
	if e.Journal == 0 || e.Journal > e.Blocks {
		return fmt.Errorf("%d blocks", e.Journal)
	}
	if !slices.Contains(e.Features, "fast_commit") {
		return nil
	}
	block, err := s.firstBlock(inode[:60])
	if err != nil {
		return err
	}
	if block >= e.Blocks {
		return fmt.Errorf("inode: begins in block %d", block)
	}
	b, err := s.read(block*e.BlockSize, 1024)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b) != 0xc03b3998 {
		return errors.New("superblock: wrong magic number")
	}
	e.FastCommit = uint64(binary.BigEndian.Uint32(b[84:]))
	if e.FastCommit > e.Journal {
		return fmt.Errorf("superblock: %d of %d blocks for fast commits", e.FastCommit, e.Journal)
	}
	return nil
}

// firstBlock is where a file begins, from the block map of its inode.
func (s *extSuper) firstBlock(m []byte) (uint64, error) {
	le := binary.LittleEndian
	for range 6 { // no tree is deeper
		if le.Uint16(m) != 0xf30a { // a list of blocks, no extents
			return uint64(le.Uint32(m)), nil
		}
		if le.Uint16(m[2:]) == 0 {
			return 0, errors.New("inode: no extents")
		}
		first := m[12:24]
		if le.Uint16(m[6:]) == 0 {
			return uint64(le.Uint16(first[6:]))<<32 | uint64(le.Uint32(first[8:])), nil
		}
		below := uint64(le.Uint16(first[8:]))<<32 | uint64(le.Uint32(first[4:]))
		if below > s.blocks() {
			return 0, fmt.Errorf("inode: extents in block %d", below)
		}
		var err error
		if m, err = s.read(below*s.blockSize(), s.blockSize()); err != nil {
			return 0, err
		}
		if le.Uint16(m) != 0xf30a {
			return 0, errors.New("inode: broken tree of extents")
		}
	}
	return 0, errors.New("inode: tree of extents without end")
}

// inode reads one by its number.
func (s *extSuper) inode(number uint64) ([]byte, error) {
	if number == 0 || number > s.u32(0) {
		return nil, fmt.Errorf("inode %d of %d", number, s.u32(0))
	}
	group, index := (number-1)/s.u32(0x28), (number-1)%s.u32(0x28)
	d, err := s.read(s.descriptor(group), s.descriptorSize())
	if err != nil {
		return nil, err
	}
	table := uint64(binary.LittleEndian.Uint32(d[0x8:]))
	if len(d) >= 64 {
		table |= uint64(binary.LittleEndian.Uint32(d[0x28:])) << 32
	}
	if table >= s.blocks() {
		return nil, fmt.Errorf("group %d: inodes in block %d", group, table)
	}
	return s.read(table*s.blockSize()+index*s.inodeSize(), s.inodeSize())
}

// descriptor is where the descriptor of a group lies.
func (s *extSuper) descriptor(group uint64) uint64 {
	bs := s.blockSize()
	per := bs / s.descriptorSize()
	start := s.u32(0x14)
	if bs == 1024 { // the superblock is block 1, also with bigalloc
		start = 1
	}
	n, block := group/per, uint64(0)
	if !s.has(extIncompatAt, 4) || n < s.u32(0x104) {
		block = start + 1 + n
	} else {
		first := n * per
		block = first * s.u32(0x20)
		if first == 0 {
			block = start
		} else {
			block += s.u32(0x14)
		}
		if s.hasSuper(first) {
			block++
		}
	}
	return block*bs + group%per*s.descriptorSize()
}

// hasSuper says whether a group begins with a copy of the superblock.
func (s *extSuper) hasSuper(group uint64) bool {
	switch {
	case group == 0:
		return true
	case s.has(extCompatAt, 9):
		return group == s.u32(0x24c) || group == s.u32(0x250)
	case group == 1 || !s.has(extROCompatAt, 0):
		return true
	}
	for _, base := range []uint64{3, 5, 7} {
		n := group
		for n%base == 0 {
			n /= base
		}
		if n == 1 {
			return true
		}
	}
	return false
}

func extFileSize(inode []byte) uint64 {
	le := binary.LittleEndian
	return uint64(le.Uint32(inode[0x6c:]))<<32 | uint64(le.Uint32(inode[4:]))
}
