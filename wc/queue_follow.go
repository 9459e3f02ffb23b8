package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// followLive looks for paths that somebody else has changed in the repository
// since, and an update has brought here. What was queued speaks of another text
// then: the path as it was merged is sent instead, and what was queued is put
// aside. A conflict has to be resolved first.
func (w *Work) followLive(in *Intent, part int, cp *commitPart, d *Delivered) error {
	items := in.Parts[part].Items
	conflicts, err := w.tree.State.conflicts()
	if err != nil {
		return err
	}
	var kept []intentItem
	changed := false
	for _, item := range items {
		path := cp.copy.path(item.Rel)
		mark := baseMark(cp.copy.record(), item.Rel)
		if conflicts[path] != nil {
			return Hint(fmt.Errorf("%q is in conflict", path), "rootwc resolve %s; then the next command sends what was queued", path)
		}
		if item.Sealed || mark == item.Base {
			kept = append(kept, item)
			continue
		}
		changed = true
		follows, err := w.follow(in, part, cp, &item)
		if err != nil {
			return fmt.Errorf("%q: %w", path, cause(err))
		}
		if !follows {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: others may not read it by now; it is left to the next commit", path))
			continue
		}
		item.Base = mark
		d.Notes = append(d.Notes, fmt.Sprintf("%s has changed in the repository since it was queued; it is sent as it was merged here", path))
		kept = append(kept, item)
	}
	if !changed {
		return nil
	}
	if err := syncFS(in.dir); err != nil {
		return err
	}
	in.Parts[part].Items = kept
	return w.tree.State.writeIntent(in)
}

// follow makes an item what the live path is; false when that is not to be sent.
func (w *Work) follow(in *Intent, part int, cp *commitPart, item *intentItem) (bool, error) {
	c := cp.copy
	l, err := w.tree.look(c, item.Rel)
	if err != nil {
		return false, err
	}
	if err := w.putAside(in, part, c, item.Rel); err != nil {
		return false, err
	}
	item.Props, item.Keep = changedByHand(c.record().node(item.Rel)), false
	if item.Absent = !l.exists; item.Absent {
		item.Values, item.Sum = nil, ""
		return true, nil
	}
	if w.tree.withholds(&l.values) {
		return false, nil
	}
	item.Values = &l.values
	return true, as(c.user, func() error {
		to := &stage{tree: w.tree, path: c.Path, live: c.fs, dir: in.files(part), root: cp.from, user: c.user}
		if err := to.take(item.Rel, l.values.Kind); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		item.Sum, err = sumAt(cp.from, item.Rel, l.values.Kind)
		return err
	})
}

// putAside moves what was queued of a file to where replaced files are kept.
func (w *Work) putAside(in *Intent, part int, c *Copy, rel string) error {
	from := filepath.Join(in.files(part), stageWC, rel)
	if info, err := os.Lstat(from); err != nil || info.IsDir() {
		return nil
	}
	to := w.tree.State.path("replaced", in.Since.Format("20060102T150405Z")+"-queued", c.path(rel))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// tellBehind tells the commits that wait behind one that it is made: what they
// change is what it has left.
func (w *Work) tellBehind(in *Intent, behind []*Intent) error {
	for _, next := range behind {
		changed := false
		for _, p := range next.Parts {
			c, _ := w.tree.CopyOf(p.Path)
			for i := range p.Items {
				if item := &p.Items[i]; item.After == in.ID && c != nil && c.Path == p.Path {
					item.After, item.Base, changed = "", baseMark(c.record(), item.Rel), true
				}
			}
		}
		if !changed {
			continue
		}
		if err := w.tree.State.writeIntent(next); err != nil {
			return err
		}
	}
	return nil
}
