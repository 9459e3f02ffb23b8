package rebuild

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"rootwc/internal/run"
	"rootwc/probes"
)

// Options are what a plan is made from.
type Options struct {
	Layout    *probes.Layout
	Inventory *probes.Inventory // of the old disks; nil for none
	Boot      *probes.Boot      // nil for none
	Texts     map[string][]byte // what stands beside the layout, by name

	Disks   map[string]string // new disks by ID, serial number or WWN of old ones: paths of devices
	Wipe    []string          // serial numbers or WWNs of disks that may lose what is on them
	Keep    []probes.ID       // partitions that stay as they are, with all that is on them
	Without []probes.Ref      // nodes to leave out, with what stands on them
	Sizes   Sizes             // what may have another size on other disks

	// Slots are the keyslots of an encrypted device whose passphrases are known.
	Slots func(probes.ID, *probes.LUKS) []probes.ID

	Machine    probes.Machine // this one
	Root       string         // where the new machine's file systems are mounted
	Work       string         // a private directory in memory
	Repository string         // path of a repository on this machine, "" for elsewhere
	Variables  Variables      // of the firmware
	Reinstall  bool           // run the machine's own boot loader programs
	Filled     bool           // the disks are set up and mounted: only what follows is planned
}

// Plan is what is done, in its order. What is printed of it is what runs.
type Plan struct {
	Hash     string // names the plan; it holds the layout and the disks
	Disks    []*Target
	Storage  []Step // sets up the storage
	Mounts   []Step // mounts it
	Finish   []Step // when the files are in place
	Refusals []Refusal
	Notes    []string // on what will not be as it was
	Begun    bool     // it was begun before, on these disks
	Done     int      // steps of Storage that are on the disks

	layout *probes.Layout
	left   map[probes.Ref]bool  // nodes that are not made
	marks  map[probes.ID]uint64 // where the disks carry the mark
	root   string
	work   string
}

// planner is a plan in the making.
type planner struct {
	Options
	*Plan
	old        *probes.Layout // before it was given other sizes
	devices    []*probes.Device
	repository []string // names of the disks that it is on
	named      map[string]bool
	without    map[probes.Ref]bool
	kept       map[probes.Ref]bool
	built      map[probes.Ref]bool
}

// Make makes a plan. It looks at the disks, and writes nothing. Everything that
// stands against the plan is in its refusals, all at once; an error is for
// when that could not be found out.
func Make(ctx context.Context, o Options) (*Plan, error) {
	p := &planner{
		Options: o, Plan: &Plan{layout: o.Layout, marks: map[probes.ID]uint64{}, root: o.Root, work: o.Work},
		named: map[string]bool{}, without: map[probes.Ref]bool{}, kept: map[probes.Ref]bool{}, built: map[probes.Ref]bool{},
	}
	var err error
	if p.devices, err = probes.Devices(o.Machine.Sys); err != nil {
		return nil, err
	}
	if o.Repository != "" {
		p.repository = o.Machine.DiskOf(o.Repository, p.devices)
	}
	p.leaveOut()
	p.Plan.left = p.without
	p.targets()
	p.wipesNothing()
	p.fit()
	for _, t := range p.Plan.Disks {
		if at, ok := markPlace(p.Layout, t.Disk, p.Texts[p.Layout.Disk[t.Disk].BootCode]); ok {
			p.Plan.marks[t.Disk] = at
		}
	}
	if p.Plan.Hash, err = p.hash(); err != nil {
		return nil, err
	}
	if err := p.readMarks(); err != nil {
		return nil, err
	}
	for _, t := range p.Plan.Disks {
		if err := p.check(t); err != nil {
			return nil, err
		}
	}
	if err := p.keep(ctx); err != nil {
		return nil, err
	}
	p.storage(ctx)
	p.mounts()
	p.finish(ctx)
	p.programs()
	return p.Plan, nil
}

// fit gives the layout the sizes that the disks allow, where the rules say so.
func (p *planner) fit() {
	p.old = p.Layout
	if len(p.Sizes) == 0 {
		return
	}
	disks := map[probes.ID]uint64{}
	for _, t := range p.Plan.Disks {
		if t.device == nil {
			return // a refusal says that it is not there
		}
		disks[t.Disk] = t.Size
	}
	layout, texts, changes, err := Fit(p.Layout.Without(p.without), p.Texts, disks, p.Sizes)
	if err != nil {
		for _, one := range each(err) {
			p.refuse("", "change the sizes of the description, or leave something out with --without", "%v", one)
		}
		return
	}
	p.Layout, p.Texts, p.Plan.layout = layout, texts, layout
	p.Plan.Notes = append(p.Plan.Notes, changes...)
}

// each are the errors that one joins.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func (p *planner) refuse(node, hint, format string, args ...any) {
	p.Plan.Refusals = append(p.Plan.Refusals, Refusal{probes.Ref(node), fmt.Sprintf(format, args...), hint})
}

// leaveOut marks what the caller does not want, and what stands on that.
func (p *planner) leaveOut() {
	known := p.Layout.Nodes()
	for _, ref := range p.Without {
		if !slices.Contains(known, ref) {
			p.refuse(string(ref), "", "--without %s: the layout has no such node", ref)
		}
		p.without[ref] = true
	}
	p.above(p.without)
	for _, ref := range known {
		if p.without[ref] {
			p.Plan.Notes = append(p.Plan.Notes, fmt.Sprintf("%s is left out", ref))
		}
	}
}

// above adds to a set what stands on its nodes.
func (p *planner) above(set map[probes.Ref]bool) {
	for more := true; more; {
		more = false
		for _, ref := range p.Layout.Nodes() {
			if !set[ref] && slices.ContainsFunc(p.below(ref), func(r probes.Ref) bool { return set[r] }) {
				set[ref], more = true, true
			}
		}
	}
}

// below is what must be there before a node is made. A group is made of its
// physical volumes, and a swap file is made when the files are.
func (p *planner) below(ref probes.Ref) []probes.Ref {
	refs := slices.Clone(p.Layout.On(ref))
	switch ref.Kind() {
	case "vg":
		for id, pv := range p.Layout.PV {
			if pv.VG == ref {
				refs = append(refs, probes.Ref("pv."+id))
			}
		}
	case "raid":
		if j := p.Layout.RAID[ref.ID()].Journal; j != "" {
			refs = append(refs, j)
		}
	}
	slices.Sort(refs)
	return refs
}

// at is the device of a node, when it is there.
func (p *planner) at(ref probes.Ref) string {
	id := ref.ID()
	switch ref.Kind() {
	case "disk":
		for _, t := range p.Plan.Disks {
			if t.Disk == id && t.Device != "" {
				return t.Device
			}
		}
		return "/dev/missing-" + strings.Trim(notPlain.ReplaceAllString(string(id), "-"), "-") // a refusal says so
	case "partition":
		part := p.Layout.Partition[id]
		return PartitionDevice(p.at(part.On), part.Number)
	case "raid":
		return RAIDDevice(id, p.Layout.RAID[id])
	case "luks":
		return LUKSDevice(id, p.Layout.LUKS[id])
	case "lv":
		vg, lv, _ := strings.Cut(string(id), "/")
		return LVDevice(vg, lv)
	}
	return ""
}

var notPlain = regexp.MustCompile(`[^a-z0-9]+`)

// storage puts the steps in order: each node as soon as all that it stands on
// is there, in the order of the layout's text.
func (p *planner) storage(ctx context.Context) {
	left := slices.DeleteFunc(p.Layout.Nodes(), func(ref probes.Ref) bool { return p.without[ref] })
	for len(left) > 0 {
		var later []probes.Ref
		for _, ref := range left {
			if slices.ContainsFunc(p.below(ref), func(r probes.Ref) bool { return !p.built[r] && !p.without[r] }) {
				later = append(later, ref)
				continue
			}
			p.step(ctx, ref)
			p.built[ref] = true
		}
		if len(later) == len(left) {
			p.refuse(string(left[0]), "", "%s stands on something that is not made", left[0])
			return
		}
		left = later
	}
}

// step adds the step that makes a node; a partition, a physical and a logical
// volume are made with what they are part of.
func (p *planner) step(ctx context.Context, ref probes.Ref) {
	layer, device, err := p.layer(ctx, ref)
	if err != nil {
		hint := "to leave it out with all that stands on it: --without " + string(ref)
		if ref.Kind() == "luks" && strings.Contains(err.Error(), "passphrase") {
			hint = "give one with --key-file"
		}
		p.refuse(string(ref), hint, "%v", err)
		return
	}
	if layer == nil {
		return
	}
	s := Step{Node: ref, Title: p.title(ref, device), Layer: *layer, Why: p.why(ref)}
	if p.kept[ref] {
		s.Make, s.Why = nil, "it is kept as it is"
	} else if ref.Kind() == "disk" {
		s.Destroys = p.destroys(ref.ID())
	}
	p.Plan.Storage = append(p.Plan.Storage, s)
	if s.Make != nil {
		p.note(ref, layer.Notes)
	}
}

// note takes in what will not be as it was; each sentence names its node.
func (p *planner) note(ref probes.Ref, notes []string) {
	for _, note := range notes {
		if !strings.Contains(note, string(ref.ID())) {
			note = string(ref) + ": " + note
		}
		p.Plan.Notes = append(p.Plan.Notes, note)
	}
}

// layer is how a node is made; nil for nothing to do.
func (p *planner) layer(ctx context.Context, ref probes.Ref) (*Layer, string, error) {
	id, l := ref.ID(), p.Layout
	var layer Layer
	var err error
	device := ""
	switch ref.Kind() {
	case "disk":
		device = p.at(ref)
		layer, err = p.disks(ref)
	case "raid":
		device = RAIDDevice(id, l.RAID[id])
		devices := map[probes.Ref]string{}
		for _, below := range p.below(ref) {
			devices[below] = p.at(below)
		}
		layer, err = RAID(id, l.RAID[id], devices)
	case "luks":
		device = p.at(l.LUKS[id].On)
		layer, err = LUKS(id, l.LUKS[id], device, p.Slots(id, l.LUKS[id]))
	case "vg":
		layer, err = p.group(id)
	case "filesystem":
		fs := l.FileSystem[id]
		var devices []string
		for _, below := range fs.On {
			devices = append(devices, p.at(below))
		}
		device = run.Quote(devices)
		layer, err = FileSystem(ctx, id, fs, devices, p.start(fs.On), p.Work)
	case "swap":
		if l.Swap[id].File != "" {
			return nil, "", nil
		}
		device = p.at(l.Swap[id].On)
		layer, err = Swap(ctx, id, l.Swap[id], device)
	case "unsupported":
		return nil, "", fmt.Errorf("%s on %s cannot be made again: %s", l.Unknown[id].Type, l.Unknown[id].On, cmp.Or(l.Unknown[id].Why, "rootwc does not know how"))
	default:
		return nil, "", nil
	}
	return &layer, device, err
}

// start is where the first of some devices begins on its disk, in bytes.
func (p *planner) start(on []probes.Ref) uint64 {
	if len(on) == 0 || on[0].Kind() != "partition" {
		return 0
	}
	part := p.Layout.Partition[on[0].ID()]
	return part.FirstLBA * p.Layout.Disk[part.On.ID()].Sector
}

// disks is the step of a disk: its partition table, or nothing.
func (p *planner) disks(ref probes.Ref) (Layer, error) {
	device := p.at(ref)
	if p.Layout.Disk[ref.ID()].Table == "" {
		return Layer{Make: clearDevices(device)}, nil
	}
	t, err := p.Layout.Table(ref.ID())
	if err != nil {
		return Layer{}, err
	}
	if p.keepsOn(ref) {
		return TableKeeping(t, device)
	}
	l, err := Table(t, device)
	return p.marked(ref, l), err
}

// marked has the disk marked again behind what clears it: a power cut may come
// before the table is there whole.
func (p *planner) marked(disk probes.Ref, l Layer) Layer {
	table := slices.IndexFunc(l.Make, func(a Action) bool { return a.Args != nil && a.Args[0] == "sfdisk" })
	i := slices.IndexFunc(p.Plan.Disks, func(t *Target) bool { return t.Disk == disk.ID() && t.device != nil })
	if table < 0 || i < 0 {
		return l
	}
	t, plan := p.Plan.Disks[i], p.Plan
	l.Make = slices.Insert(l.Make, table, Action{
		Words: "mark " + t.Device + " as begun",
		Do:    func() error { return plan.writeMark(t, 0) },
	})
	return l
}

func (p *planner) group(id probes.ID) (Layer, error) {
	g := p.Layout.VG[id]
	text, there := p.Texts[g.Script]
	if !there {
		return Layer{}, fmt.Errorf("volume group %q: its text %s is missing", id, g.Script)
	}
	parsed, err := probes.ParseVGText(string(text))
	if err != nil {
		return Layer{}, fmt.Errorf("%s: %w", g.Script, err)
	}
	pvs := map[probes.ID]PhysicalVolume{}
	for pv, node := range p.Layout.PV {
		if node.VG == probes.Ref("vg."+id) {
			pvs[pv] = PhysicalVolume{node, p.at(node.On)}
		}
	}
	return VG(id, g, parsed, pvs, p.Work)
}

// kinds are words for the titles of steps.
var kinds = map[string]string{"disk": "partition table", "raid": "array", "luks": "encryption", "vg": "volume group", "filesystem": "file system", "swap": "swap"}

func (p *planner) title(ref probes.Ref, device string) string {
	words := kinds[ref.Kind()]
	if fs := p.Layout.FileSystem[ref.ID()]; fs != nil && ref.Kind() == "filesystem" {
		words += " " + fs.Type
	}
	if d := p.Layout.Disk[ref.ID()]; d != nil && ref.Kind() == "disk" {
		words = cmp.Or(d.Table, "no") + " " + words
	}
	words += " " + p.Layout.Name(ref)
	if device != "" {
		words += " on " + device
	}
	return words
}

// why says why a step stands where it does.
func (p *planner) why(ref probes.Ref) string {
	var after []string
	for _, below := range p.below(ref) {
		switch below.Kind() {
		case "partition":
			below = p.Layout.Partition[below.ID()].On
		case "pv":
			below = p.Layout.PV[below.ID()].On
		case "lv":
			below = p.Layout.LV[below.ID()].On
		}
		if below.Kind() == "partition" {
			below = p.Layout.Partition[below.ID()].On
		}
		if !slices.Contains(after, string(below)) {
			after = append(after, string(below))
		}
	}
	if len(after) == 0 {
		return "first: all else stands on it"
	}
	return "after what it stands on: " + strings.Join(after, ", ")
}

// destroys says what is lost with the table of a disk.
func (p *planner) destroys(id probes.ID) string {
	for _, t := range p.Plan.Disks {
		if t.Disk == id && len(t.Holds) > 0 {
			what := fmt.Sprintf("all of %s", t.Device)
			if t.Serial != "" {
				what += ", serial " + t.Serial
			}
			return what + ": " + strings.Join(t.Holds, ", ")
		}
	}
	return ""
}

// programs finds those that are missing.
func (p *planner) programs() {
	missing := map[string]bool{}
	for _, steps := range [][]Step{p.Plan.Storage, p.Plan.Mounts, p.Plan.Finish} {
		for _, s := range steps {
			for _, a := range slices.Concat(s.Make, s.Open, s.Close, s.After) {
				if len(a.Args) == 0 {
					continue
				}
				if _, ok := run.Look(a.Args[0]); !ok {
					missing[a.Args[0]] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		hint := ""
		if pkg := packages[name]; pkg != "" {
			hint = "install the package " + pkg
		}
		p.refuse("", hint, "%s is missing", name)
	}
}

// packages have the programs, in Debian's words.
var packages = map[string]string{
	"sfdisk": "fdisk", "mdadm": "mdadm", "cryptsetup": "cryptsetup-bin", "lvm": "lvm2", "dmsetup": "dmsetup", "wipefs": "util-linux",
	"mke2fs": "e2fsprogs", "tune2fs": "e2fsprogs", "mkfs.xfs": "xfsprogs", "xfs_admin": "xfsprogs", "xfs_db": "xfsprogs",
	"mkfs.btrfs": "btrfs-progs", "btrfs": "btrfs-progs", "mkfs.fat": "dosfstools", "mkfs.vfat": "dosfstools",
	"mkfs.exfat": "exfatprogs", "tune.exfat": "exfatprogs", "mkfs.f2fs": "f2fs-tools", "mkswap": "util-linux",
}
