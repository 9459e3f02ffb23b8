package export

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

var faiLevels = []string{"0", "1", "5", "6", "10"}

func (f *faiText) arrays() {
	head := false
	for _, r := range f.stacked() {
		kind, id := split(r)
		if kind != "raid" {
			continue
		}
		if !head {
			f.line("\ndisk_config raid fstabkey:uuid")
			head = true
		}
		active, _ := f.members(id)
		level := f.level(id, faiLevels...)
		if level == "" {
			continue
		}
		devices := f.devices(f.RAID[id].On)
		if len(devices) == 0 {
			f.note(r, "what it stands on is left out, and it is as well")
			continue
		}
		for i := len(active); i < len(devices); i++ {
			devices[i] += ":spare"
		}
		f.line("raid%s %s", level, f.volumeLine(r, strings.Join(devices, ","), faiOption("mdcreateopts", f.mdadmCreate(id))))
	}
}

func (f *faiText) encrypted() {
	ids := sorted(f.LUKS)
	if len(ids) > 0 {
		f.line("\ndisk_config cryptsetup")
		f.comment("a key file opens them first; a passphrase is said with luks:\"…\"")
	}
	for _, id := range ids {
		if f.LUKS[id].Unsupported != "" {
			f.note(ref("luks", id), "%s", f.LUKS[id].Unsupported)
		}
		device := f.device[ref("luks", id)]
		if device == "" {
			f.note(ref("luks", id), "what it stands on is left out, and it is as well")
			continue
		}
		f.line("luks %s", f.volumeLine(ref("luks", id), device, faiOption("lukscreateopts", f.luksFormat(id))))
	}
}

func (f *faiText) volumeGroups() {
	for i, group := range sorted(f.VG) {
		if i == 0 {
			f.line("\ndisk_config lvm fstabkey:uuid")
		}
		volumes := f.logicalVolumes(group)
		if strings.Contains(string(group), "-") {
			f.note(ref("vg", group), "a name with a dash is none for setup-storage, the group is left out")
			continue
		}
		devices, pvs := f.groupDevices(group), f.volumes(group)
		if len(devices) == 0 {
			f.note(ref("vg", group), "what it stands on is left out, and it is as well")
			continue
		}
		for _, pv := range pvs {
			f.must(isLVMID, "pv", pv, "UUID", string(pv))
		}
		var options []string
		if len(pvs) == 1 {
			options = append(options, "--uuid", string(pvs[0]), "--norestorefile")
		} else {
			f.note(ref("vg", group), "the UUIDs of its physical volumes are new")
		}
		f.line("vg %s %s%s%s", group, strings.Join(devices, ","), faiOption("pvcreateopts", options),
			faiOption("vgcreateopts", []string{"--physicalextentsize", fmt.Sprintf("%dk", f.VG[group].Extent>>10)}))
		for _, v := range volumes {
			f.logicalVolume(v)
		}
	}
}

func (f *faiText) logicalVolume(v volume) {
	node := ref("lv", v.id)
	switch {
	case strings.Contains(v.name, "-"):
		f.note(node, "a name with a dash is none for setup-storage, the volume is left out")
	case v.Type == "thin":
		f.note(node, "setup-storage makes no thin volumes: lvcreate --thinpool %s -V %dB -n %s %s", f.poolOf(v), v.Size, v.name, v.group)
	default:
		f.line("%s-%s %s", v.group, v.name, f.volumeLine(node, fmt.Sprintf("%dB", v.Size), faiOption("lvcreateopts", f.lvcreate(v))))
	}
}

// btrfs writes a line for each subvolume: the first makes the file system.
// Source: build_btrfs_commands in Commands.pm.
func (f *faiText) btrfs() {
	head := false
	for _, id := range sorted(f.FileSystem) {
		fs, node := f.FileSystem[id], ref("filesystem", id)
		if fs.Btrfs == nil {
			continue
		}
		if !head {
			f.line("\ndisk_config btrfs fstabkey:uuid")
			head = true
		}
		if encrypted := f.encryptedBelow(fs); encrypted != "" {
			f.note(node, "setup-storage makes no btrfs on %s, it is left out", encrypted)
			continue
		}
		devices := f.devices(fs.On)
		if len(devices) == 0 {
			f.note(node, "what it stands on is left out, and it is as well")
			continue
		}
		r := f.format("filesystem", id)
		f.unsaid(id, false)
		profile := fs.Btrfs.Data
		if !slices.Contains([]string{"single", "raid0", "raid1", "raid5", "raid6", "raid10"}, profile) || len(devices) == 1 {
			profile = "single"
			if fs.Btrfs.Data != profile {
				r.make = append(r.make, "--data", fs.Btrfs.Data)
			}
		}
		options := faiOption("createopts", append(r.all(), "--metadata", fs.Btrfs.Metadata))
		for _, line := range f.faiSubvolumes(id) {
			f.line("btrfs %s %s %s %s%s", profile, line[0], strings.Join(devices, ","), line[1], options)
		}
		if fs.Btrfs.Default != "" {
			f.note(node, "its default subvolume %q is not told", fs.Btrfs.Default)
		}
	}
}

// encryptedBelow is a device of a file system that has a name of its own when
// it is open: the lines for btrfs have no way to say it.
func (f *faiText) encryptedBelow(fs *probes.FileSystem) probes.Ref {
	for _, on := range fs.On {
		if kind, _ := split(on); kind == "luks" {
			return on
		}
	}
	return ""
}

// faiSubvolumes are mount points with options, which name the subvolume to
// make.
func (f *faiText) faiSubvolumes(id probes.ID) (lines [][2]string) {
	made := map[string]bool{}
	for _, path := range f.mounts(id) {
		mount := f.Mount[probes.ID(path)]
		if mount.Subvolume == "" {
			f.note(ref("mount", probes.ID(path)), "setup-storage wants a subvolume for each mount of btrfs, it is left out")
			continue
		}
		made[mount.Subvolume] = true
		lines = append(lines, [2]string{path, strings.TrimPrefix(mount.Options+",subvol="+mount.Subvolume, ",")})
	}
	for _, sub := range sorted(f.FileSystem[id].Btrfs.Subvolume) {
		path, err := probes.SubvolumePath(sub)
		switch {
		case err != nil || !isSubvolume.MatchString(path):
			f.note(ref("filesystem", id), "subvolume %q is left out", string(sub))
		case path != "" && !made[path]:
			lines = append(lines, [2]string{"-", "subvol=" + path})
		}
	}
	if len(lines) == 0 {
		f.note(ref("filesystem", id), "setup-storage makes no btrfs without subvolumes, it is left out")
	}
	return lines
}
