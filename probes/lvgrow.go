package probes

import (
	"fmt"
	"slices"
	"strings"
)

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
