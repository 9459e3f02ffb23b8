package wc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Delivered is what became of a queued commit.
type Delivered struct {
	Intent   *Intent
	Revision int64    // 0 when it is not made, or had nothing left to send
	Notes    []string // what a person should know of what was sent
	Err      error    // why it still waits
	Offline  bool     // the server is out of reach
}

// errBehind is why a commit is queued although nobody asked the server.
var errBehind = errors.New("earlier commits to the repository still wait")

// reachIn is how long a server may take to say that it is there, before
// anything is sent: nobody waits for minutes because a network swallows packets.
const reachIn = 5 * time.Second

// Deliver makes the queued commits in their order. One that cannot be made
// keeps those of its repository after it waiting, and no others.
//
// Unless it is to be now, a server that was out of reach some minutes ago is
// not waited for again.
func (w *Work) Deliver(ctx context.Context, now bool) ([]Delivered, error) {
	queue, err := w.tree.State.Queue()
	if err != nil || len(queue) == 0 || !now && w.tree.State.triedLately() {
		return nil, err
	}
	var done []Delivered
	blocked, reached := map[string]bool{}, map[asker]error{}
	for _, in := range queue {
		if blocked[in.UUID] {
			continue
		}
		d := Delivered{Intent: in}
		d.Err = w.deliver(ctx, in, &d, reached)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		d.Offline = offline(d.Err)
		blocked[in.UUID] = d.Err != nil
		done = append(done, d)
	}
	return done, w.tree.State.tried(slices.ContainsFunc(done, func(d Delivered) bool { return d.Offline }))
}

// triedFile says by its time when a server was last out of reach.
const triedFile = "tried"

// triedLately says whether a server was out of reach a short while ago.
func (s *State) triedLately() bool {
	const pause = 5 * time.Minute
	info, err := os.Lstat(s.path(queueState, triedFile))
	return err == nil && time.Since(info.ModTime()) < pause
}

// tried notes whether one was.
func (s *State) tried(away bool) error {
	name := s.path(queueState, triedFile)
	if away {
		return s.writeDurable(filepath.Join(queueState, triedFile), nil)
	}
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// deliver makes one.
func (w *Work) deliver(ctx context.Context, in *Intent, d *Delivered, reached map[asker]error) error {
	copies, err := w.copiesOf(in)
	if err != nil {
		return err
	}
	at := copies[0].asker()
	if _, asked := reached[at]; !asked {
		reached[at] = w.reach(ctx, copies[0])
	}
	if err := reached[at]; err != nil {
		return err
	}
	sent := int64(0)
	if in.Sent {
		if sent, err = w.findMark(ctx, copies[0], in.ID); err != nil {
			return err
		}
	}
	if d.Revision, err = w.make(ctx, in, copies, d, sent); err != nil {
		return err
	}
	fault.At("delivered")
	if err := w.followers(in); err != nil {
		return err
	}
	return w.tree.State.Drop(in.Number)
}

// copiesOf are the working copies that an intent was queued for.
func (w *Work) copiesOf(in *Intent) ([]*Copy, error) {
	var copies []*Copy
	for _, p := range in.Parts {
		c, _ := w.tree.CopyOf(p.Path)
		if c == nil || c.Path != p.Path || c.UUID() != in.UUID {
			return nil, Hint(fmt.Errorf("%q is no working copy of %s any more", w.tree.abs(p.Path), in.Repository),
				"what it was to send lies in %s; rootwc commit --drop %d gives it up", in.dir, in.Number)
		}
		copies = append(copies, c)
	}
	if len(copies) == 0 {
		return nil, fmt.Errorf("internal error: %s names no working copy", in.dir)
	}
	return copies, nil
}

// reach asks whether the server is there. No answer in time is none.
func (w *Work) reach(ctx context.Context, c *Copy) error {
	bound, cancel := context.WithTimeout(ctx, reachIn)
	defer cancel()
	_, err := w.tree.Client.Info(bound, c.user, c.URL(), "")
	if bound.Err() != nil && ctx.Err() == nil {
		return &silentError{c.RepositoryRoot()}
	}
	return err
}

// offline says whether a server could not be asked at all: there is no network,
// no route, no name, nobody listens or answers. One that was reached and did
// not let the user in is another matter.
func offline(err error) bool {
	return errors.As(err, new(*silentError)) || Unreachable(err) && !denied(err)
}

// silentError says that a server does not answer.
type silentError struct{ url string }

func (e *silentError) Error() string {
	return fmt.Sprintf("%s is out of reach: no answer in %s", e.url, reachIn)
}

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
	cp.spreads = cp.spreads || slices.ContainsFunc(keysOf(item.Props), spreadingProperty)
}

// sendProps sends properties that were changed by hand before the commit was
// queued, and puts those aside that were changed later.
func (cp *commitPart) sendProps(rel string, n *node, fresh bool, props map[string]*string) {
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
			want = map[string]*string{}
		}
		want[name] = nil
		if value, had := base[name]; had {
			want[name] = &value
		}
	}
	e, after := cp.edits[rel], edit{}
	for name, value := range want {
		is, set := now[name]
		switch {
		case value == nil && set:
			e.remove = append(e.remove, name)
		case value != nil && (!set || is != *value):
			if e.set == nil {
				e.set = map[string]string{}
			}
			e.set[name] = *value
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

func keysOf[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}

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
		if item.Sealed || mark == item.Base || item.After != "" {
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

// followers tells the commits that wait behind one that it is made: what they
// change is what it has left.
func (w *Work) followers(in *Intent) error {
	queue, err := w.tree.State.Queue()
	if err != nil {
		return err
	}
	for _, next := range queue {
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
