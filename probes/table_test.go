package probes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"rootwc/internal/odds"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTableRoundTrip makes random tables with sfdisk from their script, reads
// them again and compares, also with what sfdisk reads.
func TestTableRoundTrip(t *testing.T) {
	need(t, "sfdisk")
	for round := range odds.Rounds(120) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			r := odds.Dice(round)
			size := uint64(32+r.IntN(3000)) << 20
			want := randomTable(r, size)
			got := remake(t, want, size)
			if !reflect.DeepEqual(got, want) {
				script, _, _ := want.Script()
				t.Errorf("got  %s\nwant %s\nscript\n%s", show(got), show(want), script)
			}
		})
	}
}

func show(t *Table) string {
	b, _ := json.MarshalIndent(t, "", " ")
	return string(b)
}

// remake makes a table on a blank image, with sfdisk and then natively, and
// reads it.
func remake(t *testing.T, table *Table, size uint64) *Table {
	t.Helper()
	script, patch, err := table.Script()
	if err != nil {
		t.Fatal(err)
	}
	path := blankImage(t, size)
	tool(t, script, "sfdisk", "--quiet", "--wipe", "always", path)
	f, size := open(t, path)
	if patch {
		if err := table.Patch(f, size); err != nil {
			t.Fatal(err)
		}
	}
	if table.Boot != nil {
		if err := table.WriteBoot(f, table.Boot); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readTable(f, size, table.Disk.Sector)
	if err != nil {
		t.Fatalf("%v, after\n%s", err, script)
	}
	compareSfdisk(t, got, path)
	return got
}

// sfdiskTable is what sfdisk --json prints.
type sfdiskTable struct {
	PartitionTable struct {
		Label, ID         string
		FirstLBA, LastLBA uint64
		TableLength       json.Number `json:"table-length"`
		SectorSize        uint64
		Partitions        []struct {
			Node, Type, UUID, Name, Attrs string
			Start, Size                   uint64
			Bootable                      bool
		}
	}
}

// compareSfdisk compares each field with what sfdisk says.
func compareSfdisk(t *testing.T, table *Table, path string) {
	t.Helper()
	compareSfdiskJSON(t, table, path, tool(t, "", "sfdisk", "--json", path))
}

func compareSfdiskJSON(t *testing.T, table *Table, path, text string) {
	t.Helper()
	var s sfdiskTable
	if err := json.Unmarshal([]byte(sfdiskJSON(text)), &s); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	p := s.PartitionTable
	id := strings.TrimPrefix(strings.ToLower(p.ID), "0x")
	if p.Label != table.Disk.Table || id != string(table.ID) || p.FirstLBA != table.Disk.FirstLBA {
		t.Errorf("%+v\n%s", table.Disk, text)
	}
	if p.TableLength != "" && p.TableLength.String() != fmt.Sprint(table.Disk.Entries) {
		t.Errorf("table length %d\n%s", table.Disk.Entries, text)
	}
	if len(p.Partitions) != len(table.Partitions) {
		t.Fatalf("%d partitions\n%s", len(table.Partitions), text)
	}
	for i, theirs := range p.Partitions {
		ours := table.Partitions[i]
		var words []string
		for _, w := range ours.Attributes {
			if w, guid := strings.CutPrefix(w, "GUID:"); guid && len(words) > 0 && strings.HasPrefix(words[len(words)-1], "GUID:") {
				words[len(words)-1] += "," + w
				continue
			}
			if !strings.HasPrefix(w, "reserved:") {
				words = append(words, w)
			}
		}
		attrs := strings.Join(words, " ")
		name := ours.Name
		if ours.NameUTF16 != "" {
			name = theirs.Name
		}
		if theirs.Node != path+strconv.Itoa(ours.Number) || theirs.Start != ours.FirstLBA || theirs.Size != ours.LastLBA-ours.FirstLBA+1 ||
			strings.ToLower(theirs.Type) != ours.Type || theirs.Bootable != ours.Bootable || theirs.Attrs != attrs || theirs.Name != name ||
			theirs.UUID != "" && strings.ToLower(theirs.UUID) != string(ours.ID) {
			t.Errorf("got  %+v\nwant %+v\n%s", ours, theirs, text)
		}
	}
}

// sfdiskJSON repairs what sfdisk 2.38 prints: control characters as they are
// and \x escapes, which are no JSON.
func sfdiskJSON(s string) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inside = !inside
			b.WriteByte(c)
		case inside && c == '\\':
			if s[i+1] == 'x' {
				n, _ := strconv.ParseUint(s[i+2:i+4], 16, 8)
				fmt.Fprintf(&b, `\u%04x`, n)
				i += 3
				continue
			}
			b.WriteByte(c)
			i++
			b.WriteByte(s[i])
		case inside && c < 0x20:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// randomTable is a table that fits on a disk of that size.
func randomTable(r *rand.Rand, size uint64) *Table {
	if r.IntN(2) == 0 {
		return randomDOS(r, size)
	}
	return randomGPT(r, size)
}

func randomName(r *rand.Rand) Partition {
	switch r.IntN(5) {
	case 0:
		return Partition{}
	case 1:
		name := []rune(odds.Pick(r, odds.Hostile...))
		return Partition{Name: string(name[:min(len(name), 36)])}
	case 2:
		return Partition{Name: odds.Pick(r, odds.Beyond...)}
	case 3: // any units
		u := make([]byte, 72)
		for i := range 2 * (1 + r.IntN(36)) {
			u[i] = byte(r.Uint32())
		}
		name, units := partitionName(u)
		return Partition{Name: name, NameUTF16: units}
	}
	name := ""
	for range 1 + r.IntN(36) {
		name += string(odds.Pick(r, 'a', 'Z', ' ', '-', '"', '\\', '$', 'ü', '\u4e2d', ','))
	}
	return Partition{Name: name}
}

// spans cuts free ranges out of first to last, in sectors.
func spans(r *rand.Rand, n int, first, last uint64) (out [][2]uint64) {
	at := first
	for range n {
		if r.IntN(3) > 0 {
			at += uint64(odds.Pick(r, 1, 7, 2048, 1+r.IntN(20000)))
		}
		if r.IntN(3) > 0 {
			at = (at + 2047) &^ 2047
		}
		end := at + uint64(odds.Pick(r, 0, 2047, r.IntN(50000), r.IntN(500)))
		if end > last {
			break
		}
		out = append(out, [2]uint64{at, end})
		at = end + 1
	}
	return out
}

func randomGPT(r *rand.Rand, size uint64) *Table {
	t := &Table{ID: ID(odds.UUID(r)), Disk: Disk{Table: tableGPT, Sector: 512, FirstLBA: 2048}}
	count := uint64(128)
	if r.IntN(3) == 0 {
		count = uint64(odds.Pick(r, 4, 16, 64, 256, 4+r.IntN(200)))
		t.Disk.Entries = count
		if count == 128 {
			t.Disk.Entries = 0
		}
	}
	array := (count*128 + 511) / 512
	if r.IntN(3) == 0 {
		t.Disk.FirstLBA = 2 + array + uint64(r.IntN(3000))
	}
	last := size/512 - 2 - array
	numbers := r.Perm(int(count))
	end := t.Disk.FirstLBA
	for i, s := range spans(r, min(r.IntN(12), int(count)), t.Disk.FirstLBA, last) {
		p := randomName(r)
		p.Number, p.FirstLBA, p.LastLBA = numbers[i]+1, s[0], s[1]
		p.Type = odds.Pick(r, "0fc63daf-8483-4772-8e79-3d69d8477de4", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", biosBoot, odds.UUID(r))
		p.Attributes = attributes(odds.Pick(r, 0, 0, 1, 4, 7, r.Uint64(), 1<<59))
		t.add(ID(odds.UUID(r)), p)
		end = max(end, s[1]+1)
	}
	t.Disk.Need = (end + 1 + array) * 512
	t.Disk.Protective = r.IntN(5) == 0
	finishRandom(r, t)
	return t
}

func randomDOS(r *rand.Rand, size uint64) *Table {
	t := &Table{ID: ID(fmt.Sprintf("%08x", 1+r.Uint32N(1<<32-1))), Disk: Disk{Table: tableDOS, Sector: 512, Need: 512}}
	numbers := r.Perm(4)
	bootable := r.IntN(8)
	add := func(number int, first, last uint64, kind byte) {
		t.addDOS(number, first, bootRecordEntry{kind: kind, start: uint32(first), count: uint32(last - first + 1), boot: map[bool]byte{true: 0x80}[number == bootable]})
		t.Disk.Need = max(t.Disk.Need, (last+1)*512)
	}
	kind := func() byte {
		for {
			k := byte(odds.Pick(r, 0x83, 0x82, 0x8e, 0xfd, 0x7, 0xc, 0xef, 1+r.IntN(255)))
			if e := (bootRecordEntry{kind: k}); !e.extended() && !protective(e) {
				return k
			}
		}
	}
	primaries := spans(r, r.IntN(5), uint64(odds.Pick(r, 1, 63, 2048, 2048)), size/512/2)
	container := r.IntN(2) == 0 && len(primaries) < 4
	for i, s := range primaries {
		add(numbers[i]+1, s[0], s[1], kind())
	}
	if container {
		first := size/512/2 + 2048
		last := size/512 - 1 - uint64(r.IntN(2000))
		add(numbers[len(primaries)]+1, first, last, odds.Pick[byte](r, 5, 15, 0x85))
		for i, s := range logicals(r, first, last) {
			add(5+i, s[0], s[1], kind())
		}
	}
	slices.SortFunc(t.Partitions, func(a, b TableEntry) int { return a.Number - b.Number })
	finishRandom(r, t)
	return t
}

// logicals are ranges with room for a boot record before each.
func logicals(r *rand.Rand, first, last uint64) (out [][2]uint64) {
	at := first
	shuffle := r.IntN(3) == 0 // the chain need not follow the disk
	if shuffle {
		at++ // room for the record of the first partition on disk
	}
	for range r.IntN(9) {
		at += uint64(odds.Pick(r, 1, 2, 63, 2048, 2048, 2048+r.IntN(9000)))
		end := at + uint64(odds.Pick(r, 0, 2047, r.IntN(50000)))
		if end > last {
			break
		}
		out = append(out, [2]uint64{at, end})
		at = end + 1
	}
	if shuffle {
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// finishRandom puts boot code into some tables.
func finishRandom(r *rand.Rand, t *Table) {
	slices.SortFunc(t.Partitions, func(a, b TableEntry) int { return a.Number - b.Number })
	if r.IntN(3) > 0 {
		return
	}
	_, n := t.bootArea()
	t.Boot = make([]byte, 512+min(n, 3000))
	for i := range t.Boot {
		if i < bootCodeSize || i >= 512 {
			t.Boot[i] = byte(1 + r.IntN(255))
		}
	}
	if n == 0 {
		t.Boot = t.Boot[:bootCodeSize]
	}
}

// TestWideSectors makes tables on a loop device with sectors of 4096 bytes.
func TestWideSectors(t *testing.T) {
	need(t, "sfdisk", "losetup")
	if os.Getuid() != 0 {
		t.Skip("needs root for loop devices")
	}
	for round := range odds.Rounds(6) {
		r := odds.Dice(round)
		size := uint64(256+r.IntN(256)) << 20
		path := blankImage(t, size)
		loop, err := tryTool("", "losetup", "--find", "--show", "--sector-size", "4096", path)
		if err != nil {
			t.Skipf("needs loop devices: %v", err)
		}
		loop = strings.TrimSpace(loop)
		t.Cleanup(func() { tool(t, "", "losetup", "--detach", loop) })
		want := wide(randomTable(r, size/8))
		script, patch, err := want.Script()
		if err != nil {
			t.Fatal(err)
		}
		tool(t, script, "sfdisk", "--quiet", "--wipe", "always", "--no-reread", "--no-tell-kernel", loop)
		f, size := open(t, path)
		if patch {
			if err := want.Patch(f, size); err != nil {
				t.Fatal(err)
			}
		}
		got, err := readTable(f, size, 4096)
		if err != nil {
			t.Fatalf("%v, after\n%s", err, script)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: got  %s\nwant %s", round, show(got), show(want))
		}
	}
}

// wide is a table for the same number of larger sectors.
func wide(t *Table) *Table {
	t.Disk.Sector, t.Boot = 4096, nil
	end := t.Disk.FirstLBA
	for _, p := range t.Partitions {
		end = max(end, p.LastLBA+1)
	}
	if t.Disk.Need = max(end, 1) * 4096; t.Disk.Table == tableGPT {
		count := t.Disk.Entries
		if count == 0 {
			count = 128
		}
		t.Disk.Need += (1 + (count*gptEntrySize+4095)/4096) * 4096
	}
	return t
}
