package probes

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tags are the ways to name a device in fstab(5) and crypttab(5); each is a
// directory of links below /dev/disk too: "by-uuid".
var tags = []string{"UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID"}

// Resolve finds the node that a device's name in fstab, crypttab or on the
// kernel's command line means: "UUID=…", "/dev/mapper/vg0-root",
// "/dev/disk/by-label/…". A name that two nodes have means none, and neither
// does a name like /dev/sda1, which the next start may give to another disk.
func (l *Layout) Resolve(spec string) (Ref, bool) {
	ref, why := l.resolve(spec)
	return ref, why == ""
}

// kernelName are names that the kernel gives in the order in which it finds
// things.
var kernelName = regexp.MustCompile(`^/dev/((s|h|v|xv|ub)d[a-z]+[0-9]*|nvme[0-9]+n[0-9]+(p[0-9]+)?|(mmcblk|loop|nbd|md)[0-9]+(p[0-9]+)?|(dm-|sr|fd|zram|ram)[0-9]+)$`)

// resolve is [Layout.Resolve] with the reason why there is no node: words that
// follow the name.
func (l *Layout) resolve(spec string) (ref Ref, why string) {
	if tag, value, ok := strings.Cut(spec, "="); ok && slices.Contains(tags, tag) {
		return l.tagged(tag, unquoted(value))
	}
	if rest, ok := strings.CutPrefix(spec, "/dev/disk/by-"); ok {
		dir, name, _ := strings.Cut(rest, "/")
		if tag := strings.ToUpper(dir); slices.Contains(tags, tag) {
			return l.tagged(tag, unmangled(name))
		}
	}
	if name, ok := strings.CutPrefix(spec, "/dev/mapper/"); ok {
		return l.only(l.mapped(unmangled(name)))
	}
	if name, ok := strings.CutPrefix(spec, "/dev/md"); ok {
		// "/dev/md/data"; and an array called "0" is /dev/md0 as well
		if refs := l.arrays(strings.TrimPrefix(name, "/")); len(refs) > 0 {
			return l.only(refs)
		}
	}
	if id, ok := strings.CutPrefix(spec, "/dev/"); ok && l.LV[ID(id)] != nil {
		return Ref("lv." + id), ""
	}
	if kernelName.MatchString(spec) {
		return "", "is a name that another device may have after the next start"
	}
	return l.only(nil)
}

// only is the one node of a list.
func (l *Layout) only(refs []Ref) (Ref, string) {
	switch len(refs) {
	case 0:
		return "", "names nothing in the layout"
	case 1:
		return refs[0], ""
	}
	return "", fmt.Sprintf("names %s", joinRefs(refs))
}

// tagged are the nodes with a tag, as libblkid gives them.
func (l *Layout) tagged(tag, value string) (Ref, string) {
	var refs []Ref
	for n := range l.nodes() {
		if value != "" && n.tagged(tag, value) {
			refs = append(refs, n.ref)
		}
	}
	if tag != "ID" {
		return l.only(refs)
	}
	refs = l.linked(value)
	if len(refs) == 0 && !strings.HasPrefix(value, "dm-") && !strings.HasPrefix(value, "md-") && !strings.HasPrefix(value, "lvm-") {
		return "", "names a disk by its serial number, which the next disk does not have"
	}
	return l.only(refs)
}

// tagged tells whether the node has a tag.
func (n node) tagged(tag, value string) bool {
	switch n.value.Addr().Interface().(type) {
	case *Partition:
		return tag == "PARTUUID" && string(n.id) == value || tag == "PARTLABEL" && n.text("Name") == value
	case *FileSystem, *Swap, *LUKS, *Unknown:
		return tag == "UUID" && string(n.id) == value || tag == "LABEL" && n.text("Label") == value
	}
	return false
}

// text is the value of a field that is a text; "" where there is no such field.
func (n node) text(field string) string {
	if f := n.value.FieldByName(field); f.IsValid() {
		return f.String()
	}
	return ""
}

// mapped are the nodes with a name in /dev/mapper.
func (l *Layout) mapped(name string) (refs []Ref) {
	for id, luks := range l.LUKS {
		if luks.Mapping == name {
			refs = append(refs, Ref("luks."+id))
		}
	}
	for id := range l.LV {
		if id.mapper() == name {
			refs = append(refs, Ref("lv."+id))
		}
	}
	slices.Sort(refs)
	return refs
}

// mapper is the name of a logical volume in /dev/mapper: dashes are doubled,
// so that the one between group and volume stands out.
func (id ID) mapper() string {
	vg, lv, _ := strings.Cut(string(id), "/")
	return strings.ReplaceAll(vg, "-", "--") + "-" + strings.ReplaceAll(lv, "-", "--")
}

func (l *Layout) arrays(name string) (refs []Ref) {
	for id, raid := range l.RAID {
		if raid.Name == name && name != "" {
			refs = append(refs, Ref("raid."+id))
		}
	}
	slices.Sort(refs)
	return refs
}

// linked are the nodes with a name in /dev/disk/by-id that is not made of a
// disk's serial number. The rules of udev are 13-dm-disk.rules,
// 63-md-raid-arrays.rules and 69-dm-lvm.rules.
func (l *Layout) linked(name string) (refs []Ref) {
	if dm, ok := strings.CutPrefix(name, "dm-name-"); ok {
		return l.mapped(dm)
	}
	for n := range l.nodes() {
		var names []string
		switch v := n.value.Addr().Interface().(type) {
		case *LUKS:
			names = []string{fmt.Sprintf("dm-uuid-CRYPT-LUKS%d-%s-%s", v.Version, plain(string(n.id)), v.Mapping)}
		case *LV:
			vg, _, _ := strings.Cut(string(n.id), "/")
			if group := l.VG[ID(vg)]; group != nil {
				names = []string{"dm-uuid-LVM-" + plain(group.UUID) + plain(v.UUID)}
			}
		case *RAID:
			names = []string{"md-uuid-" + string(n.id), "md-name-" + v.Homehost + ":" + v.Name, "md-name-" + v.Name}
		case *PV:
			names = []string{"lvm-pv-uuid-" + string(n.id)}
		}
		if slices.Contains(names, name) {
			refs = append(refs, n.ref)
		}
	}
	return refs
}

// plain is a UUID without its dashes, as device-mapper's UUIDs have it.
func plain(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }

// unquoted takes the quotes away that may stand around the value of a tag.
func unquoted(s string) string {
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

var mangled = regexp.MustCompile(`\\x[0-9a-fA-F]{2}`)

// unmangled undoes what udev and device-mapper do to characters in the names
// of devices: \x20 is a space.
func unmangled(s string) string {
	return mangled.ReplaceAllStringFunc(s, func(digits string) string {
		n, _ := strconv.ParseUint(digits[2:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// standing are the nodes of a kind that stand on another one, or are it. A
// file does not stand on its file system in this sense.
func (l *Layout) standing(kind string, ref Ref) (refs []Ref) {
	for n := range l.nodes() {
		if n.kind == kind && (n.ref == ref || slices.Contains(n.on(), ref) && n.text("File") == "") {
			refs = append(refs, n.ref)
		}
	}
	return refs
}
