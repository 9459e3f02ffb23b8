package probes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/crypto/blake2b"
)

// btrfsSuper is the superblock of one device: struct btrfs_super_block in
// linux/btrfs_tree.h.
type btrfsSuper struct {
	uuid, treeUUID     [16]byte // of the file system: for people, in its blocks
	flags, generation  uint64
	root, chunkRoot    btrfsPointer
	rootDirectory      uint64
	devices            uint64
	sectorSize         uint32
	nodeSize           uint32
	compatRO, incompat uint64
	checksum           btrfsChecksum
	device             btrfsDevItem // the one this superblock is on
	label              string       // bytes, perhaps no UTF-8
	systemChunks       []byte
}

// id is the file system's.
func (s *btrfsSuper) id() ID { return ID(uuid(s.uuid[:])) }

// The copies of a superblock, and where its parts are.
const (
	btrfsSuperSize = 4096
	btrfsFirst     = 64 << 10
	btrfsMagic     = "_BHRfS_M"
	btrfsMagicAt   = 0x40
)

// The first copy decides whether there is a file system: that is the one which
// the kernel reads, and which wipefs takes away.
var btrfsCopies = []uint64{btrfsFirst, 64 << 20, 256 << 30}

// identifyBtrfs tells which file system a device belongs to, and as which of
// its devices; nil is a device of none.
func identifyBtrfs(m medium) (*btrfsSuper, error) {
	s, err := readBtrfsSuper(m)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	return s, err
}

// readBtrfsMembers reads the superblocks of the devices, and gives the newest:
// a device that was away for some time has an old one.
func readBtrfsMembers(devices []medium) (*btrfsSuper, map[uint64]medium, error) {
	var newest *btrfsSuper
	members, supers := map[uint64]medium{}, map[uint64]*btrfsSuper{}
	for _, device := range devices {
		s, err := readBtrfsSuper(device)
		if err != nil {
			return nil, nil, err
		}
		if newest != nil && s.uuid != newest.uuid {
			return nil, nil, fmt.Errorf("devices are of two file systems, %s and %s", newest.id(), s.id())
		}
		switch other := supers[s.device.number]; {
		case other != nil && other.device.uuid == s.device.uuid:
			return nil, nil, fmt.Errorf("two devices are both device %d of %s: one is a copy", s.device.number, s.id())
		case other != nil && other.generation >= s.generation:
			continue // it was replaced while it was away
		}
		members[s.device.number], supers[s.device.number] = device, s
		if newest == nil || s.generation > newest.generation {
			newest = s
		}
	}
	if newest == nil {
		return nil, nil, errAbsent
	}
	return newest, members, nil
}

// readBtrfsSuper reads a device's superblock, another copy when the first is
// damaged.
func readBtrfsSuper(m medium) (*btrfsSuper, error) {
	var newest *btrfsSuper
	var damage error
	for _, at := range btrfsCopies {
		if m.size < at+btrfsSuperSize {
			break
		}
		b, err := m.read(at, btrfsSuperSize)
		if err == nil && at == btrfsFirst && string(b[btrfsMagicAt:][:len(btrfsMagic)]) != btrfsMagic {
			return readBtrfsZone(m)
		}
		var s *btrfsSuper
		if err == nil {
			s, err = parseBtrfsSuper(b, at)
		}
		switch {
		case err != nil:
			damage = errors.Join(damage, fmt.Errorf("btrfs superblock at byte %d: %w", at, err))
		case at == btrfsFirst:
			return s, nil
		case newest == nil || s.generation > newest.generation:
			newest = s
		}
	}
	switch {
	case newest != nil:
		return newest, nil
	case damage != nil:
		return nil, damage
	}
	return nil, errAbsent
}

// readBtrfsZone reads a superblock of a zoned device, which has a log of them
// from its start. The first need not be the newest, but says enough.
func readBtrfsZone(m medium) (*btrfsSuper, error) {
	b, err := m.read(0, btrfsSuperSize)
	if err != nil {
		return nil, err
	}
	s, err := parseBtrfsSuper(b, btrfsFirst)
	if err != nil || s.incompat&btrfsZoned == 0 {
		return nil, errAbsent
	}
	return s, nil
}

// parseBtrfsSuper reads the copy that belongs at a byte of its device.
func parseBtrfsSuper(b []byte, at uint64) (*btrfsSuper, error) {
	if string(b[btrfsMagicAt:][:len(btrfsMagic)]) != btrfsMagic {
		return nil, errAbsent
	}
	kind := int(binary.LittleEndian.Uint16(b[0xc4:]))
	if kind >= len(btrfsChecksums) {
		return nil, fmt.Errorf("checksum of unknown kind %d", kind)
	}
	s := &btrfsSuper{
		flags: le64(b[0x38:]), generation: le64(b[0x48:]),
		root:          btrfsPointer{block: le64(b[0x50:]), generation: le64(b[0x48:]), level: int(b[0xc6])},
		chunkRoot:     btrfsPointer{block: le64(b[0x58:]), generation: le64(b[0xa4:]), level: int(b[0xc7])},
		rootDirectory: le64(b[0x80:]), devices: le64(b[0x88:]),
		sectorSize: le32(b[0x90:]), nodeSize: le32(b[0x94:]),
		compatRO: le64(b[0xb4:]), incompat: le64(b[0xbc:]),
		checksum: btrfsChecksums[kind],
		device:   parseBtrfsDevItem(b[0xc9:]),
	}
	if !s.checksum.good(b) {
		return nil, errors.New("its checksum is wrong")
	}
	if bytenr := le64(b[0x30:]); bytenr != at {
		return nil, fmt.Errorf("it is the one for byte %d", bytenr)
	}
	copy(s.uuid[:], b[0x20:])
	copy(s.treeUUID[:], b[0x20:])
	if s.incompat&btrfsMetadataUUID != 0 {
		copy(s.treeUUID[:], b[0x23b:])
	}
	s.label = untilNUL(b[0x12b:0x22b])
	size := le32(b[0xa0:])
	if size > 2048 {
		return nil, fmt.Errorf("a system chunk array of %d bytes", size)
	}
	s.systemChunks = bytes.Clone(b[0x32b:][:size])
	return s, s.check()
}

// check is for what reading depends on.
func (s *btrfsSuper) check() error {
	for _, size := range []uint32{s.sectorSize, s.nodeSize} {
		if bits.OnesCount32(size) != 1 || size < 512 || size > 64<<10 {
			return fmt.Errorf("sectors of %d and nodes of %d bytes", s.sectorSize, s.nodeSize)
		}
	}
	if s.nodeSize < s.sectorSize || s.nodeSize < 4096 {
		return fmt.Errorf("sectors of %d and nodes of %d bytes", s.sectorSize, s.nodeSize)
	}
	return nil
}

// btrfsChecksum is a kind of checksum. It goes over everything behind itself.
type btrfsChecksum struct {
	name string // in the words of mkfs.btrfs --csum
	sum  func([]byte) []byte
}

const btrfsChecksumSize = 32 // the room for one, whatever its kind

// The index is the number in the superblock.
var btrfsChecksums = []btrfsChecksum{
	{"crc32c", func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}},
	{"xxhash", func(b []byte) []byte { return binary.LittleEndian.AppendUint64(nil, xxhash.Sum64(b)) }},
	{"sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }},
	{"blake2", func(b []byte) []byte { s := blake2b.Sum256(b); return s[:] }},
}

// good says whether a block has the checksum that it begins with.
func (c btrfsChecksum) good(b []byte) bool {
	return bytes.HasPrefix(b, c.sum(b[btrfsChecksumSize:]))
}

// Feature bits that decide something here; the others are in the tables.
const (
	btrfsMetadataUUID = 1 << 10
	btrfsZoned        = 1 << 12
)

// btrfsFeature is a bit of the superblock's incompatible features.
type btrfsFeature struct {
	bit         int
	word        string // for mkfs.btrfs -O; "" follows from something else
	unsupported string
}

var btrfsIncompat = []btrfsFeature{
	{bit: 0}, // mixed-backref, without which there has been nothing since 2009
	{bit: 1}, // a default subvolume was set
	{bit: 2, word: "mixed-bg"},
	{bit: 3}, // lzo was used
	{bit: 4}, // zstd was used
	{bit: 5}, // big-metadata: set at the first mount, when nodes are larger than a page
	{bit: 6, word: "extref"},
	{bit: 7}, // raid56: comes and goes with such chunks
	{bit: 8, word: "skinny-metadata"},
	{bit: 9, word: "no-holes"},
	{bit: 10}, // metadata-uuid: btrfstune gave another UUID, which mkfs.btrfs gives at once
	{bit: 11}, // raid1c34, as raid56
	{bit: 12, unsupported: "it is zoned"},
	{bit: 13, unsupported: "it has version 2 of the extent tree"},
	{bit: 14, word: "raid-stripe-tree"},
	{bit: 16}, // simple quota, see Btrfs.Quota
}

var btrfsCompatRO = []btrfsFeature{
	{bit: 0, word: "free-space-tree"},
	{bit: 1}, // and it is valid
	{bit: 2}, // fs-verity was used
	{bit: 3, word: "block-group-tree"},
}

// btrfsFlags are states of the superblock that no new file system has.
var btrfsFlags = []btrfsFeature{
	{bit: 32, unsupported: "it is a seed"},
	{bit: 33, unsupported: "it is a copy by btrfs-image"},
	{bit: 34, unsupported: "it is a copy by btrfs-image"},
	{bit: 35, unsupported: "its UUID is being changed"},
	{bit: 36, unsupported: "its UUID is being changed"},
	{bit: 38, unsupported: "it is being converted to a block group tree"},
	{bit: 39, unsupported: "its checksums are being changed"},
	{bit: 40, unsupported: "its checksums are being changed"},
}

// features gives the words for mkfs.btrfs, and why it cannot make them.
func (s *btrfsSuper) features() (words, unsupported []string) {
	for _, set := range []struct {
		name  string
		value uint64
		known []btrfsFeature
	}{{"incompatible", s.incompat, btrfsIncompat}, {"read-only compatible", s.compatRO, btrfsCompatRO}} {
		left := set.value
		for _, f := range set.known {
			if set.value>>f.bit&1 == 0 {
				continue
			}
			left &^= 1 << f.bit
			if f.word != "" {
				words = append(words, f.word)
			}
			if f.unsupported != "" {
				unsupported = append(unsupported, f.unsupported)
			}
		}
		if left != 0 {
			unsupported = append(unsupported, fmt.Sprintf("it has unknown %s features %#x", set.name, left))
		}
	}
	for _, f := range btrfsFlags {
		if s.flags>>f.bit&1 != 0 {
			unsupported = append(unsupported, f.unsupported)
		}
	}
	slices.Sort(words)
	return words, slices.Compact(unsupported)
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
