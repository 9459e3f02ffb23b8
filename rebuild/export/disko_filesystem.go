package export

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
)

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
