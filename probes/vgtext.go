package probes

import (
	"fmt"
	"slices"
	"strings"
)

// VGText is the text of a volume group, as vgcfgrestore reads it. It is
// stripped of what changes by use or tells of the old machine alone: dates and
// hosts of the writing, the number of changes (always 1), names of devices, and
// the mark of a mirror that was never synchronized.
type VGText struct{ root *lvmNode }

// ParseVGText reads a text that [VGText.String] or vgcfgbackup wrote.
func ParseVGText(text string) (*VGText, error) {
	root, err := parseLVM(text)
	if err == nil && root.group() == nil {
		err = fmt.Errorf("no group is in it")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read LVM text: %w", err)
	}
	return &VGText{canonical(root)}, nil
}

// String is the text: keys in the order in which LVM wrote them, one fact a
// line.
func (t *VGText) String() string {
	var b strings.Builder
	t.root.write(&b, 0)
	return b.String()
}

// canonical copies a text without what is stripped. What vgcfgrestore wants to
// see of the file itself comes first, as in vgcfgbackup's; on disk it is last.
func canonical(root *lvmNode) *lvmNode {
	out := &lvmNode{section: true}
	for _, n := range root.nodes {
		if !n.section && (n.key == "contents" || n.key == "version") {
			out.nodes = append(out.nodes, n)
		}
	}
	group := root.group().clone()
	if n := group.find("seqno"); n != nil {
		n.values = []lvmValue{{"1", true}}
	}
	for _, pv := range group.sections("physical_volumes") {
		pv.drop("device", "device_id", "device_id_type")
	}
	for _, lv := range group.sections("logical_volumes") {
		if n := lv.find("status"); n != nil {
			n.values = slices.DeleteFunc(n.values, func(v lvmValue) bool { return v.text == "NOTSYNCED" })
		}
	}
	out.nodes = append(out.nodes, group)
	return out
}

// clone copies a node with all below it.
func (n *lvmNode) clone() *lvmNode {
	c := *n
	c.values = slices.Clone(n.values)
	c.nodes = slices.Clone(n.nodes)
	for i := range c.nodes {
		c.nodes[i] = c.nodes[i].clone()
	}
	return &c
}

// drop takes keys away.
func (n *lvmNode) drop(keys ...string) {
	n.nodes = slices.DeleteFunc(n.nodes, func(c *lvmNode) bool { return slices.Contains(keys, c.key) })
}
