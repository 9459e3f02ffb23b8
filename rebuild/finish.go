package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"rootwc/probes"
)

// finish adds the steps for when the files are in place: what the file systems
// hold, what forbids writing, and how the machine starts.
func (p *planner) finish(ctx context.Context) {
	p.directories()
	for _, id := range slices.Sorted(maps.Keys(p.Layout.Swap)) {
		s, ref := p.Layout.Swap[id], probes.Ref("swap."+id)
		if s.File == "" || p.without[ref] || p.kept[ref] {
			continue
		}
		layer, err := SwapFile(ctx, id, s, p.Layout.FileSystem[s.On.ID()], p.Root)
		p.add(Step{Node: ref, Title: "swap file " + s.File, Why: "in its mounted file system", Layer: layer}, err)
	}
	for _, s := range p.Plan.Storage {
		if len(s.After) > 0 && !p.kept[s.Node] {
			p.add(Step{Node: s.Node, Title: "what forbids writing in " + p.Layout.Name(s.Node), Why: "when the files are in place", Layer: Layer{Make: s.After}}, nil)
		}
	}
	p.bootCode()
	if p.Boot != nil {
		p.entries()
	}
	if p.Boot != nil && p.Reinstall {
		p.reinstall()
	} else if p.Boot != nil {
		if l, err := Initramfs(p.Boot, p.Inventory, p.inventory(), p.Root); err == nil && len(l.Make) > 0 {
			p.Plan.Notes = append(p.Plan.Notes, l.Notes[0]+" only with --bootloader=reinstall, as that runs programs of the restored system")
		}
	}
}

// add adds a step to the last ones.
func (p *planner) add(s Step, err error) {
	if err != nil {
		p.refuse(string(s.Node), "to leave it out: --without "+string(s.Node), "%v", err)
		return
	}
	p.note(s.Node, s.Notes)
	if len(s.Make)+len(s.Open) > 0 {
		p.Plan.Finish = append(p.Plan.Finish, s)
	}
}

// bootCode writes what a BIOS starts, byte by byte: it finds the rest of itself
// where it was.
func (p *planner) bootCode() {
	for _, t := range p.Plan.Disks {
		d, ref := p.Layout.Disk[t.Disk], probes.Ref("disk."+t.Disk)
		if d.BootCode == "" || p.Reinstall {
			continue
		}
		code, there := p.Texts[d.BootCode]
		if !there {
			p.refuse(string(ref), "--bootloader=reinstall does without", "the boot code of disk %s is missing: %s", t.Disk, d.BootCode)
			continue
		}
		table, err := p.Layout.Table(t.Disk)
		old, oerr := p.old.Table(t.Disk)
		var l Layer
		if err = errors.Join(err, oerr); err == nil {
			if why := BootCodeMoved(old, table); why != "" {
				p.refuse(string(ref), "--bootloader=reinstall", "the boot code of disk %s would not find itself: %s", t.Disk, why)
				continue
			}
			l, err = Boot(table, code, p.at(ref))
		}
		p.add(Step{Node: ref, Title: "boot code on " + p.at(ref), Why: "the files that it starts are there", Layer: l}, err)
	}
}

// entries tells the firmware of the new machine what it starts.
func (p *planner) entries() {
	vars := p.Variables
	if vars == "" {
		vars = EFIVars
	}
	l, err := Entries(p.Boot, p.Layout, vars, p.present)
	p.add(Step{Title: "boot entries of the firmware", Why: "the partitions that they name are there", Layer: l}, err)
}

// present tells whether a partition is on any disk of this machine.
func (p *planner) present(partuuid string) bool {
	for _, d := range p.devices {
		if len(d.Below) > 0 || d.Partition != 0 || slices.ContainsFunc(p.Plan.Disks, func(t *Target) bool { return t.device == d }) {
			continue
		}
		if table, err := p.Machine.Table(d); err == nil && slices.ContainsFunc(table.Partitions, func(e probes.TableEntry) bool { return string(e.ID) == partuuid }) {
			return true
		}
	}
	return false
}

// reinstall runs the boot loader's programs of the machine, in its root.
func (p *planner) reinstall() {
	chroot, err := Chroot(p.Root)
	var disks []string
	for _, t := range p.Plan.Disks {
		if p.Layout.Disk[t.Disk].BootCode != "" {
			disks = append(disks, t.Device)
		}
	}
	grub, gerr := GRUB(p.Boot, p.Root, disks)
	initramfs, ierr := Initramfs(p.Boot, p.Inventory, p.inventory(), p.Root)
	for _, e := range []error{err, gerr, ierr} {
		if e != nil {
			p.refuse("", "", "%v", e)
			return
		}
	}
	l := Layer{Notes: append(grub.Notes, initramfs.Notes...)}
	if len(grub.Make)+len(initramfs.Make) > 0 {
		l.Make = slices.Concat(chroot.Open, initramfs.Make, grub.Make, chroot.Close)
		l.Close = chroot.Close
	}
	p.add(Step{Title: fmt.Sprintf("boot loader of the system at %s", p.Root), Why: "with its own programs, which are there now", Layer: l}, nil)
}

// inventory has the new disks under the IDs of the old ones.
func (p *planner) inventory() *probes.Inventory {
	now := &probes.Inventory{Disk: map[probes.ID]*probes.Hardware{}}
	for _, t := range p.Plan.Disks {
		if t.device != nil {
			now.Disk[t.Disk] = &t.device.Hardware
		}
	}
	return now
}
