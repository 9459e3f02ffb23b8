package rebuild

import (
	"errors"
	"fmt"
	"slices"

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
