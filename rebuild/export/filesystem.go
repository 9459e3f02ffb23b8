package export

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rootwc/probes"
)

// recipe is how a file system is made: the options of mkfs.TYPE or mkswap, and
// those of tune2fs for the rest.
type recipe struct {
	kind  string // "ext4", "swap"
	make  []string
	label []string // the option for the label, none for no label
	tune  []string
}

// all are the options of mkfs.
func (r recipe) all() []string { return slices.Concat(r.make, r.label) }

// format is the recipe of a file system or of swap. The kinds of file systems
// whose layout has no more than a name have few options.
func (m *machine) format(kind string, id probes.ID) recipe {
	if kind == "swap" {
		return m.mkswap(id, m.Swap[id])
	}
	fs, node := m.FileSystem[id], ref(kind, id)
	r := recipe{kind: m.must(isWord, kind, id, "type", fs.Type)}
	r.name(m.label(node, "label", fs.Label, fs.LabelBytes), labelOptions[r.kind])
	if fs.Unsupported != "" {
		m.note(node, "no tool makes it as it is: %s", fs.Unsupported)
	}
	switch {
	case fs.Ext != nil:
		r.ext(m, id, fs.Ext)
	case fs.XFS != nil:
		r.xfs(m, id, fs.XFS)
	case fs.Btrfs != nil:
		r.btrfs(m, id, fs.Btrfs)
	case fs.FAT != nil:
		r.fat(m, id, fs.FAT)
	case fs.F2FS != nil:
		r.add("-U", m.must(isUUID, kind, id, "UUID", string(id)))
		r.add("-O", m.words(kind, id, "feature", fs.F2FS.Features))
	case fs.ExFAT != nil:
		r.add("-c", fmt.Sprint(fs.ExFAT.ClusterSize))
		m.note(node, "its volume serial %s is not told", id)
	}
	return r
}

// labelOptions are those for labels that are not -L.
var labelOptions = map[string]string{"vfat": "-n", "f2fs": "-l", "btrfs": "--label"}

func (r *recipe) name(label, option string) {
	if label != "" {
		r.label = []string{cmp.Or(option, "-L"), label}
	}
}

// add puts an option there that has a value.
func (r *recipe) add(option, value string) {
	if value != "" {
		r.make = append(r.make, option, value)
	}
}

func (r *recipe) number(option string, value uint64) {
	if value != 0 {
		r.add(option, fmt.Sprint(value))
	}
}

// ext are options of mke2fs(8) and tune2fs(8). The features are all of them,
// so that no defaults of the installer's release are added.
func (r *recipe) ext(m *machine, id probes.ID, e *probes.Ext) {
	const kind = "filesystem"
	features := slices.DeleteFunc(slices.Clone(e.Features), func(w string) bool { return w == "read-only" })
	r.add("-O", strings.TrimSuffix("none,"+m.words(kind, id, "feature", features), ","))
	r.number("-b", e.BlockSize)
	r.number("-I", e.InodeSize)
	r.number("-N", e.Inodes)
	r.number("-C", e.ClusterSize)
	r.number("-G", e.FlexGroup)
	r.add("-U", m.must(isUUID, kind, id, "UUID", string(id)))
	if e.Journal != 0 {
		r.add("-J", fmt.Sprintf("size=%d", max(1, (e.Journal-e.FastCommit)*e.BlockSize>>20)))
	}
	var extended []string
	word := func(name, value string) {
		if value != "" {
			extended = append(extended, name+"="+m.must(isWord, kind, id, name, value))
		}
	}
	number := func(name string, n uint64) {
		if n != 0 {
			word(name, fmt.Sprint(n))
		}
	}
	word("hash_seed", e.HashSeed)
	number("stride", e.Stride)
	number("stripe_width", e.StripeWidth)
	number("num_backup_sb", e.BackupSuperblocks)
	for _, q := range e.Quota {
		m.must(isWord, kind, id, "quota", q)
	}
	if len(e.Quota) > 0 {
		extended = append(extended, "quotatype="+strings.Join(e.Quota, ":"))
	}
	word("encoding", e.Encoding)
	r.add("-E", strings.Join(extended, ","))
	r.tuneExt(m, id, e)
	if e.ChecksumSeed != "" || e.MountOptions != "" || e.Revision0 || e.CreatorOS != "" {
		m.note(ref(kind, id), "a checksum seed, mount options, revision or creator of its own is not told")
	}
}

// tuneExt is what differs from mke2fs's own settings and only tune2fs changes.
func (r *recipe) tuneExt(m *machine, id probes.ID, e *probes.Ext) {
	add := func(option, value string) { r.tune = append(r.tune, option, value) }
	if e.Reserved != e.Blocks/20 {
		add("-r", fmt.Sprint(e.Reserved))
	}
	if e.ReservedUID != 0 {
		add("-u", fmt.Sprint(e.ReservedUID))
	}
	if e.ReservedGID != 0 {
		add("-g", fmt.Sprint(e.ReservedGID))
	}
	if e.MaxMounts > 0 {
		add("-c", fmt.Sprint(e.MaxMounts))
	}
	if e.CheckInterval != 0 {
		add("-i", fmt.Sprint(e.CheckInterval)+"s")
	}
	if e.Errors != "" {
		add("-e", m.must(isWord, "filesystem", id, "errors", e.Errors))
	}
	if defaults := m.words("filesystem", id, "mount default", e.MountDefaults); defaults != "acl,user_xattr" && defaults != "user_xattr,acl" {
		add("-o", strings.TrimSuffix("^acl,^user_xattr,"+defaults, ","))
	}
	if e.Hash != "" && e.Hash != "half_md4" {
		add("-E", "hash_alg="+m.must(isWord, "filesystem", id, "hash", e.Hash))
	}
	if slices.Contains(e.Features, "read-only") {
		m.note(ref("filesystem", id), "when its files are in place: tune2fs -O read-only")
	}
}

// xfsFlags are the features with a switch of mkfs.xfs(8), and those that a file
// system with checksums has anyway.
var xfsFlags = []struct{ option, word string }{
	{"-m", "finobt"}, {"-m", "rmapbt"}, {"-m", "reflink"}, {"-m", "inobtcount"}, {"-m", "bigtime"},
	{"-i", "sparse"}, {"-i", "nrext64"}, {"-i", "exchange"}, {"-n", "parent"}, {"-m", "metadir"},
}

func (r *recipe) xfs(m *machine, id probes.ID, x *probes.XFS) {
	const kind = "filesystem"
	has := func(word string) bool { return slices.Contains(x.Features, word) }
	m.words(kind, id, "feature", x.Features)
	options := map[string]string{}
	set := func(option, format string, args ...any) { options[option] += "," + fmt.Sprintf(format, args...) }
	bit := map[bool]int{true: 1}
	set("-m", "uuid=%s,crc=%d", m.must(isUUID, kind, id, "UUID", string(id)), bit[has("crc")])
	set("-b", "size=%d", x.BlockSize)
	set("-s", "size=%d", x.SectorSize)
	set("-i", "size=%d,maxpct=%d", x.InodeSize, x.InodePercent)
	set("-n", "size=%d", x.DirectoryBlock)
	set("-l", "size=%d", x.LogSize)
	set("-d", "agsize=%d", x.GroupBlocks*x.BlockSize)
	if x.StripeUnit != 0 {
		set("-d", "su=%d,sw=%d", x.StripeUnit, x.StripeWidth/x.StripeUnit)
	}
	for i, f := range xfsFlags {
		// what is newer than the first six is named only where it is there
		if has("crc") && (i < 6 || has(f.word)) {
			set(f.option, "%s=%d", f.word, bit[has(f.word)])
		}
	}
	if has("ascii-ci") {
		set("-n", "version=ci")
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		r.add(option, options[option][1:])
	}
	if x.MetaUUID != "" {
		m.note(ref(kind, id), "the UUID that it was made with, %s, is not told", x.MetaUUID)
	}
}

// spaceTree is a feature that is on since btrfs-progs 5.15, and that -O does not
// know before 6.3.
const spaceTree = "free-space-tree"

// btrfs are options of mkfs.btrfs(8) apart from those for the profiles, which
// some languages have words for.
func (r *recipe) btrfs(m *machine, id probes.ID, b *probes.Btrfs) {
	const kind = "filesystem"
	m.must(isWord, kind, id, "data profile", b.Data)
	m.must(isWord, kind, id, "metadata profile", b.Metadata)
	r.add("--uuid", m.must(isUUID, kind, id, "UUID", string(id)))
	r.add("--checksum", m.must(isWord, kind, id, "checksum", b.Checksum))
	r.number("--nodesize", b.NodeSize)
	r.number("--sectorsize", b.SectorSize)
	features := slices.DeleteFunc(slices.Clone(b.Features), func(w string) bool { return w == spaceTree })
	for _, w := range []string{"extref", "skinny-metadata", "no-holes"} { // which mkfs.btrfs turns on
		if !slices.Contains(b.Features, w) {
			features = append(features, "^"+w)
		}
	}
	m.words(kind, id, "feature", b.Features)
	r.add("--features", strings.Join(features, ","))
	if !slices.Contains(b.Features, spaceTree) {
		r.add("--runtime-features", "^"+spaceTree)
	}
}

// unsaid tells what no language says of the insides of a btrfs, and all but one
// not that a subvolume is read-only.
func (m *machine) unsaid(id probes.ID, readOnly bool) {
	b := m.FileSystem[id].Btrfs
	for _, path := range sorted(b.Subvolume) {
		s := b.Subvolume[path]
		if s.Compression != "" || s.NoCOW || s.ReadOnly && !readOnly || s.MaxReferenced != 0 || s.MaxExclusive != 0 {
			m.note(ref("filesystem", id), "what is set on subvolume %q is not told", string(path))
		}
	}
	if b.Quota != "" {
		m.note(ref("filesystem", id), "its quota is not told")
	}
}

func (r *recipe) fat(m *machine, id probes.ID, f *probes.FAT) {
	r.number("-F", f.Bits)
	if id != "" {
		r.add("-i", strings.ReplaceAll(m.must(isSerial, "filesystem", id, "volume serial", string(id)), "-", ""))
	}
	r.number("-S", f.SectorSize)
	if f.SectorSize != 0 {
		r.number("-s", f.ClusterSize/f.SectorSize)
	}
	r.number("-R", f.Reserved)
	r.number("-f", f.FATs)
	r.number("-h", f.Hidden)
	if f.Bits != 32 {
		r.number("-r", f.RootEntries)
	}
	r.add("-M", m.must(isByte, "filesystem", id, "media", f.Media))
}

func (m *machine) mkswap(id probes.ID, s *probes.Swap) recipe {
	r := recipe{kind: "swap"}
	r.name(m.label(ref("swap", id), "label", s.Label, s.LabelBytes), "-L")
	r.add("-U", m.must(isUUID, "swap", id, "UUID", string(id)))
	r.number("-p", s.Page)
	return r
}

// rest tells what a language has no place for.
func (m *machine) rest(node probes.Ref, r recipe) {
	if len(r.tune) > 0 {
		m.note(node, "after mkfs: tune2fs %s", shell(r.tune))
	}
}

// swapFiles tells of swap that is no device: its file comes back with a
// command.
func (m *machine) swapFiles() {
	for _, id := range sorted(m.Swap) {
		if s := m.Swap[id]; s.File != "" {
			m.note(ref("swap", id), "the file %q of %d bytes is not told", s.File, s.Size)
		}
	}
}
