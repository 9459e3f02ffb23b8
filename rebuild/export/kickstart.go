package export

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

// kickstart writes the storage commands of a kickstart file, as the pykickstart
// documentation has them (https://pykickstart.readthedocs.io, "Kickstart
// commands"). Anaconda decides itself where partitions lie, and which UUIDs all
// of it has; an encrypted device is an option of what is below it.
//
// pykickstart takes a line apart as shlex does.
func (m *machine) kickstart() {
	k := &ksText{machine: m, names: map[probes.Ref]string{}, counts: map[string]int{}}
	k.comment("UUIDs, types, names and attributes of partitions are new: kickstart has no words for them")
	k.clear()
	for _, disk := range k.order {
		k.disk(disk)
	}
	k.arrays()
	for _, group := range sorted(k.VG) {
		k.group(group)
	}
	for _, id := range sorted(k.FileSystem) {
		if k.FileSystem[id].Btrfs != nil {
			k.btrfs(id)
		}
	}
	k.swapFiles()
}

// ksText is the text with the names that it gives to members: "raid.01".
type ksText struct {
	*machine
	names  map[probes.Ref]string
	counts map[string]int
}

// command writes a line. Values have been checked; quotes keep spaces.
func (k *ksText) command(words ...string) {
	for i, w := range words {
		if strings.Contains(w, " ") {
			option, value, found := strings.Cut(w, "=")
			if !found {
				option, value = "", w
			} else {
				option += "="
			}
			words[i] = option + `"` + value + `"`
		}
	}
	k.line("%s", strings.Join(words, " "))
}

// drive is a disk as kickstart names it: "sda", or a whole path.
func (k *ksText) drive(disk probes.ID) string {
	if path := k.paths[disk]; path != "" {
		if name := strings.TrimPrefix(path, "/dev/"); !strings.Contains(name, "/") {
			return name
		}
		return path
	}
	return fmt.Sprintf("disk%d", slices.Index(k.order, disk)+1)
}

func (k *ksText) clear() {
	var drives, boot []string
	tables := map[string]bool{}
	for _, disk := range k.order {
		drives = append(drives, k.drive(disk))
		if k.paths[disk] == "" {
			k.note(ref("disk", disk), "its path is not known, %s stands for it", k.drive(disk))
		}
		if d := k.Disk[disk]; d.Table != "" {
			tables[d.Table] = true
		}
		bootable := k.Disk[disk].BootCode != "" || slices.ContainsFunc(k.partitions(disk), func(p probes.TableEntry) bool { return p.Type == espType })
		if bootable {
			boot = append(boot, k.drive(disk))
		}
	}
	list := strings.Join(drives, ",")
	k.command("ignoredisk", "--only-use="+list)
	k.command("zerombr")
	label := "--disklabel=gpt"
	switch {
	case len(tables) > 1:
		k.note(ref("disk", k.order[0]), "the disks have tables of both kinds, and kickstart knows one for all")
	case tables["dos"]:
		label = "--disklabel=msdos"
	}
	k.command("clearpart", "--all", "--initlabel", label, "--drives="+list)
	if len(boot) > 0 {
		k.command("bootloader", "--location=mbr", "--boot-drive="+boot[0])
	}
	if len(boot) > 1 {
		k.note(ref("disk", k.order[slices.Index(drives, boot[1])]), "a boot loader is put on %s alone", boot[0])
	}
}

func (k *ksText) disk(disk probes.ID) {
	d := k.Disk[disk]
	k.line("")
	k.comment("disk %s", disk)
	if d.Table == "" {
		k.note(ref("disk", disk), "kickstart puts nothing on a disk without partitions")
		return
	}
	for _, p := range k.partitions(disk) {
		if isExtended(d, p) {
			continue
		}
		node := ref("partition", p.ID)
		size := k.size(node, (p.LastLBA-p.FirstLBA+1)*d.Sector)
		words := []string{"--ondisk=" + k.drive(disk), size}
		if d.Table == "dos" && p.Number <= 4 {
			words = append(words, "--asprimary")
		}
		switch p.Type {
		case biosBoot:
			k.command(append([]string{"part", "biosboot", "--fstype=biosboot"}, words...)...)
			continue
		case prepBoot, "41":
			k.command(append([]string{"part", "prepboot", "--fstype=prepboot"}, words...)...)
			continue
		}
		point, options := k.content(node)
		if point == "" || point == "none" {
			k.note(node, "kickstart makes no partition that is neither mounted nor used, it is left out")
			continue
		}
		k.command(slices.Concat([]string{"part", point}, words, options)...)
	}
}

// prepBoot is the type of the partition for GRUB on IBM Power.
const prepBoot = "9e1a2d38-c612-4316-aa26-8b49521e5a8b"

// size is an option in MiB.
func (k *ksText) size(node probes.Ref, bytes uint64) string {
	if bytes%(1<<20) != 0 {
		k.note(node, "its size of %d bytes is told in whole MiB", bytes)
	}
	return fmt.Sprintf("--size=%d", max(1, bytes>>20))
}

// member names a device for what is made of it.
func (k *ksText) member(kind string, devices ...probes.Ref) string {
	k.counts[kind]++
	name := fmt.Sprintf("%s.%02d", kind, k.counts[kind])
	for _, d := range devices {
		k.names[d] = name
	}
	return name
}

// content is what a device is for: a mount point, or the name by which it is
// used further below. "none" is a file system that is not mounted, "" nothing.
func (k *ksText) content(device probes.Ref) (point string, options []string) {
	kind, id := k.machine.content(device)
	inner := device
	if kind == "luks" {
		inner = ref(kind, id)
		options = k.encrypted(id)
		kind, id = k.machine.content(inner)
	}
	switch kind {
	case "raid", "pv":
		return k.member(kind, device, inner), options
	case "swap":
		r := k.format(kind, id)
		k.note(ref(kind, id), "its UUID is new")
		return "swap", append(options, ksFormat(r, false)...)
	case "filesystem":
		if k.FileSystem[id].Btrfs != nil {
			return k.member("btrfs", device, inner), options
		}
		point, more := k.fileSystem(id)
		return point, append(options, more...)
	case "":
	default:
		k.note(ref(kind, id), "kickstart has no words for what is on %s", device)
	}
	return "", options
}

// ksFormat are the options for a file system; kickstart has one for the label.
func ksFormat(r recipe, options bool) []string {
	words := []string{"--fstype=" + r.kind}
	if len(r.label) > 0 {
		words = append(words, "--label="+r.label[1])
	}
	if options && len(r.make) > 0 {
		words = append(words, "--mkfsoptions="+strings.Join(r.make, " "))
	}
	return words
}

func (k *ksText) fileSystem(id probes.ID) (point string, options []string) {
	node, r := ref("filesystem", id), k.format("filesystem", id)
	k.rest(node, r)
	paths := k.mounts(id)
	if len(paths) == 0 {
		return "none", ksFormat(r, true)
	}
	if len(paths) > 1 {
		k.note(node, "it is mounted on %s as well", strings.Join(paths[1:], ", "))
	}
	if paths[0] == "/boot/efi" && r.kind == "vfat" {
		r.kind = "efi"
	}
	options = ksFormat(r, true)
	if o := k.Mount[probes.ID(paths[0])].Options; o != "" {
		options = append(options, "--fsoptions="+o)
	}
	return paths[0], options
}

// encrypted are the options for LUKS. Anaconda asks for the passphrase.
func (k *ksText) encrypted(id probes.ID) []string {
	l := k.LUKS[id]
	k.note(ref("luks", id), "its UUID, labels, tokens, sizes and mapping name %q are not told", l.Mapping)
	words := []string{"--encrypted", fmt.Sprintf("--luks-version=luks%d", l.Version), "--cipher=" + k.must(isCipher, "luks", id, "cipher", l.Cipher)}
	s := k.firstSlot(id)
	if l.Version == 2 && s.KDF != "" {
		words = append(words, "--pbkdf="+k.must(isCipher, "luks", id, "kdf", s.KDF), fmt.Sprintf("--pbkdf-iterations=%d", s.Time))
		if s.Memory != 0 {
			words = append(words, fmt.Sprintf("--pbkdf-memory=%d", s.Memory>>10))
		}
	}
	return words
}
