package rebuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// fitGroup gives a volume group its devices as they are now, and its volumes
// the room that there is.
func (f *fitting) fitGroup(id probes.ID) {
	if f.groups[id] || f.new.VG[id] == nil {
		return
	}
	f.groups[id] = true
	ref := probes.Ref("vg." + id)
	spans, elastic, changed := map[probes.ID]span{}, f.volumes(id), false
	for pv, p := range f.new.PV {
		if p.VG == ref {
			spans[pv] = f.device(p.On)
			changed = changed || spans[pv].old != spans[pv].new
		}
	}
	if !changed && len(elastic) == 0 {
		return
	}
	text, err := f.text(id)
	if err != nil {
		f.failed(ref, "%w", err)
		return
	}
	before := text.String()
	if err := f.fitText(text, spans, elastic); err != nil {
		f.failed(ref, "%w", err)
		return
	}
	if now := text.String(); now != before {
		f.texts[f.new.VG[id].Script] = []byte(now)
	}
	for _, lv := range elastic {
		_, id := split(lv)
		f.new.LV[id].Size = text.Size(volumeName(id)) * text.ExtentSize()
	}
}

// volumes are the logical volumes of a group that have a rule.
func (f *fitting) volumes(group probes.ID) (refs []probes.Ref) {
	for _, id := range sorted(f.new.LV) {
		if ref := probes.Ref("lv." + id); f.new.LV[id].On == probes.Ref("vg."+group) && f.sizes[ref].elastic() {
			refs = append(refs, ref)
		}
	}
	return refs
}

// volumeName is a logical volume's within its group.
func volumeName(id probes.ID) string {
	_, name, _ := strings.Cut(string(id), "/")
	return name
}

// text is that of a group.
func (f *fitting) text(id probes.ID) (*probes.VGText, error) {
	g := f.new.VG[id]
	content, ok := f.texts[g.Script]
	switch {
	case g.Unsupported != "":
		return nil, errors.New(g.Unsupported)
	case !ok:
		return nil, fmt.Errorf("its text %q is not there", g.Script)
	}
	text, err := probes.ParseVGText(string(content))
	if err == nil && text.ExtentSize() == 0 {
		err = errors.New("its text has no extent size")
	}
	return text, err
}

// deviceSize is what the text of its group says of a physical volume's device;
// zero for unknown.
func (f *fitting) deviceSize(pv probes.ID) uint64 {
	_, group := split(f.new.PV[pv].VG)
	if f.new.VG[group] == nil {
		return 0
	}
	text, err := f.text(group)
	if err != nil {
		return 0
	}
	return text.DeviceSize(pv)
}

// groupSize is how large the extents are together; zero for unknown.
func (f *fitting) groupSize(g *probes.VG, texts map[string][]byte) (sum uint64) {
	text, err := probes.ParseVGText(string(texts[g.Script]))
	if err != nil {
		return 0
	}
	for _, pv := range text.PVs() {
		sum += text.Extents(pv) * text.ExtentSize()
	}
	return sum
}

// fitText changes the text: first the physical volumes, then the volumes that
// have to give room, then those that may take it.
func (f *fitting) fitText(text *probes.VGText, spans map[probes.ID]span, elastic []probes.Ref) error {
	if err := f.sizes.alone(elastic); err != nil {
		return err
	}
	more := false
	for _, pv := range sorted(spans) {
		s, had := spans[pv], text.Extents(pv)
		if s.old == s.new {
			continue
		}
		if err := text.SetDeviceSize(pv, s.old, s.new, f.new.PV[pv].MetadataCopies); err != nil {
			return err
		}
		more = more || text.Extents(pv) > had
	}
	lacking := false
	for _, pv := range text.PVs() {
		if missing, err := f.giveRoom(text, pv, elastic); err != nil {
			return err
		} else if missing > 0 {
			lacking = true
			f.lack(pv, missing*text.ExtentSize())
		}
		text.Compact(pv)
	}
	if lacking {
		return nil
	}
	return f.takeRoom(text, elastic, more)
}

// giveRoom makes volumes smaller until a physical volume has all that is on it.
// missing is in extents.
func (f *fitting) giveRoom(text *probes.VGText, pv probes.ID, elastic []probes.Ref) (missing uint64, err error) {
	lack := text.Lacking(pv)
	if lack == 0 {
		return 0, nil
	}
	var weights []uint64
	var least []int64
	for _, ref := range elastic {
		name, size := f.volume(ref)
		rule := f.sizes[ref]
		extents := (rule.least(size) + text.ExtentSize() - 1) / text.ExtentSize()
		most, err := text.Shrinkable(name, pv, extents)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", ref, err)
		}
		weights, least = append(weights, size), append(least, -int64(most))
	}
	parts, short := divide(-int64(lack), weights, least)
	for i, ref := range elastic {
		name, _ := f.volume(ref)
		if err := text.Shrink(name, pv, uint64(-parts[i])); err != nil {
			return 0, fmt.Errorf("%s: %w", ref, err)
		}
	}
	return uint64(short), nil
}

// volume is the name and the size of an elastic volume.
func (f *fitting) volume(ref probes.Ref) (string, uint64) {
	_, id := split(ref)
	return volumeName(id), f.old.LV[id].Size
}

// takeRoom gives what is free to the elastic volumes. With more, there are new
// extents, and a volume that cannot have any of them is an error.
func (f *fitting) takeRoom(text *probes.VGText, elastic []probes.Ref, more bool) error {
	var free uint64
	for _, pv := range text.PVs() {
		free += text.Free(pv)
	}
	var weights []uint64
	for _, ref := range elastic {
		_, size := f.volume(ref)
		weights = append(weights, size)
	}
	parts, _ := divide(int64(free), weights, make([]int64, len(elastic)))
	order := make([]int, len(elastic))
	for i := range order {
		order[i] = i
	}
	wide := func(i int) int { // what needs room in several places goes first
		name, _ := f.volume(elastic[i])
		_, takes, _ := text.Step(name)
		return int(takes)
	}
	slices.SortStableFunc(order, func(a, b int) int { return wide(b) - wide(a) })
	for _, i := range order {
		name, _ := f.volume(elastic[i])
		step, takes, err := text.Step(name)
		if err != nil {
			return fmt.Errorf("%s: %w", elastic[i], err)
		}
		steps := uint64(parts[i]) / takes
		got, err := text.Grow(name, steps*step)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", elastic[i], err)
		case more && steps > 0 && got == 0:
			return fmt.Errorf("%s: not all physical volumes that its parts are on have room for it to grow", elastic[i])
		}
	}
	return nil
}

// lack says of the disks below a physical volume that they are too small.
func (f *fitting) lack(pv probes.ID, missing uint64) {
	for _, disk := range f.below(f.new.PV[pv].On, map[probes.Ref]bool{}) {
		f.fail(&TooSmall{Disk: disk, Missing: missing, Why: fmt.Sprintf("physical volume %s has no room for its volumes", pv)})
	}
}

// below are the disks that a node stands on.
func (f *fitting) below(ref probes.Ref, seen map[probes.Ref]bool) (disks []probes.ID) {
	if seen[ref] {
		return nil
	}
	seen[ref] = true
	kind, id := split(ref)
	var on []probes.Ref
	switch kind {
	case "disk":
		return []probes.ID{id}
	case "partition":
		on = []probes.Ref{f.new.Partition[id].On}
	case "luks":
		on = []probes.Ref{f.new.LUKS[id].On}
	case "raid":
		on = f.new.RAID[id].On
	case "lv":
		for _, pv := range sorted(f.new.PV) {
			if f.new.PV[pv].VG == f.new.LV[id].On {
				on = append(on, f.new.PV[pv].On)
			}
		}
	}
	for _, ref := range on {
		disks = append(disks, f.below(ref, seen)...)
	}
	return disks
}
