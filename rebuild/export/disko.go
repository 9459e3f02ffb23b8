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
