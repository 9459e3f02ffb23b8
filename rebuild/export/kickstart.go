package export

import (
	"cmp"
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

func (k *ksText) arrays() {
	if len(k.RAID) > 0 {
		k.line("")
	}
	for _, r := range k.stacked() {
		kind, id := split(r)
		if kind != "raid" {
			continue
		}
		active, spares := k.members(id)
		level := k.level(id, "0", "1", "4", "5", "6", "10")
		if level == "" {
			continue
		}
		members := k.named(r, slices.Concat(active, spares))
		if len(members) == 0 {
			continue
		}
		point, options := k.content(r)
		if point == "" || point == "none" {
			k.note(r, "kickstart makes no array that is neither mounted nor used, it is left out")
			continue
		}
		k.note(r, "its UUID, home host, metadata %s, layout %q and bitmap are not told", k.RAID[id].Metadata, k.RAID[id].Layout)
		words := []string{"raid", point, "--device=" + k.arrayName(id), "--level=RAID" + level}
		if len(spares) > 0 {
			words = append(words, fmt.Sprintf("--spares=%d", len(spares)))
		}
		if chunk := k.RAID[id].Chunk; chunk != 0 {
			words = append(words, fmt.Sprintf("--chunksize=%d", chunk>>10))
		}
		k.command(slices.Concat(words, options, members)...)
	}
}

// named are the names of members, none when one of them is left out: then what
// is made of them is as well.
func (k *ksText) named(node probes.Ref, devices []probes.Ref) (names []string) {
	for _, d := range devices {
		name := k.names[d]
		if name == "" {
			k.note(node, "%s, which it stands on, is left out, and it is as well", d)
			return nil
		}
		names = append(names, name)
	}
	return names
}

func (k *ksText) group(group probes.ID) {
	k.line("")
	volumes := k.logicalVolumes(group)
	var devices []probes.Ref
	for _, pv := range k.volumes(group) {
		devices = append(devices, k.PV[pv].On)
	}
	members := k.named(ref("vg", group), devices)
	if len(members) == 0 {
		return
	}
	k.command(append([]string{"volgroup", string(group), fmt.Sprintf("--pesize=%d", k.VG[group].Extent>>10)}, members...)...)
	for _, v := range volumes {
		k.logicalVolume(v)
	}
}

func (k *ksText) logicalVolume(v volume) {
	node := ref("lv", v.id)
	point, options := k.content(node)
	words := []string{"logvol", cmp.Or(point, "none"), "--vgname=" + string(v.group), "--name=" + v.name, k.size(node, v.Size)}
	switch v.Type {
	case "linear":
	case "thin-pool":
		words = append(words, "--thinpool")
		if v.shape.Chunk != 0 {
			words = append(words, fmt.Sprintf("--chunksize=%d", v.shape.Chunk>>10))
		}
		if v.shape.MetadataSize != 0 {
			words = append(words, fmt.Sprintf("--metadatasize=%d", v.shape.MetadataSize>>20))
		}
	case "thin":
		words = append(words, "--thin", "--poolname="+k.poolOf(v))
	default:
		k.note(node, "it is told as linear: kickstart has no word for %s", v.Type)
	}
	if len(v.Tags) > 0 {
		k.note(node, "its tags are not told")
	}
	k.command(append(words, options...)...)
}

// btrfs writes a volume and its subvolumes, which name it by its label.
func (k *ksText) btrfs(id probes.ID) {
	fs, node := k.FileSystem[id], ref("filesystem", id)
	k.line("")
	k.comment("gone from RHEL 8 and later")
	members := k.named(node, fs.On)
	if len(members) == 0 {
		return
	}
	r := k.format("filesystem", id)
	k.unsaid(id, false)
	if len(r.label) == 0 {
		r.name("btrfs-"+string(id)[:min(8, len(id))], "")
		k.note(node, "subvolumes name it by its label, which is %s here", r.label[1])
	}
	label := r.label[1]
	words := []string{"--label=" + label}
	for _, p := range []struct{ option, profile string }{{"--data=", fs.Btrfs.Data}, {"--metadata=", fs.Btrfs.Metadata}} {
		if slices.Contains([]string{"raid0", "raid1", "raid10"}, p.profile) {
			words = append(words, p.option+strings.ToUpper(p.profile))
		} else if p.profile == "single" {
			words = append(words, p.option+p.profile)
		} else {
			k.note(node, "kickstart has no word for the profile %s", p.profile)
		}
	}
	words = append(words, "--mkfsoptions="+strings.Join(r.make, " "))
	points := map[string]string{}
	for _, path := range k.mounts(id) {
		mount := k.Mount[probes.ID(path)]
		if old := points[mount.Subvolume]; old != "" {
			k.note(ref("mount", probes.ID(path)), "it is mounted on %s already", old)
			continue
		}
		points[mount.Subvolume] = path
		if mount.Options != "" {
			k.note(ref("mount", probes.ID(path)), "its options %s are not told", mount.Options)
		}
	}
	k.command(slices.Concat([]string{"btrfs", cmp.Or(points[""], "none")}, words, members)...)
	for _, sub := range sorted(fs.Btrfs.Subvolume) {
		path, err := probes.SubvolumePath(sub)
		switch {
		case err != nil || !isSubvolume.MatchString(path):
			k.note(node, "subvolume %q is left out", string(sub))
		case path != "":
			k.command("btrfs", cmp.Or(points[path], "none"), "--subvol", "--name="+path, "LABEL="+label)
		}
	}
	if fs.Btrfs.Default != "" {
		k.note(node, "its default subvolume %q is not told", fs.Btrfs.Default)
	}
}
