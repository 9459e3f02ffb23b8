package rebuild

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rootwc/probes"
)

// btrfsInside is what is made in a mounted btrfs. The order matters: snapshots
// are taken while their origin is empty, what snapshots would inherit is set
// behind them, and what forbids writing comes when the files are back.
type btrfsInside struct {
	b       *probes.Btrfs
	dir     string
	paths   map[probes.ID]string // of what is made
	begun   map[probes.ID]bool   // what is made, or waits for another to be made
	actions []Action
	after   []Action
	notes   []string
}

func (in *btrfsInside) do(args ...string) { in.actions = append(in.actions, command(args...)) }

func (in *btrfsInside) note(format string, args ...any) {
	in.notes = append(in.notes, fmt.Sprintf(format, args...))
}

var (
	btrfsCompression = regexp.MustCompile(`^([a-z]+(:[0-9]+)?)?$`)
	btrfsGroup       = regexp.MustCompile(`^[0-9]{1,5}/[0-9]{1,15}$`)
)

func (in *btrfsInside) fill() error {
	in.paths["/"] = in.dir
	// what is on top first: then snapshots are of what has nothing in it yet
	subvolumes := slices.SortedFunc(maps.Keys(in.b.Subvolume), func(x, y probes.ID) int {
		return cmp.Or(strings.Count(string(x), "/")-strings.Count(string(y), "/"), cmp.Compare(x, y))
	})
	for _, sub := range subvolumes {
		if err := in.create(sub); err != nil {
			return err
		}
	}
	for _, sub := range subvolumes {
		s, path := in.b.Subvolume[sub], in.paths[sub]
		if !btrfsCompression.MatchString(s.Compression) {
			return fmt.Errorf("subvolume %q: compression %q", sub, s.Compression)
		}
		if s.NoCOW {
			in.do("chattr", "+C", "--", path)
		}
		switch s.Compression {
		case "":
		case "none": // which takes the property away, with btrfs-progs 5.10
			in.do("chattr", "+m", "--", path)
		default:
			in.do("btrfs", "property", "set", "-t", "inode", path, "compression", s.Compression)
		}
		if s.ReadOnly {
			in.after = append(in.after, command("btrfs", "property", "set", "-t", "subvol", path, "ro", "true"))
		}
		if s.Received {
			in.note("subvolume %q is no longer one that btrfs receive made", sub)
		}
	}
	if err := in.quota(subvolumes); err != nil {
		return err
	}
	if in.b.Default != "" {
		path := in.paths[probes.ID(in.b.Default)]
		if path == "" {
			return fmt.Errorf("default-subvolume %q is not there", in.b.Default)
		}
		in.do("btrfs", "subvolume", "set-default", path)
	}
	return nil
}

// create makes a subvolume, behind the one above it and the one it is a
// snapshot of.
func (in *btrfsInside) create(sub probes.ID) error {
	s := in.b.Subvolume[sub]
	if in.paths[sub] != "" || s == nil {
		return nil
	}
	path, err := probes.SubvolumePath(sub)
	if err != nil {
		return err
	}
	in.begun[sub] = true
	inSnapshot := false
	for dir, nested := above(sub); nested; dir, nested = above(dir) {
		if err := in.create(dir); err != nil {
			return err
		}
		if s := in.b.Subvolume[dir]; s != nil && s.SnapshotOf != "" {
			inSnapshot = true
		}
	}
	if in.paths[sub] != "" { // made meanwhile, on the way to one that is above
		return nil
	}
	origin, err := in.origin(sub, probes.ID(s.SnapshotOf))
	if err != nil || in.paths[sub] != "" {
		return err
	}
	target := filepath.Join(in.dir, path)
	if dir, nested := above(sub); nested && in.b.Subvolume[dir] == nil {
		in.do("mkdir", "-p", "--", filepath.Dir(target))
	}
	if inSnapshot { // an empty directory is where the origin had a subvolume
		in.actions = append(in.actions, Action{Args: []string{"rmdir", "--", target}, Fails: []int{1}})
	}
	if origin == "" {
		in.do("btrfs", "subvolume", "create", "--", target)
	} else {
		in.do("btrfs", "subvolume", "snapshot", "--", origin, target)
	}
	in.paths[sub] = target
	return nil
}

// above is the directory that a path is in; false at the top level.
func above(path probes.ID) (probes.ID, bool) {
	i := strings.LastIndexByte(string(path), '/')
	return path[:max(i, 0)], i >= 0
}

// origin is the path of what a subvolume is a snapshot of, which is made when
// it is not there; "" for none.
func (in *btrfsInside) origin(sub, of probes.ID) (string, error) {
	switch {
	case of == "":
		return "", nil
	case of != "/" && in.b.Subvolume[of] == nil:
		return "", fmt.Errorf("subvolume %q is a snapshot of %q, which is not there", sub, of)
	case in.paths[of] == "" && in.begun[of]:
		in.note("subvolume %q is no snapshot of %q, which was moved into it", sub, of)
		return "", nil
	}
	err := in.create(of)
	if err == nil && in.paths[of] == "" {
		err = fmt.Errorf("internal error: subvolume %q was not made", of)
	}
	return in.paths[of], err
}

// quota makes quota groups. A subvolume's own group is named by its path: its
// number is only known when it is there.
func (in *btrfsInside) quota(subvolumes []probes.ID) error {
	groups := slices.Sorted(maps.Keys(in.b.Group))
	if in.b.Quota == "" {
		for _, sub := range subvolumes {
			if s := in.b.Subvolume[sub]; s.MaxReferenced != 0 || s.MaxExclusive != 0 || len(s.Groups) > 0 {
				in.note("limits of subvolume %q are not made: quotas are off", sub)
			}
		}
		if len(groups) > 0 {
			in.note("quota groups are not made: quotas are off")
		}
		return nil
	}
	if in.b.Quota == "simple" {
		in.do("btrfs", "quota", "enable", "--simple", in.dir)
	} else {
		in.do("btrfs", "quota", "enable", in.dir)
	}
	for _, g := range groups {
		if err := in.group(string(g)); err != nil {
			return err
		}
		in.do("btrfs", "qgroup", "create", string(g), in.dir)
	}
	for _, g := range groups {
		group := in.b.Group[g]
		in.limit(group.MaxReferenced, group.MaxExclusive, string(g), in.dir)
		if err := in.assign(string(g), group.Groups); err != nil {
			return err
		}
	}
	for _, sub := range subvolumes {
		s := in.b.Subvolume[sub]
		in.limit(s.MaxReferenced, s.MaxExclusive, in.paths[sub])
		if err := in.assign(in.paths[sub], s.Groups); err != nil {
			return err
		}
	}
	if in.b.Quota == "full" {
		in.do("btrfs", "quota", "rescan", "-w", in.dir)
	}
	return nil
}

func (in *btrfsInside) group(id string) error {
	if !btrfsGroup.MatchString(id) || strings.HasPrefix(id, "0/") {
		return fmt.Errorf("quota group %q", id)
	}
	return nil
}

// limit sets the limits of a group, or of a subvolume by its path alone.
func (in *btrfsInside) limit(referenced, exclusive uint64, what ...string) {
	if referenced != 0 {
		in.do(append([]string{"btrfs", "qgroup", "limit", fmt.Sprint(referenced)}, what...)...)
	}
	if exclusive != 0 {
		in.do(append([]string{"btrfs", "qgroup", "limit", "-e", fmt.Sprint(exclusive)}, what...)...)
	}
}

func (in *btrfsInside) assign(what string, groups []string) error {
	for _, above := range groups {
		if err := in.group(above); err != nil {
			return err
		}
		in.do("btrfs", "qgroup", "assign", "--no-rescan", what, above, in.dir)
	}
	return nil
}
