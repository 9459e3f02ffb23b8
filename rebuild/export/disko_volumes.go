package export

import (
	"fmt"
	"slices"
	"strings"
)

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
