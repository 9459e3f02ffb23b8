package rebuild

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

// TestFitHostile changes numbers and words of a layout and its text in every way
// that the readers take: there is an error or none, and an end.
func TestFitHostile(t *testing.T) {
	const group = `contents = "Text Format Volume Group"
version = 1
g {
	id = "P6KOJN-3Nm6-a0t9-XKuX-oIDe-o0Rl-o3GG6h"
	status = ["RESIZEABLE", "READ", "WRITE"]
	extent_size = 2048
	allocation_policy = "normal"
	physical_volumes {
		pv0 {
			id = "p"
			status = ["ALLOCATABLE"]
			dev_size = 40960
			pe_start = 2048
			pe_count = 19
		}
	}
	logical_volumes {
		one {
			status = ["READ", "WRITE", "VISIBLE"]
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 5
				type = "striped"
				stripe_count = 1
				stripes = [
					"pv0", 0
				]
			}
		}
		two {
			status = ["READ", "WRITE", "VISIBLE"]
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 4
				type = "raid1"
				region_size = 4096
				raids = [
					"meta", "one"
				]
			}
		}
	}
}
`
	l := fitLayout(func(l *probes.Layout) {
		l.RAID["r"] = &probes.RAID{On: []probes.Ref{"partition.a"}, Level: "raid10", Layout: "n2", Metadata: "1.0", Devices: 1, Size: 39 << 20, Chunk: 65536, BitmapChunk: 4096}
		l.LUKS["u"] = &probes.LUKS{On: "raid.r", Offset: 16 << 20, Sector: 4096}
		l.PV["p"] = &probes.PV{On: "partition.b", VG: "vg.g", MetadataCopies: 2}
		l.VG["g"] = &probes.VG{Script: "text"}
		l.LV["g/one"], l.LV["g/two"] = &probes.LV{On: "vg.g", Size: 5 << 20}, &probes.LV{On: "vg.g", Size: 4 << 20}
		l.FileSystem["1"] = &probes.FileSystem{On: []probes.Ref{"luks.u"}, Type: "ext4", Ext: &probes.Ext{BlockSize: 4096, Blocks: 5000, InodeSize: 256, Inodes: 4096, Reserved: 10}}
		l.FileSystem["2"] = &probes.FileSystem{On: []probes.Ref{"lv.g/one"}, Type: "xfs", XFS: &probes.XFS{BlockSize: 4096, Blocks: 1280, GroupBlocks: 320, SectorSize: 512, InodeSize: 512, DirectoryBlock: 4096, LogSector: 512, LogSize: 1 << 20}}
		l.FileSystem["0DA4-5EB7"] = &probes.FileSystem{On: []probes.Ref{"lv.g/two"}, Type: "vfat", FAT: &probes.FAT{Bits: 16, SectorSize: 512, ClusterSize: 512, Sectors: 8192, Reserved: 4, FATs: 2, FATSectors: 32, RootEntries: 512, Media: "0xf8", Drive: "0x80", TrackSectors: 32}}
		l.Swap["s"] = &probes.Swap{On: "raid.r", Page: 4096, Size: 39 << 20}
	})
	var page bytes.Buffer
	if err := l.Write(&page); err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`[0-9]+`)
	read, fitted := 0, 0
	for round := range odds.Rounds(3000) {
		r := odds.Dice(round)
		bend := func(text string) string {
			for range r.IntN(3) {
				all := number.FindAllStringIndex(text, -1)
				at := all[r.IntN(len(all))]
				text = text[:at[0]] + odds.Pick(r, "0", "1", "2", "7", "511", "4096", "65535", "4294967295", "9223372036854775807", "18446744073709551615") + text[at[1]:]
			}
			return text
		}
		layout, err := probes.Read([]byte(bend(page.String())))
		if err != nil {
			continue
		}
		read++
		rules, disks := Sizes{}, map[probes.ID]uint64{}
		for id := range layout.Partition {
			rules[probes.Ref("partition."+id)] = Rule{odds.Pick(r, Share, Keep), odds.Pick[uint64](r, 0, 1, 1<<63)}
		}
		for id := range layout.LV {
			rules[probes.Ref("lv."+id)] = Rule{odds.Pick(r, Share, Keep), odds.Pick[uint64](r, 0, 1, 1<<63)}
		}
		for id := range layout.Disk {
			disks[id] = odds.Pick[uint64](r, 0, 512, 40<<20, 100<<20, 5<<30, 1<<50, 1<<63)
		}
		if _, _, _, err := Fit(layout, map[string][]byte{"text": []byte(bend(group))}, disks, rules); err == nil {
			fitted++
		} else if strings.Contains(err.Error(), "internal error") {
			t.Errorf("round %d: %v", round, err)
		}
	}
	t.Logf("%d read, %d fitted", read, fitted)
	if fitted == 0 {
		t.Error("nothing is ever fitted")
	}
}
