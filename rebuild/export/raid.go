package export

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// arrayName is the name of an array, or one by its UUID.
func (m *machine) arrayName(id probes.ID) string {
	if name := m.RAID[id].Name; isArrayName.MatchString(name) {
		return name
	}
	return "array-" + strings.ReplaceAll(m.must(isArrayID, "raid", id, "UUID", string(id)), ":", "")[:8]
}

// mdadmCreate are options of mdadm --create besides level and devices.
func (m *machine) mdadmCreate(id probes.ID) []string {
	r, node := m.RAID[id], ref("raid", id)
	args := []string{"--uuid=" + m.must(isArrayID, "raid", id, "UUID", string(id)), "--metadata=" + m.must(isWord, "raid", id, "metadata", r.Metadata)}
	add := func(option, value string) {
		if value != "" && value != "0" {
			args = append(args, option+"="+value)
		}
	}
	number := func(option string, n uint64) { add(option, fmt.Sprint(n)) }
	if r.Metadata != "0.90" {
		add("--name", m.arrayName(id))
		if r.Homehost != "" {
			add("--homehost", m.must(isWord, "raid", id, "home host", r.Homehost))
		}
	}
	if r.Layout != "" {
		add("--layout", m.must(isWord, "raid", id, "layout", r.Layout))
	}
	number("--chunk", r.Chunk>>10)
	number("--size", r.Size>>10)
	number("--data-offset", r.DataOffset>>10)
	switch r.Consistency {
	case "bitmap":
		args = append(args, "--bitmap=internal")
		number("--bitmap-chunk", r.BitmapChunk>>10)
	case "ppl":
		args = append(args, "--consistency-policy=ppl")
	}
	if len(r.WriteMostly)+len(r.FailFast)+len(r.DataOffsets) > 0 || r.Journal != "" {
		m.note(node, "what its single devices have for themselves is not told")
	}
	return args
}

// members are the devices of an array without and with its spares.
func (m *machine) members(id probes.ID) (active, spare []probes.Ref) {
	r := m.RAID[id]
	if r.Unsupported != "" {
		m.note(ref("raid", id), "%s", r.Unsupported)
	}
	if r.Devices < 1 || r.Spares < 0 || len(r.On) != r.Devices+r.Spares {
		m.fail("raid", id, "%d devices and %d spares on %d", r.Devices, r.Spares, len(r.On))
		return nil, nil
	}
	return r.On[:r.Devices], r.On[r.Devices:]
}

// level is the number of an array's level, "" for one that is not among those
// known.
func (m *machine) level(id probes.ID, known ...string) string {
	level := strings.TrimPrefix(m.RAID[id].Level, "raid")
	if !slices.Contains(known, level) {
		m.note(ref("raid", id), "its level %q is unknown here, the array is left out", m.RAID[id].Level)
		return ""
	}
	return level
}
