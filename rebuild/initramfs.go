package rebuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rootwc/probes"
)

// generators make every initramfs of a machine anew.
var generators = map[string][]string{
	"initramfs-tools": {"update-initramfs", "-u", "-k", "all"},
	"dracut":          {"dracut", "--force", "--regenerate-all"},
	"mkinitcpio":      {"mkinitcpio", "-P"},
}

// Initramfs makes the initramfs again where the old one may not find its
// disks: it has drivers for the old hardware alone, and a disk is on another
// bus now. The inventories have the disks by the same IDs. Otherwise what
// comes back with the files is right, because every UUID is the same. The root
// is as [Chroot] makes it.
func Initramfs(old *probes.Boot, was, is *probes.Inventory, root string) (Layer, error) {
	moved := buses(was, is)
	if !old.Initramfs.HostOnly() || len(moved) == 0 {
		return Layer{}, nil
	}
	why := fmt.Sprintf("the initramfs has drivers for the old hardware alone (%q), and %s", old.Initramfs.Setting, strings.Join(moved, ", "))
	args, known := generators[old.Initramfs.Generator]
	if !known {
		return Layer{Notes: []string{why + fmt.Sprintf(": make it again with %q before the machine starts", old.Initramfs.Generator)}}, nil
	}
	if err := checkRoot(root); err != nil {
		return Layer{}, err
	}
	return Layer{Make: []Action{inRoot(root, args...)}, Notes: []string{why + ": it is made again"}}, nil
}

// buses says which disks are on another bus.
func buses(was, is *probes.Inventory) (words []string) {
	if was == nil || is == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(was.Disk)) {
		a, b := was.Disk[id], is.Disk[id]
		if a != nil && b != nil && a.Bus != b.Bus && a.Bus != "" && b.Bus != "" {
			words = append(words, fmt.Sprintf("disk %q was on %q and is on %q", id, a.Bus, b.Bus))
		}
	}
	return words
}
