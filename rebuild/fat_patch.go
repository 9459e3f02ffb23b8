package rebuild

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"rootwc/probes"
)

// patchFAT writes what mkfs.fat cannot be told: a number of sectors that is no
// number of KiB, or that is one on a device with an odd sector, which it adds;
// and a label of any bytes, which it would want in the code page
// that it takes them to be in.
func (m made) patchFAT(f *probes.FAT, label bool) Action {
	words := fmt.Sprintf("write to the boot sector of %q: %d sectors", m.devices[0], f.Sectors)
	var raw []byte
	if label {
		words += fmt.Sprintf(", label %q", m.label)
		raw = fmt.Appendf(nil, "%-11s", m.label)
	}
	return Action{Words: words, Do: func() error {
		d, err := os.OpenFile(m.devices[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := patchFAT(d, *f, raw); err != nil {
			return err
		}
		return d.Sync()
	}}
}

// patchFAT does it; the label is nil for none. The layout is that of a file
// system that mkfs.fat has just made.
func patchFAT(d *os.File, f probes.FAT, label []byte) error {
	boot := make([]byte, 512)
	if _, err := d.ReadAt(boot, 0); err != nil {
		return err
	}
	le := binary.LittleEndian
	labelAt, copies := 0x2b, []uint64{0}
	f.FATSectors = uint64(le.Uint16(boot[0x16:])) // it may have reckoned with another number
	if f.Bits == 32 {
		labelAt, copies = 0x47, []uint64{0, uint64(le.Uint16(boot[0x32:]))}
		f.FATSectors = uint64(le.Uint32(boot[0x24:]))
	}
	if label != nil {
		copy(boot[labelAt:], label)
		if err := writeRootLabel(d, &f, label); err != nil {
			return err
		}
	}
	before := f
	if before.Sectors = uint64(le.Uint16(boot[0x13:])); before.Sectors == 0 {
		before.Sectors = uint64(le.Uint32(boot[0x20:]))
	}
	if fits := (fatClusters(&f)+2)*f.Bits <= f.FATSectors*f.SectorSize*8; fits && f.Sectors != before.Sectors {
		short, long := uint16(f.Sectors), uint32(0)
		if f.Sectors >= 1<<16 {
			short, long = 0, uint32(f.Sectors)
		}
		le.PutUint16(boot[0x13:], short)
		le.PutUint32(boot[0x20:], long)
		if err := moreFree(d, &f, uint32(fatClusters(&f)-fatClusters(&before))); err != nil {
			return err
		}
	}
	for _, sector := range copies {
		if _, err := d.WriteAt(boot, int64(sector*f.SectorSize)); err != nil {
			return err
		}
	}
	return nil
}

// fatClusters is how many there are.
func fatClusters(f *probes.FAT) uint64 {
	return (f.Sectors - fatRootAt(f)/f.SectorSize - fatRootSectors(f)) * f.SectorSize / f.ClusterSize
}

// writeRootLabel puts the label into the root directory, where it is first.
func writeRootLabel(d *os.File, f *probes.FAT, label []byte) error {
	entry := bytes.Clone(label)
	if entry[0] == 0xe5 { // which means a deleted one
		entry[0] = 0x05
	}
	_, err := d.WriteAt(entry, int64(fatRootAt(f)))
	return err
}

// moreFree changes the number of free clusters that FAT32 keeps in its second
// sector. One less is the largest number more.
func moreFree(d *os.File, f *probes.FAT, more uint32) error {
	if f.Bits != 32 || more == 0 {
		return nil
	}
	b := make([]byte, 4)
	at := int64(f.SectorSize) + 488
	if _, err := d.ReadAt(b, at); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+more)
	_, err := d.WriteAt(b, at)
	return err
}
