package rebuild

import (
	"fmt"
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
	if label == "NO NAME" || label != "" && !fatPlainLabel.MatchString(label) {
		label = "LABEL" // for the next action
	}
	if label != "" {
		add("-n", label)
	}
	args = append(args, "--", m.devices[0], fmt.Sprint(f.Sectors*f.SectorSize/1024))
	l.Make = []Action{command(args...)}
	if even := *f; f.Sectors*f.SectorSize%1024 != 0 {
		even.Sectors--
		if fatSectors(&even, false) != f.FATSectors && fatSectors(&even, true) != f.FATSectors {
			l.Notes = append(l.Notes, fmt.Sprintf("on a device of more than %d sectors it has one sector less", f.Sectors))
		}
	}
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
	case fatRootAt(f)/f.SectorSize+fatRootSectors(f) >= f.Sectors:
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
