package rebuild

import (
	"fmt"

	"rootwc/probes"
)

// resizeFAT keeps the size of a cluster, unless there would be too many of them,
// and has tables as long as mkfs.fat makes them.
func (m made) resizeFAT(f *probes.FAT, bytes uint64) error {
	if err := m.checkFAT(f); err != nil {
		return err
	}
	align := fatSectors(f, false) != f.FATSectors
	if align && fatSectors(f, true) != f.FATSectors {
		return fmt.Errorf("it has tables of %d sectors, which mkfs.fat does not make", f.FATSectors)
	}
	now := *f
	now.Sectors = bytes / f.SectorSize
	for _, unit := range []uint64{f.TrackSectors, 1024 / min(1024, f.SectorSize)} { // as mkfs.fat rounds them
		if unit > 0 && f.Sectors%unit == 0 {
			now.Sectors -= now.Sectors % unit
		}
	}
	least, most := fatBounds(f.Bits)
	for ; ; now.ClusterSize *= 2 {
		if now.Sectors >= 1<<32 || now.ClusterSize > max(f.ClusterSize, 32<<10) || now.Sectors <= f.Reserved+fatRootSectors(f)+now.ClusterSize/f.SectorSize {
			return fmt.Errorf("%s are no size for a FAT%d", probes.Size(bytes), f.Bits)
		}
		if cluster := now.ClusterSize / f.SectorSize; align && now.Sectors > 8192 {
			now.Reserved = (f.Reserved + cluster - 1) / cluster * cluster
		}
		now.FATSectors = fatSectors(&now, align)
		before := fatRootAt(&now)/f.SectorSize + fatRootSectors(f)
		clusters := (now.Sectors - min(now.Sectors, before)) * f.SectorSize / now.ClusterSize
		switch {
		case clusters < least:
			return fmt.Errorf("%s would be %d clusters, a FAT%d has %d or more", probes.Size(bytes), clusters, f.Bits, least)
		case clusters <= most:
			*f = now
			return nil
		}
	}
}

// fatBounds is how many clusters a FAT has (dosfstools' src/msdos_fs.h).
func fatBounds(bits uint64) (least, most uint64) {
	switch bits {
	case 12:
		return 1, 4084
	case 16:
		return 4087, 65524
	}
	return 65525, 268435446
}
