package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// repart writes a file for each partition of a GPT, as repart.d(5) describes
// them. Each disk has a directory of its own for systemd-repart --definitions.
// What is on a partition is told as far as systemd-repart makes it: a file
// system, with LUKS2 below it or not.
func (m *machine) repart() {
	for i, disk := range m.order {
		d := m.Disk[disk]
		dir := fmt.Sprintf("disk%d.d", i+1)
		m.line("")
		m.comment("disk %s: systemd-repart --empty=require --definitions=%s %s", disk, dir, cmp.Or(m.paths[disk], "DEVICE"))
		if d.Table != "gpt" {
			m.note(ref("disk", disk), "it has no GPT, and systemd-repart makes no other table")
			continue
		}
		m.comment("its UUID comes from --seed; the one it has is not told")
		m.definitions(disk, dir)
	}
	m.line("")
	m.swapFiles()
	m.beyondRepart()
}

// definitions are the files of a disk. systemd-repart gives places and numbers
// in the order of their names, which is that of the places.
func (m *machine) definitions(disk probes.ID, dir string) {
	sector := m.Disk[disk].Sector
	parts := m.partitions(disk)
	slices.SortStableFunc(parts, func(a, b probes.TableEntry) int { return cmp.Compare(a.FirstLBA, b.FirstLBA) })
	for k, p := range parts {
		m.line("\n# FILE %s/%03d.conf", dir, k+1)
		m.line("[Partition]")
		if k == 0 && p.FirstLBA*sector != 1<<20 {
			m.note(ref("partition", p.ID), "it begins at LBA %d, systemd-repart begins at 1 MiB", p.FirstLBA)
		}
		if p.Number != k+1 {
			m.note(ref("partition", p.ID), "its number is %d, systemd-repart gives it %d", p.Number, k+1)
		}
		var gap uint64
		if k+1 < len(parts) && parts[k+1].FirstLBA > p.LastLBA {
			gap = (parts[k+1].FirstLBA - p.LastLBA - 1) * sector
		} else if k+1 < len(parts) {
			m.fail("partition", p.ID, "it overlaps with another")
		}
		m.definition(p, sector, gap)
	}
}

func (m *machine) definition(p probes.TableEntry, sector, gap uint64) {
	node := ref("partition", p.ID)
	set := func(key, format string, args ...any) { m.line(key+"="+format, args...) }
	set("Type", "%s", m.must(isUUID, "partition", p.ID, "type", p.Type))
	set("UUID", "%s", m.must(isUUID, "partition", p.ID, "UUID", string(p.ID)))
	switch {
	case p.NameUTF16 != "":
		m.note(node, "its name is no valid UTF-16 and is left out")
	case p.Name == "":
		m.note(node, "it has no name: systemd-repart gives it one")
	case !isRepartLabel(p.Name):
		m.note(node, "its name %q is left out", p.Name)
	default:
		set("Label", "%s", specifier(p.Name))
	}
	size := (p.LastLBA - p.FirstLBA + 1) * sector
	set("SizeMinBytes", "%d", size)
	set("SizeMaxBytes", "%d", size)
	if size%4096 != 0 || gap%4096 != 0 {
		m.note(node, "its size of %d bytes and the %d bytes behind it become multiples of 4096", size, gap)
	}
	set("PaddingMinBytes", "%d", gap)
	set("PaddingMaxBytes", "%d", gap)
	bits, err := p.AttributeBits()
	if err != nil {
		m.fail("partition", p.ID, "%v", err)
	}
	m.flags(node, p.Type, bits)
	m.repartContent(node)
}

// flags are the attributes of a partition. libfdisk does not take the lower
// bits as systemd-repart gives them, and with one of them takes none; and the
// mark of growing comes back whatever GrowFileSystem= says (seen with 252 and
// 257: src/partition/repart.c, set_gpt_flags and partition_read_definition).
func (m *machine) flags(node probes.Ref, kind string, bits uint64) {
	const own, readOnly, grow = 48, 60, 59
	if lower := bits & (1<<own - 1); lower != 0 {
		m.note(node, "its attributes %#x are not told, systemd-repart sets none below bit %d", lower, own)
	}
	m.line("Flags=0x%x", bits>>own<<own)
	if _, grows := growing[kind]; !grows {
		return
	}
	yes := map[bool]string{true: "yes", false: "no"}
	m.line("ReadOnly=%s", yes[bits>>readOnly&1 == 1])
	m.line("GrowFileSystem=%s", yes[bits>>grow&1 == 1])
	if bits>>grow&1 == 0 && bits>>readOnly&1 == 0 {
		m.note(node, "systemd-repart gives it the attribute GUID:%d all the same", grow)
	}
}

// repartContent is what systemd-repart puts on a new partition.
func (m *machine) repartContent(device probes.Ref) {
	kind, id := m.content(device)
	if kind == "luks" {
		upper, over := m.content(ref(kind, id))
		if m.LUKS[id].Version != 2 || upper != "filesystem" && upper != "swap" {
			m.note(device, "systemd-repart does not make %s.%s with %s on it", kind, id, upper)
			return
		}
		m.line("Encrypt=key-file")
		m.line("EncryptedVolume=%s:none:luks", m.mapping(id))
		m.note(ref(kind, id), "its UUID, cipher, labels and keyslots are not told")
		kind, id = upper, over
	}
	switch kind {
	case "":
		return
	case "filesystem", "swap":
		m.repartFormat(kind, id)
	default:
		m.note(device, "systemd-repart does not make %s.%s", kind, id)
	}
}

func (m *machine) repartFormat(kind string, id probes.ID) {
	node := ref(kind, id)
	if kind == "filesystem" && len(m.FileSystem[id].On) > 1 {
		m.note(node, "it is on several devices, which systemd-repart does not make")
		return
	}
	r := m.format(kind, id)
	m.line("Format=%s", r.kind)
	m.note(node, "its UUID and label are made of the partition's; as it was with SYSTEMD_REPART_MKFS_OPTIONS_%s=%q, which goes for all of its type",
		strings.ToUpper(r.kind), shell(r.all()))
	m.rest(node, r)
	if kind == "swap" {
		return
	}
	if b := m.FileSystem[id].Btrfs; b != nil {
		m.repartSubvolumes(node, b)
		m.unsaid(id, true)
	}
	for _, path := range m.mounts(id) {
		mount := m.Mount[probes.ID(path)]
		options := mount.Options
		if mount.Subvolume != "" {
			options = strings.TrimPrefix(options+",subvol="+mount.Subvolume, ",")
		}
		if options != "" {
			options = `:"` + options + `"`
		}
		m.line(`MountPoint="%s"%s`, path, options)
	}
}

func (m *machine) repartSubvolumes(node probes.Ref, b *probes.Btrfs) {
	for _, id := range sorted(b.Subvolume) {
		path, err := probes.SubvolumePath(id)
		switch {
		case err != nil || !isSubvolume.MatchString(path):
			m.note(node, "subvolume %q is left out", string(id))
		case path != "":
			flags := ""
			if b.Subvolume[id].ReadOnly {
				flags = ":ro"
			}
			m.line("MakeDirectories=/%s", path)
			m.line("Subvolumes=/%s%s", path, flags)
		}
	}
	if path, err := probes.SubvolumePath(probes.ID(b.Default)); b.Default != "" && b.Default != "/" && err == nil && isSubvolume.MatchString(path) {
		m.line("DefaultSubvolume=/%s", path)
	}
}

// beyondRepart tells what stands on no partition of a GPT.
func (m *machine) beyondRepart() {
	for _, r := range m.stacked() {
		if kind, id := split(r); kind == "raid" {
			m.note(r, "systemd-repart makes no arrays")
		} else if on, _ := split(m.LUKS[id].On); on != "partition" {
			m.note(r, "systemd-repart makes it on partitions alone, and not on %s", m.LUKS[id].On)
		}
	}
	for _, id := range sorted(m.VG) {
		m.note(ref("vg", id), "systemd-repart makes no volume groups")
	}
}

// isRepartLabel tells whether a name stays as it is in a file of systemd: no
// control characters, nothing that is cut off or joins the next line, see
// systemd.syntax(7).
func isRepartLabel(name string) bool {
	return name == strings.TrimSpace(name) && !strings.HasSuffix(name, `\`) && onOneLine(name) == name && !strings.ContainsRune(name, '\uFFFD')
}

// specifier keeps percent signs from being one.
func specifier(name string) string { return strings.ReplaceAll(name, "%", "%%") }

// growing are the types of the Discoverable Partitions Specification whose
// file systems grow unless the flag is turned off: the root and /usr file
// systems of x86-64 and ARM64, and those of all machines.
var growing = map[string]string{
	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "root-x86-64",
	"b921b045-1df0-41c3-af44-4c6f280d3fae": "root-arm64",
	"8484680c-9521-48c6-9c11-b0720656f69e": "usr-x86-64",
	"b0e01050-ee5f-4390-949a-9101b17104e9": "usr-arm64",
	"933ac7e1-2eb4-4f13-b844-0e14e2aef915": "home",
	"3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "srv",
	"4d21b016-b534-45c2-a9fb-5c16e091fd2d": "var",
	"7ec6f557-3bc5-4aca-b293-16ef5df639d1": "tmp",
	"bc13c2ff-59e6-4262-a352-b275fd6f7172": "xbootldr",
}
