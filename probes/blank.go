package probes

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Edge is how much of the start and the end of a disk must be zero for it to be
// blank: tables and superblocks are there, and what was encrypted without a
// header shows as noise. In bytes.
const Edge = 1 << 20

// Holds says what is on a disk, in words; nothing is a blank disk. All are the
// machine's devices.
func (m Machine) Holds(d *Device, all []*Device) (words []string, err error) {
	f, err := m.open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	partitioned := slices.ContainsFunc(all, func(p *Device) bool { return p.Disk == d.Name })
	c := &contents{Device: d, medium: f.medium()}
	if err := c.look(partitioned); err != nil {
		return nil, err
	}
	switch {
	case c.table != nil:
		words = append(words, fmt.Sprintf("a %s partition table (%s) with %d partitions", c.table.Disk.Table, c.table.ID, len(c.table.Partitions)))
	case c.found != nil:
		words = append(words, fmt.Sprintf("%s (%s)", c.found.name, c.found.id))
	case c.unclear != nil:
		words = append(words, c.unclear.Error())
	case partitioned:
		words = append(words, "partitions")
	}
	if len(words) > 0 {
		return words, nil
	}
	for _, at := range []uint64{0, d.Size - min(Edge, d.Size)} {
		b, err := c.read(at, min(Edge, d.Size))
		if err != nil {
			return nil, err
		}
		if !zero(b) {
			words = append(words, fmt.Sprintf("data in the MiB at byte %d", at))
		}
	}
	return words, nil
}

// Uses says who uses a disk now, in words: mounts, swap, and devices that stand
// on it.
func (m Machine) Uses(d *Device, all []*Device) (words []string, err error) {
	above := []*Device{d}
	for i := 0; i < len(above); i++ {
		for _, upper := range all {
			if slices.Contains(upper.Below, above[i].Name) && !slices.Contains(above, upper) {
				above = append(above, upper)
			}
		}
	}
	mounts, err := m.mounts()
	if err != nil {
		return nil, err
	}
	swaps, err := os.ReadFile(filepath.Join(m.Proc, "swaps"))
	if err != nil {
		return nil, err
	}
	for _, u := range above {
		for _, one := range mounts {
			source, below := strings.CutPrefix(one.source, "/dev/")
			if one.number == u.Number || below && one.kind == "btrfs" && deviceName(m.Dev, source) == u.Name {
				words = append(words, fmt.Sprintf("%s is mounted at %s", u.Name, one.dir))
			}
		}
		for line := range strings.Lines(string(swaps)) {
			source, _, _ := strings.Cut(line, " ")
			if name, ok := strings.CutPrefix(source, "/dev/"); ok && deviceName(m.Dev, name) == u.Name {
				words = append(words, u.Name+" is swapped on")
			}
		}
		if u.Mapping != "" || u.MD {
			words = append(words, firstOf(u.Mapping, u.Name)+" stands on it")
		}
	}
	return words, nil
}

// DiskOf are the disks below a file or directory of the running system, by
// their names.
func (m Machine) DiskOf(path string, all []*Device) []string {
	number, err := deviceOfFile(path)
	if err != nil {
		return nil
	}
	byName := map[string]*Device{}
	var first *Device
	for _, d := range all {
		byName[d.Name] = d
		if d.Number == number {
			first = d
		}
	}
	var disks []string
	var down func(*Device)
	down = func(d *Device) {
		if d == nil {
			return
		}
		if len(d.Below) == 0 {
			disks = append(disks, d.Name)
		}
		for _, below := range d.Below {
			down(byName[below])
		}
	}
	down(first)
	return disks
}

// ContentOf names what is on a device or an image by the node that a layout has
// for it: "luks.…", "raid.…", "pv.…"; "" for nothing that is known.
func ContentOf(r io.ReaderAt, size uint64) (Ref, error) {
	f, err := identify(medium{r, size})
	if f == nil || err != nil {
		return "", err
	}
	switch f.node.(type) {
	case *raidMember:
		return Ref("raid." + f.id), nil
	case *luksHeader:
		return Ref("luks." + f.id), nil
	case *lvmPV:
		return Ref("pv." + f.id), nil
	case *Swap:
		return Ref("swap." + f.id), nil
	case *FileSystem, *btrfsSuper:
		return Ref("filesystem." + f.id), nil
	}
	return "", nil
}

// Table reads the partition table of a disk.
func (m Machine) Table(d *Device) (*Table, error) {
	f, err := m.open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTable(f.medium(), d.Size, d.Sector)
}
