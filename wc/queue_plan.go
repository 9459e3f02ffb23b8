package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"rootwc/wc/metadata"
)

// queuedItem is the newest queued state of a path.
type queuedItem struct {
	in   *Intent
	item *intentItem
}

// newest are the newest queued states by path, relative to the machine's root.
type newest struct {
	items map[string]*queuedItem
	acks  acks
	list  map[string]*withheldFile
	uuids map[string]bool // of the repositories that commits wait for
}

// newestQueued reads them.
func (t *Tree) newestQueued() (*newest, error) {
	queue, err := t.State.Queue()
	if err != nil {
		return nil, err
	}
	q := &newest{map[string]*queuedItem{}, acks{}, map[string]*withheldFile{}, map[string]bool{}}
	for _, in := range queue {
		q.uuids[in.UUID] = true
		for _, p := range in.Parts {
			for i := range p.Items {
				q.items[joinPath(p.Path, p.Items[i].Rel)] = &queuedItem{in, &p.Items[i]}
			}
		}
		for path, a := range in.Acks {
			q.acks[path] = a
		}
		for path, f := range in.List {
			q.list[path] = f
		}
	}
	return q, nil
}

// waits says whether a path is queued as it is now, so that another commit has
// nothing to send of it; v is nil for a path that is not there.
func (cm *Commit) waits(c *Copy, rel string, v *metadata.Values) bool {
	if cm.queued == nil {
		return false
	}
	path := c.path(rel)
	q := cm.queued.items[path]
	if a, listed := cm.queued.acks[path]; listed && q == nil {
		return cm.waitsListed(c, rel, a, v)
	}
	if q == nil || q.item.Sealed {
		return false
	}
	item := q.item
	if item.Absent || v == nil {
		return item.Absent && v == nil
	}
	if item.Values == nil || item.Values.Kind != v.Kind || len(metadata.Compare(*item.Values, *v, cm.work.tree.Names)) > 0 {
		return false
	}
	if !maps.EqualFunc(changedByHand(c.record().node(rel)), item.Props, sameValue) {
		return false
	}
	want := item.Sum
	if item.Keep { // of content that stays here, the sum does
		a := cm.queued.acks[path]
		if a == nil {
			return true
		}
		want = a.SHA256
	}
	var sum string
	err := as(c.user, func() (err error) { sum, err = sumAt(c.fs, rel, v.Kind); return err })
	return err == nil && sum == want
}

// sameValue compares values of a property; nil is one that goes.
func sameValue(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// waitsEntry is waits for an entry of a status.
func (cm *Commit) waitsEntry(e *Entry) bool {
	switch e.Status {
	case Conflicted, Incomplete, Unstorable, Unversioned:
		return false
	}
	if !e.live.exists {
		return cm.waits(e.copy, e.rel, nil)
	}
	return cm.waits(e.copy, e.rel, &e.live.values)
}

// waitsListed is waits for a file that the list of withheld files names.
func (cm *Commit) waitsListed(c *Copy, rel string, a *ack, v *metadata.Values) bool {
	if a == nil || v == nil {
		return a == nil && v == nil
	}
	f := cm.queued.list[c.path(rel)]
	if f != nil && fmt.Sprint(f.Properties) != fmt.Sprint(metadata.Properties(*v, metadata.StandardDefaults, cm.work.tree.Names)) {
		return false
	}
	sum, err := c.contentSum(rel)
	return err == nil && v.Kind == metadata.File && sum == a.SHA256
}

// turnedBack are the entries of queued paths that are by now as the repository
// has them: the next revision has to say so.
func (w *Work) turnedBack(ctx context.Context, q *newest, opt CommitOptions) ([]*Entry, error) {
	var paths []string
	for path, one := range q.items {
		if !one.item.Sealed && covers(opt.Paths, path) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	slices.Sort(paths)
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: paths, All: true, commit: true})
	return slices.DeleteFunc(entries, func(e *Entry) bool { return !e.Clean() || q.items[e.Path] == nil || e.node == nil }), err
}

// takeGone takes queued additions that are gone by now: neither the disk nor
// the record tells of them.
func (cm *Commit) takeGone(opt CommitOptions) {
	for path, q := range cm.queued.items {
		if q.item.Absent || q.item.Sealed || !covers(opt.Paths, path) {
			continue
		}
		c, rel := cm.work.tree.CopyOf(path)
		if c == nil || c.UUID() != q.in.UUID || c.record().node(rel) != nil {
			continue
		}
		if _, err := c.fs.Lstat(orDot(rel)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		cm.part(c).targets[rel] = true
		cm.Changes = append(cm.Changes, Change{Letter: 'D', Path: path})
	}
}

// part is the share of a working copy.
func (cm *Commit) part(c *Copy) *commitPart {
	for _, cp := range cm.parts {
		if cp.copy == c {
			return cp
		}
	}
	cp := newCommitPart(c)
	cm.parts = append(cm.parts, cp)
	return cp
}
