package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// btrfsChunk says where a range of the file system's own addresses is on the
// devices: struct btrfs_chunk in linux/btrfs_tree.h.
type btrfsChunk struct {
	start, length uint64
	kind          uint64 // what for, and which profile
	perCopy       int    // raid10: stripes with the same content
	stripes       []btrfsStripe
}

// btrfsStripe is a part of a chunk on one device.
type btrfsStripe struct{ device, offset uint64 }

// The bits of a chunk's kind.
const (
	btrfsData     = 1 << 0
	btrfsSystem   = 1 << 1
	btrfsMetadata = 1 << 2
	btrfsRAID0    = 1 << 3
	btrfsRAID1    = 1 << 4
	btrfsDUP      = 1 << 5
	btrfsRAID10   = 1 << 6
	btrfsRAID5    = 1 << 7
	btrfsRAID6    = 1 << 8
	btrfsRAID1C3  = 1 << 9
	btrfsRAID1C4  = 1 << 10

	btrfsProfileBits = btrfsRAID0 | btrfsRAID1 | btrfsDUP | btrfsRAID10 | btrfsRAID5 | btrfsRAID6 | btrfsRAID1C3 | btrfsRAID1C4
)

// btrfsStripeLength is the only one that the kernel takes (BTRFS_STRIPE_LEN).
const btrfsStripeLength = 64 << 10

// btrfsMaxChunks bounds the memory that hostile trees can take. With chunks of
// 1 GiB it is a pebibyte.
const btrfsMaxChunks = 1 << 20

// btrfsProfiles has the words of mkfs.btrfs, in the order in which the kernel
// chooses one for what is new (btrfs_reduce_alloc_profile).
var btrfsProfiles = []struct {
	bit  uint64
	word string
}{
	{btrfsRAID1C4, "raid1c4"},
	{btrfsRAID6, "raid6"},
	{btrfsRAID1C3, "raid1c3"},
	{btrfsRAID5, "raid5"},
	{btrfsRAID10, "raid10"},
	{btrfsRAID1, "raid1"},
	{btrfsDUP, "dup"},
	{btrfsRAID0, "raid0"},
}

// btrfsProfile names the profile of chunks with these bits. There are several
// while a balance converts, and in file systems of an old mkfs.btrfs, which
// left empty single chunks behind.
func btrfsProfile(bits uint64) string {
	for _, p := range btrfsProfiles {
		if bits&p.bit != 0 {
			return p.word
		}
	}
	return "single"
}

// parseBtrfsChunk reads the chunk that begins at an address, and gives the
// size of its item.
func parseBtrfsChunk(start uint64, b []byte) (c btrfsChunk, size int, err error) {
	const head, each = 48, 32
	if len(b) < head {
		return c, 0, fmt.Errorf("chunk %d: %d bytes are too short", start, len(b))
	}
	c = btrfsChunk{start: start, length: le64(b), kind: le64(b[24:]), perCopy: int(le16(b[46:]))}
	n := int(le16(b[44:]))
	switch size = head + n*each; {
	case size > len(b):
		return c, 0, fmt.Errorf("chunk %d: %d stripes in %d bytes", start, n, len(b))
	case c.length == 0 || start+c.length < start:
		return c, 0, fmt.Errorf("chunk %d: a length of %d bytes", start, c.length)
	case le64(b[16:]) != btrfsStripeLength:
		return c, 0, fmt.Errorf("chunk %d: stripes of %d bytes", start, le64(b[16:]))
	}
	for s := b[head:size]; len(s) > 0; s = s[each:] {
		c.stripes = append(c.stripes, btrfsStripe{device: le64(s), offset: le64(s[8:])})
	}
	return c, size, c.check()
}

// check is for what locate depends on.
func (c *btrfsChunk) check() error {
	n := len(c.stripes)
	switch c.kind & btrfsProfileBits {
	case btrfsRAID5:
		n--
	case btrfsRAID6:
		n -= 2
	case btrfsRAID10:
		if c.perCopy < 1 || n%c.perCopy != 0 {
			n = 0
		}
	case 0, btrfsRAID0, btrfsRAID1, btrfsDUP, btrfsRAID1C3, btrfsRAID1C4:
	default:
		return fmt.Errorf("chunk %d: unknown kind %#x", c.start, c.kind)
	}
	if n < 1 {
		return fmt.Errorf("chunk %d: %d stripes for %s", c.start, len(c.stripes), btrfsProfile(c.kind))
	}
	return nil
}

// copies is how often everything is there.
func (c *btrfsChunk) copies() int {
	switch c.kind & btrfsProfileBits {
	case btrfsDUP, btrfsRAID1, btrfsRAID1C3, btrfsRAID1C4:
		return len(c.stripes)
	case btrfsRAID10:
		return c.perCopy
	}
	return 1
}

// locate finds a copy of what is at an offset into the chunk, and how much of
// it lies together. It is what btrfs_map_block does for reading; what is lost
// on RAID5 and RAID6 is not reckoned from the parity.
func (c *btrfsChunk) locate(offset uint64, which int) (at btrfsStripe, length uint64) {
	n := uint64(len(c.stripes))
	row, within := offset/btrfsStripeLength, offset%btrfsStripeLength
	var i uint64
	switch c.kind & btrfsProfileBits {
	case btrfsRAID0:
		i, row = row%n, row/n
	case btrfsRAID10:
		sets := n / uint64(c.perCopy)
		i, row = row%sets*uint64(c.perCopy)+uint64(which), row/sets
	case btrfsRAID5:
		i, row = row%(n-1), row/(n-1)
		i = (i + row) % n
	case btrfsRAID6:
		i, row = row%(n-2), row/(n-2)
		i = (i + row) % n
	default:
		at = c.stripes[which%len(c.stripes)]
		return btrfsStripe{at.device, at.offset + offset}, c.length - offset
	}
	at = c.stripes[i]
	return btrfsStripe{at.device, at.offset + row*btrfsStripeLength + within}, min(btrfsStripeLength-within, c.length-offset)
}

// btrfsChunks are all chunks that are known, by their starts.
type btrfsChunks []btrfsChunk

// find gives the chunk of an address, nil when there is none.
func (cs btrfsChunks) find(address uint64) *btrfsChunk {
	i, found := slices.BinarySearchFunc(cs, address, func(c btrfsChunk, a uint64) int { return cmp.Compare(c.start, a) })
	if !found {
		i--
	}
	if i < 0 || address-cs[i].start >= cs[i].length {
		return nil
	}
	return &cs[i]
}

// parseBtrfsSystemChunks reads the superblock's array of the chunks that hold
// the chunk tree: keys, each with its chunk behind it.
func parseBtrfsSystemChunks(b []byte) (btrfsChunks, error) {
	var chunks btrfsChunks
	for len(b) > 0 {
		if len(b) < btrfsKeySize {
			return nil, fmt.Errorf("system chunk array: %d bytes too many", len(b))
		}
		key := parseBtrfsKey(b)
		if key.kind != btrfsChunkItem {
			return nil, fmt.Errorf("system chunk array: %v is no chunk", key)
		}
		c, size, err := parseBtrfsChunk(key.offset, b[btrfsKeySize:])
		if err != nil {
			return nil, fmt.Errorf("system chunk array: %w", err)
		}
		chunks, b = append(chunks, c), b[btrfsKeySize+size:]
	}
	return chunks.sorted(), nil
}

func (cs btrfsChunks) sorted() btrfsChunks {
	slices.SortFunc(cs, func(a, b btrfsChunk) int { return cmp.Compare(a.start, b.start) })
	return cs
}

// btrfsDevItem is a device: struct btrfs_dev_item in linux/btrfs_tree.h.
type btrfsDevItem struct {
	number, size uint64
	uuid, fs     [16]byte
}

const btrfsDevItemSize = 98

func parseBtrfsDevItem(b []byte) btrfsDevItem {
	return btrfsDevItem{le64(b), le64(b[8:]), [16]byte(b[66:]), [16]byte(b[82:])}
}

// errBtrfsSprout ends the reading of a file system that stands on a seed: the
// blocks of that belong to another one.
var errBtrfsSprout = errors.New("it stands on a seed")

// readChunks reads the chunk tree: devices, profiles, and where everything is.
func (r *btrfsReader) readChunks(ctx context.Context) error {
	r.fs.Device = map[ID]*BtrfsDevice{}
	var profiles [8]uint64 // bits of profiles, by what the chunks are for
	var chunks btrfsChunks
	err := r.source.items(ctx, btrfsChunkTree, btrfsKey{}, btrfsLastKey, func(item btrfsItem) error {
		switch item.key.kind {
		case btrfsDevItemKind:
			if len(item.data) < btrfsDevItemSize {
				return item.short()
			}
			return r.addDevice(parseBtrfsDevItem(item.data))
		case btrfsChunkItem:
			c, _, err := parseBtrfsChunk(item.key.offset, item.data)
			if err != nil {
				return err
			}
			for _, use := range []uint64{btrfsData, btrfsMetadata, btrfsSystem} {
				if c.kind&use != 0 {
					profiles[use] |= c.kind & btrfsProfileBits
				}
			}
			if chunks = append(chunks, c); len(chunks) > btrfsMaxChunks {
				return fmt.Errorf("chunk tree: more than %d chunks", btrfsMaxChunks)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.fs.Data, r.fs.Metadata = btrfsProfile(profiles[btrfsData]), btrfsProfile(profiles[btrfsMetadata])
	if system := btrfsProfile(profiles[btrfsSystem]); system != r.fs.Metadata {
		r.fs.System = system
	}
	if slices.Contains(r.why, errBtrfsSprout.Error()) {
		return errBtrfsSprout
	}
	if r.disks != nil {
		r.disks.chunks = chunks.sorted()
	}
	return nil
}

// addDevice takes a device of the chunk tree into the description.
func (r *btrfsReader) addDevice(d btrfsDevItem) error {
	if d.number == 0 {
		return nil // the new one of a replacement, see readReplace
	}
	m, there := r.members[d.number]
	room := m.size
	switch {
	case d.fs != r.super.treeUUID:
		r.why, room = []string{errBtrfsSprout.Error()}, math.MaxInt64
	case !there:
		r.unsupported("device %d (%s) is missing", d.number, uuid(d.uuid[:]))
		room = math.MaxInt64
	}
	if d.size > room {
		return fmt.Errorf("device %d: %d bytes do not fit on it, it has %d", d.number, d.size, room)
	}
	r.fs.Device[deviceID(d.number)] = &BtrfsDevice{Size: d.size}
	return nil
}

// readAt reads one copy of what is at an address of the file system.
func (cs btrfsChunks) readAt(members map[uint64]medium, b []byte, address uint64, which int) error {
	for len(b) > 0 {
		c := cs.find(address)
		if c == nil {
			return errors.New("it is in no chunk")
		}
		at, length := c.locate(address-c.start, which)
		device, there := members[at.device]
		if !there {
			return fmt.Errorf("it is on device %d, which is missing", at.device)
		}
		part, err := device.read(at.offset, min(uint64(len(b)), length))
		if err != nil {
			return fmt.Errorf("device %d: %w", at.device, err)
		}
		b, address = b[copy(b, part):], address+uint64(len(part))
	}
	return nil
}
