package rebuild

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// btrfs makes a btrfs. What mkfs.btrfs cannot be told is set while it is
// mounted below the private directory. Numbers and UUIDs of subvolumes are new:
// nothing can give them.
func (m made) btrfs(b *probes.Btrfs) (Layer, error) {
	numbers, err := m.checkBtrfs(b)
	if err != nil {
		return Layer{}, err
	}
	make, notes, err := m.mkfsBtrfs(b, numbers)
	if err != nil {
		return Layer{}, err
	}
	l := Layer{Make: []Action{make}, Notes: notes}
	if b.Quota == "simple" {
		if help, err := usage(m.ctx, "btrfs", "quota", "enable", "--help"); err != nil || !strings.Contains(help, "--simple") {
			return Layer{}, errors.Join(errors.New("this btrfs has no simple quotas"), err)
		}
	}
	inside := btrfsInside{b: b, dir: filepath.Join(m.work, "btrfs-"+string(m.id)), paths: map[probes.ID]string{}, begun: map[probes.ID]bool{}}
	if !btrfsEqual(b) {
		for i, n := range numbers { // the new ones are 1, 2, 3, …
			inside.do("btrfs", "filesystem", "resize", fmt.Sprintf("%d:%d", i+1, b.Device[n].Size), inside.dir)
		}
	}
	if b.System != "" && b.System != b.Metadata {
		inside.do("btrfs", "balance", "start", "-f", "-sconvert="+b.System, inside.dir)
	}
	if err := inside.fill(); err != nil {
		return Layer{}, err
	}
	l.Make = append(l.Make, m.mounted(inside.dir, inside.actions)...)
	l.After = m.mounted(inside.dir, inside.after)
	l.Notes = append(l.Notes, inside.notes...)
	return l, nil
}

// mounted does actions while the top level is mounted.
func (m made) mounted(dir string, actions []Action) []Action {
	if len(actions) == 0 {
		return nil
	}
	all := []Action{
		command(append([]string{"btrfs", "device", "scan"}, m.devices...)...),
		command("mkdir", "-p", "--", dir),
		command("mount", "-t", "btrfs", "-o", "subvolid=5", "--", m.devices[0], dir),
	}
	return append(append(all, actions...), command("umount", "--", dir))
}

var (
	btrfsProfiles  = []string{"single", "dup", "raid0", "raid1", "raid1c3", "raid1c4", "raid10", "raid5", "raid6"}
	btrfsChecksums = []string{"crc32c", "xxhash", "sha256", "blake2"}
	btrfsQuotas    = []string{"", "full", "simple"}
	btrfsFeatures  = []string{"mixed-bg", "extref", "skinny-metadata", "no-holes", "free-space-tree", "block-group-tree", "raid-stripe-tree"}
)

// checkBtrfs gives the devices in the order of their numbers.
func (m made) checkBtrfs(b *probes.Btrfs) ([]probes.ID, error) {
	err := firstOf(
		powerOf2("node-size", b.NodeSize, 4096, 65536),
		powerOf2("sector-size", b.SectorSize, 4096, b.NodeSize),
		oneOf("data", b.Data, btrfsProfiles),
		oneOf("metadata", b.Metadata, btrfsProfiles),
		oneOf("checksum", b.Checksum, btrfsChecksums),
		oneOf("quota", b.Quota, btrfsQuotas),
		longer(m.label, 255),
	)
	if err != nil {
		return nil, err
	}
	if b.System != "" {
		if err := oneOf("system", b.System, btrfsProfiles); err != nil {
			return nil, err
		}
	}
	if m.id == "" {
		return nil, fmt.Errorf("it has no UUID")
	}
	if _, err := uuid("UUID", string(m.id)); err != nil {
		return nil, err
	}
	for _, w := range b.Features {
		if err := oneOf("feature", w, btrfsFeatures); err != nil {
			return nil, err
		}
	}
	if strings.Contains(m.label, "\n") {
		return nil, fmt.Errorf("label %q has lines", m.label)
	}
	if len(b.Device) != len(m.devices) {
		return nil, fmt.Errorf("%d devices of %d", len(m.devices), len(b.Device))
	}
	numbers := btrfsNumbers(b)
	for _, id := range numbers {
		if err := firstOf(between("device "+string(id), btrfsNumber(id), 1, 1<<31), between("size", b.Device[id].Size, 1, maxSize)); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// btrfsNumber is that of a device, zero for what is none.
func btrfsNumber(id probes.ID) uint64 {
	n, _ := strconv.ParseUint(string(id), 10, 64)
	return n
}

// btrfsNumbers are the devices in the order of their numbers.
func btrfsNumbers(b *probes.Btrfs) []probes.ID {
	return slices.SortedFunc(maps.Keys(b.Device), func(x, y probes.ID) int { return cmp.Compare(btrfsNumber(x), btrfsNumber(y)) })
}

// btrfsEqual says whether all devices are of one size: mkfs.btrfs takes no
// more than one.
func btrfsEqual(b *probes.Btrfs) bool {
	var size uint64
	for _, d := range b.Device {
		if size != 0 && d.Size != size {
			return false
		}
		size = d.Size
	}
	return true
}

// mkfsBtrfs is the command. What is not in the layout is turned off where this
// mkfs.btrfs knows it: its defaults are another release's.
func (m made) mkfsBtrfs(b *probes.Btrfs, numbers []probes.ID) (Action, []string, error) {
	var known [2]string
	for i, args := range [][]string{{"-O", "list-all"}, {"-R", "list-all"}} {
		text, err := usage(m.ctx, append([]string{"mkfs.btrfs"}, args...)...)
		if err != nil {
			return Action{}, nil, err
		}
		known[i] = text
	}
	var features, runtime, notes []string
	for _, w := range btrfsFeatures {
		set := "^" + w
		if slices.Contains(b.Features, w) {
			set = w
		}
		switch {
		case strings.Contains(known[0], "\n"+w+" "):
			features = append(features, set)
		case strings.Contains(known[1], "\n"+w+" "): // free-space-tree before 6.3
			runtime = append(runtime, set)
		case set == w:
			return Action{}, nil, fmt.Errorf("this mkfs.btrfs has no feature %s", w)
		}
	}
	args := []string{"mkfs.btrfs", "-q", "-f", "-K", "-U", string(m.id), "-L", m.label, "--csum", b.Checksum,
		"-n", fmt.Sprint(b.NodeSize), "-s", fmt.Sprint(b.SectorSize), "-d", b.Data, "-m", b.Metadata, "-O", strings.Join(features, ",")}
	if len(runtime) > 0 {
		args = append(args, "-R", strings.Join(runtime, ","))
	}
	if btrfsEqual(b) {
		args = append(args, "-b", fmt.Sprint(b.Device[numbers[0]].Size))
	}
	for i, n := range numbers {
		if string(n) != strconv.Itoa(i+1) {
			notes = append(notes, fmt.Sprintf("device %s becomes device %d", n, i+1))
		}
	}
	return command(append(append(args, "--"), m.devices...)...), notes, nil
}
