package probes

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

func TestFATOptions(t *testing.T) {
	fsTools(t, "mkfs.vfat", "fsck.fat", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := odds.NewFAT(rng)
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		listing, _ := fsRun(nil, "fsck.fat", "-vn", image) // sees faults in odd ones
		if !strings.Contains(listing, "sectors total") {
			return false // and refuses some of what mkfs.fat made
		}
		one := identifyImage(t, image)
		compareFAT(t, one, listing+mustRun(t, nil, "blkid", "-p", "-o", "export", image))
		f := one.node.(*FileSystem).FAT
		if want := fmt.Sprintf("0x%02x", o.Drive); o.Drive >= 0 && f.Drive != want {
			t.Errorf("drive %s, made with %s", f.Drive, want)
		}
		if f.Bits == 32 && o.Backup > 0 && f.BackupBoot != uint64(o.Backup) {
			t.Errorf("backup boot sector %d, made with %d", f.BackupBoot, o.Backup)
		}
		return true
	})
}

// compareFAT holds what was read against what fsck.fat -vn and blkid print.
func compareFAT(t *testing.T, one *found, listing string) {
	t.Helper()
	fs := one.node.(*FileSystem)
	f := fs.FAT
	find := func(pattern string) uint64 {
		m := regexp.MustCompile(pattern).FindStringSubmatch(listing)
		if m == nil {
			return 0
		}
		return number(m[1])
	}
	want := &FAT{
		Bits:         find(`FATs, (\d+) bit entries`),
		SectorSize:   find(`(\d+) bytes per logical sector`),
		ClusterSize:  find(`(\d+) bytes per cluster`),
		Sectors:      find(`(\d+) sectors total`),
		Reserved:     find(`(\d+) reserved sectors?`),
		FATs:         find(`(\d+) FATs?,`),
		FATSectors:   find(`bytes per FAT \(= (\d+) sectors?\)`),
		RootEntries:  find(`(\d+) root directory entries`),
		Media:        fmt.Sprintf("0x%02x", find(`Media byte (0x[0-9a-f]+)`)),
		Drive:        f.Drive,
		Heads:        find(`, (\d+) heads`),
		TrackSectors: find(`(\d+) sectors/track`),
		Hidden:       find(`(\d+) hidden sectors`),
		BackupBoot:   f.BackupBoot,
		InfoSector:   f.InfoSector,
	}
	same(t, f, want, listing)
	text := "\n" + listing
	if id := string(one.id); id != "" && !strings.Contains(text, "\nUUID="+id+"\n") {
		t.Errorf("ID is %s\n%s", id, listing)
	}
	if has := strings.Contains(text, "\nLABEL="); has != (fs.Label != "") {
		t.Errorf("label is %q\n%s", fs.Label, listing)
	}
	if m := regexp.MustCompile(`\nLABEL=([A-Z0-9_]+)\n`).FindStringSubmatch(text); m != nil && m[1] != fs.Label {
		t.Errorf("label is %q, blkid says %q", fs.Label, m[1])
	}
}
