package rebuild

import (
	"cmp"
	"fmt"
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
	if err := m.tryExt(e, first); err != nil {
		return Layer{}, err
	}
	l.Make, l.Notes = m.mke2fs(e, first)
	l.Make = append(l.Make, command(m.tune2fs(e, id, first)...))
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

// extConfig is a file for mke2fs in which nothing is decided: the rescue
// system's own would add features and defaults. It names the types, because
// mke2fs complains of those it misses; -b wins over what they say.
var extConfig = func() string {
	text := "[defaults]\n[fs_types]\n"
	for _, name := range []string{"ext3", "ext4", "floppy", "small", "big", "huge"} {
		text += name + " = {\nblocksize = 4096\n}\n"
	}
	return text
}()

// tryExt has mke2fs check everything on a file without blocks, where it writes
// nothing: this release may lack a feature. It has 64 bytes of memory for each
// group, which a layout must not make it run out of.
func (m made) tryExt(e *probes.Ext, id string) error {
	const most = 1 << 24 // 2 PiB in the usual groups
	perGroup := e.BlocksPerGroup
	if perGroup == 0 {
		perGroup = 8 * e.BlockSize
	}
	if e.Blocks/perGroup > most {
		return fmt.Errorf("%d blocks are more than %d groups", e.Blocks, most)
	}
	return m.scratch(e.Blocks*e.BlockSize, func(try made) error {
		actions, _ := try.mke2fs(e, id)
		actions[1].Args = slices.Insert(actions[1].Args, 1, "-n")
		return try.do(actions)
	})
}

// mke2fs is how the file system is made.
func (m made) mke2fs(e *probes.Ext, id string) (actions []Action, notes []string) {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	features := slices.DeleteFunc(slices.Clone(e.Features), func(w string) bool {
		return w == "read-only" || w == "mmp" || w == "quota" && len(e.Quota) == 0
	})
	args := []string{"mke2fs", "-q", "-F", "-O", strings.Join(append([]string{"none"}, features...), ","),
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
	config := filepath.Join(m.work, "mke2fs.conf")
	return []Action{{File: config, Content: extConfig}, {Args: args, Env: []string{"MKE2FS_CONFIG=" + config}}}, append(notes, more...)
}

// extExtended are the words for -E, which counts only once.
func extExtended(e *probes.Ext) (list, notes []string) {
	add := func(name string, value any) { list = append(list, fmt.Sprint(name, "=", value)) }
	list = append(list, "nodiscard")
	if e.HashSeed != "" {
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
	if e.HashSeed == "" { // mke2fs takes zeros for none given
		all = append(all, "hash_seed clear")
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
