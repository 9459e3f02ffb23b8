package probes

import (
	"cmp"
	"fmt"
	"slices"
)

// disks makes the nodes of disks and partitions.
func (b *builder) disks() error {
	tables := map[string]*Table{}
	for _, c := range b.contents {
		if c.Disk != "" || c.Mapping != "" || c.MD {
			continue
		}
		id, disk := b.disk(c)
		if id == "" {
			continue // blank, or nothing that is known
		}
		b.refs[c.Name] = Ref("disk." + id)
		tables[c.Name] = c.table
		if b.twice.add(b.refs[c.Name], c.Name) {
			b.Layout.Disk[id], b.Hardware[id] = disk, &c.Hardware
		}
	}
	for _, c := range b.contents {
		table := tables[c.Disk]
		if table == nil {
			continue
		}
		i := slices.IndexFunc(table.Partitions, func(p TableEntry) bool { return p.Number == c.Partition })
		if i < 0 || table.Partitions[i].FirstLBA*table.Disk.Sector != c.Start {
			b.find("%s: the kernel goes by another partition table than the one on %s", c.Name, c.Disk)
			continue
		}
		b.refs[c.Name] = Ref("partition." + table.Partitions[i].ID)
	}
	return nil
}

// disk is the node of a disk: its ID is that of the partition table or of what
// it holds without one.
func (b *builder) disk(c *contents) (ID, *Disk) {
	switch {
	case c.table != nil:
		t := c.table
		for _, finding := range t.Findings {
			b.find("disk %s: %s", t.ID, finding)
		}
		disk := t.Disk
		if t.Boot != nil {
			disk.BootCode = fmt.Sprintf("boot.%s.bin", t.ID)
			b.Files[disk.BootCode] = t.Boot
		}
		for _, p := range t.Partitions {
			if b.twice.add(Ref("partition."+p.ID), fmt.Sprintf("%s (partition %d)", c.Name, p.Number)) {
				b.Layout.Partition[p.ID] = &p.Partition
			}
		}
		return t.ID, &disk
	case c.found != nil && c.found.id != "":
		id := c.found.id
		if s, ok := c.found.node.(*btrfsSuper); ok {
			id = ID(fmt.Sprintf("%s.%d", id, s.device.number))
		}
		if r, ok := c.found.node.(*raidMember); ok {
			id = ID(fmt.Sprintf("%s.%d", r.Array, r.Role))
			if r.Device != "" {
				id = ID(r.Device)
			}
		}
		return "of-" + id, &Disk{Sector: c.Sector, Need: c.found.need(c.Device.Size)}
	case c.unclear != nil:
		b.find("disk %s: %v", c.Name, c.unclear)
	}
	return "", nil
}

// need is how large a device must be for what was found on it: what knows no
// size of its own takes all of it.
func (f *found) need(size uint64) uint64 {
	switch n := f.node.(type) {
	case *lvmPV:
		return cmp.Or(n.need(), size)
	case *Swap:
		return n.Size
	case *btrfsSuper:
		return n.device.size
	case *FileSystem:
		return cmp.Or(n.Size(), size)
	}
	return size
}

// need is where the extents of a physical volume end, or the second copy of the
// metadata, which is at the end of the device.
func (pv *lvmPV) need() uint64 {
	if pv.Text == nil || pv.PV.MetadataCopies > 1 {
		return pv.Size
	}
	group := pv.Text.group()
	for _, p := range group.sections("physical_volumes") {
		if ID(p.text("id")) == pv.ID {
			return (p.number("pe_start") + p.number("pe_count")*group.number("extent_size")) * lvmSector
		}
	}
	return pv.Size
}

// Size is that of a file system in bytes, on all its devices, zero for unknown.
func (fs *FileSystem) Size() (sum uint64) {
	switch {
	case fs.Ext != nil:
		return fs.Ext.Blocks * fs.Ext.BlockSize
	case fs.XFS != nil:
		return fs.XFS.Blocks * fs.XFS.BlockSize
	case fs.FAT != nil:
		return fs.FAT.Sectors * fs.FAT.SectorSize
	case fs.ExFAT != nil:
		return fs.ExFAT.Sectors * fs.ExFAT.SectorSize
	case fs.F2FS != nil:
		return fs.F2FS.Blocks * fs.F2FS.BlockSize
	case fs.Btrfs != nil:
		for _, d := range fs.Btrfs.Device {
			sum += d.Size
		}
	}
	return sum
}
