package probes

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Script is the text from which sfdisk makes the table again, and true when
// [Table.Patch] has to follow, because there is something that sfdisk does not
// write. It has neither the disk's name nor its size: the table fits on any
// disk with [Disk.Need] bytes. Nor has it the sector size, which sfdisk before
// 2.37 does not know; later ones would move the partitions to other sectors.
func (t *Table) Script() (script string, patch bool, err error) {
	if err := errors.Join(t.valid(), t.writable()); err != nil {
		return "", false, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "label: %s\n", t.Disk.Table)
	if t.Disk.Table == tableGPT {
		fmt.Fprintf(&b, "label-id: %s\nfirst-lba: %d\n", t.ID, t.scriptFirstLBA())
		if t.Disk.Entries != 0 {
			fmt.Fprintf(&b, "table-length: %d\n", t.Disk.Entries)
		}
		// sfdisk 2.36 forgets the first LBA when it has the length of the table.
		patch = t.Disk.Protective || t.Disk.Entries != 0
	} else {
		fmt.Fprintf(&b, "label-id: 0x%s\n", t.ID)
		patch = !t.sfdiskChains()
	}
	b.WriteByte('\n')
	for _, p := range t.Partitions {
		if patch && t.logical(p.Partition) {
			continue
		}
		line, more, err := t.scriptLine(p)
		if err != nil {
			return "", false, fmt.Errorf("partition %d: %w", p.Number, err)
		}
		fmt.Fprintln(&b, line)
		patch = patch || more
	}
	return b.String(), patch, nil
}

// scriptFirstLBA is the first LBA for partitions as every sfdisk takes it.
// That of util-linux 2.36 refuses one within a table of the usual length, also
// where the table is a shorter one: only a partition makes that necessary.
func (t *Table) scriptFirstLBA() uint64 {
	first := max(t.Disk.FirstLBA, 2+128*gptEntrySize/t.Disk.Sector)
	for _, p := range t.Partitions {
		if p.FirstLBA < first {
			return t.Disk.FirstLBA
		}
	}
	return first
}

// A layout may come from a repository: what goes into a script is checked.
var (
	isGUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	isID   = regexp.MustCompile(`^[0-9a-f]{8}$`)
	isByte = regexp.MustCompile(`^[0-9a-f]{1,2}$`)
)

// writable checks the words that go into a script as they are.
func (t *Table) writable() error {
	switch t.Disk.Table {
	case tableGPT:
		if !isGUID.MatchString(string(t.ID)) {
			return fmt.Errorf("%q is no GUID", t.ID)
		}
	case tableDOS:
		if !isID.MatchString(string(t.ID)) {
			return fmt.Errorf("%q is no identifier of 8 digits", t.ID)
		}
	default:
		return fmt.Errorf("unknown kind of partition table %q", t.Disk.Table)
	}
	for _, p := range t.Partitions {
		switch {
		case t.Disk.Table == tableGPT && !isGUID.MatchString(string(p.ID)):
			return fmt.Errorf("partition %d: %q is no GUID", p.Number, p.ID)
		case t.Disk.Table == tableGPT && !isGUID.MatchString(p.Type):
			return fmt.Errorf("partition %d: type %q is no GUID", p.Number, p.Type)
		case t.Disk.Table == tableDOS && !isByte.MatchString(p.Type):
			return fmt.Errorf("partition %d: type %q is no byte in hexadecimal", p.Number, p.Type)
		}
	}
	return nil
}

// ReadWriterAt is a disk whose partition table is changed.
type ReadWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// Patch writes into the table of a disk what sfdisk cannot: names and
// attributes of GPT partitions, the first LBA for those, and logical partitions that stand close or out
// of order. The table must be there as [Table.Script] makes it. The kernel has
// to read the table again after it.
func (t *Table) Patch(disk ReadWriterAt, size uint64) error {
	var err error
	if t.Disk.Table == tableGPT {
		err = t.patchGPT(disk, size)
	} else {
		err = t.writeChain(disk)
	}
	if err != nil {
		return fmt.Errorf("cannot write partition table: %w", err)
	}
	return nil
}

// scriptLine is the line of a partition.
func (t *Table) scriptLine(p TableEntry) (line string, patch bool, err error) {
	line = fmt.Sprintf("%d : start=%d, size=%d, type=%s", p.Number, p.FirstLBA, p.LastLBA-p.FirstLBA+1, p.Type)
	if t.Disk.Table == tableDOS {
		if p.Bootable {
			line += ", bootable"
		}
		return line, false, nil
	}
	line += ", uuid=" + string(p.ID)
	units, err := p.nameUnits()
	if err != nil {
		return "", false, err
	}
	switch {
	case len(units) == 0:
	case sfdiskWrites(p.Name):
		line += `, name="` + escape(p.Name) + `"`
	default:
		patch = true
	}
	if _, err := p.AttributeBits(); err != nil {
		return "", false, err
	}
	var words []string
	for _, word := range p.Attributes {
		if strings.HasPrefix(word, "reserved:") {
			patch = true
		} else {
			words = append(words, word)
		}
	}
	if len(words) > 0 {
		line += `, attrs="` + strings.Join(words, " ") + `"`
	}
	return line, patch, nil
}

// sfdiskWrites tells whether libfdisk takes a name: it turns no character
// beyond U+FFFF into a surrogate pair.
func sfdiskWrites(name string) bool {
	for _, r := range name {
		if r > 0xffff {
			return false
		}
	}
	return name != ""
}

// escape writes a name as sfdisk --dump does: bytes that are no printable
// ASCII, and those that mean something in a script or a shell, in hexadecimal.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c < 0x20 || c >= utf8.RuneSelf-1 || strings.IndexByte("\"\\`$", c) >= 0 {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
