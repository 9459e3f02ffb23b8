package probes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Ext is an ext2, ext3 or ext4 file system, from its superblock.
//
// Not in it, as they change by use: the state, times and counts, the features
// needs_recovery and orphan_present, the hash's signedness (the first mount
// sets it to what the processor has), the salt for encryption. The features
// ext_attr and large_file are always in it: use sets them.
type Ext struct {
	Features           []string `toml:"features"` // sorted, in e2fsprogs' words
	BlockSize          uint64   `toml:"block-size" unit:"bytes"`
	Blocks             uint64   `toml:"blocks"`
	InodeSize          uint64   `toml:"inode-size" unit:"bytes"`
	Inodes             uint64   `toml:"inodes"`
	ClusterSize        uint64   `toml:"cluster-size" unit:"bytes"`    // with bigalloc
	BlocksPerGroup     uint64   `toml:"blocks-per-group"`             // when a block of its bitmap is not full
	DescriptorSize     uint64   `toml:"descriptor-size" unit:"bytes"` // when not 32, or 64 with 64bit
	FlexGroup          uint64   `toml:"flex-group"`                   // groups
	FirstMetaGroup     uint64   `toml:"first-meta-group"`             // with meta_bg, after growing
	ReservedGDT        uint64   `toml:"reserved-gdt-blocks"`
	BackupSuperblocks  uint64   `toml:"backup-superblocks"` // with sparse_super2
	Journal            uint64   `toml:"journal-blocks"`     // those for fast commits included
	FastCommit         uint64   `toml:"fast-commit-blocks"`
	OrphanFile         uint64   `toml:"orphan-file-blocks"`
	Stride             uint64   `toml:"stride"`       // blocks
	StripeWidth        uint64   `toml:"stripe-width"` // blocks
	HashSeed           string   `toml:"hash-seed"`
	Hash               string   `toml:"hash"`          // of directories
	ChecksumSeed       string   `toml:"checksum-seed"` // when not the UUID's
	Reserved           uint64   `toml:"reserved-blocks"`
	ReservedUID        uint64   `toml:"reserved-uid"`
	ReservedGID        uint64   `toml:"reserved-gid"`
	Errors             string   `toml:"errors"` // when not "continue"
	MountDefaults      []string `toml:"mount-defaults"`
	MountOptions       string   `toml:"mount-options"`
	MaxMounts          int      `toml:"max-mount-count"`
	CheckInterval      uint64   `toml:"check-interval"` // seconds
	Quota              []string `toml:"quota"`
	Encoding           string   `toml:"encoding"`
	EncodingFlags      []string `toml:"encoding-flags"`
	MMPInterval        uint64   `toml:"mmp-interval"`                      // seconds
	RequiredExtraIsize uint64   `toml:"required-extra-isize" unit:"bytes"` // when not 32
	DesiredExtraIsize  uint64   `toml:"desired-extra-isize" unit:"bytes"`  // when not 32
	CreatorOS          string   `toml:"creator-os"`                        // when not "Linux"
	Revision0          bool     `toml:"revision-0"`                        // mke2fs -r 0
	TestFS             bool     `toml:"test-fs"`                           // mke2fs -E test_fs
}

// extFormat is for all of ext2, ext3 and ext4.
var extFormat = format{name: "ext", read: readExt}

// The words are those of e2fsprogs' lib/e2p (feature.c, mntopts.c, hashstr.c,
// encoding.c).
var (
	extCompat = map[int]string{0: "dir_prealloc", 1: "imagic_inodes", 2: "has_journal", 3: "ext_attr", 4: "resize_inode",
		5: "dir_index", 6: "lazy_bg", 8: "snapshot_bitmap", 9: "sparse_super2", 10: "fast_commit", 11: "stable_inodes",
		12: "orphan_file"}
	extIncompat = map[int]string{0: "compression", 1: "filetype", 2: "needs_recovery", 3: "journal_dev", 4: "meta_bg",
		6: "extent", 7: "64bit", 8: "mmp", 9: "flex_bg", 10: "ea_inode", 12: "dirdata", 13: "metadata_csum_seed",
		14: "large_dir", 15: "inline_data", 16: "encrypt", 17: "casefold"}
	extROCompat = map[int]string{0: "sparse_super", 1: "large_file", 3: "huge_file", 4: "uninit_bg", 5: "dir_nlink",
		6: "extra_isize", 8: "quota", 9: "bigalloc", 10: "metadata_csum", 11: "replica", 12: "read-only", 13: "project",
		14: "shared_blocks", 15: "verity", 16: "orphan_present"}
	// extMount has no journal modes: those are two bits.
	extMount = map[int]string{0: "debug", 1: "bsdgroups", 2: "user_xattr", 3: "acl", 4: "uid16", 8: "nobarrier",
		9: "block_validity", 10: "discard", 11: "nodelalloc"}
	extHashes = map[byte]string{0: "legacy", 1: "half_md4", 2: "tea", 6: "siphash"}
	extOS     = map[uint32]string{0: "Linux", 1: "Hurd", 2: "Masix", 3: "FreeBSD", 4: "Lites"}

	// extByUse come and go while the file system is used.
	extByUse = []string{"needs_recovery", "orphan_present"}
	// extInUse are set by the kernel when the first attribute and the first
	// large file come (fs/ext4/xattr.c, inode.c), and never taken away.
	extInUse = []string{"ext_attr", "large_file"}
	// extNotMade are features that neither mke2fs nor tune2fs sets.
	extNotMade = []string{"dir_prealloc", "imagic_inodes", "lazy_bg", "snapshot_bitmap", "compression", "dirdata",
		"replica", "shared_blocks"}
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

// readExt reads the superblock as the kernel's fs/ext4/ext4.h has it.
func readExt(m medium) (*found, error) {
	b, err := extSuperblock(m)
	if b == nil || err != nil {
		return nil, err
	}
	s := &extSuper{m, b}
	fs := &FileSystem{Type: s.fsType()}
	fs.setLabel(b[0x78:0x88])
	one := &found{fs.Type, ID(uuid(b[0x68:0x78])), fs}
	if fs.Type == "jbd" {
		fs.Unsupported = "journal of another device"
		return one, nil
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("ext superblock: %w", err)
	}
	var lost []string
	if fs.Ext, lost, err = s.ext(); err != nil {
		return nil, fmt.Errorf("ext: %w", err)
	}
	fs.Unsupported = strings.Join(lost, ", ")
	return one, nil
}

// extSuperblock reads it until its checksum fits: the kernel changes a mounted
// one field by field in the memory that is read here (e2fsprogs tries again as
// well, lib/ext2fs/openfs.c).
func extSuperblock(m medium) ([]byte, error) {
	var before []byte
	for {
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

// ext is the settings, and the words for those that no tool sets.
func (s *extSuper) ext() (*Ext, []string, error) {
	var lost []string
	e := &Ext{
		BlockSize:     s.blockSize(),
		Blocks:        s.blocks(),
		InodeSize:     s.inodeSize(),
		Inodes:        s.u32(0),
		Stride:        s.u16(0x164),
		StripeWidth:   s.u32(0x170),
		HashSeed:      uuid(s.b[0xec:0xfc]),
		Reserved:      s.reserved(),
		ReservedUID:   s.u16(0x50) | s.u16(0x284)<<16,
		ReservedGID:   s.u16(0x52) | s.u16(0x286)<<16,
		CheckInterval: s.u32(0x44),
		Revision0:     s.u32(0x4c) == 0,
		TestFS:        s.u32(0x160)&4 != 0,
	}
	lost = append(lost, s.features(e)...)
	s.geometry(e)
	s.defaults(e)
	if n := int16(s.u16(0x36)); n > 0 { // 0 and -1 are never
		e.MaxMounts = int(n)
	}
	switch n := s.u16(0x3c); n {
	case 0, 1:
	case 2:
		e.Errors = "remount-ro"
	case 3:
		e.Errors = "panic"
	default:
		return nil, nil, fmt.Errorf("superblock: behaviour %d on errors", n)
	}
	if e.FirstMetaGroup != 0 {
		lost = append(lost, "meta_bg from a later group on")
	}
	options := untilNUL(s.b[0x200:0x240])
	e.MountOptions = readable(options)
	if !utf8.ValidString(options) {
		lost = append(lost, "mount options that are no UTF-8")
	}
	if slices.Contains(e.Features, "orphan_file") {
		inode, err := s.inode(s.u32(0x280))
		if err != nil {
			return nil, nil, fmt.Errorf("orphan file: %w", err)
		}
		e.OrphanFile = extFileSize(inode) / e.BlockSize
	}
	if slices.Contains(e.Features, "has_journal") {
		if s.u32(0xe0) == 0 {
			return e, append(lost, "external journal "+uuid(s.b[0xd0:0xe0])), nil
		}
		if err := s.journal(e); err != nil {
			return nil, nil, fmt.Errorf("journal: %w", err)
		}
	}
	return e, lost, nil
}

// features takes the words and what hangs on one of them.
func (s *extSuper) features(e *Ext) (lost []string) {
	for _, set := range []struct {
		at     int
		words  map[int]string
		prefix string
	}{
		{extCompatAt, extCompat, "FEATURE_C"}, {extIncompatAt, extIncompat, "FEATURE_I"}, {extROCompatAt, extROCompat, "FEATURE_R"},
	} {
		words, unknown := bitWords(uint32(s.u32(set.at)), set.words, set.prefix)
		e.Features = append(e.Features, words...)
		lost = append(lost, unknown...)
	}
	e.Features = slices.DeleteFunc(e.Features, func(w string) bool { return slices.Contains(extByUse, w) })
	if !e.Revision0 {
		e.Features = append(e.Features, extInUse...)
	}
	slices.Sort(e.Features)
	e.Features = slices.Compact(e.Features)
	if n := s.b[0xfc]; n != 0 || slices.Contains(e.Features, "dir_index") {
		if e.Hash = extHashes[n]; e.Hash == "" {
			e.Hash = fmt.Sprintf("HASHALG_%d", n)
			lost = append(lost, e.Hash)
		}
	}
	for _, w := range e.Features {
		switch w {
		case "mmp":
			e.MMPInterval = s.u16(0x166)
		case "quota":
			for _, q := range []struct {
				at   int
				word string
			}{{0x240, "usrquota"}, {0x244, "grpquota"}, {0x26c, "prjquota"}} {
				if s.u32(q.at) != 0 {
					e.Quota = append(e.Quota, q.word)
				}
			}
		case "casefold":
			e.Encoding = "utf8-12.1"
			if n := s.u16(0x27c); n != 1 {
				e.Encoding = fmt.Sprintf("UNKNOWN_ENCODING_%d", n)
				lost = append(lost, e.Encoding)
			}
			var unknown []string
			e.EncodingFlags, unknown = bitWords(uint32(s.u16(0x27e)), map[int]string{0: "strict", 1: "no_compat_fallback"}, "ENCODING_FLAG_")
			lost = append(lost, unknown...)
		case "metadata_csum_seed":
			if seed := uint32(s.u32(0x270)); seed != ^crc32.Checksum(s.b[0x68:0x78], castagnoli) {
				e.ChecksumSeed = fmt.Sprintf("0x%08x", seed)
			}
		case "sparse_super2":
			for _, at := range []int{0x24c, 0x250} {
				if s.u32(at) != 0 {
					e.BackupSuperblocks++
				}
			}
		default:
			if slices.Contains(extNotMade, w) {
				lost = append(lost, w)
			}
		}
	}
	return lost
}

// geometry takes what is left out when it is the usual.
func (s *extSuper) geometry(e *Ext) {
	if s.has(extROCompatAt, 9) {
		e.ClusterSize = 1024 << s.u32(0x1c)
	}
	// one block of bitmap a group, and the count has 16 bits (ext2_fs.h,
	// EXT2_MAX_CLUSTERS_PER_GROUP)
	if n := s.u32(0x20); n != min(8*e.BlockSize, 1<<16-8)*s.ratio() {
		e.BlocksPerGroup = n
	}
	if n := s.descriptorSize(); n != 32 && n != 64 || n == 32 && s.has(extIncompatAt, 7) {
		e.DescriptorSize = n
	}
	if n := s.b[0x174]; n > 0 && n < 32 {
		e.FlexGroup = 1 << n
	}
	if s.has(extIncompatAt, 4) {
		e.FirstMetaGroup = s.u32(0x104)
	}
	if s.has(extCompatAt, 4) {
		e.ReservedGDT = s.u16(0xce)
	}
	if e.InodeSize > 128 {
		if n := s.u16(0x15c); n != 32 {
			e.RequiredExtraIsize = n
		}
		if n := s.u16(0x15e); n != 32 {
			e.DesiredExtraIsize = n
		}
	}
	if n := uint32(s.u32(0x48)); n != 0 {
		if e.CreatorOS = extOS[n]; e.CreatorOS == "" {
			e.CreatorOS = fmt.Sprint(n)
		}
	}
}

// defaults takes the mount options that the superblock has as bits.
func (s *extSuper) defaults(e *Ext) {
	bits := uint32(s.u32(0x100))
	e.MountDefaults, _ = bitWords(bits&^0x60, extMount, "MNTOPT_")
	if mode := bits & 0x60; mode != 0 {
		e.MountDefaults = append(e.MountDefaults, map[uint32]string{
			0x20: "journal_data", 0x40: "journal_data_ordered", 0x60: "journal_data_writeback"}[mode])
	}
	slices.Sort(e.MountDefaults)
}

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
