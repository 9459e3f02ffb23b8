package export

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// disko writes a NixOS module with disko.devices, as the types in lib/types of
// https://github.com/nix-community/disko have it: what is on a device stands in
// its content.
//
// disko puts extraArgs into a shell script, those of type "filesystem" alone
// with quotes. What gets there is of the forms in words.go.
func (m *machine) disko() {
	d := &diskoText{m}
	d.braces("{", "}", func() {
		d.set("disko.devices", func() {
			d.set("disk", func() {
				for i, disk := range d.order {
					d.set(d.diskName(i), func() { d.disk(i, disk) })
				}
			})
			d.section("mdadm", len(d.RAID), d.arrays)
			d.section("lvm_vg", len(d.VG), d.groups)
			d.swapFiles()
		})
	})
}

type diskoText struct{ *machine }

// set writes an attribute that is a set.
func (d *diskoText) set(name string, inside func()) {
	d.braces(name+" = {", "};", inside)
}

func (d *diskoText) braces(open, end string, inside func()) {
	d.line("%s", open)
	d.indent++
	inside()
	d.indent--
	d.line("%s", end)
}

func (d *diskoText) section(name string, nodes int, inside func()) {
	if nodes > 0 {
		d.set(name, inside)
	}
}

// attribute writes one with a value of the language, string one with a string,
// and list one with a list where there is something in it.
func (d *diskoText) attribute(name, value string) { d.line("%s = %s;", name, value) }
func (d *diskoText) string(name, value string)    { d.attribute(name, nixString(value)) }
func (d *diskoText) list(name string, words []string) {
	if len(words) > 0 {
		d.attribute(name, nixList(words))
	}
}

// diskName is in the order of the disks as a word too: disko makes them so.
func (d *diskoText) diskName(i int) string {
	return fmt.Sprintf("disk%0*d", len(fmt.Sprint(len(d.order))), i+1)
}

func (d *diskoText) disk(i int, disk probes.ID) {
	node, table := ref("disk", disk), d.Disk[disk]
	path := d.paths[disk]
	if path == "" {
		path = "/dev/disk/by-id/" + d.diskName(i)
		d.note(node, "its path is not known, %s stands for it", path)
	}
	d.string("type", "disk")
	d.string("device", path)
	switch table.Table {
	case "gpt":
		d.note(node, "its UUID is new")
		d.set("content", func() {
			d.string("type", "gpt")
			d.set("partitions", func() {
				for k, p := range d.partitions(disk) {
					d.set(fmt.Sprintf("p%d", p.Number), func() { d.partition(k, p) })
				}
			})
		})
	case "dos":
		d.note(node, "its signature, and with it the UUIDs of its partitions, are new")
		d.set("content", func() {
			d.string("type", "table")
			d.string("format", "msdos")
			d.braces("partitions = [", "];", func() {
				for k, p := range d.partitions(disk) {
					d.braces("{", "}", func() { d.dosPartition(k, p, path) })
				}
			})
		})
	default:
		d.content(node, "")
	}
}

// partition is one of a GPT. sgdisk takes first and last sectors as they are
// when they need no alignment.
func (d *diskoText) partition(index int, p probes.TableEntry) {
	node := ref("partition", p.ID)
	if p.Number != index+1 {
		d.note(node, "its number is %d, disko gives it %d", p.Number, index+1)
	}
	d.attribute("priority", fmt.Sprint(p.Number))
	d.string("type", d.must(isUUID, "partition", p.ID, "type", p.Type))
	d.string("uuid", d.must(isUUID, "partition", p.ID, "UUID", string(p.ID)))
	d.string("device", "/dev/disk/by-partuuid/"+string(p.ID))
	d.string("label", d.label(node, "name", p.Name, p.NameUTF16))
	d.string("start", fmt.Sprint(p.FirstLBA))
	d.string("end", fmt.Sprint(p.LastLBA))
	d.attribute("alignment", "1")
	if len(p.Attributes) > 0 {
		d.note(node, "its attributes are not told: %s", strings.Join(p.Attributes, ", "))
	}
	d.content(node, "")
}

// dosFlags are what parted knows of types of partitions.
var dosFlags = map[string][]string{"fd": {"raid"}, "8e": {"lvm"}, "ef": {"esp"}}

// dosPartition is one of a dos table, for which disko has the type that it
// calls legacy. It takes the place in the list for the number.
func (d *diskoText) dosPartition(index int, p probes.TableEntry, disk string) {
	node, kind := ref("partition", p.ID), "primary"
	switch {
	case p.Number > 4:
		kind = "logical"
	case isExtended(d.Disk[probes.ID(strings.TrimPrefix(string(p.On), "disk."))], p):
		kind = "extended"
	}
	d.string("name", fmt.Sprintf("p%d", p.Number))
	d.string("part-type", kind)
	d.string("start", fmt.Sprintf("%ds", p.FirstLBA))
	d.string("end", fmt.Sprintf("%ds", p.LastLBA))
	if p.Bootable {
		d.attribute("bootable", "true")
	}
	switch flags := dosFlags[p.Type]; {
	case len(flags) > 0:
		d.list("flags", flags)
	case p.Type == "82":
		d.string("fs-type", "linux-swap")
	case p.Type != "83" && kind != "extended":
		d.note(node, "its type %s is not told", p.Type)
	}
	device := ""
	if p.Number != index+1 {
		device = partitionPath(disk, p.Number)
	}
	d.content(node, device)
}

// content writes what is on a device, when there is something. path is there
// where disko would take another.
func (d *diskoText) content(device probes.Ref, path string) {
	kind, id := d.machine.content(device)
	inside := map[string]func(probes.Ref, probes.ID){
		"luks": d.luks, "raid": d.member, "pv": d.pv, "filesystem": d.fileSystem, "swap": d.swap,
	}[kind]
	switch {
	case inside == nil && kind != "":
		d.note(ref(kind, id), "disko has no words for what is on %s", device)
		return
	case kind == "":
		return
	case kind == "raid" && !slices.Contains(d.RAID[id].On[:min(max(0, d.RAID[id].Devices), len(d.RAID[id].On))], device):
		d.note(device, "disko has no spares and no journals, the device stays out of %s", ref(kind, id))
		return
	case kind == "raid" && !slices.Contains(diskoLevels, strings.TrimPrefix(d.RAID[id].Level, "raid")):
		return // told where the array is
	case kind == "filesystem" && d.last(d.FileSystem[id]) != device:
		return // told on another device
	}
	d.set("content", func() {
		if path != "" {
			d.string("device", path)
		}
		inside(device, id)
	})
}

func (d *diskoText) luks(_ probes.Ref, id probes.ID) {
	d.string("type", "luks")
	d.string("name", d.mapping(id))
	d.list("extraFormatArgs", quoted(d.luksFormat(id)))
	if slices.Contains(d.LUKS[id].Flags, "allow-discards") {
		d.attribute("settings.allowDiscards", "true")
	}
	d.content(ref("luks", id), "")
}

// quoted are arguments that come together in a shell.
func quoted(args []string) []string {
	var all []string
	for _, arg := range args {
		all = append(all, shell([]string{arg}))
	}
	return all
}

func (d *diskoText) member(_ probes.Ref, id probes.ID) {
	d.string("type", "mdraid")
	d.string("name", d.arrayName(id))
}

func (d *diskoText) pv(_ probes.Ref, id probes.ID) {
	_, group := split(d.PV[id].VG)
	d.note(ref("pv", id), "its UUID is new")
	d.string("type", "lvm_pv")
	d.string("vg", string(group))
}

func (d *diskoText) swap(_ probes.Ref, id probes.ID) {
	d.string("type", "swap")
	d.list("extraArgs", quoted(d.format("swap", id).all()))
}

func (d *diskoText) fileSystem(device probes.Ref, id probes.ID) {
	node, r := ref("filesystem", id), d.format("filesystem", id)
	paths := d.mounts(id)
	if d.FileSystem[id].Btrfs != nil {
		d.btrfs(device, id, r, paths)
		return
	}
	d.string("type", "filesystem")
	d.string("format", r.kind)
	d.list("extraArgs", r.all())
	d.rest(node, r)
	if len(paths) > 1 {
		d.note(node, "it is mounted on %s as well", strings.Join(paths[1:], ", "))
	}
	if len(paths) > 0 {
		d.mount(paths[0])
	}
}

func (d *diskoText) mount(path string) {
	d.string("mountpoint", path)
	if options := d.Mount[probes.ID(path)].Options; options != "" {
		d.list("mountOptions", strings.Split(options, ","))
	}
}

func (d *diskoText) btrfs(device probes.Ref, id probes.ID, r recipe, paths []string) {
	fs, node := d.FileSystem[id], ref("filesystem", id)
	d.unsaid(id, false)
	args := append([]string{"-f", "--data", fs.Btrfs.Data, "--metadata", fs.Btrfs.Metadata}, r.all()...)
	for _, on := range fs.On {
		if on != device {
			args = append(args, d.path(on))
		}
	}
	d.string("type", "btrfs")
	d.list("extraArgs", quoted(args))
	points := map[string]string{}
	for _, path := range paths {
		mount := d.Mount[probes.ID(path)]
		if old := points[mount.Subvolume]; old != "" {
			d.note(ref("mount", probes.ID(path)), "it is mounted on %s already", old)
			continue
		}
		points[mount.Subvolume] = path
	}
	if points[""] != "" {
		d.mount(points[""])
	}
	d.section("subvolumes", len(fs.Btrfs.Subvolume), func() {
		for _, sub := range sorted(fs.Btrfs.Subvolume) {
			path, err := probes.SubvolumePath(sub)
			switch {
			case err != nil || !isSubvolume.MatchString(path):
				d.note(node, "subvolume %q is left out", string(sub))
			case path != "":
				d.set(nixName(path), func() {
					if points[path] != "" {
						d.mount(points[path])
					}
				})
			}
		}
	})
	if fs.Btrfs.Default != "" {
		d.note(node, "its default subvolume %q is not told", fs.Btrfs.Default)
	}
}

// last is the device of a file system that disko makes last: the others are
// there then. Disks come before arrays, and those before volume groups.
func (d *diskoText) last(fs *probes.FileSystem) probes.Ref {
	return slices.MaxFunc(fs.On, func(a, b probes.Ref) int { return slices.Compare(d.rank(a), d.rank(b)) })
}

func (d *diskoText) rank(r probes.Ref) []int {
	switch kind, id := split(r); kind {
	case "luks":
		return d.rank(d.LUKS[id].On)
	case "partition":
		p := d.Partition[id]
		return append(d.rank(p.On), p.Number)
	case "disk":
		return []int{0, slices.Index(d.order, id)}
	case "raid":
		return []int{1, slices.Index(sorted(d.RAID), id)}
	case "lv":
		return []int{2, slices.Index(sorted(d.LV), id)}
	}
	return nil
}

// path is that of a device while disko runs.
func (d *diskoText) path(r probes.Ref) string {
	switch kind, id := split(r); kind {
	case "partition":
		p := d.Partition[id]
		_, disk := split(p.On)
		if d.Disk[disk].Table == "gpt" {
			return "/dev/disk/by-partuuid/" + d.must(isUUID, kind, id, "UUID", string(id))
		}
		if d.paths[disk] == "" {
			return "/dev/disk/by-id/" + d.diskName(slices.Index(d.order, disk)) + fmt.Sprintf("-part%d", p.Number)
		}
		return partitionPath(d.paths[disk], p.Number)
	case "luks":
		return "/dev/mapper/" + d.mapping(id)
	case "raid":
		return "/dev/md/" + d.arrayName(id)
	case "lv":
		return "/dev/" + string(id)
	case "disk":
		if d.paths[id] == "" {
			return "/dev/disk/by-id/" + d.diskName(slices.Index(d.order, id))
		}
		return d.paths[id]
	}
	return ""
}

var diskoLevels = []string{"0", "1", "4", "5", "6", "10"}

func (d *diskoText) arrays() {
	for _, id := range sorted(d.RAID) {
		d.members(id)
		level := d.level(id, diskoLevels...)
		if level == "" {
			continue
		}
		d.set(nixName(d.arrayName(id)), func() {
			d.string("type", "mdadm")
			d.attribute("level", level)
			if r := d.RAID[id]; r.Metadata == "0.90" {
				d.note(ref("raid", id), "its metadata 0.90 are not told")
			} else {
				d.string("metadata", r.Metadata)
			}
			if d.RAID[id].Homehost != "" {
				d.note(ref("raid", id), "its home host is not told")
			}
			args := slices.DeleteFunc(d.mdadmCreate(id), func(arg string) bool {
				option, _, _ := strings.Cut(arg, "=")
				return slices.Contains([]string{"--metadata", "--homehost", "--name"}, option)
			})
			d.list("extraArgs", quoted(args))
			d.content(ref("raid", id), "")
		})
	}
}

func (d *diskoText) groups() {
	for _, group := range sorted(d.VG) {
		if extent := d.VG[group].Extent; extent != 4<<20 {
			d.note(ref("vg", group), "its extents of %d bytes are not told", extent)
		}
		d.set(nixName(string(group)), func() {
			d.string("type", "lvm_vg")
			d.set("lvs", func() {
				for i, v := range d.logicalVolumes(group) {
					d.set(nixName(v.name), func() { d.logicalVolume(i+1, v) })
				}
			})
		})
	}
}

// diskoTypes are the words for types of logical volumes; others go into the
// arguments.
var diskoTypes = map[string]string{"mirror": "mirror", "raid0": "raid0", "raid1": "raid1", "raid4": "raid4", "raid5": "raid5", "raid6": "raid6",
	"thin-pool": "thin-pool", "thin": "thinlv"}

func (d *diskoText) logicalVolume(priority int, v volume) {
	args := d.lvcreate(v)
	d.attribute("priority", fmt.Sprint(priority))
	d.string("size", fmt.Sprintf("%dB", v.Size))
	if word := diskoTypes[v.Type]; word != "" {
		d.string("lvm_type", word)
		args = args[2:]
	}
	if v.Type == "thin" {
		d.string("pool", d.poolOf(v))
	}
	d.list("extraArgs", quoted(args))
	d.content(ref("lv", v.id), "")
}
