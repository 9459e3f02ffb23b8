package wc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// queue keeps what a group of parts was going to send. The stages are prepared:
// what is kept is what would have been sent.
func (w *Work) queue(cm *Commit, group []*commitPart, message string) (in *Intent, err error) {
	state := w.tree.State
	if in, err = state.newIntent(); err != nil {
		return nil, fmt.Errorf("cannot queue the commit: %w", cause(err))
	}
	defer func() {
		if err != nil { // a full disk needs the room
			state.sweepQueue()
		}
	}()
	first := group[0].copy
	in.Message, in.Repository, in.UUID, in.Username = message, first.RepositoryRoot(), first.UUID(), w.tree.Client.Username
	in.Acks = acks{}
	for _, cp := range group {
		if err := w.keepPart(cm, in, cp); err != nil {
			return nil, fmt.Errorf("cannot queue the commit of %q: %w", w.tree.abs(cp.copy.Path), cause(err))
		}
		for path, a := range cp.acks {
			in.Acks[path] = a
		}
		if cp.targets[WithheldPath] && cm.list {
			in.List = cm.listChanges()
		}
	}
	fault.At("queueing")
	if err := state.enqueue(in); err != nil {
		return nil, fmt.Errorf("cannot queue the commit: %w", cause(err))
	}
	fault.At("queued")
	return in, nil
}

// listChanges are those of the list of withheld files.
func (cm *Commit) listChanges() map[string]*withheldFile {
	changes := map[string]*withheldFile{}
	for path, f := range cm.files {
		if old := cm.kept.files[path]; old == nil || fmt.Sprint(*old) != fmt.Sprint(*f) {
			changes[path] = f
		}
	}
	for path := range cm.kept.files {
		if cm.files[path] == nil {
			changes[path] = nil
		}
	}
	return changes
}

// keepPart copies what one working copy sends from its stage.
func (w *Work) keepPart(cm *Commit, in *Intent, cp *commitPart) error {
	c := cp.copy
	part := &intentPart{Path: c.Path}
	dir := in.files(len(in.Parts))
	in.Parts = append(in.Parts, part)
	tree := filepath.Join(dir, stageWC)
	if err := os.MkdirAll(tree, 0o700); err != nil {
		return err
	}
	if err := chownTo(tree, c.user); err != nil {
		return err
	}
	root, err := os.OpenRoot(tree)
	if err != nil {
		return err
	}
	defer root.Close()
	staged, err := cp.stage.record()
	if err != nil {
		return err
	}
	out := &stage{tree: w.tree, path: c.Path, live: cp.stage.root, dir: dir, root: root, user: c.user}
	values := map[string]*metadata.Values{}
	for _, list := range [][]addition{cp.add, cp.content} {
		for i := range list {
			values[list[i].rel] = &list[i].values
		}
	}
	for _, rel := range keys(cp.targets) {
		item := intentItem{Rel: rel, Values: values[rel], Base: baseMark(c.record(), rel)}
		if q := cm.queued.items[c.path(rel)]; q != nil {
			item.After = q.in.ID
		}
		switch n := staged.node(rel); {
		case rel == WithheldPath || rel == ".rootwc" && item.Values == nil:
			continue // made anew from what changes in it
		case slices.Contains(cp.keep, rel):
			l, err := w.tree.look(c, rel)
			if err != nil {
				return err
			}
			item.Keep, item.Values = true, &l.values
		case item.Values == nil && isSealed(rel):
			item.Sealed, item.Absent = true, n == nil || n.scheduledDelete()
		case item.Values == nil && (n == nil || n.scheduledDelete()):
			item.Absent = true
		case item.Values == nil:
			continue // properties of the working copy's own directory, made anew
		}
		if err := as(c.user, func() error { return out.keepItem(&item, staged.node(rel)) }); err != nil {
			return fmt.Errorf("%q: %w", c.path(rel), cause(err))
		}
		if !item.Sealed {
			item.Props = changedByHand(staged.node(rel))
		}
		part.Items = append(part.Items, item)
	}
	return nil
}

// keepItem copies the content of one path.
func (s *stage) keepItem(item *intentItem, n *node) error {
	if item.Absent || item.Keep {
		return nil
	}
	kind := metadata.File
	switch {
	case item.Values != nil:
		kind = item.Values.Kind
	case n.top().kind == kindDir:
		kind = metadata.Dir
	}
	if err := s.take(item.Rel, kind); err != nil {
		return err
	}
	var err error
	item.Sum, err = sumAt(s.root, item.Rel, kind)
	return err
}

// sumAt is the SHA-256 of a file's content, or of a symlink's target, in hex;
// other kinds have none.
func sumAt(root *os.Root, rel string, kind metadata.Kind) (string, error) {
	h := sha256.New()
	switch kind {
	case metadata.Symlink:
		to, err := root.Readlink(rel)
		if err != nil {
			return "", err
		}
		io.WriteString(h, to)
	case metadata.File:
		f, err := openRegular(root, rel)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return "", err
		}
	default:
		return "", nil
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// changedByHand are the properties beside metadata that the repository does not
// have so.
func changedByHand(n *node) map[string][]byte {
	if n == nil {
		return nil
	}
	base, now := n.baseProps(), n.props()
	var changed map[string][]byte
	for _, name := range changedNames(base, now) {
		if slices.Contains(metadata.PropertyNames, name) {
			continue
		}
		if changed == nil {
			changed = map[string][]byte{}
		}
		changed[name] = nil
		if value, set := now[name]; set {
			changed[name] = []byte(value)
		}
	}
	return changed
}

// baseMark tells one recorded state of a path from another.
func baseMark(rec *record, rel string) string {
	s := stateOf(rec, rel)
	if s == nil {
		return ""
	}
	text, _ := json.Marshal([]any{s.kind, s.row.checksum.String(), s.props}) // sorts the names
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
