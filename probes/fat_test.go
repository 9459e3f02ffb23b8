package probes

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFATOptions(t *testing.T) {
	fsTools(t, "mkfs.vfat", "fsck.fat", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := randomFAT(rng)
		renew(t, image, o.size)
		if _, err := fsRun(nil, append(o.mkfs, image)...); err != nil {
			t.Log(err)
			return false
		}
		t.Log(o.mkfs)
		listing, _ := fsRun(nil, "fsck.fat", "-vn", image) // sees faults in odd ones
		if !strings.Contains(listing, "sectors total") {
			return false // and refuses some of what mkfs.fat made
		}
		one := identifyImage(t, image)
		compareFAT(t, one, listing+mustRun(t, nil, "blkid", "-p", "-o", "export", image))
		f := one.node.(*FileSystem).FAT
		if want := fmt.Sprintf("0x%02x", o.drive); o.drive >= 0 && f.Drive != want {
			t.Errorf("drive %s, made with %s", f.Drive, want)
		}
		if f.Bits == 32 && o.backup > 0 && f.BackupBoot != uint64(o.backup) {
			t.Errorf("backup boot sector %d, made with %d", f.BackupBoot, o.backup)
		}
		return true
	})
}

type fatOptions struct {
	size          uint64
	mkfs          []string
	drive, backup int
}

func randomFAT(rng *rand.Rand) fatOptions {
	o := fatOptions{drive: -1}
	bits := pick(rng, 12, 16, 32)
	switch bits {
	case 12:
		o.size = uint64(200+rng.IntN(8000)) << 10
	case 16:
		o.size = uint64(9000+rng.IntN(100000)) << 10
	default:
		o.size = uint64(40000+rng.IntN(400000)) << 10
	}
	o.mkfs = []string{"mkfs.vfat", "-F", fmt.Sprint(bits), "-i", fmt.Sprintf("%08x", rng.Uint32())}
	option := func(percent int, name string, value any) {
		if chance(rng, percent) {
			o.mkfs = append(o.mkfs, name, fmt.Sprint(value))
		}
	}
	option(30, "-S", pick(rng, 512, 1024, 2048, 4096))
	option(30, "-s", 1<<rng.IntN(8))
	option(30, "-R", 1+rng.IntN(300))
	option(30, "-f", 1+rng.IntN(4))
	option(20, "-M", pick(rng, "0xf0", "0xf8", "0xf9", "0xff"))
	option(20, "-h", rng.IntN(100000))
	option(20, "-g", fmt.Sprintf("%d/%d", 1+rng.IntN(255), 1+rng.IntN(63)))
	if bits != 32 {
		option(30, "-r", 16*(1+rng.IntN(100)))
	} else if chance(rng, 20) {
		o.backup = 2 + rng.IntN(5)
		o.mkfs = append(o.mkfs, "-R", "32", "-b", fmt.Sprint(o.backup))
	}
	if chance(rng, 20) {
		o.drive = rng.IntN(256)
		o.mkfs = append(o.mkfs, "-D", fmt.Sprint(o.drive))
	}
	if chance(rng, 40) {
		o.mkfs = append(o.mkfs, "-a")
	}
	option(50, "-n", strings.ToUpper(regexp.MustCompile(`[^a-zA-Z0-9 _$#~!%&'(){}@-]`).ReplaceAllString("A"+letters(rng, 10), "")))
	return o
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
