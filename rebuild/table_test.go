package rebuild

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

// TestTable has sfdisk make a random table on an image, reads it, changes some
// of what sfdisk cannot make, and makes it again on another image that is a
// little larger: over zeros, over another table, and over what was made then.
func TestTable(t *testing.T) {
	newLab(t, "sfdisk", "wipefs")
	for round := range odds.Rounds(120) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			r, l := odds.Dice(round), newLab(t)
			size := uint64(32+r.IntN(3000)) << 20
			first := l.blank(size)
			l.tool(odds.Table(r, size/512), "sfdisk", "--quiet", first)
			want, err := probes.ReadTable(l.medium(first), 512)
			if err != nil {
				t.Fatal(err)
			}
			bend(r, want)
			second := l.blank(size + uint64(r.IntN(10))<<20)
			if round%3 == 0 {
				l.tool(odds.Table(odds.Dice(-round), size/512), "sfdisk", "--quiet", second)
			}
			for range 1 + round%2 {
				made, err := Table(want, second)
				if err != nil {
					t.Fatal(err)
				}
				boot, err := Boot(want, want.Boot, second)
				if err != nil {
					t.Fatal(err)
				}
				l.do(made.Make, made.Open)
				if want.Boot != nil {
					l.do(boot.Make)
				}
				got, err := probes.ReadTable(l.medium(second), 512)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("got  %s\nwant %s", show(got), show(want))
				}
			}
		})
	}
}

func show(v any) string {
	b, _ := json.MarshalIndent(v, "", " ")
	return string(b)
}

// bend changes a table into one that sfdisk does not make.
func bend(r *rand.Rand, t *probes.Table) {
	if t.Disk.Table == "dos" {
		bendChain(r, t.Partitions)
	} else {
		t.Disk.Protective = r.IntN(5) == 0
		for i := range t.Partitions {
			bendEntry(r, &t.Partitions[i].Partition)
		}
	}
	if r.IntN(2) == 0 {
		t.Boot = []byte("code" + strings.Repeat("\x90", 436))
	}
}

func bendEntry(r *rand.Rand, p *probes.Partition) {
	switch r.IntN(6) {
	case 0:
		p.Name, p.NameUTF16 = odds.Pick(r, odds.Beyond...), ""
	case 1:
		p.Name, p.NameUTF16 = "", odds.Pick(r, "d800", "0041 dfff 0042")
	case 2:
		p.Attributes = []string{"RequiredPartition", "reserved:" + strconv.Itoa(3+r.IntN(45)), "GUID:50"}
	}
}

// bendChain has logical partitions begin right behind their boot records.
func bendChain(r *rand.Rand, all []probes.TableEntry) {
	end := uint64(0) // of what is before
	for i, p := range all {
		if p.Type == "5" || p.Type == "f" || p.Type == "85" {
			end = p.FirstLBA - 1
		}
		if p.Number > 4 {
			if r.IntN(2) == 0 {
				all[i].FirstLBA = end + 2
			}
			end = p.LastLBA
		}
	}
}

// TestHostileTable gives sfdisk nothing that a hand has made up.
func TestHostileTable(t *testing.T) {
	l := newLab(t)
	const id, part, linux = "c55bb20f-da7f-dd40-9ed1-c15119bcfd53", "29a3ec04-3075-b44f-aa2e-927f2ee3a610", "0fc63daf-8483-4772-8e79-3d69d8477de4"
	table := func(change func(*probes.Table, *probes.Partition)) *probes.Table {
		made := &probes.Table{ID: id, Disk: probes.Disk{Table: "gpt", Sector: 512, FirstLBA: 2048}, Partitions: []probes.TableEntry{
			{ID: part, Partition: probes.Partition{Number: 1, FirstLBA: 2048, LastLBA: 4095, Type: linux}},
		}}
		change(made, &made.Partitions[0].Partition)
		return made
	}
	tests := []struct {
		change func(*probes.Table, *probes.Partition)
		err    string
	}{
		{func(t *probes.Table, _ *probes.Partition) { t.Disk.Unsupported = "hybrid MBR" }, "hybrid MBR"},
		{func(t *probes.Table, _ *probes.Partition) { t.ID += "\nlabel: dos" }, `"c55bb20f-da7f-dd40-9ed1-c15119bcfd53\nlabel: dos" is no GUID`},
		{func(t *probes.Table, _ *probes.Partition) { t.Disk.Sector = 0 }, "sectors of 0 bytes"},
		{func(t *probes.Table, _ *probes.Partition) { t.Disk.Entries = 1 << 40 }, "1099511627776 entries, from LBA 2048"},
		{func(_ *probes.Table, p *probes.Partition) { p.Number = 129 }, "partition " + part + ": number 129"},
		{func(_ *probes.Table, p *probes.Partition) { p.LastLBA = 1<<64 - 1 }, "partition " + part + ": its last LBA 18446744073709551615 is behind all disks"},
		{func(_ *probes.Table, p *probes.Partition) { p.Type = "linux, bootable" }, `partition 1: type "linux, bootable" is no GUID`},
		{func(_ *probes.Table, p *probes.Partition) { p.Attributes = []string{`"`} }, `partition 1: unknown attribute "\""`},
		{func(t *probes.Table, p *probes.Partition) {
			t.Disk.Table, t.ID, p.Type, p.LastLBA = "dos", "cafe1234", "83", 1<<32
		}, "partition " + part + ": its last LBA 4294967296 is behind all disks"},
	}
	for _, test := range tests {
		made := table(test.change)
		for what, make := range map[string]func() (Layer, error){
			"partition table": func() (Layer, error) { return Table(made, "/dev/sdx") },
			"boot code":       func() (Layer, error) { return Boot(made, []byte("code"), "/dev/sdx") },
		} {
			layer, err := make()
			if what == "boot code" && made.Disk.Unsupported != "" {
				continue
			}
			if err == nil || !strings.HasSuffix(err.Error(), ": "+test.err) || len(layer.Make) > 0 {
				t.Errorf("%s: %v, should be %s", what, err, test.err)
			}
		}
	}
	for _, device := range []string{"", "sda", "--help", "/dev/sd a", "/dev/x;id", "/dev/a|b", "/dev/../etc/passwd"} {
		if layer, err := Table(table(func(*probes.Table, *probes.Partition) {}), device); err == nil || len(layer.Make) > 0 {
			t.Errorf("%q is taken", device)
		}
	}
	// More code than there is room for, and nothing is written.
	path := l.blank(4 << 20)
	layer, err := Boot(table(func(*probes.Table, *probes.Partition) {}), make([]byte, 513), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.tryDo(layer.Make); err == nil {
		t.Error("513 bytes are taken")
	}
	if b, err := os.ReadFile(path); err != nil || strings.Trim(string(b), "\x00") != "" {
		t.Error("something is written", err)
	}
}

func TestPartitionDevice(t *testing.T) {
	for disk, want := range map[string]string{"/dev/sda": "/dev/sda3", "/dev/nvme0n1": "/dev/nvme0n1p3", "/dev/mmcblk0": "/dev/mmcblk0p3", "/dev/vdz": "/dev/vdz3"} {
		if got := PartitionDevice(disk, 3); got != want {
			t.Errorf("%s: %s, should be %s", disk, got, want)
		}
	}
}
