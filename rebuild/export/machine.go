package export

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"rootwc/probes"
)

// machine is a layout on its way into a text.
type machine struct {
	*probes.Layout
	paths  map[probes.ID]string // of the disks
	shapes map[probes.ID]*probes.VGText
	above  map[probes.Ref][]probes.Ref // what stands on a node, sorted
	order  []probes.ID                 // the disks, sorted

	text   strings.Builder
	indent int
	notes  []string
	wrong  []error
}

func newMachine(l *probes.Layout, disks map[probes.ID]string, groups []*probes.VGText) (*machine, error) {
	m := &machine{Layout: l, paths: disks, shapes: map[probes.ID]*probes.VGText{}, above: map[probes.Ref][]probes.Ref{}}
	m.order = sorted(l.Disk)
	for _, id := range m.order {
		if table := l.Disk[id].Table; table != "" && table != "gpt" && table != "dos" {
			m.fail("disk", id, "a table of the kind %q", table)
		}
		if path := disks[id]; path != "" && !isDevice.MatchString(path) {
			return nil, fmt.Errorf("disk %s: %q is no path of a device", id, path)
		}
	}
	for _, text := range groups {
		name, err := text.Name()
		if err != nil {
			return nil, err
		}
		m.shapes[name] = text
	}
	m.stack()
	m.checkVolumes()
	return m, nil
}

// checkVolumes checks names that become paths of devices.
func (m *machine) checkVolumes() {
	for _, id := range sorted(m.VG) {
		m.must(isLVMName, "vg", id, "its name", string(id))
	}
	for _, id := range sorted(m.LV) {
		group, name, _ := strings.Cut(string(id), "/")
		m.must(isLVMName, "lv", id, "its name", name)
		if m.LV[id].On != ref("vg", probes.ID(group)) {
			m.fail("lv", id, "it is in %q", m.LV[id].On)
		}
	}
}

// stack notes what stands on what.
func (m *machine) stack() {
	put := func(kind string, id probes.ID, on ...probes.Ref) {
		for _, below := range on {
			m.above[below] = append(m.above[below], ref(kind, id))
		}
	}
	for id, p := range m.Partition {
		put("partition", id, p.On)
	}
	for id, r := range m.RAID {
		put("raid", id, r.On...)
		if r.Journal != "" {
			put("raid", id, r.Journal)
		}
	}
	for id, l := range m.LUKS {
		put("luks", id, l.On)
	}
	for id, p := range m.PV {
		put("pv", id, p.On)
	}
	for id, f := range m.FileSystem {
		put("filesystem", id, f.On...)
	}
	for id, s := range m.Swap {
		put("swap", id, s.On)
	}
	for id, u := range m.Unknown {
		put("unsupported", id, u.On)
	}
	for _, list := range m.above {
		slices.Sort(list)
	}
}

func ref(kind string, id probes.ID) probes.Ref { return probes.Ref(kind + "." + string(id)) }

// split is the way back.
func split(r probes.Ref) (kind string, id probes.ID) {
	kind, rest, _ := strings.Cut(string(r), ".")
	return kind, probes.ID(rest)
}

func sorted[Node any](nodes map[probes.ID]*Node) []probes.ID { return slices.Sorted(maps.Keys(nodes)) }

// content is what a device holds, "" for nothing that is known.
func (m *machine) content(device probes.Ref) (kind string, id probes.ID) {
	for _, upper := range m.above[device] {
		if kind, id = split(upper); kind != "partition" {
			return kind, id
		}
	}
	return "", ""
}

// partitions are those of a disk, by number.
func (m *machine) partitions(disk probes.ID) []probes.TableEntry {
	var all []probes.TableEntry
	for id, p := range m.Partition {
		if p.On == ref("disk", disk) {
			all = append(all, probes.TableEntry{ID: id, Partition: *p})
		}
	}
	slices.SortFunc(all, func(a, b probes.TableEntry) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
	})
	for _, p := range all {
		if p.LastLBA < p.FirstLBA || p.LastLBA > 1<<47 || p.Number < 1 {
			m.fail("partition", p.ID, "number %d, from LBA %d to %d", p.Number, p.FirstLBA, p.LastLBA)
		}
	}
	if s := m.Disk[disk].Sector; s < 512 || s > 1<<16 {
		m.fail("disk", disk, "sectors of %d bytes", s)
	}
	return all
}

// stacked are arrays and encrypted devices in an order in which they can be
// made: what stands on another is behind it. The layout has no circles.
func (m *machine) stacked() []probes.Ref {
	var all []probes.Ref
	done := map[probes.Ref]bool{}
	var visit func(r probes.Ref)
	visit = func(r probes.Ref) {
		if done[r] {
			return
		}
		done[r] = true
		for _, below := range m.on(r) {
			visit(below)
		}
		if kind, _ := split(r); kind == "raid" || kind == "luks" {
			all = append(all, r)
		}
	}
	for _, id := range sorted(m.RAID) {
		visit(ref("raid", id))
	}
	for _, id := range sorted(m.LUKS) {
		visit(ref("luks", id))
	}
	return all
}

// on is what a device is made of, groups by way of their volumes.
func (m *machine) on(r probes.Ref) []probes.Ref {
	switch kind, id := split(r); kind {
	case "raid":
		return m.RAID[id].On
	case "luks":
		return []probes.Ref{m.LUKS[id].On}
	case "lv":
		_, vg := split(m.LV[id].On)
		var below []probes.Ref
		for _, pv := range m.volumes(vg) {
			below = append(below, m.PV[pv].On)
		}
		return below
	}
	return nil
}

// volumes are the physical volumes of a group.
func (m *machine) volumes(group probes.ID) (ids []probes.ID) {
	for _, id := range sorted(m.PV) {
		if m.PV[id].VG == ref("vg", group) {
			ids = append(ids, id)
		}
	}
	return ids
}

// logical are the names of the volumes of a group; pools are before what is in
// them.
func (m *machine) logical(group probes.ID) (names []string) {
	var later []string
	for _, id := range sorted(m.LV) {
		vg, name, _ := strings.Cut(string(id), "/")
		switch {
		case probes.ID(vg) != group:
		case m.LV[id].Pool != "":
			later = append(later, name)
		default:
			names = append(names, name)
		}
	}
	return append(names, later...)
}

// mounts are the paths of a file system, those that may stand in a text.
func (m *machine) mounts(fs probes.ID) (paths []string) {
	for _, path := range sorted(m.Mount) {
		mount := m.Mount[path]
		switch {
		case mount.On != ref("filesystem", fs):
		case !isMountPoint.MatchString(string(path)) || !inside(string(path)) || !isOptions.MatchString(mount.Options) ||
			!isSubvolume.MatchString(mount.Subvolume) || !inside(mount.Subvolume):
			m.note(ref("mount", path), "it is mounted with options %q, subvolume %q: a name that is left out here", mount.Options, mount.Subvolume)
		default:
			paths = append(paths, string(path))
		}
	}
	return paths
}

// partitionPath is the path of a partition by that of its disk.
func partitionPath(disk string, number int) string {
	last := disk[len(disk)-1]
	switch {
	case strings.HasPrefix(disk, "/dev/disk/"):
		return fmt.Sprintf("%s-part%d", disk, number)
	case last >= '0' && last <= '9':
		return fmt.Sprintf("%sp%d", disk, number)
	}
	return fmt.Sprintf("%s%d", disk, number)
}

func (m *machine) line(format string, args ...any) {
	m.text.WriteString(strings.Repeat("  ", m.indent))
	fmt.Fprintf(&m.text, format+"\n", args...)
}

func (m *machine) comment(format string, args ...any) {
	m.line("# %s", onOneLine(fmt.Sprintf(format, args...)))
}

// note tells what the text does not say of a node.
func (m *machine) note(node probes.Ref, format string, args ...any) {
	sentence := onOneLine(fmt.Sprintf("%s: "+format, append([]any{node}, args...)...))
	m.notes = append(m.notes, sentence)
	m.comment("note: %s", sentence)
}

// fail says why nothing can be told.
func (m *machine) fail(kind string, id probes.ID, format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Errorf("%s.%s: %s", kind, id, fmt.Sprintf(format, args...)))
}

// onOneLine makes a sentence fit for a comment in all the languages.
func onOneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
