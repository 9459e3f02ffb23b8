package probes

import (
	"slices"
	"strconv"
)

// ThinPool is what a text says of a thin pool that the pool's own metadata,
// which are not recorded, must say as well.
type ThinPool struct {
	Name        string
	Transaction uint64
	Devices     []uint64 // device ids of the thin volumes, snapshots too
}

// ThinPools are the thin pools, in the order of the text.
func (t *VGText) ThinPools() (pools []ThinPool) {
	group := t.root.group()
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			if s.segmentType() != "thin-pool" {
				continue
			}
			pool := ThinPool{Name: lv.key, Transaction: s.number("transaction_id")}
			for _, other := range group.sections("logical_volumes") {
				for _, thin := range other.segments() {
					if thin.segmentType() == "thin" && thin.text("thin_pool") == lv.key {
						pool.Devices = append(pool.Devices, thin.number("device_id"))
					}
				}
			}
			pools = append(pools, pool)
		}
	}
	return pools
}

// NewPools is the text with all thin pools at transaction 0, as a pool without
// metadata is.
func (t *VGText) NewPools() *VGText {
	group := t.root.group().clone()
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			if n := s.find("transaction_id"); n != nil {
				n.values = []lvmValue{{"0", true}}
			}
		}
	}
	return t.with(group)
}

// WithoutSnapshots is the text without the stores of snapshots, whose contents
// are gone, and without the volumes that tie them to their origins.
func (t *VGText) WithoutSnapshots() *VGText {
	group := t.root.group().clone()
	var gone []string
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			if s.text("type") == "snapshot" {
				gone = append(gone, lv.key, s.text("cow_store"), s.text("merging_store"))
			}
		}
	}
	if volumes := group.find("logical_volumes"); volumes != nil {
		volumes.drop(gone...)
	}
	return t.with(group)
}

// with is the text with another group.
func (t *VGText) with(group *lvmNode) *VGText {
	root := &lvmNode{section: true}
	for _, n := range t.root.nodes {
		if n.section {
			n = group
		}
		root.nodes = append(root.nodes, n)
	}
	return &VGText{root}
}

// PVArea is a part of a physical volume, in bytes from the start of its device.
type PVArea struct {
	PV       ID
	At, Size uint64
}

// MetadataAreas are where the metadata of raids, mirrors, thin pools and caches
// are. They are not recorded, and whatever is there must become zeros before
// the volumes are active.
func (t *VGText) MetadataAreas() (areas []PVArea) {
	group := t.root.group()
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			names := []string{s.text("metadata"), s.text("mirror_log")}
			raids := s.texts("raids") // metadata and data in turn
			for i := 0; i+1 < len(raids); i += 2 {
				names = append(names, raids[i])
			}
			for _, name := range names {
				areas = append(areas, group.areas(name, 0)...)
			}
		}
	}
	return areas
}

// areas are where a volume is, by way of the volumes that it is made of.
func (n *lvmNode) areas(name string, depth int) (areas []PVArea) {
	lv := n.volume(name)
	if lv == nil || depth > 4 { // LVM stacks three
		return nil
	}
	extent := n.number("extent_size") * lvmSector
	for _, s := range lv.segments() {
		for _, below := range slices.Concat(s.texts("raids"), s.texts("raid0_lvs")) {
			areas = append(areas, n.areas(below, depth+1)...)
		}
		stripes := s.texts("stripes")
		for i := 0; i+1 < len(stripes); i += 2 {
			pv := n.find("physical_volumes").find(stripes[i])
			at, err := strconv.ParseUint(stripes[i+1], 10, 64)
			if pv == nil || err != nil {
				continue
			}
			areas = append(areas, PVArea{ID(pv.text("id")), pv.number("pe_start")*lvmSector + at*extent,
				s.number("extent_count") / max(1, s.number("stripe_count")) * extent})
		}
	}
	return areas
}
