package rebuild

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"rootwc/probes"
)

// scaled is n times to by from, rounded down. n is not more than from.
func scaled(n, to, from uint64) uint64 {
	high, low := bits.Mul64(n, to)
	part, _ := bits.Div64(high, low, from)
	return part
}

// resizeExt keeps inodes a group, the journal and the blocks that are reserved
// for descriptors, and the part that is for the administrator. A last group that
// mke2fs would leave out is left out.
func (m made) resizeExt(e *probes.Ext, bytes uint64) error {
	if err := m.checkExt(e); err != nil {
		return err
	}
	ratio, first := extRatio(e), uint64(0)
	if e.BlockSize == 1024 && ratio == 1 {
		first = 1
	}
	perGroup := e.BlocksPerGroup
	if perGroup == 0 {
		perGroup = min(8*e.BlockSize, 1<<16-8) * ratio
	}
	groups := func(blocks uint64) uint64 { return (blocks - first + perGroup - 1) / perGroup }
	if e.Blocks <= first || e.Inodes%groups(e.Blocks) != 0 {
		return fmt.Errorf("%d inodes in groups of %d of %d blocks", e.Inodes, perGroup, e.Blocks)
	}
	inodes := e.Inodes / groups(e.Blocks)
	blocks := bytes / e.BlockSize / ratio * ratio
	if !slices.Contains(e.Features, "64bit") && blocks >= 1<<32 {
		return errors.New("without the feature 64bit it has less than 2^32 blocks")
	}
	tables := 3 + (inodes*e.InodeSize+e.BlockSize-1)/e.BlockSize + e.ReservedGDT + extDescriptors(e, groups(max(blocks, first+1)))
	// what misc/mke2fs.c and lib/ext2fs/initialize.c want in the last group
	if rest := (blocks - min(blocks, first)) % perGroup; blocks > perGroup && rest > 0 && rest < tables+50 {
		blocks -= rest
	}
	if blocks < first+tables+50 || blocks < 2*e.Journal {
		return fmt.Errorf("%s have no room for its tables and its journal", probes.Size(bytes))
	}
	if all := groups(blocks); inodes*all >= 1<<32 {
		whole := max(8, e.BlockSize/e.InodeSize)
		inodes = (1<<32 - 1) / all / whole * whole
	}
	e.Reserved = scaled(e.Reserved, blocks, e.Blocks)
	e.Blocks, e.Inodes = blocks, inodes*groups(blocks)
	return nil
}

// extDescriptors is how many blocks the descriptors of so many groups take.
func extDescriptors(e *probes.Ext, groups uint64) uint64 {
	return (groups*extDescriptor(e) + e.BlockSize - 1) / e.BlockSize
}
