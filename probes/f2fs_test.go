package probes

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestF2FSOptions(t *testing.T) {
	fsTools(t, "mkfs.f2fs", "dump.f2fs", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		renew(t, image, uint64(60+rng.IntN(600))<<20)
		mkfs := []string{"mkfs.f2fs", "-f"}
		option := func(percent int, words ...string) {
			if chance(rng, percent) {
				mkfs = append(mkfs, words...)
			}
		}
		features := []string{}
		for _, w := range []string{"encrypt", "verity", "extra_attr", "project_quota", "inode_checksum", "flexible_inline_xattr", "quota",
			"inode_crtime", "lost_found", "sb_checksum", "casefold", "compression"} {
			if chance(rng, 40) {
				features = append(features, w)
			}
		}
		if len(features) > 0 && !slices.Contains(features, "extra_attr") {
			features = append(features, "extra_attr") // most others want it
		}
		var flags []string
		if slices.Contains(features, "casefold") {
			if chance(rng, 50) {
				flags = []string{"strict"}
			}
			mkfs = append(mkfs, "-C", strings.Join(append([]string{"utf8"}, flags...), ":"))
		}
		option(100, "-O", strings.Join(features, ","))
		option(30, "-o", fmt.Sprint(2+rng.IntN(20)))
		option(20, "-s", fmt.Sprint(1+rng.IntN(4)))
		option(20, "-z", fmt.Sprint(1+rng.IntN(3)))
		option(20, "-w", pick(rng, "512", "1024", "2048", "4096"))
		option(20, "-i")
		option(20, "-e", "abc,xyz")
		option(20, "-E", "db,hot")
		label := pick(rng, "", "A", "größe", "日本", "😀", `$(a)"'`+"\n", strings.Repeat("long", 100))
		option(100, "-l", label)
		id := randomUUID(rng)
		option(100, "-U", id)
		if _, err := fsRun(nil, append(mkfs, image)...); err != nil {
			t.Log(err)
			return false
		}
		t.Log(mkfs)
		one := identifyImage(t, image)
		compareF2FS(t, one, mustRun(t, nil, "dump.f2fs", "-d", "1", image))
		fs := one.node.(*FileSystem)
		if slices.Contains(features, "project_quota") && !slices.Contains(features, "quota") {
			features = append(features, "quota") // comes with it
		}
		slices.Sort(features)
		f := fs.F2FS
		if fs.Label != label || fs.Unsupported != "" || string(one.id) != id || !slices.Equal(f.Features, features) || !slices.Equal(f.EncodingFlags, flags) ||
			slices.Contains(mkfs, "-i") != f.LargeNATBitmap {
			t.Errorf("got %s %+v %+v", one.id, fs, fs.F2FS)
		}
		if slices.Contains(mkfs, "-e") != strings.HasSuffix(f.ColdExtensions, ",abc,xyz") || slices.Contains(mkfs, "-E") != strings.HasSuffix(f.HotExtensions, ",hot") {
			t.Errorf("got extensions %s and %s", f.ColdExtensions, f.HotExtensions)
		}
		if got := blkidType(t, image); got != one.name {
			t.Errorf("%s, blkid says %s", one.name, got)
		}
		return true
	})
}

// compareF2FS holds what was read against what dump.f2fs -d 1 prints.
func compareF2FS(t *testing.T, one *found, listing string) {
	t.Helper()
	f := one.node.(*FileSystem).F2FS
	field := func(name string) uint64 {
		m := regexp.MustCompile(`(?m)^` + name + `\s+\[0x\s*[0-9a-f]+ : (\d+)\]`).FindStringSubmatch(listing)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, listing)
		}
		return number(m[1])
	}
	want := *f
	want.SectorSize = 1 << field("log_sectorsize")
	want.BlockSize = 1 << field("log_blocksize")
	want.Blocks = field("block_count")
	want.SegmentsPerSection = field("segs_per_sec")
	want.SectionsPerZone = field("secs_per_zone")
	want.OverprovisionSegments = field("overprov_segment_count")
	want.ReservedSegments = field("rsvd_segment_count")
	want.LargeNATBitmap = field("ckpt_flags")&0x400 != 0
	if m := regexp.MustCompile(`superblock features = ([0-9a-f]+) :`).FindStringSubmatch(listing); m != nil {
		want.Features, _ = bitWords(uint32(number("0x"+m[1])), f2fsFeatures, "FEATURE_")
		slices.Sort(want.Features)
	}
	same(t, f, &want, listing)
}
