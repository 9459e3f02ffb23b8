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
