package probes

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

func TestExFATOptions(t *testing.T) {
	fsTools(t, "mkfs.exfat", "dump.exfat", "tune.exfat", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := odds.NewExFAT(rng)
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		one := identifyImage(t, image)
		compareExFAT(t, one, mustRun(t, nil, "dump.exfat", image))
		if fs := one.node.(*FileSystem); fs.Label != o.Label || fs.Unsupported != "" {
			t.Errorf("got %+v, label %q", fs, o.Label)
		}
		if got := blkidType(t, image); got != one.name {
			t.Errorf("%s, blkid says %s", one.name, got)
		}
		return true
	})
}

// compareExFAT holds what was read against what dump.exfat prints.
func compareExFAT(t *testing.T, one *found, listing string) {
	t.Helper()
	fs := one.node.(*FileSystem)
	l := lines(listing)
	want := &ExFAT{
		SectorSize:    1 << number(l["Sector Size Bits"]),
		Sectors:       number(l["Volume Length(sectors)"]),
		FATOffset:     number(l["FAT Offset(sector offset)"]),
		FATSectors:    number(l["FAT Length(sectors)"]),
		ClusterOffset: number(l["Cluster Heap Offset (sector offset)"]),
		Clusters:      number(l["Cluster Count"]),
		GUID:          fs.ExFAT.GUID,
	}
	want.ClusterSize = want.SectorSize << number(l["Sector per Cluster bits"])
	if n := number(l["Bytes per Sector"]); n > 0 { // newer words
		want.SectorSize = n
		want.ClusterSize = n * number(l["Sectors per Cluster"])
	}
	same(t, fs.ExFAT, want, listing)
	if got := serial(uint32(number(l["Volume Serial"]))); got != string(one.id) {
		t.Errorf("ID is %s, dump.exfat says %s", one.id, got)
	}
	// tune.exfat 1.2.9 prints one byte of it twice, in place of the next
	if got, want := l["GUID"], fs.ExFAT.GUID; got != "" && (len(got) != 36 || got[:14]+got[16:] != want[:14]+want[16:]) {
		t.Errorf("GUID is %s, tune.exfat says %s", want, got)
	}
	if got := l["Volume label"]; got != "" && got != strings.TrimSpace(fs.Label) && fs.LabelBytes == "" {
		t.Errorf("label is %q, dump.exfat says %q", fs.Label, got)
	}
}
