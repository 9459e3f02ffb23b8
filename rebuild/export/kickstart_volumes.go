package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

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
