package wc

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"rootwc/wc/metadata"
)

// make sends an intent, or records the revision sent that it has become already.
func (w *Work) make(ctx context.Context, in *Intent, copies []*Copy, d *Delivered, sent int64) (int64, error) {
	kept, err := w.tree.loadWithheld()
	if err != nil {
		return 0, err
	}
	cm := &Commit{work: w, intent: in, kept: kept, files: maps.Clone(kept.files)}
	for path, f := range in.List {
		cm.list = true
		if cm.files[path] = f; f == nil {
			delete(cm.files, path)
		}
	}
	defer func() {
		for _, cp := range cm.parts {
			if cp.from != nil {
				cp.from.Close()
			}
		}
	}()
	for i, c := range copies {
		cp := cm.part(c)
		if cp.from, err = os.OpenRoot(filepath.Join(in.files(i), stageWC)); err != nil {
			return 0, err
		}
		if sent == 0 {
			if err := w.followLive(in, i, cp, d); err != nil {
				return 0, err
			}
		}
		for k := range in.Parts[i].Items {
			cm.send(cp, &in.Parts[i].Items[k])
		}
	}
	cm.parts[0].acks = maps.Clone(in.Acks)
	cm.finish()
	cm.parts = slices.DeleteFunc(cm.parts, func(cp *commitPart) bool { return len(cp.targets) == 0 })
	if len(cm.parts) == 0 {
		return sent, w.tree.acknowledge(in.Acks)
	}
	if sent > 0 {
		return sent, w.recordSent(ctx, cm.parts, sent)
	}
	if w.tree.Client.Username == "" && in.Username != "" {
		w.tree.Client.Username = in.Username
		defer func() { w.tree.Client.Username = "" }()
	}
	one, err := w.commitGroup(ctx, cm, cm.parts, in.LogMessage())
	return one.Revision, err
}

// send sorts one path of an intent into its part.
func (cm *Commit) send(cp *commitPart, item *intentItem) {
	c, rel := cp.copy, item.Rel
	n := c.record().node(rel)
	if item.Absent && n == nil {
		return
	}
	cp.targets[rel] = true
	if item.Absent {
		if !n.scheduledDelete() {
			cp.delete = append(cp.delete, rel)
		}
		if n.top().kind == kindDir {
			cp.bump[rel] = true
		}
		return
	}
	if item.Sealed {
		cm.sendSealed(cp, rel, n)
		return
	}
	values := *item.Values
	added := addition{rel, values.Kind, values}
	def := c.defaultsAt(rel)
	fresh := n == nil || n.scheduledDelete()
	if !fresh && svnKind(values.Kind) != svnKind(expectedKind(n, n.props())) {
		cp.delete, fresh = append(cp.delete, rel), true
	}
	switch {
	case fresh:
		cp.add = append(cp.add, added)
	case item.Keep:
		cp.keep = append(cp.keep, rel)
	default:
		cp.content = append(cp.content, added)
	}
	if values.Kind == metadata.Dir && !fresh {
		cp.bump[rel] = false
	}
	var props map[string]string
	if !fresh {
		props = n.props()
	}
	if c.Path != "" || rel != "" {
		set, remove := metadata.Edits(propLookup(props), svnKind(values.Kind), values, def, cm.work.tree.Names)
		cp.edits[rel] = edit{set, remove}
	}
	cp.sendProps(rel, n, fresh, item.Props)
	if e := cp.edits[rel]; len(e.set)+len(e.remove) == 0 {
		delete(cp.edits, rel)
	}
	cp.spreads = cp.spreads || slices.ContainsFunc(slices.Collect(maps.Keys(item.Props)), spreadingProperty)
}

// sendProps sends properties that were changed by hand before the commit was
// queued, and puts those aside that were changed later.
func (cp *commitPart) sendProps(rel string, n *node, fresh bool, props map[string][]byte) {
	var base, now map[string]string
	if n != nil && !fresh {
		base, now = n.baseProps(), n.props()
	}
	later := changedByHand(n)
	want := maps.Clone(props)
	for name := range later {
		if _, named := props[name]; named || fresh {
			continue
		}
		if want == nil {
			want = map[string][]byte{}
		}
		want[name] = nil
		if value, had := base[name]; had {
			want[name] = []byte(value)
		}
	}
	e, after := cp.edits[rel], edit{}
	for name, value := range want {
		is, set := now[name]
		switch {
		case value == nil && set:
			e.remove = append(e.remove, name)
		case value != nil && (!set || is != string(value)):
			if e.set == nil {
				e.set = map[string]string{}
			}
			e.set[name] = string(value)
		default:
			continue
		}
		if _, changed := later[name]; !changed {
			continue
		}
		if set {
			if after.set == nil {
				after.set = map[string]string{}
			}
			after.set[name] = is
		} else {
			after.remove = append(after.remove, name)
		}
	}
	cp.edits[rel] = e
	if len(after.set)+len(after.remove) > 0 {
		if cp.later == nil {
			cp.later = map[string]edit{}
		}
		cp.later[rel] = after
	}
}

// sendSealed sends a sealed file, with the directories above it that are new.
func (cm *Commit) sendSealed(cp *commitPart, rel string, n *node) {
	a := addition{rel: rel, kind: metadata.File}
	if info, err := cp.from.Lstat(rel); err == nil && info.IsDir() {
		a.kind = metadata.Dir
	}
	if n == nil {
		cp.add = append(cp.add, a)
	} else {
		cp.content = append(cp.content, a)
	}
}

// editedSince says whether a live file is no longer what a queued commit has of
// it.
func (cp *commitPart) editedSince(rel string, l *live) (bool, error) {
	if cp.from == nil || rel == WithheldPath || isSealed(rel) {
		return false, nil
	}
	if !l.exists {
		return true, nil
	}
	was, err := sumAt(cp.from, rel, metadata.File)
	if err != nil || l.values.Kind != metadata.File {
		return true, err
	}
	var is string
	err = as(cp.copy.user, func() (err error) { is, err = sumAt(cp.copy.fs, rel, metadata.File); return err })
	return is != was, err
}
