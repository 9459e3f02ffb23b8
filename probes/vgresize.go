package probes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The methods in this file change a text so that the group takes devices and
// volumes of other sizes. They change the text they are called on, and nothing
// on a disk: what they move has no content, because the group is made anew.

// Clone is a copy.
func (t *VGText) Clone() *VGText { return t.with(t.root.group().clone()) }

// ExtentSize is in bytes.
func (t *VGText) ExtentSize() uint64 { return t.root.group().number("extent_size") * lvmSector }

// DeviceSize is that of the device of a physical volume in bytes, as the text
// has it.
func (t *VGText) DeviceSize(id ID) uint64 {
	return t.root.group().physical(id).number("dev_size") * lvmSector
}

// Extents is how many a physical volume has.
func (t *VGText) Extents(id ID) uint64 { return t.root.group().physical(id).number("pe_count") }

// SetDeviceSize is for a physical volume whose device had old bytes, and has
// now ones. What stands behind its extents, a second copy of the metadata for
// one, stays as large.
func (t *VGText) SetDeviceSize(id ID, old, now uint64, copies int) error {
	group := t.root.group()
	pv := group.physical(id)
	if pv == nil {
		return fmt.Errorf("physical volume %s is not in the text", id)
	}
	if err := group.checkExtents(); err != nil {
		return err
	}
	extent, size := group.number("extent_size"), cmp.Or(pv.number("dev_size"), old/lvmSector)
	if extent == 0 {
		return errors.New("no extent size")
	}
	used := pv.number("pe_start") + pv.number("pe_count")*extent
	tail := size - min(size, used)
	if now >= old {
		size += (now - old) / lvmSector
	} else {
		size = min(size, now/lvmSector)
	}
	switch {
	case copies > 1:
		tail += size % (1 << 20 / lvmSector) // LVM aligns the second copy
	case tail < extent:
		tail = 0
	}
	start := pv.number("pe_start") + tail
	if size < start+extent {
		return fmt.Errorf("physical volume %s: %d bytes have no room for an extent", id, size*lvmSector)
	}
	pv.set("dev_size", size)
	pv.set("pe_count", (size-start)/extent)
	return nil
}

// Free is how many extents of a physical volume belong to no volume.
func (t *VGText) Free(id ID) (n uint64) {
	group := t.root.group()
	if pv := group.physical(id); pv != nil {
		for _, r := range group.free(pv) {
			n += r.count
		}
	}
	return n
}

// Lacking is how many extents the volumes have of a physical volume beyond
// those that it has.
func (t *VGText) Lacking(id ID) uint64 {
	group := t.root.group()
	pv := group.physical(id)
	if pv == nil {
		return 0
	}
	var used uint64
	for _, p := range group.pieces(pv.key) {
		used += p.count
	}
	return used - min(used, pv.number("pe_count"))
}

// Compact moves the volumes on a physical volume to its start, when one of them
// is behind its end.
func (t *VGText) Compact(id ID) {
	group := t.root.group()
	pv := group.physical(id)
	if pv == nil {
		return
	}
	pieces := group.pieces(pv.key)
	if len(pieces) == 0 || pieces[len(pieces)-1].end() <= pv.number("pe_count") {
		return
	}
	at := uint64(0)
	for _, p := range pieces {
		p.place.values[p.index+1] = lvmNumber(at)
		at += p.count
	}
}

// checkExtents refuses numbers that LVM does not have, so that sums of them are
// numbers.
func (n *lvmNode) checkExtents() error {
	for _, pv := range n.sections("physical_volumes") {
		if _, err := n.area(pv, "0", pv.number("pe_count")); err != nil {
			return fmt.Errorf("physical volume %s: %w", pv.key, err)
		}
	}
	const limit = 1 << 31
	for _, lv := range n.sections("logical_volumes") {
		for _, s := range lv.segments() {
			places := s.places("")
			if s.number("extent_count") > limit || slices.ContainsFunc(places, func(p lvmPiece) bool { return p.first > limit }) {
				return fmt.Errorf("logical volume %s: a segment of %d extents: more than LVM has", lv.key, s.number("extent_count"))
			}
		}
	}
	return nil
}

// lvmRun is a run of extents of a physical volume.
type lvmRun struct {
	pv           string // its name in the text
	first, count uint64
}

func (r lvmRun) end() uint64 { return r.first + r.count }

// lvmPiece is a run that belongs to a segment.
type lvmPiece struct {
	lvmRun
	segment *lvmNode
	place   *lvmNode // the list that has it
	index   int      // of its first value there
}

// pieces are what the volumes have of a physical volume, by place.
func (n *lvmNode) pieces(pv string) (all []lvmPiece) {
	for _, lv := range n.sections("logical_volumes") {
		for _, s := range lv.segments() {
			all = append(all, s.places(pv)...)
		}
	}
	slices.SortStableFunc(all, func(a, b lvmPiece) int { return cmp.Compare(a.first, b.first) })
	return all
}

// places are what a segment has of a physical volume, or of all for "".
func (n *lvmNode) places(pv string) (all []lvmPiece) {
	for _, key := range placeReferences {
		place := n.find(key)
		if place == nil {
			continue
		}
		count := n.number("extent_count")
		if key == "stripes" {
			count /= max(1, n.number("stripe_count"))
		}
		for i := 0; i+1 < len(place.values); i += 2 {
			if name := place.values[i].text; pv == "" || name == pv {
				all = append(all, lvmPiece{lvmRun{name, place.values[i+1].number64(), count}, n, place, i})
			}
		}
	}
	return all
}

// free are the runs of a physical volume that belong to no segment.
func (n *lvmNode) free(pv *lvmNode) (all []lvmRun) {
	at := uint64(0)
	add := func(end uint64) {
		if end > at {
			all = append(all, lvmRun{pv.key, at, end - at})
		}
	}
	for _, p := range n.pieces(pv.key) {
		add(p.first)
		at = max(at, p.end())
	}
	add(pv.number("pe_count"))
	return all
}

// physical is the section of a physical volume, nil for none.
func (n *lvmNode) physical(id ID) *lvmNode {
	for _, pv := range n.sections("physical_volumes") {
		if ID(pv.text("id")) == id {
			return pv
		}
	}
	return nil
}

// set gives a key a number; it is added when it is not there.
func (n *lvmNode) set(key string, number uint64) {
	c := n.find(key)
	if c == nil {
		c = &lvmNode{key: key}
		n.nodes = append(n.nodes, c)
	}
	c.values = []lvmValue{lvmNumber(number)}
}

func lvmNumber(n uint64) lvmValue { return lvmValue{strconv.FormatUint(n, 10), true} }

// number64 is the value as a number, zero when it is none.
func (v lvmValue) number64() uint64 {
	n, _ := strconv.ParseUint(v.text, 10, 64)
	return n
}
