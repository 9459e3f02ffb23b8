package probes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pieces reads extracts, and gives what part makes of each: short inputs, of
// which fuzzing tries more.
func pieces(f *testing.F, pattern string, least int, part func(*extract) []byte) {
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) < least {
		f.Fatalf("%d extracts, %v", len(paths), err)
	}
	for _, path := range paths {
		e, err := loadExtract(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimRight(part(e), "\x00"))
	}
}

func (e *extract) piece(at, n uint64) []byte {
	b := make([]byte, min(n, e.size-min(e.size, at)))
	_, _ = e.ReadAt(b, int64(at))
	return b
}

// FuzzTable reads any bytes as a disk, and what it takes for a table must come
// out of its script and its layout again.
func FuzzTable(f *testing.F) {
	for round := range 8 {
		f.Add(tableImage(f, round), round%4 == 2)
	}
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		if len(b) < 1024 || len(b) > 64<<10 {
			return
		}
		sector := uint64(512)
		if wide {
			sector = 4096
		}
		sumGPT(b, sector)
		table, err := readTable(bytes.NewReader(b), uint64(len(b)), sector)
		if err != nil {
			return
		}
		_, _, _ = table.Script()
		for _, p := range table.Partitions {
			units, err := p.nameUnits()
			if err != nil {
				t.Fatalf("name %q %q: %v", p.Name, p.NameUTF16, err)
			}
			if _, err := p.AttributeBits(); err != nil {
				t.Fatal(err)
			}
			if len(units) > 36 {
				t.Fatalf("name of %d units", len(units))
			}
		}
		// what is written is what is read
		disk := memory(bytes.Clone(b))
		if table.Disk.Unsupported == "" && len(table.Findings) == 0 && table.Patch(disk, uint64(len(disk))) == nil {
			again, err := readTable(disk, uint64(len(disk)), sector)
			if err != nil {
				t.Fatalf("after its own patch: %v", err)
			}
			if show(again) != show(table) {
				t.Fatalf("got  %s\nwant %s", show(again), show(table))
			}
		}
	})
}

// sumGPT sets right the checksums of the copies of a GPT, where it can.
func sumGPT(b []byte, sector uint64) {
	m := medium{bytes.NewReader(b), uint64(len(b))}
	for _, at := range []uint64{1, m.size/sector - 1} {
		head, err := m.read(at*sector, sector)
		if err != nil {
			continue
		}
		g := &gptCopy{at: at, sector: head}
		n := g.count() * g.entrySize()
		if g.headerSize() < 92 || g.headerSize() > sector || g.entriesAt() > m.size || n > m.size {
			continue
		}
		if g.entries, err = m.read(g.entriesAt()*sector, n); err == nil {
			_ = g.write(memory(b), sector)
		}
	}
}

// memory is a disk in memory.
type memory []byte

func (m memory) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(m).ReadAt(b, off) }
func (m memory) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(b)) > int64(len(m)) {
		return 0, errors.New("outside")
	}
	return copy(m[off:], b), nil
}

// tableImage is a small disk with a random table, without the help of sfdisk:
// logical partitions alone, or a GPT.
func tableImage(t testing.TB, round int) []byte {
	disk := memory(make([]byte, 24<<10))
	if round%2 == 0 {
		putGPT(disk, 512<<(3*(round/2%2)))
		return disk
	}
	table := &Table{ID: "5eed0001", Disk: Disk{Table: tableDOS, Sector: 512}}
	putEntry(disk[446:], 0x80, 0x83, 1, 4)
	putEntry(disk[462:], 0, 0x05, 6, 40)
	copy(disk[440:], "\x01\x00\xed\x5e")
	copy(disk[510:], "\x55\xaa")
	table.addDOS(2, 6, bootRecordEntry{kind: 5, start: 6, count: 40})
	for i := range round {
		table.addDOS(5+i, uint64(8+4*i), bootRecordEntry{kind: 0x83, count: 2})
	}
	if err := table.Patch(disk, uint64(len(disk))); err != nil {
		t.Fatal(err)
	}
	return disk
}

// putGPT writes an empty GPT and one partition of an odd name.
func putGPT(disk memory, sector uint64) {
	last := uint64(len(disk))/sector - 1
	putEntry(disk[446:], 0, 0xee, 1, last)
	copy(disk[510:], "\x55\xaa")
	entries := make([]byte, 4*gptEntrySize)
	copy(entries, strings.Repeat("\x11", 32))
	entries[32], entries[40] = 3, 3
	copy(entries[56:], "\x3d\xd8\xbe\xdc\x00\xd8a\x00")
	for _, place := range [][3]uint64{{1, last, 2}, {last, 1, last - 1}} {
		g := &gptCopy{at: place[0], sector: make([]byte, sector), entries: entries}
		copy(g.sector, "EFI PART\x00\x00\x01\x00")
		copy(g.sector[56:], strings.Repeat("\x22", 16))
		for at, v := range map[int]uint64{24: place[0], 32: place[1], 40: 3, 48: last - 2, 72: place[2]} {
			g.set32(at, uint32(v))
		}
		g.set32(12, 92)
		g.set32(80, 4)
		g.set32(84, gptEntrySize)
		_ = g.write(disk, sector)
	}
}

func TestTableImages(t *testing.T) {
	for round := range 8 {
		b := tableImage(t, round)
		sector := uint64(512)
		if round%4 == 2 {
			sector = 4096
		}
		table, err := readTable(bytes.NewReader(b), uint64(len(b)), sector)
		if err != nil || len(table.Findings) > 0 || len(table.Partitions) == 0 {
			t.Errorf("round %d: %v, %+v", round, err, table)
		}
	}
}

// FuzzRAID reads any bytes as a superblock with its bitmap, in each of the
// places, and with the right sum.
func FuzzRAID(f *testing.F) {
	pieces(f, "raid/*.img.gz", 50, func(e *extract) []byte {
		m, err := readRAID(e, e.size)
		if err != nil {
			f.Fatal(err)
		}
		return e.piece(m.SuperOffset, 8<<10)
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		const size = 192 << 10
		for _, at := range []uint64{0, 4096, size - 64<<10, size - 8<<10} {
			disk := memory(make([]byte, size))
			copy(disk[at:], b)
			sumMD(disk, at)
			m, err := readRAID(disk, size)
			if err != nil {
				continue
			}
			_, _, _ = assembleRAID([]*raidMember{m, m})
			_, _, _ = assembleRAID([]*raidMember{m})
		}
	})
}

// sumMD sets right what a superblock says of its place and its sum.
func sumMD(disk memory, at uint64) {
	le, b := binary.LittleEndian, disk[at:]
	if le.Uint32(b[4:]) == 1 {
		le.PutUint64(b[144:], at/512)
		devices := le.Uint32(b[220:]) % 1920
		le.PutUint32(b[220:], devices)
		if 256+2*int(devices) <= len(b) {
			le.PutUint32(b[216:], mdSum1(b[:256+2*devices]))
		}
		return
	}
	var sum uint64
	for i := 0; i < md0Words && 4*i+4 <= len(b); i++ {
		if i != md0Sum {
			sum += uint64(le.Uint32(b[4*i:]))
		}
	}
	le.PutUint32(b[4*md0Sum:], uint32(sum)+uint32(sum>>32))
}

// FuzzLUKS reads any bytes as a header with its JSON area, with the right sum.
func FuzzLUKS(f *testing.F) {
	pieces(f, "luks/*.img.gz", 4, func(e *extract) []byte { return e.piece(0, 16<<10) })
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := memory(make([]byte, 64<<10))
		if copy(disk, b) < 592 {
			return
		}
		if size := binary.BigEndian.Uint64(disk[8:]); size >= 4096 && size <= uint64(len(disk)) {
			copy(disk[72:104], "sha256\x00")
			clear(disk[448:512])
			sum := sha256.Sum256(disk[:size])
			copy(disk[448:], sum[:])
		}
		_, _, _, _ = readLUKS(disk, uint64(len(disk)))
	})
}

// FuzzPV reads any bytes as a label and the head of a metadata area, with the
// right sums.
func FuzzPV(f *testing.F) {
	pieces(f, "lvm/*.img.gz", 5, func(e *extract) []byte { return e.piece(512, 4096) })
	f.Fuzz(func(t *testing.T, b []byte) {
		le, disk := binary.LittleEndian, memory(make([]byte, 64<<10))
		copy(disk[512:], b)
		le.PutUint32(disk[512+16:], lvmSum(disk[512+20:1024]))
		text := "g { id = \"x\" seqno = 1 extent_size = 8 physical_volumes { p { id = \"" + strings.Repeat("x", 32) + "\" } } }\x00"
		if at := le.Uint64(disk[4096+40:]); at+uint64(len(text)) < uint64(len(disk))-4096 {
			copy(disk[4096+at:], text)
			le.PutUint64(disk[4096+48:], uint64(len(text)))
			le.PutUint32(disk[4096+56:], lvmSum([]byte(text)))
		}
		le.PutUint32(disk[4096:], lvmSum(disk[4100:4096+512]))
		pv, err := readPV(disk, uint64(len(disk)))
		if err == nil && pv.Text != nil {
			_, _ = assembleVG([]*lvmPV{pv})
		}
	})
}

// FuzzVGText reads any text, past the checksum: what comes out must be read to
// the same again.
func FuzzVGText(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("testdata", "lvm", "*.vgcfg"))
	if err != nil || len(paths) < 3 {
		f.Fatalf("%q, %v", paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("a { 'b\"c' = [ 1, -2.5 bare, \"q\\\"\\\\\" ] # comment\n d {} } ")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVGText(text)
		if err != nil {
			return
		}
		again, err := ParseVGText(v.String())
		if err != nil || again.String() != v.String() {
			t.Fatalf("%v\n%s\n%s", err, v, again)
		}
		root, err := parseLVM(text)
		if err == nil {
			_, _ = assembleVG([]*lvmPV{{Text: root}})
		}
	})
}
