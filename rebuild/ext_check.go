package rebuild

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// extMountDefaults are the words of tune2fs -o, without the journal's mode.
var extMountDefaults = []string{"debug", "bsdgroups", "user_xattr", "acl", "uid16", "nobarrier", "block_validity", "discard", "nodelalloc"}

func (m made) checkExt(e *probes.Ext) error {
	err := firstOf(
		powerOf2("block-size", e.BlockSize, 1024, 65536),
		powerOf2("inode-size", e.InodeSize, 128, e.BlockSize),
		sized("ext", e.Blocks, max(e.BlockSize, 1)),
		between("inodes", e.Inodes, 1, 1<<32-1),
		between("blocks-per-group", e.BlocksPerGroup, 0, 8*65536*65536),
		between("reserved-gdt-blocks", e.ReservedGDT, 0, 65535),
		between("backup-superblocks", e.BackupSuperblocks, 0, 2),
		between("journal-blocks", e.Journal, 0, e.Blocks),
		between("fast-commit-blocks", e.FastCommit, 0, e.Journal),
		between("orphan-file-blocks", e.OrphanFile, 0, e.Blocks),
		between("stride", e.Stride, 0, 65535),
		between("stripe-width", e.StripeWidth, 0, 1<<32-1),
		between("reserved-blocks", e.Reserved, 0, e.Blocks),
		between("reserved-uid", e.ReservedUID, 0, 1<<32-1),
		between("reserved-gid", e.ReservedGID, 0, 1<<32-1),
		between("max-mount-count", uint64(e.MaxMounts), 0, 32767),
		between("check-interval", e.CheckInterval, 0, 1<<32-1),
		between("mmp-interval", e.MMPInterval, 0, 300),
		between("required-extra-isize", e.RequiredExtraIsize, 0, e.InodeSize-128),
		between("desired-extra-isize", e.DesiredExtraIsize, 0, e.InodeSize-128),
		longer(m.label, 16),
		words("feature", e.Features),
		words("quota", e.Quota),
		words("encoding", e.EncodingFlags),
	)
	if err != nil {
		return err
	}
	if _, err := uuid("hash-seed", e.HashSeed); err != nil {
		return err
	}
	for _, set := range []struct {
		what           string
		n, least, most uint64
	}{
		{"cluster-size", e.ClusterSize, e.BlockSize, 1 << 31},
		{"descriptor-size", e.DescriptorSize, 32, 1024},
		{"flex-group", e.FlexGroup, 2, 1 << 31},
	} {
		if set.n == 0 {
			continue
		}
		if err := powerOf2(set.what, set.n, set.least, set.most); err != nil {
			return err
		}
	}
	for _, set := range []struct {
		what, word string
		known      []string
	}{
		{"hash", e.Hash, []string{"", "legacy", "half_md4", "tea"}},
		{"errors", e.Errors, []string{"", "remount-ro", "panic"}},
		{"encoding", e.Encoding, []string{"", "utf8-12.1"}},
		{"creator-os", e.CreatorOS, []string{"", "Hurd", "Masix", "FreeBSD", "Lites"}},
	} {
		if _, err := strconv.ParseUint(set.word, 10, 32); set.what == "creator-os" && err == nil {
			continue
		}
		if !slices.Contains(set.known, set.word) {
			return fmt.Errorf("%s %q", set.what, set.word)
		}
	}
	for _, w := range e.MountDefaults {
		if !slices.Contains(extMountDefaults, w) && !slices.Contains([]string{"journal_data", "journal_data_ordered", "journal_data_writeback"}, w) {
			return fmt.Errorf("mount-defaults %q", w)
		}
	}
	if len(e.MountOptions) > 63 || strings.ContainsFunc(e.MountOptions, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("mount-options %q", e.MountOptions)
	}
	return nil
}
