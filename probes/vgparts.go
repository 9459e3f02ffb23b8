package probes

import (
	"fmt"
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

// Name is the name of the group. It is checked, as those of its volumes are.
func (t *VGText) Name() (ID, error) {
	group := t.root.group()
	for _, n := range append(group.sections("logical_volumes"), group) {
		if !isLVMName(n.key) {
			return "", fmt.Errorf("%q is no name that LVM gives", n.key)
		}
	}
	return ID(group.key), nil
}

// SystemID is that of the machine that the group belongs to, "" for any.
func (t *VGText) SystemID() string { return t.root.group().text("system_id") }

// PVs are the physical volumes.
func (t *VGText) PVs() (ids []ID) {
	for _, pv := range t.root.group().sections("physical_volumes") {
		ids = append(ids, ID(pv.text("id")))
	}
	return ids
}

// ReadOnly are the volumes that are seen and not written to.
func (t *VGText) ReadOnly() (names []string) {
	group := t.root.group()
	for _, lv := range group.sections("logical_volumes") {
		if visible(group, lv) && !slices.Contains(lv.texts("status"), "WRITE") {
			names = append(names, lv.key)
		}
	}
	return names
}

// Restorable is the text without the volumes that are not made again, and the
// reason for each: snapshots, whose contents are gone, and others that are
// recorded only. It is an error when one of the others needs such a volume.
func (t *VGText) Restorable() (text *VGText, left map[ID]string, err error) {
	group := t.root.group().clone()
	left = map[ID]string{}
	var kept, gone []string
	for _, lv := range group.sections("logical_volumes") {
		segments := lv.segments()
		if len(segments) == 0 {
			return nil, nil, fmt.Errorf("logical volume %q has no segment", lv.key)
		}
		kind := segments[0].segmentType()
		if snapshotOf(group, lv.key) != nil {
			kind = "snapshot"
		}
		why := recordedOnly(group, lv, kind)
		switch {
		case segments[0].text("type") == "snapshot": // it ties a snapshot to its origin
			gone = append(gone, lv.key)
		case visible(group, lv) && why != "":
			gone = append(gone, lv.key)
			left[ID(lv.key)] = why
		case visible(group, lv):
			kept = append(kept, lv.key)
		}
	}
	needed := group.below(kept)
	for _, name := range gone {
		if needed[name] {
			return nil, nil, fmt.Errorf("logical volume %q is needed by another and is not made again: %s", name, left[ID(name)])
		}
	}
	for name := range group.below(gone) {
		if !needed[name] {
			group.find("logical_volumes").drop(name)
		}
	}
	return t.with(group), left, nil
}

// lvReferences are the keys in a segment whose values are logical volumes.
// Those of placeReferences are volumes of either kind, each with a number.
var placeReferences = []string{"stripes", "mirrors"}
var lvReferences = []string{"raids", "raid0_lvs", "mirror_log", "metadata", "data", "pool", "thin_pool", "cache_pool",
	"origin", "external_origin", "merge", "cow_store", "merging_store", "writecache", "meta_dev", "vdo_pool"}

// below are volumes with all that they are made of or need otherwise.
func (n *lvmNode) below(names []string) map[string]bool {
	all := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		lv := n.volume(name)
		if lv == nil || all[name] {
			continue
		}
		all[name] = true
		for _, s := range lv.segments() {
			for _, key := range lvReferences {
				names = append(names, s.texts(key)...)
			}
			for _, key := range placeReferences {
				for i, place := range s.texts(key) {
					if i%2 == 0 && n.find("physical_volumes").find(place) == nil {
						names = append(names, place)
					}
				}
			}
		}
	}
	return all
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
func (t *VGText) MetadataAreas() (areas []PVArea, err error) {
	group := t.root.group()
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			for _, name := range s.metadata() {
				more, err := group.areas(name, 0)
				if err != nil {
					return nil, fmt.Errorf("logical volume %q: %w", name, err)
				}
				areas = append(areas, s.cut(name, more)...)
			}
		}
	}
	return areas, nil
}

// metadata are the volumes with metadata of a segment.
func (n *lvmNode) metadata() (names []string) {
	names = []string{n.text("metadata"), n.text("mirror_log")}
	if n.usesCacheVolume() {
		names = append(names, n.text("cache_pool"))
	}
	raids := n.texts("raids") // metadata and data in turn
	for i := 0; i+1 < len(raids); i += 2 {
		names = append(names, raids[i])
	}
	return names
}

// usesCacheVolume tells whether data and metadata of a cache are in one volume.
func (n *lvmNode) usesCacheVolume() bool { return n.find("metadata_len") != nil }

// cut leaves of a cache volume what is metadata, which are at its start.
func (n *lvmNode) cut(name string, areas []PVArea) []PVArea {
	if !n.usesCacheVolume() || name != n.text("cache_pool") {
		return areas
	}
	for i := range areas {
		areas[i].Size = min(areas[i].Size, (n.number("metadata_start")+n.number("metadata_len"))*lvmSector)
	}
	return areas
}

// areas are where a volume is, by way of the volumes that it is made of.
func (n *lvmNode) areas(name string, depth int) (areas []PVArea, err error) {
	lv := n.volume(name)
	if lv == nil || depth > 4 { // LVM stacks three
		return nil, nil
	}
	for _, s := range lv.segments() {
		for _, below := range slices.Concat(s.texts("raids"), s.texts("raid0_lvs")) {
			more, err := n.areas(below, depth+1)
			if err != nil {
				return nil, err
			}
			areas = append(areas, more...)
		}
		stripes := s.texts("stripes")
		for i := 0; i+1 < len(stripes); i += 2 {
			pv := n.find("physical_volumes").find(stripes[i])
			if pv == nil {
				continue
			}
			area, err := n.area(pv, stripes[i+1], s.number("extent_count")/max(1, s.number("stripe_count")))
			if err != nil {
				return nil, err
			}
			areas = append(areas, area)
		}
	}
	return areas, nil
}

// area is a number of extents of a physical volume in bytes.
func (n *lvmNode) area(pv *lvmNode, first string, count uint64) (PVArea, error) {
	const limit = 1 << 31 // of LVM, for extents and for their size in sectors
	at, err := strconv.ParseUint(first, 10, 64)
	extent, start := n.number("extent_size"), pv.number("pe_start")
	if err != nil || at > limit || count > limit || extent > limit || start > limit {
		return PVArea{}, fmt.Errorf("%d extents of %d sectors at %s, %d: more than LVM has", count, extent, first, start)
	}
	// at most 2^62 sectors, which LVM cannot have; a disk has fewer than 2^54
	if start+(at+count)*extent > 1<<54 {
		return PVArea{}, fmt.Errorf("extent %d is behind all disks", at+count)
	}
	return PVArea{ID(pv.text("id")), (start + at*extent) * lvmSector, count * extent * lvmSector}, nil
}
