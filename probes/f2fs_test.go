package probes

import (
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

func TestF2FSOptions(t *testing.T) {
	fsTools(t, "mkfs.f2fs", "dump.f2fs", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := odds.NewF2FS(rng)
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		one := identifyImage(t, image)
		compareF2FS(t, one, mustRun(t, nil, "dump.f2fs", "-d", "1", image))
		fs := one.node.(*FileSystem)
		features := o.Features
		if slices.Contains(features, "project_quota") && !slices.Contains(features, "quota") {
			features = append(features, "quota") // comes with it
		}
		slices.Sort(features)
		f := fs.F2FS
		if fs.Label != o.Label || fs.Unsupported != "" || string(one.id) != o.UUID || !slices.Equal(f.Features, features) || !slices.Equal(f.EncodingFlags, o.EncodingFlags) ||
			o.LargeNATBitmap != f.LargeNATBitmap {
			t.Errorf("got %s %+v %+v", one.id, fs, fs.F2FS)
		}
		if o.Cold != strings.HasSuffix(f.ColdExtensions, ",abc,xyz") || o.Hot != strings.HasSuffix(f.HotExtensions, ",hot") {
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
