package probes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PV is an LVM physical volume. Its ID is the volume's UUID.
type PV struct {
	On              Ref    `toml:"on"`
	VG              Ref    `toml:"vg"`
	MetadataCopies  int    `toml:"metadata-copies"`
	MetadataSize    uint64 `toml:"metadata-size" unit:"bytes"`    // bytes; of two copies, the smaller
	DataStart       uint64 `toml:"data-start" unit:"bytes"`       // bytes
	BootloaderStart uint64 `toml:"bootloader-start" unit:"bytes"` // bytes; zero for no such area
	BootloaderSize  uint64 `toml:"bootloader-size" unit:"bytes"`  // bytes
}

// VG is an LVM volume group. Its ID is its name. What matters is the text, see
// [VGText]; the rest is for readers.
type VG struct {
	UUID        string   `toml:"uuid"`
	Script      string   `toml:"script"` // file with the text
	Extent      uint64   `toml:"extent-size" unit:"bytes"`
	Allocation  string   `toml:"allocation"` // when not "normal"
	Tags        []string `toml:"tags"`
	Unsupported string   `toml:"unsupported"`
}

// LV is an LVM logical volume that is seen. Its ID is "GROUP/NAME".
type LV struct {
	On         Ref      `toml:"on"` // its group
	UUID       string   `toml:"uuid"`
	Type       string   `toml:"type"`              // as lvs has it; "snapshot" for what lvs shows with an origin
	Size       uint64   `toml:"size" unit:"bytes"` // bytes
	Pool       string   `toml:"pool"`
	Origin     string   `toml:"origin"`
	Allocation string   `toml:"allocation"` // when not the group's
	Tags       []string `toml:"tags"`
	Recorded   string   `toml:"recorded-only"` // why it is not made again
}

// lvmGroup is a volume group put together from its physical volumes.
type lvmGroup struct {
	ID       ID
	VG       VG
	Text     *VGText
	LVs      map[ID]*LV
	Findings []string
}

// group is the section of the volume group: the one section of a text.
func (n *lvmNode) group() *lvmNode {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(n.nodes, func(c *lvmNode) bool { return c.section })
	if i < 0 {
		return nil
	}
	return n.nodes[i]
}

// number is the value of a key, zero when it is none.
func (n *lvmNode) number(key string) uint64 {
	v, _ := strconv.ParseUint(n.text(key), 10, 64)
	return v
}

// assembleVG makes a group of the volumes that say they are in it. The newest
// text of all counts; volumes without one are found by it.
func assembleVG(volumes []*lvmPV) (*lvmGroup, error) {
	var text *lvmNode
	for _, pv := range volumes {
		if pv.Text != nil && (text == nil || pv.Text.group().number("seqno") > text.group().number("seqno")) {
			text = pv.Text
		}
	}
	if text == nil {
		return nil, fmt.Errorf("internal error: no text of a group in %d volumes", len(volumes))
	}
	group := text.group()
	if !isLVMName(group.key) {
		return nil, fmt.Errorf("volume group %q: no name that LVM gives", group.key)
	}
	g := &lvmGroup{ID: ID(group.key), Text: &VGText{canonical(text)}, LVs: map[ID]*LV{}}
	g.VG = VG{UUID: group.text("id"), Extent: group.number("extent_size") * lvmSector, Tags: group.texts("tags")}
	if policy := group.text("allocation_policy"); policy != "normal" {
		g.VG.Allocation = policy
	}
	if g.VG.Extent == 0 {
		return nil, fmt.Errorf("volume group %q: no extent size", group.key)
	}
	g.checkVolumes(group, volumes)
	for _, lv := range group.sections("logical_volumes") {
		if !isLVMName(lv.key) {
			return nil, fmt.Errorf("volume group %q: logical volume %q: no name that LVM gives", group.key, lv.key)
		}
		if !visible(group, lv) {
			continue
		}
		node, err := g.readLV(group, lv)
		if err != nil {
			return nil, fmt.Errorf("logical volume %q: %w", group.key+"/"+lv.key, err)
		}
		g.LVs[ID(group.key+"/"+lv.key)] = node
	}
	return g, nil
}

// isLVMName tells whether a name is one that LVM takes, see lvm(8), and thereby
// one for a file. What is on the medium may say anything.
func isLVMName(s string) bool {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	strange := strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(letters+"+_.-", r) })
	return s != "" && s != "." && s != ".." && len(s) < 128 && s[0] != '-' && !strange
}

func (g *lvmGroup) find(format string, args ...any) {
	g.Findings = append(g.Findings, fmt.Sprintf(format, args...))
}

// refuse says why a group cannot be made again; the first reason is recorded.
func (g *lvmGroup) refuse(format string, args ...any) {
	g.find(format, args...)
	if g.VG.Unsupported == "" {
		g.VG.Unsupported = fmt.Sprintf(format, args...)
	}
}

// checkVolumes compares the volumes that are there with those of the text.
func (g *lvmGroup) checkVolumes(group *lvmNode, volumes []*lvmPV) {
	there := map[ID]bool{}
	for _, pv := range volumes {
		there[pv.ID] = true
		if pv.Text == nil {
			continue
		}
		if own := pv.Text.group(); own.number("seqno") != group.number("seqno") {
			g.find("physical volume %s has an older text, %d instead of %d", pv.ID, own.number("seqno"), group.number("seqno"))
		}
	}
	for _, p := range group.sections("physical_volumes") {
		if !there[ID(p.text("id"))] {
			g.refuse("physical volume %s is missing", p.text("id"))
		}
	}
	status := append(group.texts("status"), group.texts("flags")...)
	for _, flag := range []string{"EXPORTED", "CLUSTERED", "SHARED", "PVMOVE"} {
		if slices.Contains(status, flag) {
			g.refuse("the group is %s", flag)
		}
	}
	if kind := group.text("lock_type"); kind != "" && kind != "none" {
		g.refuse("the group is shared by locks of %s", kind)
	}
}

// volume finds the section of a volume by its name.
func (n *lvmNode) volume(name string) *lvmNode { return n.find("logical_volumes").find(name) }

// segments are the segments of a logical volume.
func (n *lvmNode) segments() []*lvmNode {
	return slices.DeleteFunc(slices.Clone(n.nodes), func(c *lvmNode) bool {
		return !c.section || !strings.HasPrefix(c.key, "segment")
	})
}

// segmentType is a segment's type as lvs has it. In the text, a linear segment
// is one with a single stripe; flags follow behind a plus.
func (n *lvmNode) segmentType() string {
	kind, _, _ := strings.Cut(n.text("type"), "+")
	if kind == "striped" && n.number("stripe_count") == 1 {
		return "linear"
	}
	return kind
}

// readLV makes the node of a logical volume.
func (g *lvmGroup) readLV(group, lv *lvmNode) (*LV, error) {
	segments := lv.segments()
	if len(segments) == 0 {
		return nil, fmt.Errorf("no segment")
	}
	first := segments[0]
	node := &LV{On: Ref("vg." + g.ID), UUID: lv.text("id"), Type: first.segmentType(), Tags: lv.texts("tags"), Allocation: lv.text("allocation_policy")}
	for _, s := range segments {
		node.Size += s.number("extent_count") * g.VG.Extent
	}
	switch node.Type {
	case "thin":
		node.Pool = first.text("thin_pool")
		node.Origin = first.text("origin") + first.text("external_origin")
	case "cache":
		node.Pool, node.Origin = first.text("cache_pool"), first.text("origin")
	case "writecache":
		node.Pool, node.Origin = first.text("writecache"), first.text("origin")
	case "vdo":
		node.Pool = first.text("vdo_pool")
	}
	if s := snapshotOf(group, lv.key); s != nil {
		node.Type, node.Origin = "snapshot", s.text("origin")
	}
	node.Recorded = recordedOnly(group, lv, node.Type)
	return node, nil
}

// visible tells whether lvs shows a volume without being asked for all: the
// store of a snapshot is marked as hidden, and the volume that ties it to its
// origin is not. Source: lv_is_visible in LVM.
func visible(group, lv *lvmNode) bool {
	for _, s := range lv.segments() {
		if s.text("type") == "snapshot" {
			return false
		}
	}
	return slices.Contains(lv.texts("status"), "VISIBLE") || snapshotOf(group, lv.key) != nil
}

// snapshotOf finds the segment that says what a volume is the snapshot of: it
// is in a hidden volume that names both.
func snapshotOf(group *lvmNode, name string) *lvmNode {
	for _, lv := range group.sections("logical_volumes") {
		for _, s := range lv.segments() {
			if s.text("type") == "snapshot" && (s.text("cow_store") == name || s.text("merging_store") == name) {
				return s
			}
		}
	}
	return nil
}

// recordedOnly says why a volume is not made again, "" when it is.
func recordedOnly(group, lv *lvmNode, kind string) string {
	switch kind {
	case "snapshot":
		return "a snapshot's content is what its origin once was"
	case "writecache":
		return "its cache may hold what the volume does not"
	case "vdo", "vdo-pool":
		return "VDO is formatted by its own tools"
	case "linear", "striped", "mirror", "thin-pool", "thin", "cache", "cache-pool", "error", "zero":
	default:
		if !strings.HasPrefix(kind, "raid") {
			return "unknown type " + kind
		}
	}
	if flags := append(lv.texts("status"), lv.texts("flags")...); slices.ContainsFunc(flags, moving) {
		return "its content is being moved"
	}
	for _, s := range lv.segments() {
		if strings.Contains(s.text("type"), "+RESHAPE") {
			return "it is being reshaped"
		}
		for _, part := range s.texts("raids") {
			if below := group.volume(part); below != nil && len(below.segments()) > 0 && below.segments()[0].segmentType() == "integrity" {
				return "raid with integrity"
			}
		}
	}
	return ""
}

func moving(flag string) bool { return flag == "PVMOVE" || flag == "LOCKED" }
