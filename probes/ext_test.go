package probes

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
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
		o := odds.NewExt(rng)
		o.Env = config
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		one := identifyImage(t, image)
		fs := one.node.(*FileSystem)
		compareExt(t, one, mustRun(t, nil, "dumpe2fs", "-h", image))
		if fs.Unsupported != "" || fs.Label != o.Label || !slices.Equal(fs.Ext.EncodingFlags, o.EncodingFlags) ||
			fs.Ext.OrphanFile != o.OrphanFile && o.OrphanFile > 0 && fs.Ext.Journal > 0 { // with a journal that is too large there is none, and no orphan file
			t.Errorf("got %+v %+v, made with %q", fs, fs.Ext, o.Make)
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
