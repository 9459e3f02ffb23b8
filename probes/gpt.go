package probes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// gptCopy is one of the two copies of a GPT. Source: UEFI specification 2.10,
// 5.3 "GUID Partition Table (GPT) Disk Layout".
type gptCopy struct {
	at      uint64 // LBA
	sector  []byte // the one with the header
	entries []byte
}

const gptEntrySize = 128

// maxGPTEntries bounds the array of entries, in bytes; usual are 16 KiB.
const maxGPTEntries = 4 << 20

func (g *gptCopy) u32(at int) uint64      { return uint64(binary.LittleEndian.Uint32(g.sector[at:])) }
func (g *gptCopy) u64(at int) uint64      { return binary.LittleEndian.Uint64(g.sector[at:]) }
func (g *gptCopy) headerSize() uint64     { return g.u32(12) }
func (g *gptCopy) self() uint64           { return g.u64(24) }
func (g *gptCopy) other() uint64          { return g.u64(32) }
func (g *gptCopy) firstLBA() uint64       { return g.u64(40) }
func (g *gptCopy) lastLBA() uint64        { return g.u64(48) }
func (g *gptCopy) id() ID                 { return ID(guid(g.sector[56:])) }
func (g *gptCopy) entriesAt() uint64      { return g.u64(72) }
func (g *gptCopy) count() uint64          { return g.u32(80) }
func (g *gptCopy) entrySize() uint64      { return g.u32(84) }
func (g *gptCopy) entriesSum() uint32     { return uint32(g.u32(88)) }
func (g *gptCopy) entry(i uint64) []byte  { return g.entries[i*g.entrySize():][:gptEntrySize] }
func (g *gptCopy) headerSum() uint32      { return uint32(g.u32(16)) }
func (g *gptCopy) set32(at int, v uint32) { binary.LittleEndian.PutUint32(g.sector[at:], v) }

// sum is the checksum that the header should have.
func (g *gptCopy) sum() uint32 {
	header := bytes.Clone(g.sector[:g.headerSize()])
	clear(header[16:20])
	return crc32.ChecksumIEEE(header)
}

// readGPTCopy reads a copy whose header is at an LBA, and checks it wholly.
func readGPTCopy(m medium, sector, at uint64) (*gptCopy, error) {
	if at > m.size/sector {
		return nil, fmt.Errorf("LBA %d: the disk has %d", at, m.size/sector)
	}
	b, err := m.read(at*sector, sector)
	if err != nil {
		return nil, err
	}
	g := &gptCopy{at: at, sector: b}
	switch {
	case string(b[:8]) != "EFI PART":
		return nil, errors.New("no header")
	case g.headerSize() < 92 || g.headerSize() > sector:
		return nil, fmt.Errorf("header of %d bytes", g.headerSize())
	case g.sum() != g.headerSum():
		return nil, fmt.Errorf("header checksum is %08x, should be %08x", g.headerSum(), g.sum())
	case g.self() != at:
		return nil, fmt.Errorf("header is for LBA %d", g.self())
	case g.entrySize() < gptEntrySize || g.entrySize()%8 != 0 || g.entrySize() > maxGPTEntries || g.count()*g.entrySize() > maxGPTEntries:
		return nil, fmt.Errorf("%d entries of %d bytes", g.count(), g.entrySize())
	case g.entriesAt() > m.size/sector:
		return nil, fmt.Errorf("entries at LBA %d: the disk has %d", g.entriesAt(), m.size/sector)
	}
	if g.entries, err = m.read(g.entriesAt()*sector, g.count()*g.entrySize()); err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	if sum := crc32.ChecksumIEEE(g.entries); sum != g.entriesSum() {
		return nil, fmt.Errorf("checksum of the entries is %08x, should be %08x", g.entriesSum(), sum)
	}
	return g, nil
}

// readGPTCopies reads both copies, of which one may be nil; the error then says
// why. The backup is where the primary one says, or else in the last sector,
// where it is moved to the end of the disk that it is on.
func readGPTCopies(m medium, sector uint64) (primary, backup *gptCopy, err error) {
	last := m.size/sector - 1
	primary, perr := readGPTCopy(m, sector, 1)
	at := last
	if perr == nil {
		at = primary.other()
	} else {
		perr = fmt.Errorf("primary GPT at LBA 1: %w", perr)
	}
	backup, berr := readGPTCopy(m, sector, at)
	if berr != nil {
		berr = fmt.Errorf("backup GPT at LBA %d: %w", at, berr)
	}
	return primary, backup, errors.Join(perr, berr)
}

// readGPT reads the table from the primary copy, or from the backup when that
// is damaged.
func readGPT(m medium, sector uint64, mbr []byte) (*Table, error) {
	primary, backup, err := readGPTCopies(m, sector)
	g := primary
	if g == nil {
		g = backup
	}
	if g == nil {
		return nil, err
	}
	t := &Table{ID: g.id(), Disk: Disk{Table: tableGPT, Sector: sector, FirstLBA: g.firstLBA()}}
	if g.count() != 128 {
		t.Disk.Entries = g.count()
	}
	switch {
	case err != nil:
		t.find("%s; the other copy is read", err)
	case !sameGPT(primary, backup):
		t.find("the two copies of the GPT differ; the primary one is read")
	case backup.at != m.size/sector-1:
		t.find("the backup GPT at LBA %d is not at the end of the disk", backup.at)
	}
	t.checkGPT(g, m)
	t.checkProtective(bootRecordEntries(mbr), m)
	for i := range g.count() {
		if err := t.addGPT(int(i+1), g.entry(i)); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i+1, err)
		}
	}
	t.needGPT(g, m)
	return t, nil
}

// sameGPT tells whether two copies say the same.
func sameGPT(a, b *gptCopy) bool {
	return a.id() == b.id() && a.firstLBA() == b.firstLBA() && a.lastLBA() == b.lastLBA() && a.count() == b.count() &&
		a.entrySize() == b.entrySize() && bytes.Equal(a.entries, b.entries)
}

// checkGPT finds what sfdisk does not make.
func (t *Table) checkGPT(g *gptCopy, m medium) {
	if g.entrySize() != gptEntrySize {
		t.refuse("the entries of the GPT have %d bytes", g.entrySize())
	}
	if g.at == 1 && g.entriesAt() != 2 {
		t.refuse("the entries of the GPT are at LBA %d, not 2", g.entriesAt())
	}
	if g.firstLBA() > g.lastLBA() || g.lastLBA() >= m.size/t.Disk.Sector {
		t.find("the GPT is for partitions from LBA %d to %d, the disk has %d", g.firstLBA(), g.lastLBA(), m.size/t.Disk.Sector)
	}
}

// checkProtective looks at the boot record before a GPT: the usual one has a
// single entry, from LBA 1 to the end of the disk or of what 32 bits count.
func (t *Table) checkProtective(entries []bootRecordEntry, m medium) {
	for i, e := range entries {
		switch {
		case protective(e) && i == 0:
			t.Disk.Protective = e.boot == 0x80
			whole := min(m.size/t.Disk.Sector-1, 0xffffffff)
			if e.start != 1 {
				t.refuse("the protective MBR begins at LBA %d", e.start)
			} else if uint64(e.count) != whole && e.count != 0xffffffff {
				t.find("the protective MBR covers %d sectors, the disk has %d", e.count, whole)
			}
		case protective(e):
			t.refuse("entry %d of the MBR is protective, not the first", i+1)
		case e.kind != 0 || e.count != 0:
			t.refuse("hybrid MBR: its entry %d is a partition of type %x", i+1, e.kind)
		}
	}
}

// addGPT takes in an entry, if it is one.
func (t *Table) addGPT(number int, e []byte) error {
	if zero(e[:16]) {
		return nil
	}
	first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
	if last < first {
		return fmt.Errorf("its last LBA %d is before its first, %d", last, first)
	}
	if last > 1<<54 {
		return fmt.Errorf("its last LBA %d is behind all disks", last)
	}
	p := Partition{Number: number, FirstLBA: first, LastLBA: last, Type: guid(e), Attributes: attributes(binary.LittleEndian.Uint64(e[48:]))}
	p.Name, p.NameUTF16 = partitionName(e[56:gptEntrySize])
	if zero(e[16:32]) {
		t.refuse("partition %d has no UUID", number)
	}
	t.add(ID(guid(e[16:])), p)
	return nil
}

// needGPT says how much of a disk the table takes, and which partitions are
// where none should be.
func (t *Table) needGPT(g *gptCopy, m medium) {
	for _, p := range t.Partitions {
		switch {
		case p.LastLBA >= m.size/t.Disk.Sector:
			t.refuse("partition %d ends behind the disk", p.Number)
		case p.FirstLBA < g.firstLBA() || p.LastLBA > g.lastLBA():
			t.refuse("partition %d is outside of what the GPT is for", p.Number)
		}
	}
	t.Disk.Need = t.Needs()
}

// guid is a GUID in lower case, as libuuid prints it. The first three fields
// are stored with their low byte first.
func guid(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

// partitionName reads a name of up to 36 units of UTF-16 that a zero ends. A
// name with half a surrogate pair is no text, and comes back as its units.
func partitionName(b []byte) (name, units string) {
	var u []uint16
	for i := 0; i+1 < len(b); i += 2 {
		c := binary.LittleEndian.Uint16(b[i:])
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	runes := utf16.Decode(u)
	if slices.Equal(utf16.Encode(runes), u) {
		return string(runes), ""
	}
	words := make([]string, len(u))
	for i, c := range u {
		words[i] = fmt.Sprintf("%04x", c)
	}
	return "", strings.Join(words, " ")
}

// nameUnits is the way back.
func (p Partition) nameUnits() ([]uint16, error) {
	u := utf16.Encode([]rune(p.Name))
	for word := range strings.FieldsSeq(p.NameUTF16) {
		c, err := strconv.ParseUint(word, 16, 16)
		if err != nil {
			return nil, fmt.Errorf("name: %q is no unit of UTF-16", word)
		}
		u = append(u, uint16(c))
	}
	if len(u) > 36 || slices.Contains(u, 0) {
		return nil, fmt.Errorf("name %q does not fit into 36 units of UTF-16", p.Name)
	}
	return u, nil
}

// The attributes that the specification names, by bit; those from 48 belong to
// the partition's type. The words are libfdisk's.
var attributeWords = map[int]string{0: "RequiredPartition", 1: "NoBlockIOProtocol", 2: "LegacyBIOSBootable"}

// attributes names the bits that are set. Reserved ones, from 3 to 47, have no
// word of sfdisk.
func attributes(bits uint64) (words []string) {
	for bit := range 64 {
		switch word := attributeWords[bit]; {
		case bits>>bit&1 == 0:
		case word != "":
			words = append(words, word)
		case bit >= 48:
			words = append(words, fmt.Sprintf("GUID:%d", bit))
		default:
			words = append(words, fmt.Sprintf("reserved:%d", bit))
		}
	}
	return words
}

// AttributeBits are the attributes as the 64 bits of the GPT entry.
func (p Partition) AttributeBits() (bits uint64, err error) {
	for _, word := range p.Attributes {
		bit := -1
		for b := range 64 {
			if attributes(1 << b)[0] == word {
				bit = b
			}
		}
		if bit < 0 {
			return 0, fmt.Errorf("unknown attribute %q", word)
		}
		bits |= 1 << bit
	}
	return bits, nil
}

// patchGPT sets names and attributes of the partitions, the first LBA for them,
// and the mark of the protective MBR. The backup is written first and the primary copy after it, so
// that one of them is whole at any time.
func (t *Table) patchGPT(disk ReadWriterAt, size uint64) error {
	primary, backup, err := readGPTCopies(medium{disk, size}, t.Disk.Sector)
	if err != nil {
		return err
	}
	if primary.id() != t.ID || !sameGPT(primary, backup) {
		return fmt.Errorf("the disk has another one, %s", primary.id())
	}
	array := (primary.count()*gptEntrySize + t.Disk.Sector - 1) / t.Disk.Sector
	if first := t.Disk.FirstLBA; first < 2+array || first > primary.lastLBA()+1 {
		return fmt.Errorf("first LBA %d: partitions may be from %d to %d", first, 2+array, primary.lastLBA())
	}
	for _, g := range []*gptCopy{backup, primary} {
		binary.LittleEndian.PutUint64(g.sector[40:], t.Disk.FirstLBA)
		for _, p := range t.Partitions {
			if err := p.patch(g); err != nil {
				return fmt.Errorf("partition %d: %w", p.Number, err)
			}
		}
	}
	for _, g := range []*gptCopy{backup, primary} {
		if err := g.write(disk, t.Disk.Sector); err != nil {
			return err
		}
	}
	boot := []byte{0}
	if t.Disk.Protective {
		boot[0] = 0x80
	}
	_, err = disk.WriteAt(boot, 446)
	return err
}

// patch sets name and attributes in an entry.
func (p TableEntry) patch(g *gptCopy) error {
	if p.Number < 1 || uint64(p.Number) > g.count() {
		return fmt.Errorf("the table has %d entries", g.count())
	}
	e := g.entry(uint64(p.Number - 1))
	if ID(guid(e[16:])) != p.ID {
		return fmt.Errorf("its UUID is %s, should be %s", guid(e[16:]), p.ID)
	}
	bits, err := p.AttributeBits()
	if err != nil {
		return err
	}
	units, err := p.nameUnits()
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(e[48:], bits)
	clear(e[56:gptEntrySize])
	for i, c := range units {
		binary.LittleEndian.PutUint16(e[56+2*i:], c)
	}
	return nil
}

// write puts a copy back with new checksums, entries first.
func (g *gptCopy) write(disk io.WriterAt, sector uint64) error {
	g.set32(88, crc32.ChecksumIEEE(g.entries))
	g.set32(16, g.sum())
	if _, err := disk.WriteAt(g.entries, int64(g.entriesAt()*sector)); err != nil {
		return err
	}
	_, err := disk.WriteAt(g.sector, int64(g.at*sector))
	return err
}
