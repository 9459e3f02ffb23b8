package probes

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// plainChain is the distance at which libfdisk puts the boot record of a
// logical partition before it: the first LBA that it gives to partitions, which
// is 1 MiB unless the disk is very small or wants more.
const plainChain = 1 << 20

// sfdiskChains tells whether sfdisk makes the logical partitions: when they
// stand in the order of their numbers with a gap before each. With less it
// moves or refuses some, see add_partition in libfdisk's dos.c.
func (t *Table) sfdiskChains() bool {
	container := t.container()
	if container == nil {
		return true
	}
	free := container.FirstLBA
	for _, p := range t.Partitions {
		if !t.logical(p.Partition) {
			continue
		}
		if p.FirstLBA < free+plainChain/t.Disk.Sector {
			return false
		}
		free = p.LastLBA + 1
	}
	return true
}

// container is the extended partition, nil when there is none.
func (t *Table) container() *TableEntry {
	for i, p := range t.Partitions {
		if p.Number <= 4 && isExtended(p.Type) {
			return &t.Partitions[i]
		}
	}
	return nil
}

// isExtended tells whether a type in hexadecimal holds logical partitions.
func isExtended(kind string) bool {
	n, err := strconv.ParseUint(kind, 16, 8)
	return err == nil && bootRecordEntry{kind: byte(n)}.extended()
}

// writeChain writes the boot records of all logical partitions. The first is
// at the start of the extended partition, the others in the nearest free sector
// before their partitions.
func (t *Table) writeChain(disk io.WriterAt) error {
	container := t.container()
	var logical []TableEntry
	for _, p := range t.Partitions {
		if t.logical(p.Partition) {
			logical = append(logical, p)
		}
	}
	if container == nil || len(logical) == 0 {
		return nil
	}
	records, err := placeRecords(*container, logical)
	if err != nil {
		return err
	}
	// The last record first: until the one before it is there, nothing leads to
	// it.
	for i := len(logical) - 1; i >= 0; i-- {
		b := make([]byte, t.Disk.Sector)
		b[510], b[511] = 0x55, 0xaa
		kind, err := strconv.ParseUint(logical[i].Type, 16, 8)
		if err != nil {
			return fmt.Errorf("partition %d: type %q", logical[i].Number, logical[i].Type)
		}
		boot := byte(0)
		if logical[i].Bootable {
			boot = 0x80
		}
		putEntry(b[446:], boot, byte(kind), logical[i].FirstLBA-records[i], logical[i].LastLBA-logical[i].FirstLBA+1)
		if i+1 < len(logical) {
			putEntry(b[462:], 0, 0x05, records[i+1]-container.FirstLBA, logical[i+1].LastLBA-records[i+1]+1)
		}
		if _, err := disk.WriteAt(b, int64(records[i]*t.Disk.Sector)); err != nil {
			return err
		}
	}
	return nil
}

// putEntry writes an entry of a boot record. Cylinders, heads and sectors say
// that they are not to be believed.
func putEntry(b []byte, boot, kind byte, start, count uint64) {
	copy(b, []byte{boot, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff})
	binary.LittleEndian.PutUint32(b[8:], uint32(start))
	binary.LittleEndian.PutUint32(b[12:], uint32(count))
}

// placeRecords finds a sector for each boot record: before its partition,
// which counts from it without a sign, and in none. Those on the left choose
// first, so that no record takes the only place of another.
func placeRecords(container TableEntry, logical []TableEntry) ([]uint64, error) {
	order := make([]int, len(logical))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(logical[a].FirstLBA, logical[b].FirstLBA) })
	records := make([]uint64, len(logical))
	taken := map[uint64]bool{container.FirstLBA: true}
	for _, i := range order {
		p := logical[i]
		if p.FirstLBA <= container.FirstLBA || p.LastLBA > container.LastLBA {
			return nil, fmt.Errorf("partition %d: it is not inside partition %d", p.Number, container.Number)
		}
		if records[i] = container.FirstLBA; i == 0 {
			continue
		}
		if records[i] = freeBefore(p.FirstLBA, logical, taken); records[i] <= container.FirstLBA {
			return nil, fmt.Errorf("partition %d: no sector is free for its boot record", p.Number)
		}
		taken[records[i]] = true
	}
	return records, nil
}

// freeBefore is the nearest sector before an LBA that is not taken and in no
// partition.
func freeBefore(lba uint64, logical []TableEntry, taken map[uint64]bool) uint64 {
	at := lba - 1
	for moved := true; moved && at > 0; {
		moved = false
		if taken[at] {
			at, moved = at-1, true
		}
		for _, p := range logical {
			if p.FirstLBA <= at && at <= p.LastLBA {
				at, moved = p.FirstLBA-1, true
			}
		}
	}
	return at
}
