package probes

import (
	"fmt"
	"slices"
)

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
