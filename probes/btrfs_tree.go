package probes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
)

// btrfsKey is where an item is in its tree. Object is a tree, an inode or a
// device, as the tree has it.
type btrfsKey struct {
	object uint64
	kind   uint8
	offset uint64
}

const btrfsKeySize = 17

// btrfsLastKey is behind all others.
var btrfsLastKey = btrfsKey{math.MaxUint64, math.MaxUint8, math.MaxUint64}

func parseBtrfsKey(b []byte) btrfsKey { return btrfsKey{le64(b), b[8], le64(b[9:])} }

func (k btrfsKey) compare(o btrfsKey) int {
	return cmp.Or(cmp.Compare(k.object, o.object), cmp.Compare(k.kind, o.kind), cmp.Compare(k.offset, o.offset))
}

// String writes the key as btrfs inspect-internal dump-tree does, in numbers.
func (k btrfsKey) String() string { return fmt.Sprintf("(%d %d %d)", k.object, k.kind, k.offset) }

// btrfsItem is an item of a tree. The data is lent.
type btrfsItem struct {
	key  btrfsKey
	data []byte
}

// short is the error of an item that has no room for what it should hold.
func (i btrfsItem) short() error {
	return fmt.Errorf("item %v: %d bytes are too short", i.key, len(i.data))
}

// The trees and the kinds of items that are read: linux/btrfs_tree.h has them
// as BTRFS_…_TREE_OBJECTID and BTRFS_…_KEY.
const (
	btrfsRootTree   = 1
	btrfsChunkTree  = 3
	btrfsDeviceTree = 4
	btrfsTopLevel   = 5
	btrfsQuotaTree  = 8

	btrfsFirstFree = 256 // the first subvolume, and the root directory of each
	btrfsLastFree  = math.MaxUint64 - 255

	btrfsInodeItem     = 1
	btrfsInodeRef      = 12
	btrfsXattrItem     = 24
	btrfsDirItem       = 84
	btrfsRootItem      = 132
	btrfsRootBackref   = 144
	btrfsDevItemKind   = 216
	btrfsChunkItem     = 228
	btrfsGroupStatus   = 240
	btrfsGroupInfo     = 242
	btrfsGroupLimit    = 244
	btrfsGroupRelation = 246
	btrfsReplaceItem   = 250
)

// btrfsSource is where the items of the trees come from.
type btrfsSource interface {
	// items calls f for the items of a tree from one key to another, both
	// included, in their order. A tree that is not there is errNoBtrfsTree. f
	// must not ask for items in its turn.
	items(ctx context.Context, tree uint64, first, last btrfsKey, f func(btrfsItem) error) error
}

// errNoBtrfsTree is a tree that the file system does not have.
var errNoBtrfsTree = errors.New("there is no such tree")

// btrfsDisks reads the trees from the devices.
type btrfsDisks struct {
	super   *btrfsSuper
	members map[uint64]medium
	chunks  btrfsChunks // at first those of the chunk tree alone
	blocks  map[uint64][]byte
	left    int // blocks that may yet be looked at
}

// btrfsMaxBlocks bounds the time that hostile trees can take. A file system
// with 100,000 snapshots takes half of it.
const btrfsMaxBlocks = 1 << 21

func newBtrfsDisks(super *btrfsSuper, members map[uint64]medium) (*btrfsDisks, error) {
	chunks, err := parseBtrfsSystemChunks(super.systemChunks)
	return &btrfsDisks{super, members, chunks, map[uint64][]byte{}, btrfsMaxBlocks}, err
}

func (d *btrfsDisks) items(ctx context.Context, tree uint64, first, last btrfsKey, f func(btrfsItem) error) error {
	root, err := d.rootOf(ctx, tree)
	if err != nil {
		return err
	}
	return inBtrfsTree(tree, d.walk(ctx, root, first, last, f))
}

// inBtrfsTree says in which tree an error was.
func inBtrfsTree(tree uint64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tree %d: %w", tree, err)
}

// rootOf finds the top block of a tree. A snapshot's root item has as its
// offset when it was made, all others have 0.
func (d *btrfsDisks) rootOf(ctx context.Context, tree uint64) (root btrfsPointer, err error) {
	switch tree {
	case btrfsRootTree:
		return d.super.root, nil
	case btrfsChunkTree:
		return d.super.chunkRoot, nil
	}
	found := inBtrfsTree(tree, errNoBtrfsTree)
	first, last := btrfsKey{tree, btrfsRootItem, 0}, btrfsKey{tree, btrfsRootItem, math.MaxUint64}
	err = d.walk(ctx, d.super.root, first, last, func(item btrfsItem) error {
		r, err := parseBtrfsRoot(item)
		root, found = r.pointer, nil
		return err
	})
	return root, cmp.Or(inBtrfsTree(btrfsRootTree, err), found)
}

// btrfsPointer says where a block is, and what it must be.
type btrfsPointer struct {
	block, generation uint64
	level             int
	first             *btrfsKey // nil for the top of a tree
}

// walk goes through a part of a tree. Every block below another one has the
// first key that it is said to have, and keys ascend: so no block comes twice.
func (d *btrfsDisks) walk(ctx context.Context, p btrfsPointer, first, last btrfsKey, f func(btrfsItem) error) error {
	b, err := d.block(ctx, p)
	if err != nil {
		return fmt.Errorf("block %d: %w", p.block, err)
	}
	if p.level == 0 {
		return walkBtrfsLeaf(b, first, last, f)
	}
	n := btrfsCount(b)
	for i := range n {
		at := btrfsPointerAt(b, i)
		key := parseBtrfsKey(at)
		if key.compare(last) > 0 {
			break
		}
		if i+1 < n && parseBtrfsKey(btrfsPointerAt(b, i+1)).compare(first) <= 0 {
			continue
		}
		below := btrfsPointer{le64(at[17:]), le64(at[25:]), p.level - 1, &key}
		if err := d.walk(ctx, below, first, last, f); err != nil {
			return err
		}
	}
	return nil
}

func walkBtrfsLeaf(b []byte, first, last btrfsKey, f func(btrfsItem) error) error {
	for i := range btrfsCount(b) {
		item := btrfsItemAt(b, i)
		switch {
		case item.key.compare(first) < 0:
			continue
		case item.key.compare(last) > 0:
			return nil
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// block reads a block, whichever copy of it is good, and keeps it for a while:
// the upper blocks of a tree are wanted often.
func (d *btrfsDisks) block(ctx context.Context, p btrfsPointer) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.left--; d.left < 0 {
		return nil, fmt.Errorf("more than %d blocks to look at", btrfsMaxBlocks)
	}
	if b := d.blocks[p.block]; b != nil {
		return b, checkBtrfsPointer(b, p)
	}
	c := d.chunks.find(p.block)
	if c == nil {
		return nil, errors.New("it is in no chunk")
	}
	var damage error
	for copy := range c.copies() {
		b := make([]byte, d.super.nodeSize)
		err := d.chunks.readAt(d.members, b, p.block, copy)
		if err == nil {
			err = d.check(b, p)
		}
		if err == nil {
			if len(d.blocks) >= 256 {
				clear(d.blocks)
			}
			d.blocks[p.block] = b
			return b, nil
		}
		damage = cmp.Or(damage, err)
	}
	return nil, damage
}

// check is for everything that reading a block depends on.
func (d *btrfsDisks) check(b []byte, p btrfsPointer) error {
	if !d.super.checksum.good(b) {
		return errors.New("its checksum is wrong")
	}
	if !bytes.Equal(b[0x20:0x30], d.super.treeUUID[:]) {
		return fmt.Errorf("it belongs to file system %s", uuid(b[0x20:]))
	}
	if at := le64(b[0x30:]); at != p.block {
		return fmt.Errorf("it is block %d", at)
	}
	if err := checkBtrfsBlock(b); err != nil {
		return err
	}
	return checkBtrfsPointer(b, p)
}

// checkBtrfsPointer compares a block with what points at it.
func checkBtrfsPointer(b []byte, p btrfsPointer) error {
	if generation := le64(b[0x50:]); generation != p.generation {
		return fmt.Errorf("it is of generation %d, not %d (or the file system is mounted)", generation, p.generation)
	}
	if level := int(b[0x64]); level != p.level {
		return fmt.Errorf("it is of level %d, not %d", level, p.level)
	}
	if p.first != nil && (btrfsCount(b) == 0 || parseBtrfsKey(b[btrfsHeader:]) != *p.first) {
		return fmt.Errorf("it does not begin with %v", *p.first)
	}
	return nil
}

// The parts of a block: struct btrfs_header, then btrfs_item or btrfs_key_ptr.
const (
	btrfsHeader      = 101
	btrfsItemSize    = 25
	btrfsPointerSize = 33
	btrfsMaxLevel    = 7
)

func btrfsCount(b []byte) int { return int(le32(b[0x60:])) }

func btrfsPointerAt(b []byte, i int) []byte { return b[btrfsHeader+i*btrfsPointerSize:] }

func btrfsItemAt(b []byte, i int) btrfsItem {
	at := b[btrfsHeader+i*btrfsItemSize:]
	offset, size := le32(at[17:]), le32(at[21:])
	return btrfsItem{parseBtrfsKey(at), b[btrfsHeader+offset:][:size]}
}

// checkBtrfsBlock says whether everything is inside the block, and keys ascend.
func checkBtrfsBlock(b []byte) error {
	level, each := b[0x64], btrfsItemSize
	if level > btrfsMaxLevel {
		return fmt.Errorf("a level of %d", level)
	}
	if level > 0 {
		each = btrfsPointerSize
	}
	n := uint64(le32(b[0x60:]))
	room := uint64(len(b) - btrfsHeader)
	if n > room/uint64(each) || n == 0 && level > 0 {
		return fmt.Errorf("%d items", n)
	}
	var before btrfsKey
	for i := range int(n) {
		at := b[btrfsHeader+i*each:]
		key := parseBtrfsKey(at)
		if i > 0 && key.compare(before) <= 0 {
			return fmt.Errorf("%v comes after %v", key, before)
		}
		before = key
		if level > 0 {
			continue
		}
		offset, size := uint64(le32(at[17:])), uint64(le32(at[21:]))
		if offset < n*btrfsItemSize || offset+size > room {
			return fmt.Errorf("item %v has bytes %d to %d", key, offset, offset+size)
		}
	}
	return nil
}
