package rebuild

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"strings"

	"rootwc/probes"
)

func (m made) fat(f *probes.FAT) (Layer, error) {
	if err := m.checkFAT(f); err != nil {
		return Layer{}, err
	}
	var l Layer
	number := "00000000"
	if m.id != "" {
		number = strings.Replace(string(m.id), "-", "", 1)
	}
	args := []string{"mkfs.fat", "-I", "--mbr=n", "-F", fmt.Sprint(f.Bits), "-i", number}
	add := func(option string, value any) { args = append(args, option, fmt.Sprint(value)) }
	add("-S", f.SectorSize)
	add("-s", f.ClusterSize/f.SectorSize)
	add("-R", f.Reserved)
	add("-f", f.FATs)
	add("-M", f.Media)
	add("-D", f.Drive)
	add("-h", f.Hidden)
	if f.Heads != 0 && f.TrackSectors != 0 {
		add("-g", fmt.Sprintf("%d/%d", f.Heads, f.TrackSectors))
	} else {
		l.Notes = append(l.Notes, fmt.Sprintf("mkfs.fat has no way to say %d heads and %d sectors-per-track", f.Heads, f.TrackSectors))
	}
	if f.Bits != 32 {
		add("-r", f.RootEntries)
	} else if f.BackupBoot != 0 {
		add("-b", f.BackupBoot)
	} else {
		l.Notes = append(l.Notes, "mkfs.fat makes a backup-boot-sector where there was none")
	}
	switch {
	case fatSectors(f, false) == f.FATSectors:
		args = append(args, "-a")
	case fatSectors(f, true) != f.FATSectors:
		args = append(args, "-a")
		l.Notes = append(l.Notes, fmt.Sprintf("mkfs.fat makes fat-sectors %d, not %d", fatSectors(f, false), f.FATSectors))
	}
	label := m.label
	if !fatPlainLabel.MatchString(label) && label != "" {
		label = "LABEL" // for the next action
	}
	if label != "" {
		add("-n", label)
	}
	args = append(args, "--", m.devices[0], fmt.Sprint(f.Sectors*f.SectorSize/1024))
	l.Make = []Action{command(args...)}
	l.Make = append(l.Make, m.patchFAT(f, label != m.label))
	return l, nil
}

// fatPlainLabel is what mkfs.fat writes as it is, whatever the code page.
var (
	fatPlainLabel = regexp.MustCompile(`^[A-Z0-9_$#~!%&'(){}@-][A-Z0-9_$#~!%&'(){}@ -]*$`)
	fatSerial     = regexp.MustCompile(`^([0-9A-F]{4}-[0-9A-F]{4})?$`)
	fatByte       = regexp.MustCompile(`^0x[0-9a-f]{2}$`)
)

func (m made) checkFAT(f *probes.FAT) error {
	err := firstOf(
		powerOf2("sector-size", f.SectorSize, 512, 32768),
		powerOf2("cluster-size", f.ClusterSize, max(f.SectorSize, 512), 128*max(f.SectorSize, 512)),
		between("sectors", f.Sectors, 1, 1<<32-1),
		between("reserved-sectors", f.Reserved, 1, 65535),
		between("fats", f.FATs, 1, 255),
		between("fat-sectors", f.FATSectors, 1, f.Sectors),
		between("root-entries", f.RootEntries, 0, 65535),
		between("heads", f.Heads, 0, 65535),
		between("sectors-per-track", f.TrackSectors, 0, 65535),
		between("hidden-sectors", f.Hidden, 0, 1<<32-1),
		between("backup-boot-sector", f.BackupBoot, 0, f.Reserved),
		longer(m.label, 11),
	)
	switch {
	case err != nil:
		return err
	case f.Bits != 12 && f.Bits != 16 && f.Bits != 32:
		return fmt.Errorf("fat-bits is %d", f.Bits)
	case (f.Bits == 32) != (f.RootEntries == 0):
		return fmt.Errorf("root-entries is %d", f.RootEntries)
	case !fatByte.MatchString(f.Media):
		return fmt.Errorf("media %q", f.Media)
	case !fatByte.MatchString(f.Drive):
		return fmt.Errorf("drive %q", f.Drive)
	case !fatSerial.MatchString(string(m.id)):
		return fmt.Errorf("%q is no volume serial", m.id)
	case f.InfoSector != 0:
		return fmt.Errorf("info-sector is %d", f.InfoSector)
	case fatRootAt(f) >= f.Sectors*f.SectorSize:
		return fmt.Errorf("%d sectors are less than the tables", f.Sectors)
	}
	return nil
}

func fatRootSectors(f *probes.FAT) uint64 {
	return (f.RootEntries*32 + f.SectorSize - 1) / f.SectorSize
}

// fatRootAt is where the root directory begins, of FAT32 when new.
func fatRootAt(f *probes.FAT) uint64 { return (f.Reserved + f.FATs*f.FATSectors) * f.SectorSize }

// fatSectors is how long mkfs.fat makes a table (src/mkfs.fat.c, setup_tables
// of dosfstools 4.2), with or without aligning it to clusters.
func fatSectors(f *probes.FAT, align bool) uint64 {
	cluster := f.ClusterSize / f.SectorSize
	up := func(n, to uint64) uint64 { return (n + to - 1) / to }
	aligned := func(n uint64) uint64 {
		if align && f.Sectors > 8192 {
			return up(n, cluster) * cluster
		}
		return n
	}
	data := (f.Sectors - f.Reserved - aligned(fatRootSectors(f))) * f.SectorSize
	var table uint64 // bytes
	switch f.Bits {
	case 12:
		clusters := 2 * (data + f.FATs*3) / (2*f.ClusterSize + f.FATs*3)
		table = ((clusters+2)*3 + 1) / 2
	case 16:
		table = ((data+f.FATs*4)/(f.ClusterSize+f.FATs*2) + 2) * 2
	default:
		table = ((data+f.FATs*8)/(f.ClusterSize+f.FATs*4) + 2) * 4
	}
	return aligned(up(table, f.SectorSize))
}

// patchFAT writes what mkfs.fat cannot be told: a number of sectors that is no
// number of KiB, or that is one on a device with an odd sector, which it adds;
// and a label of any bytes, which it would want in the code page
// that it takes them to be in.
func (m made) patchFAT(f *probes.FAT, label bool) Action {
	words := fmt.Sprintf("write to the boot sector of %s: %d sectors", m.devices[0], f.Sectors)
	if label {
		words += fmt.Sprintf(", label %q", m.label)
	}
	return Action{Words: words, Do: func() error {
		d, err := os.OpenFile(m.devices[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer d.Close()
		p := fatPatch{File: d, f: f}
		if label {
			p.label = []byte(fmt.Sprintf("%-11s", m.label))
		}
		if err := p.write(); err != nil {
			return err
		}
		return d.Sync()
	}}
}

// fatPatch is a change to a FAT file system that mkfs.fat has just made.
type fatPatch struct {
	*os.File
	f     *probes.FAT
	label []byte // nil for none
}

func (p fatPatch) write() error {
	boot := make([]byte, 512)
	if _, err := p.ReadAt(boot, 0); err != nil {
		return err
	}
	// Its own words for the length of its tables: they tell where the root is.
	made := *p.f
	made.FATSectors = uint64(binary.LittleEndian.Uint16(boot[0x16:]))
	if p.f.Bits == 32 {
		made.FATSectors = uint64(binary.LittleEndian.Uint32(boot[0x24:]))
	}
	before := p.clusters(&made, binary.LittleEndian.Uint16(boot[0x13:]), binary.LittleEndian.Uint32(boot[0x20:]))
	binary.LittleEndian.PutUint16(boot[0x13:], 0)
	binary.LittleEndian.PutUint32(boot[0x20:], uint32(p.f.Sectors))
	if p.f.Sectors < 65536 {
		binary.LittleEndian.PutUint16(boot[0x13:], uint16(p.f.Sectors))
		binary.LittleEndian.PutUint32(boot[0x20:], 0)
	}
	after := p.clusters(&made, binary.LittleEndian.Uint16(boot[0x13:]), binary.LittleEndian.Uint32(boot[0x20:]))
	if p.label != nil {
		at := 0x2b
		if p.f.Bits == 32 {
			at = 0x47
		}
		copy(boot[at:at+11], p.label)
		entry := bytes.Clone(p.label)
		if entry[0] == 0xe5 { // means a deleted one
			entry[0] = 0x05
		}
		if _, err := p.WriteAt(entry, int64(fatRootAt(&made))); err != nil {
			return err
		}
	}
	copies := []uint64{0}
	if p.f.Bits == 32 {
		copies = append(copies, uint64(binary.LittleEndian.Uint16(boot[0x32:])))
		if err := p.free(int64(after) - int64(before)); err != nil {
			return err
		}
	}
	for _, sector := range copies {
		if _, err := p.WriteAt(boot, int64(sector*p.f.SectorSize)); err != nil {
			return err
		}
	}
	return nil
}

func (p fatPatch) clusters(f *probes.FAT, short uint16, long uint32) uint64 {
	sectors := uint64(short)
	if short == 0 {
		sectors = uint64(long)
	}
	return (sectors - fatRootAt(f)/f.SectorSize - fatRootSectors(f)) * f.SectorSize / f.ClusterSize
}

// free changes the number of free clusters that FAT32 keeps.
func (p fatPatch) free(more int64) error {
	at := int64(p.f.SectorSize) + 488
	b := make([]byte, 4)
	if _, err := p.ReadAt(b, at); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b, uint32(int64(binary.LittleEndian.Uint32(b))+more))
	_, err := p.WriteAt(b, at)
	return err
}
