package rebuild

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// ext makes an ext2, ext3 or ext4: what mke2fs can say, then what only tune2fs
// and debugfs can.
func (m made) ext(e *probes.Ext) (Layer, error) {
	if err := m.checkExt(e); err != nil {
		return Layer{}, err
	}
	var l Layer
	id, err := uuid("UUID", string(m.id))
	if err != nil {
		return Layer{}, err
	}
	first := id
	if e.ChecksumSeed != "" {
		if first, err = extSeedUUID(e.ChecksumSeed); err != nil {
			return Layer{}, err
		}
	}
	// The rescue system's own file would add features and defaults.
	config := filepath.Join(m.work, "mke2fs.conf")
	make, notes := m.mke2fs(e, first)
	l.Notes = append(l.Notes, notes...)
	l.Make = append(l.Make,
		Action{File: config, Content: "[defaults]\n[fs_types]\n"},
		Action{Args: make, Env: []string{"MKE2FS_CONFIG=" + config}},
		command(m.tune2fs(e, id, first)...))
	for _, set := range extSuperValues(e) {
		l.Make = append(l.Make, command("debugfs", "-w", "-R", "set_super_value "+set, m.devices[0]))
	}
	if slices.Contains(e.Features, "read-only") {
		l.After = append(l.After, command("tune2fs", "-O", "read-only", "--", m.devices[0]))
	}
	if e.ReservedUID > 65535 || e.ReservedGID > 65535 {
		l.Notes = append(l.Notes, "of a reserved-uid or reserved-gid above 65535, e2fsprogs before 1.47.3 keeps the lower 16 bits")
	}
	return l, nil
}

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
	for what, n := range map[string]uint64{"cluster-size": e.ClusterSize, "descriptor-size": e.DescriptorSize, "flex-group": e.FlexGroup} {
		if n != 0 {
			if err := powerOf2(what, n, 2, 1<<31); err != nil {
				return err
			}
		}
	}
	if e.ClusterSize != 0 && e.ClusterSize < e.BlockSize {
		return fmt.Errorf("cluster-size is %d, less than a block", e.ClusterSize)
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
	if len(e.MountOptions) > 64 || strings.ContainsFunc(e.MountOptions, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("mount-options %q", e.MountOptions)
	}
	return nil
}

// mke2fs is the command that makes the file system.
func (m made) mke2fs(e *probes.Ext, id string) (args, notes []string) {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	features := slices.DeleteFunc(slices.Clone(e.Features), func(w string) bool {
		return w == "read-only" || w == "mmp" || w == "quota" && len(e.Quota) == 0
	})
	args = []string{"mke2fs", "-q", "-F", "-O", strings.Join(append([]string{"none"}, features...), ","),
		"-b", number(e.BlockSize), "-I", number(e.InodeSize), "-N", number(e.Inodes), "-U", id, "-L", m.label}
	if e.ClusterSize != 0 {
		args = append(args, "-C", number(e.ClusterSize))
	}
	if e.BlocksPerGroup != 0 {
		args = append(args, "-g", number(e.BlocksPerGroup/extRatio(e))) // clusters, with bigalloc
	}
	if slices.Contains(features, "flex_bg") {
		args = append(args, "-G", number(max(1, e.FlexGroup)))
	}
	if e.CreatorOS != "" {
		args = append(args, "-o", strings.ToLower(e.CreatorOS))
	}
	if e.Journal != 0 && slices.Contains(features, "has_journal") {
		const mib = 1 << 20
		size := (e.Journal - e.FastCommit) * e.BlockSize
		if size%mib != 0 {
			notes = append(notes, fmt.Sprintf("the journal of %d blocks becomes one of whole MiB", e.Journal))
		}
		journal := "size=" + number((size+mib-1)/mib)
		if slices.Contains(features, "fast_commit") && e.FastCommit != 0 {
			journal += ",fast_commit_size=" + number(e.FastCommit*e.BlockSize/1024) // KiB
		}
		args = append(args, "-J", journal)
	}
	if slices.Contains(e.Features, "quota") && len(e.Quota) == 0 {
		notes = append(notes, "the feature quota, with no quota at all, is left out")
	}
	extended, more := extExtended(e)
	args = append(args, "-E", strings.Join(extended, ","), "--", m.devices[0], number(e.Blocks))
	return args, append(notes, more...)
}

// extExtended are the words for -E, which counts only once.
func extExtended(e *probes.Ext) (list, notes []string) {
	add := func(name string, value any) { list = append(list, fmt.Sprint(name, "=", value)) }
	list = append(list, "nodiscard")
	if e.HashSeed == "" {
		add("hash_seed", "clear")
	} else {
		add("hash_seed", e.HashSeed)
	}
	for _, set := range []struct {
		name string
		n    uint64
	}{
		{"stride", e.Stride}, {"stripe_width", e.StripeWidth}, {"desc_size", e.DescriptorSize},
		{"orphan_file_size", e.OrphanFile}, // without a suffix it is in blocks
	} {
		if set.n != 0 {
			add(set.name, set.n)
		}
	}
	if slices.Contains(e.Features, "resize_inode") {
		if n := extResize(e); n > e.Blocks {
			add("resize", n)
		} else if e.ReservedGDT != 0 {
			notes = append(notes, fmt.Sprintf("of %d reserved-gdt-blocks mke2fs decides itself", e.ReservedGDT))
		}
	}
	if slices.Contains(e.Features, "sparse_super2") {
		add("num_backup_sb", e.BackupSuperblocks)
	}
	if len(e.Quota) > 0 {
		add("quotatype", strings.Join(e.Quota, ":"))
	}
	if e.Encoding != "" {
		add("encoding", e.Encoding)
	}
	if len(e.EncodingFlags) > 0 {
		add("encoding_flags", strings.Join(e.EncodingFlags, ","))
	}
	if e.TestFS {
		list = append(list, "test_fs")
	}
	return list, notes
}

// extRatio is blocks a cluster.
func extRatio(e *probes.Ext) uint64 { return max(1, e.ClusterSize/e.BlockSize) }

// extResize is the size for which mke2fs reserves as many blocks for
// descriptors as there were, by its own reckoning: with bigalloc as if there
// were no clusters (misc/mke2fs.c, parse_extended_opts).
func extResize(e *probes.Ext) uint64 {
	perGroup := e.BlocksPerGroup / extRatio(e)
	if perGroup == 0 {
		perGroup = 8 * e.BlockSize
	}
	perBlock := e.BlockSize / extDescriptor(e)
	groups := (e.Blocks + perGroup - 1) / perGroup
	return ((groups+perBlock-1)/perBlock + e.ReservedGDT) * perBlock * perGroup
}

// extDescriptor is the size of a group's descriptor in bytes.
func extDescriptor(e *probes.Ext) uint64 {
	if slices.Contains(e.Features, "64bit") {
		return max(64, e.DescriptorSize)
	}
	return 32
}

// tune2fs is the command for what mke2fs cannot be told.
func (m made) tune2fs(e *probes.Ext, id, first string) []string {
	options := make([]string, 0, len(extMountDefaults))
	for _, w := range append([]string{"journal_data_writeback"}, extMountDefaults...) { // mke2fs sets acl and user_xattr by itself
		options = append(options, "^"+w)
	}
	mounts := "-1"
	if e.MaxMounts != 0 {
		mounts = strconv.Itoa(e.MaxMounts)
	}
	interval := e.CheckInterval
	if interval > extMaxInterval {
		interval = 0
	}
	args := []string{"tune2fs", "-r", fmt.Sprint(e.Reserved), "-c", mounts, "-i", fmt.Sprint(interval) + "s", "-e", cmp.Or(e.Errors, "continue"),
		"-u", fmt.Sprint(e.ReservedUID), "-g", fmt.Sprint(e.ReservedGID), "-o", strings.Join(append(options, e.MountDefaults...), ","),
	}
	extended := "hash_alg=" + cmp.Or(e.Hash, "legacy") // without dir_index, legacy is none
	if slices.Contains(e.Features, "mmp") {
		// Not before: each open of a file system that has it takes 11 seconds.
		args = append(args, "-O", "mmp")
		extended += fmt.Sprintf(",mmp_update_interval=%d", e.MMPInterval)
	}
	args = append(args, "-E", extended)
	if first != id { // keeps the seed
		args = append(args, "-U", id)
	}
	return append(args, "--", m.devices[0])
}

// extMaxInterval is a year, the most that tune2fs -i takes.
const extMaxInterval = 365 * 86400

// extSuperValues are settings that only debugfs changes. The revision comes
// last, as the older one ends a superblock early. (mke2fs calls it -r 0 before
// 1.47.2 and -E revision=0 since.)
func extSuperValues(e *probes.Ext) (all []string) {
	if e.MountOptions != "" { // tune2fs has no way to say a comma
		all = append(all, `mount_opts "`+strings.ReplaceAll(e.MountOptions, `"`, `""`)+`"`)
	}
	if e.CheckInterval > extMaxInterval {
		all = append(all, fmt.Sprintf("checkinterval %d", e.CheckInterval))
	}
	if e.RequiredExtraIsize != 0 {
		all = append(all, fmt.Sprintf("min_extra_isize %d", e.RequiredExtraIsize))
	}
	if e.DesiredExtraIsize != 0 {
		all = append(all, fmt.Sprintf("want_extra_isize %d", e.DesiredExtraIsize))
	}
	if e.Revision0 {
		all = append(all, "rev_level 0")
	}
	return all
}

// extSeedUUID is a UUID whose checksum is the seed: a file system made with it
// keeps the seed when it gets another UUID. Any first 12 bytes will do; the
// last 4 bring the checksum to where it must be.
func extSeedUUID(seed string) (string, error) {
	want, err := strconv.ParseUint(seed, 0, 32)
	if err != nil {
		return "", fmt.Errorf("checksum-seed %q", seed)
	}
	// CRC-32C's 32 steps over the last 4 bytes, backwards.
	before := uint32(want)
	for range 32 {
		if before&(1<<31) != 0 {
			before = (before^crc32.Castagnoli)<<1 | 1
		} else {
			before <<= 1
		}
	}
	b := []byte("rootwc: seed")
	after := ^crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	b = binary.LittleEndian.AppendUint32(b, before^after)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]), nil
}
