package probes

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// fileSystems makes the nodes of what is used by itself.
func (b *builder) fileSystems(ctx context.Context) error {
	pools := map[ID][]*contents{}
	for _, c := range b.inOrder() {
		ref := b.refs[c.Name]
		switch {
		case ref == "":
			if c.found != nil && !b.parts[c.Name] {
				b.find("%s: what it is does not show, so the %s on it is not recorded", c.Name, c.found.name)
			}
			continue
		case c.unclear != nil:
			b.unknown(bareID(ref), ref, "unclear", c.unclear.Error())
			continue
		case c.found == nil || b.copyOf(ref, c.found.id):
			continue
		}
		id := cmp.Or(c.found.id, bareID(ref))
		switch n := c.found.node.(type) {
		case *FileSystem:
			n.On = []Ref{ref}
			if b.twice.add(Ref("filesystem."+id), c.Name) {
				b.Layout.FileSystem[id] = n
			}
		case *Swap:
			n.On = ref
			if b.twice.add(Ref("swap."+id), c.Name) {
				b.Layout.Swap[id] = n
			}
		case *Unknown:
			n.On = ref
			if b.twice.add(Ref("unsupported."+id), c.Name) {
				b.Layout.Unknown[id] = n
			}
		case *btrfsSuper:
			pools[id] = append(pools[id], c)
		}
	}
	if len(pools) == 0 {
		return nil
	}
	mounted := b.machine.mountedBtrfs()
	for id, devices := range pools {
		if err := b.btrfs(ctx, id, devices, mounted[id]); err != nil {
			return fmt.Errorf("cannot read btrfs %s: %w", id, err)
		}
	}
	return nil
}

// bareID names what has no ID by what it stands on.
func bareID(ref Ref) ID { return ID("on-" + string(ref)) }

// inOrder has snapshots behind what they are of, so that a UUID belongs to the
// origin.
func (b *builder) inOrder() []*contents {
	rank := func(c *contents) int {
		if lv := b.volume(b.refs[c.Name]); lv != nil && lv.Origin != "" {
			return 1
		}
		return 0
	}
	all := slices.Clone(b.contents)
	slices.SortStableFunc(all, func(a, c *contents) int {
		return cmp.Or(cmp.Compare(rank(a), rank(c)), cmp.Compare(b.refs[a.Name], b.refs[c.Name]))
	})
	return all
}

// volume is the logical volume that a device is, nil for none.
func (b *builder) volume(ref Ref) *LV {
	id, ok := strings.CutPrefix(string(ref), "lv.")
	if !ok {
		return nil
	}
	return b.Layout.LV[ID(id)]
}

// copyOf tells whether a logical volume holds what another one of its group
// does: a snapshot, or one whose origin is gone.
func (b *builder) copyOf(ref Ref, id ID) bool {
	lv := b.volume(ref)
	if lv == nil {
		return false
	}
	if lv.Type == "snapshot" {
		return true
	}
	var first Ref
	if fs := b.Layout.FileSystem[id]; fs != nil {
		first = fs.On[0]
	} else if s := b.Layout.Swap[id]; s != nil {
		first = s.On
	}
	if origin := b.volume(first); origin == nil || origin.On != lv.On {
		return false
	}
	if lv.Origin == "" {
		b.find("%s holds a copy of what is on %s; only that is recorded", ref, first)
	}
	return true
}

// btrfs reads a file system from all its devices.
func (b *builder) btrfs(ctx context.Context, id ID, devices []*contents, dir string) error {
	slices.SortFunc(devices, func(x, y *contents) int { return cmp.Compare(deviceNumber(x), deviceNumber(y)) })
	var media []medium
	var refs []Ref
	for _, c := range devices {
		if b.twice.add(Ref(fmt.Sprintf("filesystem.%s device %d", id, deviceNumber(c))), c.Name) {
			media, refs = append(media, c.medium.past()), append(refs, b.refs[c.Name])
		}
	}
	var mounted *os.File
	if dir != "" {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer f.Close()
		mounted = f
	}
	_, fs, err := readBtrfs(ctx, media, mounted)
	if err != nil {
		return err
	}
	fs.On = refs
	fs.setLabel([]byte(fs.Label))
	b.Layout.FileSystem[id] = fs
	return nil
}

// deviceNumber is that of a device of btrfs.
func deviceNumber(c *contents) uint64 { return c.found.node.(*btrfsSuper).device.number }
