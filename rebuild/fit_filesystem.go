package rebuild

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"rootwc/probes"
)

// fitContents gives file systems and swap the room of what they stand on, where
// that has changed. One that did not take all of it leaves as much as before;
// on a smaller device it is made smaller only when it has to.
func (f *fitting) fitContents() {
	for _, id := range sorted(f.new.FileSystem) {
		fs := f.new.FileSystem[id]
		if err := f.fitFileSystem(id, fs); err != nil {
			f.failed(probes.Ref("filesystem."+id), "%w", err)
		}
	}
	for _, id := range sorted(f.new.Swap) {
		s := f.new.Swap[id]
		if s.File != "" || s.Unsupported != "" {
			continue
		}
		size := f.device(s.On).room(s.Size)
		if s.Page < 4096 || size < 10*s.Page {
			f.failed(probes.Ref("swap."+id), "%d bytes have no room for it", size)
			continue
		}
		if size != s.Size {
			s.Size = min(size/s.Page, 1<<32) * s.Page
		}
	}
	for _, id := range sorted(f.new.Disk) {
		if d := f.new.Disk[id]; d.Table == "" && f.sizes[probes.Ref("disk."+id)].elastic() {
			d.Need = f.need(id, d.Need)
		}
	}
}

// room is how many bytes what took size of a device takes of it now.
func (s span) room(size uint64) uint64 {
	if s.new > s.old {
		return size + (s.new - s.old)
	}
	if s.new < s.old {
		return min(size, s.new)
	}
	return size
}

// need is what is used of a disk without partitions that was resized, as a probe
// would find it.
func (f *fitting) need(id probes.ID, was uint64) uint64 {
	ref := probes.Ref("disk." + id)
	whole := f.spans[ref].new
	for _, fs := range f.new.FileSystem {
		if i := slices.Index(fs.On, ref); i >= 0 && fs.Btrfs != nil {
			return fs.Btrfs.Device[btrfsNumbers(fs.Btrfs)[i]].Size
		} else if i >= 0 && fs.Size() > 0 {
			return fs.Size()
		}
	}
	for _, s := range f.new.Swap {
		if s.On == ref && s.File == "" {
			return s.Size
		}
	}
	for pv, p := range f.new.PV {
		_, group := split(p.VG)
		if p.On == ref && p.MetadataCopies < 2 && f.new.VG[group] != nil {
			if text, err := f.text(group); err == nil {
				return p.DataStart + text.Extents(pv)*text.ExtentSize()
			}
		}
	}
	return whole
}

// fitFileSystem is one of them.
func (f *fitting) fitFileSystem(id probes.ID, fs *probes.FileSystem) error {
	changed := false
	for _, ref := range fs.On {
		s := f.device(ref)
		changed = changed || s.old != s.new
	}
	if !changed || fs.Unsupported != "" {
		return nil
	}
	m := made{id: id, label: "", devices: make([]string, len(fs.On))}
	if fs.Btrfs != nil {
		return f.fitBtrfs(m, fs)
	}
	size := f.device(fs.On[0]).room(fs.Size())
	switch {
	case len(fs.On) != 1:
		return fmt.Errorf("%s on %d devices", fs.Type, len(fs.On))
	case size == fs.Size():
		return nil // it was smaller than its device
	case fs.Ext != nil:
		return m.resizeExt(fs.Ext, size)
	case fs.XFS != nil:
		return m.resizeXFS(fs.XFS, size)
	case fs.FAT != nil:
		return m.resizeFAT(fs.FAT, size)
	case fs.F2FS != nil:
		return errors.New("mkfs.f2fs alone knows how much of another size it keeps for itself: keep the size of what it is on")
	case fs.ExFAT != nil:
		return errors.New("mkfs.exfat alone knows where its tables are on another size: keep the size of what it is on")
	}
	return fmt.Errorf("type %q, of which nothing is known", fs.Type)
}

// btrfsLeast is more than what mkfs.btrfs wants of a device with any profile
// (btrfs_min_dev_size).
const btrfsLeast = 256 << 20

// fitBtrfs sets the sizes of the devices.
func (f *fitting) fitBtrfs(m made, fs *probes.FileSystem) error {
	numbers, err := m.checkBtrfs(fs.Btrfs)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		d := fs.Btrfs.Device[n]
		was := d.Size
		d.Size = f.device(fs.On[i]).room(was) / fs.Btrfs.SectorSize * fs.Btrfs.SectorSize
		if d.Size < min(was, btrfsLeast) {
			return fmt.Errorf("%s are too little for device %s of it", probes.Size(d.Size), n)
		}
	}
	return nil
}

// scaled is n times to by from, rounded down. n is not more than from.
func scaled(n, to, from uint64) uint64 {
	high, low := bits.Mul64(n, to)
	part, _ := bits.Div64(high, low, from)
	return part
}

// resizeExt keeps inodes a group, the journal and the blocks that are reserved
// for descriptors, and the part that is for the administrator. A last group that
// mke2fs would leave out is left out.
func (m made) resizeExt(e *probes.Ext, bytes uint64) error {
	if err := m.checkExt(e); err != nil {
		return err
	}
	ratio, first := extRatio(e), uint64(0)
	if e.BlockSize == 1024 && ratio == 1 {
		first = 1
	}
	perGroup := e.BlocksPerGroup
	if perGroup == 0 {
		perGroup = min(8*e.BlockSize, 1<<16-8) * ratio
	}
	groups := func(blocks uint64) uint64 { return (blocks - first + perGroup - 1) / perGroup }
	if e.Blocks <= first || e.Inodes%groups(e.Blocks) != 0 {
		return fmt.Errorf("%d inodes in groups of %d of %d blocks", e.Inodes, perGroup, e.Blocks)
	}
	inodes := e.Inodes / groups(e.Blocks)
	blocks := bytes / e.BlockSize / ratio * ratio
	if !slices.Contains(e.Features, "64bit") && blocks >= 1<<32 {
		return errors.New("without the feature 64bit it has less than 2^32 blocks")
	}
	tables := 3 + (inodes*e.InodeSize+e.BlockSize-1)/e.BlockSize + e.ReservedGDT + extDescriptors(e, groups(max(blocks, first+1)))
	// what misc/mke2fs.c and lib/ext2fs/initialize.c want in the last group
	if rest := (blocks - min(blocks, first)) % perGroup; blocks > perGroup && rest > 0 && rest < tables+50 {
		blocks -= rest
	}
	if blocks < first+tables+50 || blocks < 2*e.Journal {
		return fmt.Errorf("%s have no room for its tables and its journal", probes.Size(bytes))
	}
	if all := groups(blocks); inodes*all >= 1<<32 {
		whole := max(8, e.BlockSize/e.InodeSize)
		inodes = (1<<32 - 1) / all / whole * whole
	}
	e.Reserved = scaled(e.Reserved, blocks, e.Blocks)
	e.Blocks, e.Inodes = blocks, inodes*groups(blocks)
	return nil
}

// extDescriptors is how many blocks the descriptors of so many groups take.
func extDescriptors(e *probes.Ext, groups uint64) uint64 {
	return (groups*extDescriptor(e) + e.BlockSize - 1) / e.BlockSize
}

// xfsLastGroup is the least that mkfs.xfs makes of a last allocation group
// (XFS_AG_MIN_BYTES).
const xfsLastGroup = 16 << 20

// resizeXFS keeps the size of an allocation group. A last one that mkfs.xfs
// would leave out is left out, and so is one that would have to hold the log and
// could not.
func (m made) resizeXFS(x *probes.XFS, bytes uint64) error {
	if err := m.checkXFS(x); err != nil {
		return err
	}
	blocks := bytes / x.BlockSize
	groups, rest := blocks/x.GroupBlocks, blocks%x.GroupBlocks
	least := uint64(xfsLastGroup)
	if groups == 1 { // the log is in the second of two
		least += x.LogSize
	}
	switch {
	case groups == 0 && (x.Blocks > x.GroupBlocks || blocks*x.BlockSize < least+x.LogSize):
		return fmt.Errorf("%s are less than an allocation group, of %s", probes.Size(bytes), probes.Size(x.GroupBlocks*x.BlockSize))
	case groups == 0:
		x.GroupBlocks = blocks
	case rest*x.BlockSize < least:
		blocks -= rest
	}
	if n, _ := strconv.ParseUint(x.LogGroup, 10, 32); n >= (blocks+x.GroupBlocks-1)/x.GroupBlocks {
		return fmt.Errorf("%s have no allocation group %s for its log", probes.Size(bytes), x.LogGroup)
	}
	x.Blocks = blocks
	return nil
}

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
