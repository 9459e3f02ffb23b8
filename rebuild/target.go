package rebuild

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/probes"
)

// Target is the disk of this machine that takes the place of an old one.
type Target struct {
	Disk   probes.ID // of the layout
	Device string    // "/dev/sda"; "" for none
	Serial string
	WWN    string
	Size   uint64   // bytes
	Holds  []string // what is on it now, in words; none is blank
	Uses   []string // who uses it now
	Begun  bool     // it carries the mark of this very rebuild

	device *probes.Device
}

// Refusal is why a plan is not run. There is nothing to read between the
// lines: who sees no refusal may run the plan.
type Refusal struct {
	Node probes.Ref
	Text string
	Hint string // what to do about it, "" for nothing
}

func (r Refusal) String() string { return r.Text }

// targets finds the disks. Each is named by the caller, or has the serial
// number or WWN that the old one had; never is one taken for its size.
func (p *planner) targets() {
	for _, id := range slices.Sorted(maps.Keys(p.Layout.Disk)) {
		if p.without[probes.Ref("disk."+id)] {
			continue
		}
		t := &Target{Disk: id}
		if d := p.disk(id); d != nil {
			t.device, t.Device = d, filepath.Join(p.Machine.Dev, d.Name)
			t.Serial, t.WWN, t.Size = d.Hardware.Serial, d.Hardware.WWN, d.Size
		}
		p.Plan.Disks = append(p.Plan.Disks, t)
	}
	used := map[string]probes.ID{}
	for _, t := range p.Plan.Disks {
		if t.device == nil {
			continue
		}
		if other, twice := used[t.Device]; twice {
			p.refuse("disk."+string(t.Disk), "", "%s is named twice: for disk %s and for disk %s", t.Device, other, t.Disk)
		}
		used[t.Device] = t.Disk
	}
	for name := range p.Options.Disks {
		if !p.named[name] {
			p.refuse("", "", "--disk %s: no disk of the layout has this ID, serial number or WWN", name)
		}
	}
}

// disk finds the disk for an old one; nil comes with a refusal.
func (p *planner) disk(id probes.ID) *probes.Device {
	ref := "disk." + string(id)
	old := &probes.Hardware{}
	if p.Inventory != nil && p.Inventory.Disk[id] != nil {
		old = p.Inventory.Disk[id]
	}
	for _, name := range []string{string(id), old.Serial, old.WWN} {
		if device := p.Options.Disks[name]; name != "" && device != "" {
			p.named[name] = true
			return p.device(ref, device)
		}
	}
	var same []*probes.Device
	for _, d := range p.devices {
		if len(d.Below) == 0 && d.Partition == 0 && (equal(d.Hardware.Serial, old.Serial) || equal(d.Hardware.WWN, old.WWN)) {
			same = append(same, d)
		}
	}
	was := describe(old)
	switch len(same) {
	case 1:
		return same[0]
	case 0:
		p.refuse(ref, "name the new disk: --disk "+string(id)+"=/dev/…", "disk %s%s is not there", id, was)
	default:
		p.refuse(ref, "name the new disk: --disk "+string(id)+"=/dev/…", "disk %s%s is there %d times", id, was, len(same))
	}
	return nil
}

func equal(a, b string) bool { return a != "" && a == b }

func describe(h *probes.Hardware) string {
	words := strings.Join(slices.DeleteFunc([]string{h.Model, h.Serial}, func(s string) bool { return s == "" }), ", serial ")
	if words == "" {
		return ""
	}
	return " (" + words + ")"
}

// device is the disk at a path that the caller gave.
func (p *planner) device(ref, path string) *probes.Device {
	place, err := filepath.EvalSymlinks(path)
	if err != nil {
		p.refuse(ref, "", "cannot find %s: %v", path, err)
		return nil
	}
	for _, d := range p.devices {
		if filepath.Join(p.Machine.Dev, d.Name) != place {
			continue
		}
		if d.Partition != 0 || d.Mapping != "" || d.MD {
			p.refuse(ref, "name a whole disk", "%s is no disk", path)
			return nil
		}
		return d
	}
	p.refuse(ref, "", "%s is no disk", path)
	return nil
}

// check looks at what a disk is before anything is written.
func (p *planner) check(t *Target) error {
	if t.device == nil {
		return nil
	}
	old, d, ref := p.Layout.Disk[t.Disk], t.device, "disk."+string(t.Disk)
	if d.Size < old.Need {
		p.refuse(ref, "", "%s is too small: %d bytes are needed, it has %d, %d are missing", t.Device, old.Need, d.Size, old.Need-d.Size)
	}
	if d.Sector != old.Sector {
		p.refuse(ref, "", "%s has sectors of %d bytes, the old disk had %d", t.Device, d.Sector, old.Sector)
	}
	if d.ReadOnly {
		p.refuse(ref, "", "%s is read-only", t.Device)
	}
	var err error
	if t.Uses, err = p.Machine.Uses(d, p.devices); err != nil {
		return err
	}
	if t.Holds, err = p.Machine.Holds(d, p.devices); err != nil {
		return fmt.Errorf("cannot read %s: %w", t.Device, err)
	}
	if p.Filled {
		if !slices.ContainsFunc(t.Holds, func(s string) bool { return strings.Contains(s, strings.TrimPrefix(string(t.Disk), "of-")) }) {
			p.refuse(ref, "rootwc rebuild --execute sets it up", "%s does not hold what the layout has on this disk", t.Device)
		}
		return nil
	}
	mounted := slices.ContainsFunc(t.Uses, func(s string) bool { return !strings.HasSuffix(s, "stands on it") })
	switch {
	case slices.Contains(p.repository, d.Name):
		p.refuse(ref, "", "%s holds the repository", t.Device)
	case len(t.Uses) > 0 && (mounted || !p.mine(t)):
		p.refuse(ref, "unmount and close what is on it; --wipe does not allow this", "%s is in use: %s", t.Device, strings.Join(t.Uses, ", "))
	case len(t.Holds) > 0 && !p.mine(t) && !p.mayWipe(t):
		name := cmp.Or(t.Serial, t.WWN)
		hint := "--wipe " + name
		if name == "" {
			hint = "--wipe " + t.Device
		}
		p.refuse(ref, "to lose all that is on it: "+hint, "%s is not blank: it holds %s", t.Device, strings.Join(t.Holds, ", "))
	}
	return nil
}

// mayWipe tells whether the caller named this very disk: by its serial number
// or WWN, and only where it has none by its path.
func (p *planner) mayWipe(t *Target) bool {
	for _, name := range p.Options.Wipe {
		if equal(name, t.Serial) || equal(name, t.WWN) || t.Serial == "" && t.WWN == "" && name == t.Device {
			return true
		}
	}
	return false
}

// wipesNothing finds names in --wipe that are of no disk in the plan: a
// mistake in one would otherwise be silent.
func (p *planner) wipesNothing() {
	for _, name := range p.Options.Wipe {
		if !slices.ContainsFunc(p.Plan.Disks, func(t *Target) bool {
			return equal(name, t.Serial) || equal(name, t.WWN) || equal(name, t.Device)
		}) {
			p.refuse("", "", "--wipe %s: no disk of this plan has that serial number or WWN", name)
		}
	}
}
