package probes

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
)

// bootRecordEntry is one of the four entries of a master boot record, or of an
// extended boot record. Source: the kernel's include/linux/msdos_partition.h;
// cylinders, heads and sectors are ignored, as everybody does.
type bootRecordEntry struct {
	boot, kind   byte
	start, count uint32 // sectors; start counts from something that depends on the record
}

// isBootRecord tells whether a sector is a boot record with a partition table,
// by the kernel's rule (block/partitions/msdos.c): a boot sector of a file
// system on the whole disk ends with the same signature, and has code where
// the flags would be.
func isBootRecord(b []byte) bool {
	if b[510] != 0x55 || b[511] != 0xaa {
		return false
	}
	for _, e := range bootRecordEntries(b) {
		if e.boot != 0 && e.boot != 0x80 {
			return false
		}
	}
	return !fatOrNTFS(b)
}

// fatOrNTFS tells whether a boot sector is that of a file system. Those of FAT
// and NTFS that are formatted without partitions may have an empty table, or
// one that names the file system itself; libblkid does not believe these
// either.
func fatOrNTFS(b []byte) bool {
	jump := b[0] == 0xeb || b[0] == 0xe9
	oem, fat16, fat32 := string(b[3:11]), string(b[54:59]), string(b[82:87])
	named := oem == "NTFS    " || oem == "EXFAT   " || fat32 == "FAT32" || fat16 == "FAT12" || fat16 == "FAT16" || fat16 == "FAT  "
	return jump && named
}

func bootRecordEntries(b []byte) []bootRecordEntry {
	entries := make([]bootRecordEntry, 4)
	for i := range entries {
		e := b[446+16*i:]
		entries[i] = bootRecordEntry{e[0], e[4], binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])}
	}
	return entries
}

// protective tells whether an entry keeps tools that know no GPT away from it.
func protective(e bootRecordEntry) bool { return e.kind == 0xee }

// extended tells whether an entry holds a chain of logical partitions: the
// types of DOS, of Windows and of old Linux.
func (e bootRecordEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

// readDOS reads the table of a master boot record, and the chain of logical
// partitions.
func readDOS(m medium, sector uint64, mbr []byte) (*Table, error) {
	id := binary.LittleEndian.Uint32(mbr[440:])
	t := &Table{ID: ID(fmt.Sprintf("%08x", id)), Disk: Disk{Table: tableDOS, Sector: sector}}
	if id == 0 {
		t.find("the disk's identifier is zero, which is no name")
	}
	entries := bootRecordEntries(mbr)
	for i, e := range entries {
		if e.count > 0 {
			t.addDOS(i+1, uint64(e.start), e)
		}
	}
	chains := 0
	for _, e := range entries {
		if e.count == 0 || !e.extended() {
			continue
		}
		// The kernel follows each of them, util-linux the first.
		if chains++; chains == 2 {
			t.refuse("there is more than one extended partition")
		}
		if err := t.readChain(m, e); err != nil {
			return nil, fmt.Errorf("extended partition at LBA %d: %w", e.start, err)
		}
	}
	t.needDOS(m)
	return t, nil
}

// addDOS takes in an entry with its absolute start.
func (t *Table) addDOS(number int, start uint64, e bootRecordEntry) {
	if e.kind == 0 {
		t.refuse("partition %d has the type of an empty entry", number)
	}
	// The PARTUUID is what the kernel makes of it: both parts in hexadecimal.
	t.add(ID(fmt.Sprintf("%s-%02x", t.ID, number)), Partition{
		Number: number, FirstLBA: start, LastLBA: start + uint64(e.count) - 1,
		Type: strconv.FormatUint(uint64(e.kind), 16), Bootable: e.boot == 0x80,
	})
}

// maxLogical is how many boot records a chain may have. The kernel has 256
// minor numbers for a disk.
const maxLogical = 256

// readChain follows the extended boot records. Each holds a partition, counted
// from the record, and a link, counted from the extended partition. An empty
// one takes no number, neither for the kernel nor for libfdisk.
func (t *Table) readChain(m medium, container bootRecordEntry) error {
	first, at, size := uint64(container.start), uint64(container.start), uint64(container.count)
	number := 5
	for _, p := range t.Partitions {
		number = max(number, p.Number+1)
	}
	seen := map[uint64]bool{}
	for {
		if seen[at] {
			return fmt.Errorf("boot record at LBA %d: the chain comes back to it", at)
		}
		if seen[at] = true; len(seen) > maxLogical {
			return fmt.Errorf("boot record at LBA %d: more than %d in the chain", at, maxLogical)
		}
		b, err := m.read(at*t.Disk.Sector, 512)
		if err != nil {
			return fmt.Errorf("boot record at LBA %d: %w", at, err)
		}
		if b[510] != 0x55 || b[511] != 0xaa {
			// An extended partition that nobody has put anything into.
			if at == first {
				return nil
			}
			return fmt.Errorf("boot record at LBA %d: no signature", at)
		}
		link := t.readRecord(at, size, container, &number, bootRecordEntries(b))
		if link == nil {
			return nil
		}
		at, size = first+uint64(link.start), uint64(link.count)
	}
}

// readRecord takes in the partition of an extended boot record, which its link
// says is so large, and returns the link to the next, nil for none. Links and
// partitions may stand in any order; the last two entries hold garbage at
// times, and count only when they fit in, as for the kernel.
func (t *Table) readRecord(at, size uint64, container bootRecordEntry, number *int, entries []bootRecordEntry) (link *bootRecordEntry) {
	data := 0
	for i, e := range entries {
		start, end := at+uint64(e.start), at+uint64(e.start)+uint64(e.count)
		switch {
		case e.count == 0:
		case i >= 2 && !e.extended() && (end > at+size || end > uint64(container.start)+uint64(container.count)):
		case e.extended() && link == nil:
			link = &entries[i]
		case e.extended():
			t.refuse("the boot record at LBA %d has more than one link", at)
		default:
			if data++; data == 2 {
				t.refuse("the boot record at LBA %d has more than one partition", at)
			}
			t.addDOS(*number, start, e)
			*number++
		}
	}
	return link
}

// maxLibfdisk is the last number that libfdisk writes, see MAXIMUM_PARTS in
// its dos.c.
const maxLibfdisk = 60

// needDOS says where the last partition ends, and what lies outside.
func (t *Table) needDOS(m medium) {
	t.Disk.Need = t.Needs()
	for _, p := range t.Partitions {
		if end := (p.LastLBA + 1) * t.Disk.Sector; end > m.size {
			t.refuse("partition %d ends behind the disk", p.Number)
		}
		if p.Number > maxLibfdisk {
			t.refuse("sfdisk makes no partition %d", p.Number)
		}
		if t.logical(p.Partition) && !slices.ContainsFunc(t.Partitions, func(c TableEntry) bool { return c.contains(p) }) {
			t.refuse("partition %d is not inside the extended one", p.Number)
		}
	}
}

// contains tells whether an entry is the extended partition that a logical one
// is in.
func (c TableEntry) contains(p TableEntry) bool {
	return c.Number <= 4 && isExtended(c.Type) && c.FirstLBA <= p.FirstLBA && p.LastLBA <= c.LastLBA
}
