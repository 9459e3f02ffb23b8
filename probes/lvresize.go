package probes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// lvmStack is a logical volume down to the volumes that it is made of: those
// that lie on physical volumes, and the segments above.
type lvmStack struct {
	lv     *lvmNode
	leaves []*lvmNode // all of one size
	above  []*lvmNode // segments of one size that goes with that of the leaves
}

// Size is how many extents a logical volume has, zero where there is none of
// that name.
func (t *VGText) Size(name string) uint64 { return t.root.group().volume(name).extents() }

// extents is how many a logical volume has.
func (n *lvmNode) extents() (sum uint64) {
	if n == nil {
		return 0
	}
	for _, s := range n.segments() {
		sum += s.number("extent_count")
	}
	return sum
}

// Step is the least by which a logical volume changes, in its own extents, and
// what that takes of physical volumes. It is an error for a volume of a type
// whose size is not to be changed.
func (t *VGText) Step(name string) (extents, takes uint64, err error) {
	p, err := t.root.group().resizable(name)
	if err != nil {
		return 0, 0, err
	}
	return p.step(), p.stripes() * uint64(len(p.leaves)), nil
}

// resizable takes a volume apart, and refuses those that cannot be changed.
func (n *lvmNode) resizable(name string) (*lvmStack, error) {
	lv := n.volume(name)
	if lv == nil || len(lv.segments()) == 0 {
		return nil, errors.New("it is not in the text of its group")
	}
	kind := lv.segments()[0].segmentType()
	if snapshotOf(n, name) != nil {
		kind = "snapshot"
	}
	if why := recordedOnly(n, lv, kind); why != "" {
		return nil, fmt.Errorf("%s: %s", kind, why)
	}
	if err := n.checkExtents(); err != nil {
		return nil, err
	}
	p := &lvmStack{lv: lv}
	if err := n.parts(p, lv, 0); err != nil {
		return nil, err
	}
	size := p.leaves[0].extents()
	for _, leaf := range p.leaves {
		if leaf.extents() != size || size == 0 || lv.extents() == 0 || lv.extents()%size != 0 || len(p.leaves) > 1 && leaf.last().number("stripe_count") != 1 {
			return nil, fmt.Errorf("%s: its parts are not of one size", kind)
		}
	}
	for _, s := range p.above {
		if s.number("extent_count")%size != 0 {
			return nil, fmt.Errorf("%s: its parts are not of one size", kind)
		}
	}
	return p, nil
}

// parts goes down from a volume.
func (n *lvmNode) parts(p *lvmStack, lv *lvmNode, depth int) error {
	segments := lv.segments()
	if len(segments) == 0 || depth > 4 { // LVM stacks three
		return fmt.Errorf("%s: it has no segments", lv.key)
	}
	s := segments[0]
	kind := s.segmentType()
	if kind == "linear" || kind == "striped" {
		for _, s := range segments {
			if !n.onVolumes(s) {
				return fmt.Errorf("%s: not all of it lies on physical volumes", lv.key)
			}
		}
		p.leaves = append(p.leaves, lv)
		return nil
	}
	var below []string
	switch {
	case len(segments) > 1:
		return fmt.Errorf("%s: several segments of type %s", lv.key, kind)
	case kind == "thin-pool":
		below = s.texts("pool")
	case kind == "mirror":
		below = every(s.texts("mirrors"), 0)
	case kind == "raid0":
		below = s.texts("raid0_lvs")
	case strings.HasPrefix(kind, "raid"): // metadata and data in turn
		below = every(s.texts("raids"), 1)
	}
	if len(below) == 0 {
		return fmt.Errorf("the size of a volume of type %s is its own", kind)
	}
	p.above = append(p.above, s)
	for _, name := range below {
		lv := n.volume(name)
		if lv == nil {
			return fmt.Errorf("%s is not there", name)
		}
		if err := n.parts(p, lv, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// every takes each second item, the first of which has that index.
func every(list []string, index int) (some []string) {
	for i := index; i < len(list); i += 2 {
		some = append(some, list[i])
	}
	return some
}

// onVolumes tells whether a segment lies on physical volumes.
func (n *lvmNode) onVolumes(s *lvmNode) bool {
	places := s.places("")
	kind := s.segmentType()
	return (kind == "linear" || kind == "striped") && len(places) > 0 && uint64(len(places)) == s.number("stripe_count") &&
		!slices.ContainsFunc(places, func(p lvmPiece) bool { return n.find("physical_volumes").find(p.pv) == nil })
}

// last is the last segment of a volume.
func (n *lvmNode) last() *lvmNode {
	all := n.segments()
	return all[len(all)-1]
}

// stripes is how many extents a part changes by at once.
func (p *lvmStack) stripes() uint64 { return p.leaves[0].last().number("stripe_count") }

// step is that of the whole volume.
func (p *lvmStack) step() uint64 {
	return p.stripes() * (p.lv.extents() / p.leaves[0].extents())
}

// linear tells whether the volume may lie anywhere, extent by extent.
func (p *lvmStack) linear() bool {
	striped := func(s *lvmNode) bool { return s.number("stripe_count") != 1 }
	return len(p.leaves) == 1 && !slices.ContainsFunc(p.leaves[0].segments(), striped)
}

// change does something to the leaves, and has the segments above follow.
func (n *lvmNode) change(p *lvmStack, do func()) {
	before := p.leaves[0].extents()
	do()
	for _, s := range p.above {
		s.set("extent_count", s.number("extent_count")/before*p.leaves[0].extents())
	}
	for _, lv := range n.sections("logical_volumes") {
		for _, s := range lv.segments() {
			if s.text("type") == "snapshot" && s.text("origin") == p.lv.key {
				s.set("extent_count", p.lv.extents())
			}
		}
	}
}

// Grow makes a logical volume larger by at most that many extents, as far as
// the physical volumes of all its parts have room: a linear one takes what there
// is anywhere, each part of another stays on the physical volume that it is on.
// It returns by how many.
func (t *VGText) Grow(name string, extents uint64) (uint64, error) {
	group := t.root.group()
	p, err := group.resizable(name)
	if err != nil {
		return 0, err
	}
	before := p.lv.extents()
	group.change(p, func() { group.grow(p, extents/p.step()) })
	return p.lv.extents() - before, p.checkRegions(group)
}

// grow lengthens each part by so many extents of each physical volume, as far
// as there are any.
func (n *lvmNode) grow(p *lvmStack, count uint64) {
	for count > 0 {
		some := count
		taken := map[lvmRun]bool{}
		var ends []lvmEnd
		for _, leaf := range p.leaves {
			end := n.end(leaf, p, taken)
			if end.runs == nil {
				return
			}
			for _, r := range end.runs {
				some = min(some, r.count)
			}
			ends = append(ends, end)
		}
		for _, end := range ends {
			end.add(some)
		}
		count -= some
	}
}

// lvmEnd is where a volume can go on, with a run for each stripe.
type lvmEnd struct {
	lv       *lvmNode
	runs     []lvmRun
	adjacent bool
}

// end looks for free runs: right behind the volume, then on the physical volumes
// that it is on, then on others where it may be.
func (n *lvmNode) end(leaf *lvmNode, p *lvmStack, taken map[lvmRun]bool) lvmEnd {
	end := lvmEnd{lv: leaf, adjacent: true}
	places := leaf.last().places("")
	for _, place := range places {
		runs := n.runs(place.pv, taken)
		if i := slices.IndexFunc(runs, func(r lvmRun) bool { return r.first == place.end() }); i >= 0 {
			end.runs = append(end.runs, runs[i])
		}
	}
	policy := n.allocation(p.lv)
	if len(end.runs) < len(places) {
		end.runs, end.adjacent = nil, false
		if policy == "contiguous" {
			return end
		}
		for _, place := range places {
			runs := n.runs(place.pv, taken)
			if p.linear() && len(runs) == 0 {
				runs = n.elsewhere(leaf, policy, taken)
			}
			if len(runs) == 0 {
				return lvmEnd{}
			}
			r := slices.MaxFunc(runs, func(a, b lvmRun) int { return int(a.count) - int(b.count) })
			end.runs = append(end.runs, r)
			taken[r] = true
		}
	}
	for _, r := range end.runs {
		taken[r] = true
	}
	return end
}

// runs are those of a physical volume that are free and not taken.
func (n *lvmNode) runs(pv string, taken map[lvmRun]bool) []lvmRun {
	section := n.find("physical_volumes").find(pv)
	if section == nil || !slices.Contains(section.texts("status"), "ALLOCATABLE") {
		return nil
	}
	return slices.DeleteFunc(n.free(section), func(r lvmRun) bool { return taken[r] })
}

// elsewhere are runs on the next physical volume that a linear volume may have.
func (n *lvmNode) elsewhere(leaf *lvmNode, policy string, taken map[lvmRun]bool) []lvmRun {
	for _, pv := range n.sections("physical_volumes") {
		on := slices.ContainsFunc(leaf.segments(), func(s *lvmNode) bool { return len(s.places(pv.key)) > 0 })
		if strings.HasPrefix(policy, "cling") && !on {
			continue
		}
		if runs := n.runs(pv.key, taken); len(runs) > 0 {
			return runs
		}
	}
	return nil
}

// allocation is the policy for a volume: its own or that of the group.
func (n *lvmNode) allocation(lv *lvmNode) string {
	if policy := lv.text("allocation_policy"); policy != "" && policy != "inherit" {
		return policy
	}
	return n.text("allocation_policy")
}

// add lengthens the volume by count extents a stripe.
func (e lvmEnd) add(count uint64) {
	last := e.lv.last()
	stripes := uint64(len(e.runs))
	if e.adjacent {
		last.set("extent_count", last.number("extent_count")+count*stripes)
		return
	}
	s := last.clone()
	s.key = fmt.Sprint("segment", len(e.lv.segments())+1)
	s.set("start_extent", e.lv.extents())
	s.set("extent_count", count*stripes)
	for i, r := range e.runs {
		s.find("stripes").values[2*i] = lvmValue{text: r.pv}
		s.find("stripes").values[2*i+1] = lvmNumber(r.first)
	}
	e.lv.nodes = append(e.lv.nodes, s)
	e.lv.set("segment_count", uint64(len(e.lv.segments())))
}

// checkRegions refuses what the kernel does: more than 2^21 regions of a raid
// (drivers/md/dm-raid.c, validate_region_size).
func (p *lvmStack) checkRegions(group *lvmNode) error {
	for _, s := range p.above {
		if size := s.number("region_size"); size > 0 && s.number("extent_count")*group.number("extent_size")>>21 > size {
			return fmt.Errorf("regions of %d sectors are too small for it", size)
		}
	}
	return nil
}

// Shrinkable is how many extents of a physical volume a logical volume can give
// up while it keeps least of its own.
func (t *VGText) Shrinkable(name string, pv ID, least uint64) (uint64, error) {
	group := t.root.group()
	p, err := group.resizable(name)
	section := group.physical(pv)
	if err != nil || section == nil {
		return 0, err
	}
	spare := p.lv.extents() - min(p.lv.extents(), max(1, least))
	var on uint64
	for _, leaf := range p.leaves {
		for _, s := range leaf.segments() {
			for _, place := range s.places(section.key) {
				on += place.count
			}
		}
	}
	if p.linear() {
		return min(on, spare), nil
	}
	var each, most uint64 // of the last segments, which are cut
	for i, leaf := range p.leaves {
		last := leaf.last()
		each += uint64(len(last.places(section.key)))
		if n := last.number("extent_count") / p.stripes(); i == 0 || n < most {
			most = n
		}
	}
	if len(p.leaves[0].segments()) == 1 {
		most-- // something stays
	}
	return min(spare/p.step(), most) * each, nil
}

// Shrink makes a logical volume smaller, so that it gives up that many extents
// of a physical volume, of those that [VGText.Shrinkable] says it can: a linear
// one from anywhere, since it has no content, others from their ends.
func (t *VGText) Shrink(name string, pv ID, extents uint64) error {
	group := t.root.group()
	p, err := group.resizable(name)
	section := group.physical(pv)
	if err != nil || section == nil || extents == 0 {
		return err
	}
	if !p.linear() {
		var each uint64
		for _, leaf := range p.leaves {
			each += uint64(len(leaf.last().places(section.key)))
		}
		count := (extents + each - 1) / max(1, each) * p.stripes()
		group.change(p, func() {
			for _, leaf := range p.leaves {
				leaf.shorten(leaf.last(), count)
			}
		})
		return nil
	}
	group.change(p, func() {
		leaf := p.leaves[0]
		segments := leaf.segments()
		for _, s := range slices.Backward(segments) {
			if len(s.places(section.key)) > 0 {
				some := min(extents, s.number("extent_count"))
				leaf.shorten(s, some)
				extents -= some
			}
		}
	})
	return nil
}

// shorten cuts a segment of a volume at its end, or takes it away.
func (n *lvmNode) shorten(s *lvmNode, count uint64) {
	s.set("extent_count", s.number("extent_count")-count)
	if s.number("extent_count") == 0 {
		n.nodes = slices.DeleteFunc(n.nodes, func(c *lvmNode) bool { return c == s })
	}
	at := uint64(0)
	for i, s := range n.segments() {
		s.key = fmt.Sprint("segment", i+1)
		s.set("start_extent", at)
		at += s.number("extent_count")
	}
	n.set("segment_count", uint64(len(n.segments())))
}

// Volumes are the logical volumes that are seen, in the order of the text.
func (t *VGText) Volumes() (names []string) {
	group := t.root.group()
	for _, lv := range group.sections("logical_volumes") {
		if visible(group, lv) {
			names = append(names, lv.key)
		}
	}
	return names
}
