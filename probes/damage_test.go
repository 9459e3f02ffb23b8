package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"rootwc/internal/odds"
	"slices"
	"strings"
	"testing"
)

// gptDisk is a disk of 1 MiB with a GPT of two partitions.
func gptDisk(t *testing.T) memory {
	t.Helper()
	disk := memory(make([]byte, 1<<20))
	putGPT(disk, 512)
	return disk
}

// TestGPTDamage is what remains readable of a table, and what is said of it.
func TestGPTDamage(t *testing.T) {
	const last = 1<<20/512 - 1
	header := func(disk memory, at int, change func(g *gptCopy)) {
		g, err := readGPTCopy(medium{disk, uint64(len(disk))}, 512, uint64(at))
		if err != nil {
			t.Fatal(err)
		}
		change(g)
		if err := g.write(disk, 512); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name        string
		damage      func(memory)
		findings    string // all of them
		unsupported string
		err         string
	}{
		{"none", func(memory) {}, "", "", ""},
		{"primary header", func(d memory) { d[600] ^= 1 },
			"primary GPT at LBA 1: header checksum is 61030d7b, should be d9bf6a1e; the other copy is read", "", ""},
		{"primary entries", func(d memory) { d[1024+60] ^= 1 },
			"primary GPT at LBA 1: checksum of the entries is 798e6b0e, should be e724e506; the other copy is read", "", ""},
		{"primary gone", func(d memory) { clear(d[512:1024]) }, "primary GPT at LBA 1: no header; the other copy is read", "", ""},
		{"backup gone", func(d memory) { clear(d[last*512:]) }, "backup GPT at LBA 2047: no header; the other copy is read", "", ""},
		{"both gone", func(d memory) { clear(d[512:1024]); clear(d[last*512:]) }, "", "",
			"primary GPT at LBA 1: no header\nbackup GPT at LBA 2047: no header"},
		{"no protective MBR", func(d memory) { clear(d[:512]) }, "", "", errAbsent.Error()},
		{"copies differ", func(d memory) { header(d, last, func(g *gptCopy) { g.entries[56] = 'x' }) },
			"the two copies of the GPT differ; the primary one is read", "", ""},
		{"too many entries", func(d memory) { binary.LittleEndian.PutUint32(d[512+80:], 1<<31); header512(d) }, // and its sum is right
			"primary GPT at LBA 1: 2147483648 entries of 128 bytes; the other copy is read", "", ""},
		{"entries elsewhere", func(d memory) {
			header(d, 1, func(g *gptCopy) { binary.LittleEndian.PutUint64(g.sector[72:], 5) })
		}, "the entries of the GPT are at LBA 5, not 2", "the entries of the GPT are at LBA 5, not 2", ""},
		{"hybrid", func(d memory) { putEntry(d[462:], 0, 0x83, 10, 3) },
			"hybrid MBR: its entry 2 is a partition of type 83", "hybrid MBR: its entry 2 is a partition of type 83", ""},
		{"odd protective", func(d memory) { putEntry(d[446:], 0, 0xee, 0, 2048) },
			"the protective MBR begins at LBA 0", "the protective MBR begins at LBA 0", ""},
		{"protective second", func(d memory) { copy(d[462:478], d[446:462]); clear(d[446:462]) },
			"entry 2 of the MBR is protective, not the first", "entry 2 of the MBR is protective, not the first", ""},
		{"backwards", func(d memory) { both(d, header, func(g *gptCopy) { g.entries[32] = 9 }) }, "", "", "partition 1: its last LBA 3 is before its first, 9"},
		{"behind all disks", func(d memory) { both(d, header, func(g *gptCopy) { g.entries[47] = 0xff }) }, "", "",
			"partition 1: its last LBA 18374686479671623683 is behind all disks"},
		{"behind the disk", func(d memory) { both(d, header, func(g *gptCopy) { g.entries[42] = 1 }) },
			"partition 1 ends behind the disk", "partition 1 ends behind the disk", ""},
		{"twice", func(d memory) {
			both(d, header, func(g *gptCopy) { copy(g.entries[128:], g.entries[:128]); g.entries[128+32]++; g.entries[128+40]++ })
		},
			"partitions 1 and 2 have the same UUID 11111111-1111-1111-1111-111111111111", "partitions 1 and 2 have the same UUID 11111111-1111-1111-1111-111111111111", ""},
		{"overlapping", func(d memory) {
			both(d, header, func(g *gptCopy) { copy(g.entries[128:], g.entries[:128]); g.entries[128+16]++ })
		},
			"partitions 1 and 2 overlap", "partitions 1 and 2 overlap", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			disk := gptDisk(t)
			test.damage(disk)
			table, err := readTable(disk, uint64(len(disk)), 512)
			if fmt.Sprint(err) != or(test.err, "<nil>") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			if got := strings.Join(table.Findings, "; "); got != test.findings || table.Disk.Unsupported != test.unsupported {
				t.Errorf("findings %q\nunsupported %q", got, table.Disk.Unsupported)
			}
			if len(table.Partitions) == 0 || table.ID != "22222222-2222-2222-2222-222222222222" {
				t.Errorf("%+v", table)
			}
		})
	}
}

// header512 sets right the sum of the primary header.
func header512(d memory) {
	g := &gptCopy{at: 1, sector: d[512:1024]}
	g.set32(16, g.sum())
}

func both(d memory, header func(memory, int, func(*gptCopy)), change func(*gptCopy)) {
	header(d, 1, change)
	header(d, len(d)/512-1, change)
}

// TestGrownDisk reads a table whose disk has grown under it.
func TestGrownDisk(t *testing.T) {
	disk := append(gptDisk(t), make([]byte, 1<<20)...)
	table, err := readTable(disk, uint64(len(disk)), 512)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"the backup GPT at LBA 2047 is not at the end of the disk", "the protective MBR covers 2047 sectors, the disk has 4095"}
	if !slices.Equal(table.Findings, want) || table.Disk.Unsupported != "" {
		t.Errorf("%q, %q", table.Findings, table.Disk.Unsupported)
	}
}

// dosDisk is a disk with an extended partition over LBA 10 to 99.
func dosDisk() memory {
	disk := memory(make([]byte, 64<<10))
	copy(disk[440:], "\x78\x56\x34\x12")
	copy(disk[510:], "\x55\xaa")
	putEntry(disk[446:], 0, 0x0f, 10, 90)
	return disk
}

// record writes an extended boot record with entries of kind, start, count.
func record(d memory, at int, entries ...[3]uint64) {
	b := d[at*512:][:512]
	copy(b[510:], "\x55\xaa")
	for i, e := range entries {
		putEntry(b[446+16*i:], 0, byte(e[0]), e[1], e[2])
	}
}

func TestChains(t *testing.T) {
	data, link := uint64(0x83), uint64(5)
	tests := []struct {
		name    string
		make    func(memory)
		want    string // number:first-last
		refused string
		err     string
	}{
		{"empty", func(d memory) {}, "1:10-99", "", ""},
		{"one", func(d memory) { record(d, 10, [3]uint64{data, 1, 5}) }, "1:10-99 5:11-15", "", ""},
		{"out of order", func(d memory) {
			record(d, 10, [3]uint64{data, 40, 5}, [3]uint64{link, 10, 10})
			record(d, 20, [3]uint64{data, 1, 5})
		}, "1:10-99 5:50-54 6:21-25", "", ""},
		{"an empty record counts for nothing", func(d memory) {
			record(d, 10, [3]uint64{}, [3]uint64{link, 10, 10})
			record(d, 20, [3]uint64{data, 1, 5})
		}, "1:10-99 5:21-25", "", ""},
		{"link first", func(d memory) {
			record(d, 10, [3]uint64{link, 10, 10}, [3]uint64{data, 1, 5})
			record(d, 20, [3]uint64{data, 1, 5})
		}, "1:10-99 5:11-15 6:21-25", "", ""},
		{"garbage behind", func(d memory) {
			record(d, 10, [3]uint64{data, 1, 5}, [3]uint64{}, [3]uint64{0x20, 1 << 30, 1 << 30})
		}, "1:10-99 5:11-15", "", ""},
		{"two partitions", func(d memory) {
			record(d, 10, [3]uint64{data, 1, 5}, [3]uint64{}, [3]uint64{data, 20, 5})
		}, "1:10-99 5:11-15 6:30-34", "the boot record at LBA 10 has more than one partition", ""},
		{"two links", func(d memory) {
			record(d, 10, [3]uint64{link, 10, 10}, [3]uint64{link, 20, 10})
			record(d, 20, [3]uint64{data, 1, 5})
		}, "1:10-99 5:21-25", "the boot record at LBA 10 has more than one link", ""},
		{"outside", func(d memory) { record(d, 10, [3]uint64{data, 91, 5}) }, "1:10-99 5:101-105", "partition 5 is not inside the extended one", ""},
		{"loop", func(d memory) {
			record(d, 10, [3]uint64{data, 1, 5}, [3]uint64{link, 10, 10})
			record(d, 20, [3]uint64{data, 1, 5}, [3]uint64{link, 0, 10})
		}, "", "", "extended partition at LBA 10: boot record at LBA 10: the chain comes back to it"},
		{"no record", func(d memory) { record(d, 10, [3]uint64{data, 1, 5}, [3]uint64{link, 10, 10}) }, "", "",
			"extended partition at LBA 10: boot record at LBA 20: no signature"},
		{"behind the disk", func(d memory) { record(d, 10, [3]uint64{data, 1, 5}, [3]uint64{link, 1 << 30, 10}) }, "", "",
			"extended partition at LBA 10: boot record at LBA 1073741834: 512 bytes at 549755819008: the end is at 65536"},
		{"two extended", func(d memory) {
			putEntry(d[462:], 0, 0x05, 110, 10)
			record(d, 10, [3]uint64{data, 1, 5})
			record(d, 110, [3]uint64{data, 1, 5})
		}, "1:10-99 2:110-119 5:11-15 6:111-115", "there is more than one extended partition", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			disk := dosDisk()
			test.make(disk)
			table, err := readTable(disk, uint64(len(disk)), 512)
			if fmt.Sprint(err) != or(test.err, "<nil>") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			var got []string
			for _, p := range table.Partitions {
				got = append(got, fmt.Sprintf("%d:%d-%d", p.Number, p.FirstLBA, p.LastLBA))
			}
			if strings.Join(got, " ") != test.want || table.Disk.Unsupported != test.refused {
				t.Errorf("%s, %q", got, table.Disk.Unsupported)
			}
		})
	}
}

// TestLongChain is bounded.
func TestLongChain(t *testing.T) {
	disk := memory(make([]byte, 1<<20))
	copy(disk, dosDisk())
	putEntry(disk[446:], 0, 5, 10, 2000)
	for at := 10; at < 2000; at++ {
		record(disk, at, [3]uint64{}, [3]uint64{5, uint64(at - 9), 1})
	}
	_, err := readTable(disk, uint64(len(disk)), 512)
	if want := "extended partition at LBA 10: boot record at LBA 266: more than 256 in the chain"; fmt.Sprint(err) != want {
		t.Error(err)
	}
}

// TestNoTable reads what is no table: nothing, and file systems on whole disks.
func TestNoTable(t *testing.T) {
	need(t, "mke2fs")
	fat := blankImage(t, 8<<20)
	makers := map[string][]string{"zeros": nil, "ext4": {"mke2fs", "-q", "-F"}}
	if out, err := tryTool("", "mkfs.vfat", "--mbr=no", fat); err == nil {
		_ = out
		makers["vfat"] = []string{"mkfs.vfat", "--mbr=no"}
	}
	for name, args := range makers {
		path := blankImage(t, 8<<20)
		if args != nil {
			tool(t, "", append(slices.Clone(args), path)...)
		}
		f, size := open(t, path)
		if _, err := readTable(f, size, 512); !errors.Is(err, errAbsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readTable(memory(nil), 0, 512); !errors.Is(err, errAbsent) {
		t.Error(err)
	}
}

// TestLayoutTable takes tables from a layout that a hand has changed.
func TestLayoutTable(t *testing.T) {
	const id, part = "c55bb20f-da7f-dd40-9ed1-c15119bcfd53", "29a3ec04-3075-b44f-aa2e-927f2ee3a610"
	text := func(kind, disk, part, values string) string {
		return fmt.Sprintf("format = \"1.0.0\"\n[disk.\"%s\"]\ntable = %q\nsector-size = 512\nfirst-lba = 2048\n[partition.\"%s\"]\non = \"disk.%s\"\n%s", disk, kind, part, disk, values)
	}
	good := "number = 3\nfirst-lba = 2048\nlast-lba = 4095\ntype = \"0fc63daf-8483-4772-8e79-3d69d8477de4\"\n"
	tests := []struct{ name, text, err string }{
		{"good", text("gpt", id, part, good), ""},
		{"a line in a type", text("gpt", id, part, strings.Replace(good, `4"`, `4\nsize=1"`, 1)), `partition 3: type "0fc63daf-8483-4772-8e79-3d69d8477de4\nsize=1" is no GUID`},
		{"a UUID that is none", text("gpt", id, "no-uuid", good), `partition 3: "no-uuid" is no GUID`},
		{"a table's that is none", text("gpt", "x", part, good), `"x" is no GUID`},
		{"dos", text("dos", "cafe1234", "cafe1234-03", "number = 3\nfirst-lba = 63\nlast-lba = 63\ntype = \"83\"\n"), ""},
		{"dos with a word", text("dos", "cafe1234", "cafe1234-03", "number = 3\ntype = \"83, bootable\"\n"), `partition 3: type "83, bootable" is no byte in hexadecimal`},
		{"dos with another id", text("dos", "0xcafe1234", "cafe1234-03", "number = 3\ntype = \"83\"\n"), `"0xcafe1234" is no identifier of 8 digits`},
		{"another table", text("sun", id, part, good), `unknown kind of partition table "sun"`},
		{"a name too long", text("gpt", id, part, good+"name = \""+strings.Repeat("x", 37)+"\"\n"), `partition 3: name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" does not fit into 36 units of UTF-16`},
		{"units that are none", text("gpt", id, part, good+"name-utf16 = \"zzzz\"\n"), `partition 3: name: "zzzz" is no unit of UTF-16`},
		{"an attribute that is none", text("gpt", id, part, good+"attributes = [\"Odd\"]\n"), `partition 3: unknown attribute "Odd"`},
		{"backwards", text("gpt", id, part, "number = 3\nfirst-lba = 9\nlast-lba = 8\n"), "partition " + part + ": its last LBA 8 is before its first, 9"},
		{"no number", text("gpt", id, part, "first-lba = 9\nlast-lba = 8\n"), "partition " + part + ": number 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := Read([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var table *Table
			for disk := range l.Disk {
				table, err = l.Table(disk)
			}
			if err == nil {
				_, _, err = table.Script()
			}
			if fmt.Sprint(err) != or(test.err, "<nil>") {
				t.Error(err)
			}
		})
	}
}

// TestHostileNames gives no name to a file or a command that its tool would not
// have taken.
func TestHostileNames(t *testing.T) {
	for _, name := range append([]string{"../../etc/passwd", ".", "..", "a/b", strings.Repeat("x", 128)}, odds.Hostile...) {
		text := fmt.Sprintf("%s { id = \"x\" seqno = 1 extent_size = 8 }", lvmValue{text: name})
		root, err := parseLVM(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = assembleVG([]*lvmPV{{Text: root}})
		if isPlain(name) != (err == nil) {
			t.Errorf("group %q: %v", name, err)
		}
	}
}

func isPlain(name string) bool {
	return name != "" && name[0] != '-' && !strings.HasPrefix(name, ".") && len(name) < 128 && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z')
	}) < 0
}
