package export

import (
	"cmp"
	"fmt"
	"strings"

	"rootwc/probes"
)

// volume is a logical volume on its way into a text.
type volume struct {
	id    probes.ID
	group probes.ID
	name  string
	*probes.LV
	shape probes.LVShape
}

// logicalVolumes are the volumes of a group that can be made again.
func (m *machine) logicalVolumes(group probes.ID) (all []volume) {
	if why := m.VG[group].Unsupported; why != "" {
		m.note(ref("vg", group), "%s", why)
	}
	for _, name := range m.logical(group) {
		id := group + "/" + probes.ID(name)
		lv, node := m.LV[id], ref("lv", id)
		m.must(isLVMType, "lv", id, "type", lv.Type)
		if lv.Recorded != "" || lv.Origin != "" {
			m.note(node, "it is left out: %s", cmp.Or(lv.Recorded, "a snapshot, of what its origin once was"))
			continue
		}
		v := volume{id: id, group: group, name: name, LV: lv, shape: probes.LVShape{Type: lv.Type}}
		known := false
		if text := m.shapes[group]; text != nil {
			v.shape, known = text.Shape(name)
		}
		switch {
		case !known && lv.Type != "linear" && lv.Type != "thin":
			m.note(node, "of type %s, without the group's text its stripes and copies are not known", lv.Type)
		case v.shape.Segments > 1:
			m.note(node, "it has %d segments, the first is told", v.shape.Segments)
		}
		all = append(all, v)
	}
	return all
}

// lvcreate are the options of a volume's type, without name and size.
func (m *machine) lvcreate(v volume) (args []string) {
	add := func(option string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" {
			args = append(args, option, text)
		}
	}
	kib := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n>>10, "k")
	}
	if v.Type != "linear" {
		add("--type", v.Type)
	}
	add("--stripes", v.shape.Stripes)
	if v.shape.Stripes > 1 {
		add("--stripesize", kib(v.shape.StripeSize))
	}
	add("--mirrors", v.shape.Mirrors)
	add("--chunksize", kib(v.shape.Chunk))
	add("--poolmetadatasize", kib(v.shape.MetadataSize))
	if v.Allocation != "" {
		add("--alloc", m.must(isWord, "lv", v.id, "allocation", v.Allocation))
	}
	for _, tag := range v.Tags {
		if tag = m.label(ref("lv", v.id), "tag", tag, ""); tag != "" {
			add("--addtag", tag)
		}
	}
	return args
}

// poolOf is the name of a thin volume's pool in its group.
func (m *machine) poolOf(v volume) string {
	_, name, found := strings.Cut(v.Pool, "/")
	if !found {
		name = v.Pool
	}
	return m.must(isLVMName, "lv", v.id, "pool", name)
}
