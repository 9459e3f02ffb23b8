package probes

import (
	"fmt"
	"strings"
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
