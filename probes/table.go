package probes

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Disk is a whole disk with its partition table. Its ID is that of the table,
// or "of-" and the ID of what is on it. Serial number, model and bus are in
// [Hardware]: they differ on the next disk.
type Disk struct {
	Table       string `toml:"table"`                    // "gpt", "dos", or "" for none
	Sector      uint64 `toml:"sector-size" unit:"bytes"` // logical, bytes
	Need        uint64 `toml:"needs" unit:"bytes"`       // bytes from the start to the end of what is on it
	FirstLBA    uint64 `toml:"first-lba"`                // GPT: the first that partitions may use
	Entries     uint64 `toml:"table-length"`             // GPT: entries in the table, when not 128
	Protective  bool   `toml:"protective-bootable"`      // GPT: the protective MBR says bootable, as some firmware wants
	BootCode    string `toml:"boot-code"`                // file with what a BIOS starts, "" for none
	Unsupported string `toml:"unsupported"`              // why it cannot be made again
}

// Partition is an entry of a partition table. Its ID is the PARTUUID.
type Partition struct {
	On         Ref      `toml:"on"`
	Number     int      `toml:"number"`
	FirstLBA   uint64   `toml:"first-lba"` // in the disk's sectors
	LastLBA    uint64   `toml:"last-lba"`
	Type       string   `toml:"type"`       // GPT: UUID; dos: hexadecimal
	Name       string   `toml:"name"`       // GPT
	NameUTF16  string   `toml:"name-utf16"` // GPT: the name's units in hexadecimal, when it is no valid UTF-16
	Attributes []string `toml:"attributes"` // GPT: a bit each, in sfdisk's words
	Bootable   bool     `toml:"bootable"`   // dos
}

// Table is a partition table, read from a disk or taken from a layout.
type Table struct {
	ID         ID
	Disk       Disk
	Partitions []TableEntry // by number

	// Boot is what a BIOS starts, nil for nothing. Its first 512 bytes are
	// those of the disk, without the table that is among them; the rest is the
	// BIOS boot partition (GPT), or the disk from byte 512 to the first
	// partition (dos). Zero bytes at the end are left out. A layout does not
	// hold it.
	Boot []byte

	// Findings are sentences on what is odd or damaged, yet readable.
	Findings []string
}

// TableEntry is a partition with its ID.
type TableEntry struct {
	ID ID
	Partition
}

// Kinds of partition tables.
const (
	tableGPT = "gpt"
	tableDOS = "dos"
)

// readTable reads the partition table of a disk with logical sectors of that
// many bytes. It fails with errAbsent when there is none. Like the kernel it
// believes a GPT only below a protective MBR.
func readTable(r io.ReaderAt, size, sector uint64) (*Table, error) {
	if sector < 512 || sector > 1<<16 || sector&(sector-1) != 0 {
		return nil, fmt.Errorf("internal error: sectors of %d bytes", sector)
	}
	m := medium{r, size}
	if size < sector {
		return nil, errAbsent
	}
	mbr, err := m.read(0, 512)
	if err != nil {
		return nil, err
	}
	var t *Table
	switch {
	case !isBootRecord(mbr):
		return nil, errAbsent
	case slices.ContainsFunc(bootRecordEntries(mbr), protective):
		t, err = readGPT(m, sector, mbr)
	default:
		t, err = readDOS(m, sector, mbr)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.Partitions, func(a, b TableEntry) int { return cmp.Compare(a.Number, b.Number) })
	t.distinguish()
	t.overlaps()
	if t.Boot, err = t.readBoot(m, mbr); err != nil {
		return nil, fmt.Errorf("boot code: %w", err)
	}
	return t, nil
}

// find adds a sentence to the findings.
func (t *Table) find(format string, args ...any) {
	t.Findings = append(t.Findings, fmt.Sprintf(format, args...))
}

// refuse says why the table cannot be made again; the first reason is
// recorded, all of them are findings.
func (t *Table) refuse(format string, args ...any) {
	t.find(format, args...)
	if t.Disk.Unsupported == "" {
		t.Disk.Unsupported = t.Findings[len(t.Findings)-1]
	}
}

// add takes in a partition; ends are checked by the caller.
func (t *Table) add(id ID, p Partition) {
	p.On = Ref("disk." + t.ID)
	t.Partitions = append(t.Partitions, TableEntry{id, p})
}

// distinguish gives partitions of one PARTUUID, which copying entries makes,
// names that differ.
func (t *Table) distinguish() {
	seen := map[ID]int{}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if first, twice := seen[p.ID]; twice {
			t.refuse("partitions %d and %d have the same UUID %s", first, p.Number, p.ID)
			p.ID = ID(fmt.Sprintf("%s.%d", p.ID, p.Number))
		}
		seen[p.ID] = p.Number
	}
}

// overlaps finds partitions that share sectors, which no tool makes. Logical
// partitions are inside the extended one: two passes.
func (t *Table) overlaps() {
	for _, inside := range []bool{false, true} {
		var some []TableEntry
		for _, p := range t.Partitions {
			if t.logical(p.Partition) == inside {
				some = append(some, p)
			}
		}
		slices.SortFunc(some, func(a, b TableEntry) int { return cmp.Compare(a.FirstLBA, b.FirstLBA) })
		var widest TableEntry
		for i, p := range some {
			if i > 0 && p.FirstLBA <= widest.LastLBA {
				t.refuse("partitions %d and %d overlap", widest.Number, p.Number)
			}
			if i == 0 || p.LastLBA > widest.LastLBA {
				widest = p
			}
		}
	}
}

// logical tells whether a partition is in the extended one.
func (t *Table) logical(p Partition) bool { return t.Disk.Table == tableDOS && p.Number > 4 }

// biosBoot is the type of the partition that GRUB takes for a BIOS when there
// is no gap, because a GPT is in it.
const biosBoot = "21686148-6449-6e6f-744e-656564454649"

// bootLimit bounds what is taken for boot code. GRUB's core image is below
// half a MiB; a gap may be as large as the disk.
const bootLimit = 4 << 20

// bootCodeSize are the bytes of the boot sector that are code; the disk's
// signature follows.
const bootCodeSize = 440

// bootArea is where the rest of the boot code is, in bytes.
func (t *Table) bootArea() (at, n uint64) {
	sector := t.Disk.Sector
	if t.Disk.Table == tableGPT {
		for _, p := range t.Partitions {
			if p.Type == biosBoot {
				return p.FirstLBA * sector, (p.LastLBA - p.FirstLBA + 1) * sector
			}
		}
		return 0, 0
	}
	first := ^uint64(0)
	for _, p := range t.Partitions {
		first = min(first, p.FirstLBA)
	}
	if len(t.Partitions) == 0 || first*sector <= 512 {
		return 0, 0
	}
	return 512, first*sector - 512
}

// readBoot reads [Table.Boot]. A boot sector without code starts nothing,
// whatever lies behind it.
func (t *Table) readBoot(m medium, mbr []byte) ([]byte, error) {
	if zero(mbr[:bootCodeSize]) {
		return nil, nil
	}
	code := append(bytes.Clone(mbr[:bootCodeSize]), make([]byte, 512-bootCodeSize)...)
	at, n := t.bootArea()
	if at < m.size {
		rest, err := m.read(at, min(n, m.size-at, bootLimit))
		if err != nil {
			return nil, err
		}
		code = append(code, rest...)
	}
	return bytes.TrimRight(code, "\x00"), nil
}

// WriteBoot puts boot code, as [Table.Boot] has it, on a disk that already has
// this table. The sectors of the boot area behind the code become zero.
func (t *Table) WriteBoot(disk io.WriterAt, boot []byte) error {
	if err := t.valid(); err != nil {
		return fmt.Errorf("cannot write boot code: %w", err)
	}
	at, n := t.bootArea()
	whole := make([]byte, 512+min(n, bootLimit))
	if copy(whole, boot) < len(boot) {
		return fmt.Errorf("cannot write boot code: %d bytes, there is room for %d", len(boot), len(whole))
	}
	if n > 0 {
		if _, err := disk.WriteAt(whole[512:], int64(at)); err != nil {
			return fmt.Errorf("cannot write boot code: %w", err)
		}
	}
	if _, err := disk.WriteAt(whole[:bootCodeSize], 0); err != nil {
		return fmt.Errorf("cannot write boot code: %w", err)
	}
	return nil
}

// Table is the partition table of a disk in the layout. It is an error when
// the disk has none.
func (l *Layout) Table(disk ID) (*Table, error) {
	d, ok := l.Disk[disk]
	if !ok {
		return nil, fmt.Errorf("no disk %s", disk)
	}
	if d.Table == "" {
		return nil, fmt.Errorf("disk %s has no partition table", disk)
	}
	t := &Table{ID: disk, Disk: *d}
	for id, p := range l.Partition {
		if p.On == Ref("disk."+disk) {
			t.Partitions = append(t.Partitions, TableEntry{id, *p})
		}
	}
	slices.SortFunc(t.Partitions, func(a, b TableEntry) int { return cmp.Compare(a.Number, b.Number) })
	return t, t.valid()
}

// Needs is how many bytes of a disk the table takes, from its start to the end
// of the last partition, the backup of a GPT included.
func (t *Table) Needs() uint64 {
	end := max(t.Disk.FirstLBA, 1)
	for _, p := range t.Partitions {
		end = max(end, p.LastLBA+1)
	}
	return (end + t.backup()) * t.Disk.Sector
}

// End is the first LBA that no partition may have, on a disk of that many bytes.
func (t *Table) End(size uint64) uint64 {
	sectors := size / t.Disk.Sector
	if t.Disk.Table == tableDOS {
		sectors = min(sectors, 1<<32-1)
	}
	return sectors - min(sectors, t.backup())
}

// backup is how many sectors a GPT has at the end of the disk.
func (t *Table) backup() uint64 {
	if t.Disk.Table != tableGPT {
		return 0
	}
	return 1 + (cmp.Or(t.Disk.Entries, 128)*gptEntrySize+t.Disk.Sector-1)/t.Disk.Sector
}

// lastLBA is behind all disks: what lies before it can be counted in bytes,
// whatever the sector size.
const lastLBA = 1 << 47

// valid checks what a hand may have written.
func (t *Table) valid() error {
	var wrong []error
	find := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	numbers, last := t.Disk.Entries, uint64(lastLBA)
	switch {
	case t.Disk.Table == tableDOS:
		numbers, last = maxLibfdisk, 1<<32-1
	case numbers == 0:
		numbers = 128
	}
	if s := t.Disk.Sector; s < 512 || s > 1<<16 || s&(s-1) != 0 {
		find("sectors of %d bytes", s)
	}
	if numbers > maxGPTEntries/gptEntrySize || t.Disk.FirstLBA > last {
		find("%d entries, from LBA %d", numbers, t.Disk.FirstLBA)
	}
	for i, p := range t.Partitions {
		switch {
		case i > 0 && t.Partitions[i-1].Number == p.Number:
			find("partition %s: another one has the number %d", p.ID, p.Number)
		case p.Number < 1 || uint64(p.Number) > numbers:
			find("partition %s: number %d", p.ID, p.Number)
		case p.LastLBA < p.FirstLBA:
			find("partition %s: its last LBA %d is before its first, %d", p.ID, p.LastLBA, p.FirstLBA)
		case p.LastLBA > last:
			find("partition %s: its last LBA %d is behind all disks", p.ID, p.LastLBA)
		}
	}
	return errors.Join(wrong...)
}
