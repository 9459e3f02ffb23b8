package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"rootwc/wc/metadata"
)

// mergedSide is what a merge from another branch wanted at a path, beside the
// text that is kept as "theirs".
type mergedSide struct {
	Deleted    bool               `json:"deleted,omitempty"`
	Source     string             `json:"source,omitempty"`     // URL with peg revision, for a path that is not on this branch
	Properties map[string]*string `json:"properties,omitempty"` // that clash; nil takes one away
}

// linkText begins what Subversion stores of a symlink.
const linkText = "link "

// mergeConflicts gathers the conflicts that svn has left in the stage, and
// ends them there on this branch's side: the record counts the revisions as
// merged, what a person decides later is a change of the live file.
// One that arises again, in a later range of revisions, keeps its first base.
func (w *Work) mergeConflicts(ctx context.Context, s *stage, m *merging) error {
	rec, err := s.record()
	if err != nil {
		return err
	}
	before := s.copy.record()
	var rels []string
	for rel, n := range rec.all() {
		if n.actual == nil || n.actual.conflict == nil {
			continue
		}
		if old := before.node(rel); old != nil && old.actual != nil && old.actual.conflict != nil {
			continue // from plain svn
		}
		k, err := w.mergeConflict(ctx, s, rec, rel)
		if err == nil {
			err = as(s.user, func() error { return s.plainMine(rel) })
		}
		if err != nil {
			return fmt.Errorf("%q: %w", joinPath(s.path, rel), err)
		}
		rels = append(rels, rel)
		if k != nil {
			k.after(m.conflicts[rel])
			m.conflicts[rel] = k
		}
	}
	if err := s.svnTargets(ctx, rels, "resolve", "--quiet", "--accept", "working"); err != nil {
		return err
	}
	return as(s.user, func() error {
		for _, rel := range rels {
			if err := s.takeMine(rel); err != nil {
				return fmt.Errorf("%q: %w", joinPath(s.path, rel), err)
			}
		}
		return nil
	})
}

// after joins a conflict with the one that an earlier range has brought.
func (k *Conflict) after(old *Conflict) {
	if old == nil {
		return
	}
	if base, had := old.sides["base"]; had {
		k.sides["base"] = base
	}
	if _, has := k.sides["theirs"]; !has && old.sides["theirs"] != nil && !k.Merged.Deleted {
		k.sides["theirs"], k.What = old.sides["theirs"], old.What
	}
	for name, value := range old.Merged.Properties {
		if _, newer := k.Merged.Properties[name]; !newer {
			if k.Merged.Properties == nil {
				k.Merged.Properties = map[string]*string{}
			}
			k.Merged.Properties[name] = value
		}
	}
}

// plainMine puts an empty file in the place of a symlink in conflict: svn
// resolve reads through it, and fails when it leads nowhere (E155027, svn
// 1.14.2).
func (s *stage) plainMine(rel string) error {
	if mine := workingOf(s.copy.record(), rel); mine == nil || mine.kind != metadata.Symlink {
		return nil
	}
	if err := s.root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cause(err)
	}
	return s.root.WriteFile(rel, nil, 0o600)
}

// takeMine puts the live path in the place of what svn has made of it.
func (s *stage) takeMine(rel string) error {
	mine := workingOf(s.copy.record(), rel)
	if mine == nil || mine.kind == metadata.Dir {
		return nil
	}
	if err := s.root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cause(err)
	}
	return s.take(rel, mine.kind)
}

// mergeConflict reads svn's conflict at rel, nil when both sides want the same.
// The record is ((OPERATION (LEFT RIGHT)) (KIND …)), a side
// (subversion ROOT UUID PATH REVISION NODEKIND), a kind (text (LEFT MINE RIGHT)),
// (prop (REJECTS) (NAMES) OLD MINE THEIRS) or (tree …): libsvn_wc/conflicts.h.
func (w *Work) mergeConflict(ctx context.Context, s *stage, rec *record, rel string) (k *Conflict, err error) {
	c := s.copy
	doc, err := parseSkel(rec.node(rel).actual.conflict)
	if err != nil || len(doc.list) < 2 || len(doc.list[0].list) < 2 {
		return nil, errSkel
	}
	k = &Conflict{Path: c.path(rel), What: "changed on both branches", From: c.Revision(), To: c.Revision(), Recorded: true, Merged: &mergedSide{}, sides: map[string][]byte{}}
	tree, sides := false, map[string]skel{}
	for i, side := range doc.list[0].list[1].list {
		if i < 2 && len(side.list) == 6 {
			sides[[]string{"base", "theirs"}[i]] = side
		}
	}
	for _, kind := range doc.list[1].list {
		if len(kind.list) < 2 {
			return nil, errSkel
		}
		switch string(kind.list[0].atom) {
		case "text":
			err = s.keepMarkers(kind.list[1], k)
		case "prop":
			err = k.keepProperties(kind)
		case "tree":
			tree = true
			err = w.keepTreeSides(ctx, s, rel, sides, k)
		}
		if err != nil {
			return nil, err
		}
	}
	mine := workingOf(c.record(), rel)
	if mine != nil && mine.kind == metadata.File {
		if k.sides["mine"], err = w.tree.readLive(c, rel); err != nil {
			return nil, err
		}
	}
	theirs, has := k.sides["theirs"]
	same := tree && (mine == nil && k.Merged.Deleted || mine != nil && has && k.sides["mine"] != nil && bytes.Equal(theirs, k.sides["mine"]))
	if same {
		return nil, nil
	}
	return k, nil
}

// keepMarkers takes the sides of a text conflict from the files that svn has
// put beside it.
func (s *stage) keepMarkers(files skel, k *Conflict) error {
	for i, side := range []string{"base", "", "theirs"} {
		if side == "" || i >= len(files.list) || len(files.list[i].atom) == 0 {
			continue
		}
		name := string(files.list[i].atom)
		if link, err := s.root.Readlink(name); err == nil {
			k.sides[side] = []byte(linkText + link)
			continue
		}
		text, err := s.root.ReadFile(name)
		if err != nil {
			return cause(err)
		}
		k.sides[side] = text
	}
	return nil
}

// keepProperties takes the values that the other branch wants of the
// properties that clash.
func (k *Conflict) keepProperties(kind skel) error {
	if len(kind.list) < 6 {
		return errSkel
	}
	theirs, err := kind.list[5].props()
	if err != nil {
		return err
	}
	k.What = "property"
	k.Merged.Properties = map[string]*string{}
	for i, name := range kind.list[2].list {
		if i > 0 {
			k.What += ","
		}
		k.What += " " + string(name.atom)
		k.Merged.Properties[string(name.atom)] = nil
		if value, has := theirs[string(name.atom)]; has {
			k.Merged.Properties[string(name.atom)] = &value
		}
	}
	k.What += " changed on both branches"
	return nil
}

// keepTreeSides fetches the sides of a tree conflict, which svn leaves in the
// repository.
func (w *Work) keepTreeSides(ctx context.Context, s *stage, rel string, sides map[string]skel, k *Conflict) error {
	kindOfSide := func(side string) string {
		if list := sides[side].list; list != nil {
			return string(list[5].atom)
		}
		return "none"
	}
	mine := workingOf(s.copy.record(), rel) != nil
	for side, at := range sides {
		revision, err := strconv.ParseInt(string(at.list[4].atom), 10, 64)
		if err != nil {
			return errSkel
		}
		source := fmt.Sprintf("%s@%d", s.copy.urlOf(string(at.list[3].atom)), revision)
		if side == "theirs" && !mine && kindOfSide(side) != "none" {
			k.Merged.Source = source
		}
		if kindOfSide(side) != "file" {
			continue
		}
		if k.sides[side], err = s.svn(ctx, nil, "cat", "--", source); err != nil {
			return err
		}
	}
	k.Merged.Deleted = kindOfSide("theirs") == "none"
	switch {
	case k.Merged.Deleted:
		k.What = "changed on this branch, deleted on the other"
	case !mine:
		k.What = "deleted on this branch, changed on the other"
	case kindOfSide("base") == "none":
		k.What = "added on both branches"
	}
	return nil
}

// readLive reads a live file of a working copy.
func (t *Tree) readLive(c *Copy, rel string) (text []byte, err error) {
	err = as(c.user, func() error {
		f, err := openRegular(c.fs, rel)
		if err != nil {
			return cause(err)
		}
		defer f.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(f)
		text = b.Bytes()
		return err
	})
	return text, err
}
