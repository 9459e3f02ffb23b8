package rebuild

import (
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

// Noted says whether a note is about a node, by its whole name: "vg0/home" is not
// about "vg0/ho".
func (p *Plan) Noted(node probes.Ref) bool {
	about := regexp.MustCompile(`(^|[^\w+/-])` + regexp.QuoteMeta(string(node.ID())) + `($|[^\w+-])`)
	return slices.ContainsFunc(p.Notes, about.MatchString)
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
	p.taken()
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
