package rebuild

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rootwc/internal/run"
	"rootwc/probes"
)

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
		s.Make, s.Title, s.Why = nil, "keep "+s.Title, "it is there as it should be"
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
