package probes

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fsConfig is an mke2fs.conf without any defaults.
func fsConfig(t *testing.T) []string {
	path := filepath.Join(t.TempDir(), "mke2fs.conf")
	if err := os.WriteFile(path, []byte("[defaults]\n[fs_types]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"MKE2FS_CONFIG=" + path}
}

func TestExtOptions(t *testing.T) {
	fsTools(t, "mke2fs", "tune2fs", "dumpe2fs", "blkid")
	config := fsConfig(t)
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := randomExt(rng)
		renew(t, image, o.size)
		if _, err := fsRun(config, append(o.mke2fs, image)...); err != nil {
			t.Log(err)
			return false
		}
		if _, err := fsRun(config, append(o.tune2fs, image)...); err != nil {
			t.Log(err)
			return false
		}
		one := identifyImage(t, image)
		t.Log(o.mke2fs, o.tune2fs)
		fs := one.node.(*FileSystem)
		compareExt(t, one, mustRun(t, nil, "dumpe2fs", "-h", image))
		if fs.Unsupported != "" || fs.Label != o.label || !slices.Equal(fs.Ext.EncodingFlags, o.encodingFlags) ||
			fs.Ext.OrphanFile != o.orphanFile && o.orphanFile > 0 && fs.Ext.Journal > 0 { // with a journal that is too large there is none, and no orphan file
			t.Errorf("got %+v %+v, made with %q", fs, fs.Ext, o.mke2fs)
		}
		if !fs.Ext.TestFS { // blkid has a type of its own for them
			if got := blkidType(t, image); got != one.name {
				t.Errorf("%s, blkid says %s", one.name, got)
			}
		}
		return true
	})
}

// blkidType is what blkid calls the file system; nothing where there is none.
func blkidType(t *testing.T, image string) string {
	out, err := fsRun(nil, "blkid", "-p", "-s", "TYPE", "-o", "value", image)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// extOptions is how to make a file system.
type extOptions struct {
	size          uint64
	mke2fs        []string
	tune2fs       []string
	label         string
	encodingFlags []string
	orphanFile    uint64
}

func randomExt(rng *rand.Rand) extOptions {
	o := extOptions{size: uint64(8+rng.IntN(300)) << 20}
	block := pick(rng, 1024, 1024, 2048, 4096, 4096, 4096, 65536)
	on := func(percent int, words ...string) (all []string) {
		for _, w := range words {
			if chance(rng, percent) {
				all = append(all, w)
			}
		}
		return all
	}
	features := on(80, "ext_attr", "dir_index", "filetype", "sparse_super", "large_file")
	var extended []string
	if chance(rng, 70) {
		features = append(features, "has_journal")
	}
	if chance(rng, 70) { // ext4
		features = append(features, "extent")
		features = append(features, on(50, "64bit", "huge_file", "dir_nlink", "extra_isize", "flex_bg", "ea_inode", "large_dir", "encrypt", "stable_inodes", "verity")...)
		switch {
		case chance(rng, 60):
			features = append(features, "metadata_csum")
			features = append(features, on(40, "metadata_csum_seed")...)
		case chance(rng, 50):
			features = append(features, "uninit_bg")
		}
		if slices.Contains(features, "has_journal") {
			features = append(features, on(30, "fast_commit")...)
			if chance(rng, 30) {
				features = append(features, "orphan_file")
				if chance(rng, 50) {
					o.orphanFile = uint64(2 + rng.IntN(100))
					extended = append(extended, fmt.Sprintf("orphan_file_size=%d", o.orphanFile))
				}
			}
		}
		if chance(rng, 20) {
			features = append(features, "bigalloc")
			o.mke2fs = append(o.mke2fs, "-C", fmt.Sprint(block<<(1+rng.IntN(5))))
		}
		if chance(rng, 25) {
			features = append(features, "casefold")
			extended = append(extended, "encoding=utf8")
			if chance(rng, 50) {
				o.encodingFlags = []string{"strict"}
				extended = append(extended, "encoding_flags=strict")
			}
		}
		if chance(rng, 40) {
			features = append(features, "quota")
			types := on(60, "usrquota", "grpquota")
			if chance(rng, 40) {
				features = append(features, "project")
				types = append(types, "prjquota")
			}
			if len(types) > 0 {
				extended = append(extended, "quotatype="+strings.Join(types, ":"))
			}
		}
		features = append(features, on(10, "inline_data")...)
		if slices.Contains(features, "flex_bg") && chance(rng, 60) {
			o.mke2fs = append(o.mke2fs, "-G", fmt.Sprint(1<<rng.IntN(8)))
		}
	}
	switch rng.IntN(6) {
	case 0, 1, 2:
		features = append(features, "resize_inode")
		if !slices.Contains(features, "sparse_super") {
			features = append(features, "sparse_super")
		}
		if chance(rng, 60) {
			extended = append(extended, fmt.Sprintf("resize=%d", int(o.size)/block*(2+rng.IntN(500))))
		}
	case 3:
		features = append(features, "meta_bg")
	case 4:
		features = append(features, "sparse_super2")
		extended = append(extended, fmt.Sprintf("num_backup_sb=%d", rng.IntN(3)))
	}
	if chance(rng, 20) && !slices.Contains(features, "bigalloc") {
		o.mke2fs = append(o.mke2fs, "-g", fmt.Sprint(256*(1+rng.IntN(block/32))))
	}
	if chance(rng, 30) {
		extended = append(extended, fmt.Sprintf("stride=%d", 1+rng.IntN(1000)))
	}
	if chance(rng, 30) {
		extended = append(extended, fmt.Sprintf("stripe_width=%d", 1+rng.IntN(100000)))
	}
	if chance(rng, 50) {
		extended = append(extended, "hash_seed="+randomUUID(rng))
	}
	if chance(rng, 5) {
		extended = append(extended, "test_fs")
	}
	if chance(rng, 10) {
		o.mke2fs = append(o.mke2fs, "-o", pick(rng, "hurd", "freebsd", "linux"))
	}
	if slices.Contains(features, "has_journal") {
		journal := []string{fmt.Sprintf("size=%d", max(1, block/1024)*(1+rng.IntN(3)))}
		if slices.Contains(features, "fast_commit") && chance(rng, 50) {
			journal = append(journal, fmt.Sprintf("fast_commit_size=%d", 64*(1+rng.IntN(10))))
		}
		o.mke2fs = append(o.mke2fs, "-J", strings.Join(journal, ","))
	}
	o.label = letters(rng, 16)
	o.mke2fs = append(o.mke2fs, "-O", "none,"+strings.Join(features, ","), "-b", fmt.Sprint(block), "-I", fmt.Sprint(min(block, pick(rng, 128, 256, 256, 512, 1024))),
		"-N", fmt.Sprint(32+rng.IntN(20000)), "-L", o.label, "-U", randomUUID(rng))
	if len(extended) > 0 {
		o.mke2fs = append(o.mke2fs, "-E", strings.Join(extended, ","))
	}
	o.mke2fs = append([]string{"mke2fs", "-q", "-F", "-F"}, o.mke2fs...)
	o.tune2fs = []string{"tune2fs", "-r", fmt.Sprint(rng.IntN(500)), "-c", fmt.Sprint(pick(rng, -1, 0, 1, 30, 16000)), "-i", fmt.Sprint(pick(rng, 0, 1, 86400, 15552000)) + "s",
		"-e", pick(rng, "continue", "remount-ro", "panic"), "-u", fmt.Sprint(rng.IntN(65536)), "-g", fmt.Sprint(rng.IntN(65536))}
	if words := on(30, "debug", "bsdgroups", "user_xattr", "acl", "uid16", "nobarrier", "block_validity", "discard", "nodelalloc"); len(words) > 0 {
		words = append(words, on(30, pick(rng, "journal_data", "journal_data_ordered", "journal_data_writeback"))...)
		o.tune2fs = append(o.tune2fs, "-o", strings.Join(words, ","))
	}
	extended = on(50, "hash_alg="+pick(rng, "legacy", "half_md4", "tea"))
	extended = append(extended, on(20, "mount_opts=data=journal nobarrier")...)
	if len(extended) > 0 {
		o.tune2fs = append(o.tune2fs, "-E", strings.Join(extended, ","))
	}
	return o
}

// compareExt holds what was read against what dumpe2fs -h prints.
func compareExt(t *testing.T, one *found, listing string) {
	t.Helper()
	if fs := one.node.(*FileSystem); fs.Type != "jbd" {
		same(t, fs.Ext, extListed(fs.Ext, listing), listing)
	}
	l := lines(listing)
	if got := l["Filesystem UUID"]; got != string(one.id) {
		t.Errorf("UUID is %s, dumpe2fs says %s", one.id, got)
	}
}

// extListed makes the layer of dumpe2fs's words, and takes over what dumpe2fs
// does not print.
func extListed(have *Ext, listing string) *Ext {
	l := lines(listing)
	e := &Ext{
		Features:           strings.Fields(l["Filesystem features"]),
		BlockSize:          number(l["Block size"]),
		Blocks:             number(l["Block count"]),
		InodeSize:          number(l["Inode size"]),
		Inodes:             number(l["Inode count"]),
		ClusterSize:        number(l["Cluster size"]),
		BlocksPerGroup:     number(l["Blocks per group"]),
		FlexGroup:          number(l["Flex block group size"]),
		FirstMetaGroup:     number(l["First meta block group"]),
		ReservedGDT:        number(l["Reserved GDT blocks"]),
		BackupSuperblocks:  uint64(len(strings.Fields(l["Backup block groups"]))),
		Journal:            number(l["Total journal blocks"]),
		FastCommit:         number(l["Fast commit length"]),
		OrphanFile:         have.OrphanFile,
		Stride:             number(l["RAID stride"]),
		StripeWidth:        number(l["RAID stripe width"]),
		HashSeed:           l["Directory Hash Seed"],
		Hash:               l["Default directory hash"],
		ChecksumSeed:       have.ChecksumSeed,
		Reserved:           number(l["Reserved block count"]),
		ReservedUID:        number(l["Reserved blocks uid"]),
		ReservedGID:        number(l["Reserved blocks gid"]),
		MountOptions:       l["Mount options"],
		CheckInterval:      number(l["Check interval"]),
		Encoding:           l["Character encoding"],
		EncodingFlags:      have.EncodingFlags,
		MMPInterval:        number(l["MMP update interval"]),
		RequiredExtraIsize: number(l["Required extra isize"]),
		DesiredExtraIsize:  number(l["Desired extra isize"]),
		Revision0:          strings.HasPrefix(l["Filesystem revision #"], "0"),
		TestFS:             strings.Contains(l["Filesystem flags"], "test_filesystem"),
	}
	e.Features = slices.DeleteFunc(e.Features, func(w string) bool { return w == "(none)" || slices.Contains(extByUse, w) })
	if number(l["Filesystem revision #"]) > 0 {
		e.Features = append(e.Features, extInUse...)
	}
	slices.Sort(e.Features)
	e.Features = slices.Compact(e.Features)
	if e.RequiredExtraIsize == 32 || e.InodeSize == 128 {
		e.RequiredExtraIsize = 0
	}
	if e.DesiredExtraIsize == 32 || e.InodeSize == 128 {
		e.DesiredExtraIsize = 0
	}
	if e.Revision0 {
		e.InodeSize = 128
	}
	if e.Hash == "" && slices.Contains(e.Features, "dir_index") {
		e.Hash = "legacy"
	}
	if n := number(l["Group descriptor size"]); n != 64 {
		e.DescriptorSize = n
	}
	ratio := uint64(1)
	if e.ClusterSize > 0 {
		ratio = e.ClusterSize / e.BlockSize
	}
	if e.BlocksPerGroup == min(8*e.BlockSize, 65528)*ratio {
		e.BlocksPerGroup = 0
	}
	if os := l["Filesystem OS type"]; os != "Linux" {
		e.CreatorOS = map[string]string{"GNU/Hurd": "Hurd"}[os]
		if e.CreatorOS == "" {
			e.CreatorOS = os
		}
	}
	if words := strings.ToLower(l["Errors behavior"]); words != "continue" {
		e.Errors = strings.ReplaceAll(words, " read-only", "-ro")
	}
	e.MountDefaults = slices.DeleteFunc(strings.Fields(l["Default mount options"]), func(w string) bool { return w == "(none)" })
	slices.Sort(e.MountDefaults)
	if s := l["Maximum mount count"]; !strings.HasPrefix(s, "-") {
		e.MaxMounts = int(number(s))
	}
	for _, kind := range []struct{ listed, word string }{{"User", "usrquota"}, {"Group", "grpquota"}, {"Project", "prjquota"}} {
		if l[kind.listed+" quota inode"] != "" {
			e.Quota = append(e.Quota, kind.word)
		}
	}
	return e
}

// TestExtWords holds the words for all bits against those of dumpe2fs.
func TestExtWords(t *testing.T) {
	fsTools(t, "mke2fs", "dumpe2fs")
	config := fsConfig(t)
	image := blank(t, 1<<20)
	mustRun(t, config, "mke2fs", "-q", "-F", "-O", "none", image)
	plain, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	sets := []struct {
		at     int
		words  map[int]string
		prefix string
	}{{extCompatAt, extCompat, "FEATURE_C"}, {extIncompatAt, extIncompat, "FEATURE_I"}, {extROCompatAt, extROCompat, "FEATURE_R"}}
	for _, set := range sets {
		for bit := range 32 {
			b := slices.Clone(plain)
			b[1024+set.at+bit/8] |= 1 << (bit % 8)
			if err := os.WriteFile(image, b, 0o600); err != nil {
				t.Fatal(err)
			}
			listing, _ := fsRun(nil, "dumpe2fs", "-h", "-f", image)
			want := strings.Fields(lines(listing)["Filesystem features"])
			got, _ := bitWords(1<<bit, set.words, set.prefix)
			if len(want) > 0 && !slices.Contains(want, got[0]) {
				t.Errorf("bit %d at %#x is %s, dumpe2fs says %s", bit, set.at, got[0], want)
			}
			one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
			if _, known := set.words[bit]; err == nil && !known && !strings.Contains(one.node.(*FileSystem).Unsupported, got[0]) {
				t.Errorf("%s is not named: %+v", got[0], one.node)
			}
		}
		for _, word := range set.words {
			_, err := fsRun(config, "mke2fs", "-n", "-q", "-F", "-O", "none,"+word, image)
			refused := err != nil && strings.Contains(err.Error(), "Invalid filesystem option set")
			// read-only is for tune2fs, the next two come by use
			want := slices.Contains(extNotMade, word) || slices.Contains([]string{"read-only", "needs_recovery", "orphan_present"}, word)
			if refused != want {
				t.Errorf("%s: mke2fs refuses it: %v", word, refused)
			}
		}
	}
}

func TestExtMMP(t *testing.T) {
	fsTools(t, "mke2fs", "dumpe2fs")
	image := blank(t, 64<<20)
	mustRun(t, fsConfig(t), "mke2fs", "-q", "-F", "-O", "none,mmp,filetype,sparse_super", "-E", "mmp_update_interval=99", image)
	one := identifyImage(t, image)
	compareExt(t, one, mustRun(t, nil, "dumpe2fs", "-h", image))
	if n := one.node.(*FileSystem).Ext.MMPInterval; n != 99 {
		t.Errorf("interval %d", n)
	}
}
