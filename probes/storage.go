package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Storage is what there is to know of a machine's storage.
type Storage struct {
	Layout   *Layout
	Hardware map[ID]*Hardware  // by the IDs of disks
	Files    map[string][]byte // texts and boot code, by the names that the layout has
	// Findings are sentences on what is odd or damaged, and not recorded as a
	// fact.
	Findings []string
	Notes    []string // on what is as it should be, for who wants to know all
}

// ReadStorage reads the storage of a machine, of which all disks must be
// readable. Nothing is written and no program started. What is inside of
// closed devices is taken from before, nil for nothing known.
func ReadStorage(ctx context.Context, m Machine, before *Layout) (*Storage, error) {
	all, err := Devices(m.Sys)
	if err != nil {
		return nil, err
	}
	chosen := m.chosen(all)
	if len(chosen) == 0 {
		return nil, ErrNoStorage
	}
	contents, closeAll, err := m.look(ctx, chosen)
	defer closeAll()
	if err != nil {
		return nil, err
	}
	b := &builder{
		Storage:  &Storage{Layout: newLayout(), Hardware: map[ID]*Hardware{}, Files: map[string][]byte{}},
		machine:  m,
		contents: contents,
		refs:     map[string]Ref{},
		parts:    map[string]bool{},
	}
	for _, step := range []func() error{b.disks, b.stacked, b.raids, b.luks, b.groups} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := b.fileSystems(ctx); err != nil {
		return nil, err
	}
	b.keep(before)
	if err := b.tables(); err != nil {
		return nil, err
	}
	slices.Sort(b.Findings)
	b.Findings = slices.Compact(b.Findings)
	if err := errors.Join(b.twice.err(), b.Layout.check()); err != nil {
		return nil, err
	}
	return b.Storage, nil
}

func newLayout() *Layout {
	return &Layout{
		Format: Format, Disk: map[ID]*Disk{}, Partition: map[ID]*Partition{}, RAID: map[ID]*RAID{}, LUKS: map[ID]*LUKS{},
		PV: map[ID]*PV{}, VG: map[ID]*VG{}, LV: map[ID]*LV{}, FileSystem: map[ID]*FileSystem{}, Swap: map[ID]*Swap{},
		Mount: map[ID]*Mount{}, Unknown: map[ID]*Unknown{},
	}
}

// builder makes a layout of what is on the devices.
type builder struct {
	*Storage
	machine  Machine
	contents []*contents
	refs     map[string]Ref  // what a device is, by its name
	parts    map[string]bool // devices that LVM makes volumes of
	twice    duplicates
}

func (b *builder) find(format string, args ...any) {
	b.Findings = append(b.Findings, fmt.Sprintf(format, args...))
}

// on calls f with everything of one kind that is on a device which is a node.
func on[T any](b *builder, f func(c *contents, id ID, ref Ref, what T)) {
	for _, c := range b.contents {
		if ref := b.refs[c.Name]; c.found != nil && ref != "" {
			if what, ok := c.found.node.(T); ok {
				f(c, c.found.id, ref, what)
			}
		}
	}
}

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

// stacked tells what the devices are that stand on others: by what is on
// those, all of which is known already.
func (b *builder) stacked() error {
	below := map[string]*found{}
	volumes := map[string]Ref{} // by the UUID that device-mapper has; "" for parts of others
	for _, c := range b.contents {
		if c.found == nil {
			continue
		}
		below[c.Name] = c.found
		if pv, ok := c.found.node.(*lvmPV); ok && pv.Text != nil {
			group := pv.Text.group()
			for _, lv := range group.sections("logical_volumes") {
				ref := Ref("")
				if visible(group, lv) {
					ref = Ref("lv." + group.key + "/" + lv.key)
				}
				volumes[mapperUUID(group.text("id"), lv.text("id"))] = ref
			}
		}
	}
	for _, c := range b.contents {
		if ref, ok := volumes[c.Mapper]; ok {
			b.refs[c.Name], b.parts[c.Name] = ref, ref == ""
		}
		for _, name := range c.Below {
			f := below[name]
			switch {
			case f == nil:
			case c.MD && f.name == raidFormat.name && f.id != "":
				b.refs[c.Name] = Ref("raid." + f.id)
			case strings.HasPrefix(c.Mapper, "CRYPT-LUKS") && f.name == luksFormat.name:
				b.refs[c.Name] = Ref("luks." + f.id)
			}
		}
	}
	return nil
}

// mapperUUID is what LVM tells device-mapper (lib/activate/dev_manager.c).
func mapperUUID(group, volume string) string {
	return "LVM-" + strings.ReplaceAll(group+volume, "-", "")
}

// raids makes the nodes of md arrays.
func (b *builder) raids() error {
	members := map[ID][]*raidMember{}
	on(b, func(c *contents, id ID, ref Ref, r *raidMember) {
		r.On = ref
		members[id] = append(members[id], r)
	})
	for id, all := range members {
		if err := b.raid(id, all); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) raid(id ID, members []*raidMember) error {
	if firmware := members[0].RAID; id == "" { // no UUID of the array
		for _, m := range members {
			b.unknown(ID("on-"+strings.TrimPrefix(string(m.On), "partition.")), m.On, firmware.Metadata+"_raid_member", firmware.Unsupported)
		}
		return nil
	}
	array, findings, err := assembleRAID(members)
	if err != nil {
		return err
	}
	for _, f := range findings {
		b.find("array %s: %s", id, f)
	}
	b.Layout.RAID[id] = array
	return nil
}

func (b *builder) unknown(id ID, ref Ref, kind, why string) {
	b.Layout.Unknown[id] = &Unknown{On: ref, Type: kind, Why: why}
}

// luks makes the nodes of encrypted devices.
func (b *builder) luks() error {
	on(b, func(c *contents, id ID, ref Ref, l *luksHeader) {
		for _, finding := range l.findings {
			b.find("LUKS device %s: %s", id, finding)
		}
		l.On = ref
		if b.twice.add(Ref("luks."+id), c.Name) {
			b.Layout.LUKS[id] = l.LUKS
		}
		for _, open := range b.contents {
			if b.refs[open.Name] == Ref("luks."+id) {
				l.Mapping = open.Mapping
			}
		}
	})
	return nil
}

// groups makes the nodes of LVM.
func (b *builder) groups() error {
	groups := map[string][]*lvmPV{} // by UUID
	of := map[ID]string{}           // physical volumes of the texts
	var volumes []*lvmPV
	on(b, func(c *contents, id ID, ref Ref, pv *lvmPV) {
		for _, finding := range pv.Findings {
			b.find("physical volume %s: %s", id, finding)
		}
		pv.PV.On = ref
		if !b.twice.add(Ref("pv."+id), c.Name) {
			return
		}
		b.Layout.PV[id] = &pv.PV
		volumes = append(volumes, pv)
		if pv.Text != nil {
			for _, p := range pv.Text.group().sections("physical_volumes") {
				of[ID(p.text("id"))] = pv.Text.group().text("id")
			}
		}
	})
	for _, pv := range volumes {
		if group := of[pv.ID]; group != "" {
			groups[group] = append(groups[group], pv)
		}
	}
	for _, pvs := range groups {
		if err := b.group(pvs); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) group(pvs []*lvmPV) error {
	g, err := assembleVG(pvs)
	if err != nil {
		return err
	}
	for _, finding := range g.Findings {
		b.find("volume group %s: %s", g.ID, finding)
	}
	if !b.twice.add(Ref("vg."+g.ID), "group "+g.VG.UUID) {
		return nil
	}
	g.VG.Script = fmt.Sprintf("vg.%s.vgcfg", g.ID)
	b.Files[g.VG.Script] = []byte(g.Text.String())
	b.Layout.VG[g.ID] = &g.VG
	for _, pv := range pvs {
		pv.PV.VG = Ref("vg." + g.ID)
	}
	for id, lv := range g.LVs {
		b.Layout.LV[id] = lv
	}
	return nil
}

// fileSystems makes the nodes of what is used by itself.
func (b *builder) fileSystems(ctx context.Context) error {
	pools := map[ID][]*contents{}
	for _, c := range b.inOrder() {
		ref := b.refs[c.Name]
		switch {
		case ref == "":
			if c.found != nil && !b.parts[c.Name] {
				b.find("%s: what it is does not show, so the %s on it is not recorded", c.Name, c.found.name)
			}
			continue
		case c.unclear != nil:
			b.unknown(bareID(ref), ref, "unclear", c.unclear.Error())
			continue
		case c.found == nil || b.copyOf(ref, c.found.id):
			continue
		}
		id := cmp.Or(c.found.id, bareID(ref))
		switch n := c.found.node.(type) {
		case *FileSystem:
			n.On = []Ref{ref}
			if b.twice.add(Ref("filesystem."+id), c.Name) {
				b.Layout.FileSystem[id] = n
			}
		case *Swap:
			n.On = ref
			if b.twice.add(Ref("swap."+id), c.Name) {
				b.Layout.Swap[id] = n
			}
		case *Unknown:
			n.On = ref
			if b.twice.add(Ref("unsupported."+id), c.Name) {
				b.Layout.Unknown[id] = n
			}
		case *btrfsSuper:
			pools[id] = append(pools[id], c)
		}
	}
	if len(pools) == 0 {
		return nil
	}
	mounted := b.machine.mountedBtrfs()
	for id, devices := range pools {
		if err := b.btrfs(ctx, id, devices, mounted[id]); err != nil {
			return fmt.Errorf("cannot read btrfs %s: %w", id, err)
		}
	}
	return nil
}

// bareID names what has no ID by what it stands on.
func bareID(ref Ref) ID { return ID("on-" + string(ref)) }

// inOrder has snapshots behind what they are of, so that a UUID belongs to the
// origin.
func (b *builder) inOrder() []*contents {
	rank := func(c *contents) int {
		if lv := b.volume(b.refs[c.Name]); lv != nil && lv.Origin != "" {
			return 1
		}
		return 0
	}
	all := slices.Clone(b.contents)
	slices.SortStableFunc(all, func(a, c *contents) int {
		return cmp.Or(cmp.Compare(rank(a), rank(c)), cmp.Compare(b.refs[a.Name], b.refs[c.Name]))
	})
	return all
}

// volume is the logical volume that a device is, nil for none.
func (b *builder) volume(ref Ref) *LV {
	id, ok := strings.CutPrefix(string(ref), "lv.")
	if !ok {
		return nil
	}
	return b.Layout.LV[ID(id)]
}

// copyOf tells whether a logical volume holds what another one of its group
// does: a snapshot, or one whose origin is gone.
func (b *builder) copyOf(ref Ref, id ID) bool {
	lv := b.volume(ref)
	if lv == nil {
		return false
	}
	if lv.Type == "snapshot" {
		return true
	}
	var first Ref
	if fs := b.Layout.FileSystem[id]; fs != nil {
		first = fs.On[0]
	} else if s := b.Layout.Swap[id]; s != nil {
		first = s.On
	}
	if origin := b.volume(first); origin == nil || origin.On != lv.On {
		return false
	}
	if lv.Origin == "" {
		b.find("%s holds a copy of what is on %s; only that is recorded", ref, first)
	}
	return true
}

// btrfs reads a file system from all its devices.
func (b *builder) btrfs(ctx context.Context, id ID, devices []*contents, dir string) error {
	slices.SortFunc(devices, func(x, y *contents) int { return cmp.Compare(deviceNumber(x), deviceNumber(y)) })
	var media []medium
	var refs []Ref
	for _, c := range devices {
		if b.twice.add(Ref(fmt.Sprintf("filesystem.%s device %d", id, deviceNumber(c))), c.Name) {
			media, refs = append(media, c.medium.past()), append(refs, b.refs[c.Name])
		}
	}
	var mounted *os.File
	if dir != "" {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer f.Close()
		mounted = f
	}
	_, fs, err := readBtrfs(ctx, media, mounted)
	if err != nil {
		return err
	}
	fs.On = refs
	fs.setLabel([]byte(fs.Label))
	b.Layout.FileSystem[id] = fs
	return nil
}

// deviceNumber is that of a device of btrfs.
func deviceNumber(c *contents) uint64 { return c.found.node.(*btrfsSuper).device.number }
