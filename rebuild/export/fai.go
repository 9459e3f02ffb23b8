package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// fai writes a file of disk_config, as setup-storage(8) describes it. Its parts
// are in the order in which setup-storage makes them.
//
// setup-storage runs its commands in a shell, and in createopts="…" there is no
// way to write a quote: what gets there is of the forms in words.go.
func (m *machine) fai() {
	f := &faiText{machine: m, device: map[probes.Ref]string{}}
	f.nameDevices()
	f.comment("UUIDs and types of partitions are new: setup-storage gives none")
	for i, disk := range f.order {
		f.disk(i+1, disk)
	}
	f.arrays()
	f.encrypted()
	f.volumeGroups()
	f.btrfs()
	f.swapFiles()
}

// faiText is the text with the names that it gives to devices.
type faiText struct {
	*machine
	device map[probes.Ref]string
}

// nameDevices names all that something may stand on: an encrypted device has
// the name of what is below it.
func (f *faiText) nameDevices() {
	for i, disk := range f.order {
		f.device[ref("disk", disk)] = f.diskName(i+1, disk)
		for k, p := range f.faiPartitions(disk) {
			number := f.faiNumber(disk, k, p)
			if f.paths[disk] == "" {
				f.device[ref("partition", p.ID)] = fmt.Sprintf("disk%d.%d", i+1, number)
			} else {
				f.device[ref("partition", p.ID)] = partitionPath(f.paths[disk], number)
			}
		}
	}
	array := 0
	for _, r := range f.stacked() {
		kind, id := split(r)
		switch {
		case kind == "luks":
			f.device[r] = f.deviceOf(f.LUKS[id].On)
		case slices.Contains(faiLevels, strings.TrimPrefix(f.RAID[id].Level, "raid")) && len(f.devices(f.RAID[id].On)) > 0:
			f.device[r] = fmt.Sprintf("/dev/md%d", array) // others are left out
			array++
		}
	}
}

// deviceOf is the name of a device, "" for one that is left out.
func (f *faiText) deviceOf(r probes.Ref) string {
	kind, id := split(r)
	if kind != "lv" {
		return f.device[r]
	}
	lv := f.LV[id]
	_, group := split(lv.On)
	if strings.Contains(string(id), "-") || lv.Type == "thin" || lv.Recorded != "" || lv.Origin != "" || len(f.groupDevices(group)) == 0 {
		return ""
	}
	return "/dev/" + string(id)
}

// devices are the names of devices, none when one of them is left out.
func (f *faiText) devices(refs []probes.Ref) []string {
	var names []string
	for _, r := range refs {
		name := f.deviceOf(r)
		if name == "" {
			return nil
		}
		names = append(names, name)
	}
	return names
}

func (f *faiText) groupDevices(group probes.ID) []string {
	var refs []probes.Ref
	for _, pv := range f.volumes(group) {
		refs = append(refs, f.PV[pv].On)
	}
	return f.devices(refs)
}

func (f *faiText) diskName(number int, disk probes.ID) string {
	if path := f.paths[disk]; path != "" {
		return path
	}
	return fmt.Sprintf("disk%d", number)
}

// biosBoot is the type of the partition for GRUB's core image: setup-storage
// makes one itself with disklabel:gpt-bios, the last by number.
const biosBoot = "21686148-6449-6e6f-744e-656564454649"

// faiPartitions are those that have a line.
func (f *faiText) faiPartitions(disk probes.ID) []probes.TableEntry {
	return slices.DeleteFunc(f.partitions(disk), func(p probes.TableEntry) bool {
		return p.Type == biosBoot || isExtended(f.Disk[disk], p)
	})
}

// isExtended tells whether a partition only holds the logical ones.
func isExtended(d *probes.Disk, p probes.TableEntry) bool {
	return d.Table == "dos" && slices.Contains([]string{"5", "05", "f", "0f", "85"}, strings.TrimPrefix(p.Type, "0x"))
}

// faiNumber is the number that setup-storage gives to a partition.
func (f *faiText) faiNumber(disk probes.ID, index int, p probes.TableEntry) int {
	if f.Disk[disk].Table == "gpt" || p.Number <= 4 {
		return index + 1
	}
	logical := 0
	for _, other := range f.faiPartitions(disk)[:index] {
		if other.Number > 4 {
			logical++
		}
	}
	return 5 + logical
}

func (f *faiText) disk(number int, disk probes.ID) {
	d, node := f.Disk[disk], ref("disk", disk)
	f.line("")
	if d.Unsupported != "" {
		f.note(node, "%s", d.Unsupported)
	}
	if d.Table == "" {
		f.line("disk_config %s fstabkey:uuid", f.diskName(number, disk))
		f.line("raw-disk %s", f.volumeLine(node, fmt.Sprintf("%dB", d.Need), ""))
		return
	}
	parts := f.partitions(disk)
	label := map[string]string{"gpt": "gpt", "dos": "msdos"}[d.Table]
	bootable, esp := "", ""
	for _, p := range parts {
		switch {
		case p.Type == biosBoot:
			label = "gpt-bios"
		case p.Type == espType:
			esp = fmt.Sprintf(" bootable:%d", p.Number)
		case p.Bootable:
			bootable = fmt.Sprintf(" bootable:%d", p.Number)
		}
	}
	f.line("disk_config %s disklabel:%s%s fstabkey:uuid align-at:1M", f.diskName(number, disk), label, cmp.Or(bootable, esp))
	lines := f.faiPartitions(disk)
	if len(lines) == 0 {
		f.note(node, "it has no partitions, and setup-storage wants one")
	}
	next := uint64(1 << 20)
	for k, p := range lines {
		if given := f.faiNumber(disk, k, p); given != p.Number {
			f.note(ref("partition", p.ID), "its number is %d, setup-storage gives it %d", p.Number, given)
		}
		if start := p.FirstLBA * d.Sector; start != next {
			f.note(ref("partition", p.ID), "it begins at byte %d; setup-storage puts it behind the one before it", start)
		}
		next = ((p.LastLBA+1)*d.Sector + 1<<20 - 1) &^ (1<<20 - 1)
		f.partition(d, p)
	}
}

// espType is the type that setup-storage gives to the bootable partition of a
// GPT. The others that it gives are those of arrays and of LVM.
const espType = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

// faiTypes are types that a partition has of its own in a table by parted.
var faiTypes = []string{espType,
	"0fc63daf-8483-4772-8e79-3d69d8477de4", "e6d6d379-f507-44c2-a23c-238f2a3df928", "a19d880f-05fc-4d3b-a006-743f0f84911e",
	"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
	"83", "82", "8e", "fd", "c", "0c", "ef"}

func (f *faiText) partition(d *probes.Disk, p probes.TableEntry) {
	node := ref("partition", p.ID)
	if !slices.Contains(faiTypes, p.Type) {
		f.note(node, "its type %s is not told", p.Type)
	}
	if len(p.Attributes) > 0 {
		f.note(node, "its attributes are not told: %s", strings.Join(p.Attributes, ", "))
	}
	kind := "primary"
	switch {
	case d.Table == "gpt" && p.Name != "":
		if isWord.MatchString(p.Name) {
			kind = "p=" + p.Name
		} else {
			f.note(node, "its name %q is left out", p.Name)
		}
	case d.Table == "dos" && p.Number > 4:
		kind = "logical"
	}
	f.line("%s %s", kind, f.volumeLine(node, fmt.Sprintf("%dB", (p.LastLBA-p.FirstLBA+1)*d.Sector), ""))
}

// volumeLine is a line from its mount point on: what stands on a device, or
// nothing where that has a part of its own. options are those of the device.
func (f *faiText) volumeLine(device probes.Ref, size, options string) string {
	point, kind, mount, more := "-", "-", "-", ""
	switch upper, id := f.content(device); {
	case upper == "swap":
		r := f.format(upper, id)
		point, kind, mount, more = "swap", "swap", "sw", faiOption("createopts", r.all())
	case upper == "filesystem" && f.FileSystem[id].Btrfs == nil:
		r := f.format(upper, id)
		kind, mount = r.kind, "defaults"
		more = faiOption("createopts", r.all())
		more += faiOption("tuneopts", r.tune)
		if paths := f.mounts(id); len(paths) > 0 {
			point = paths[0]
			mount = cmp.Or(f.Mount[probes.ID(point)].Options, "defaults")
			if len(paths) > 1 {
				f.note(ref(upper, id), "it is mounted on %s as well", strings.Join(paths[1:], ", "))
			}
		}
	case upper == "unsupported":
		f.note(ref(upper, id), "what is on it is unknown: %s", f.Unknown[id].Type)
	}
	return strings.Join([]string{point, size, kind, mount}, " ") + options + more
}

// faiOption is a list of arguments in its quotes.
func faiOption(name string, args []string) string {
	if len(args) == 0 {
		return ""
	}
	return " " + name + `="` + shell(args) + `"`
}
