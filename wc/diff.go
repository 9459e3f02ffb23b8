package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"rootwc/wc/metadata"
)

// Difference is one changed path with its texts. Old and New are in the
// repository's normal form; nil when that side has none.
type Difference struct {
	*Entry
	OldLabel, NewLabel string
	Old, New           []byte
	Binary             bool
	Props              []PropertyDiff
}

// PropertyDiff is one svn property changed by hand.
type PropertyDiff struct{ Name, Old, New string }

// Diff lists the changes that [Tree.Status] finds together with their texts.
// Nothing is asked of a server: the old text is the working copy's own copy.
// What is no news is left out unless noise asks for it, or the very path is
// named.
func (t *Tree) Diff(ctx context.Context, paths []string, noise bool, each func(*Difference) error) error {
	entries, err := t.Status(ctx, StatusOptions{Paths: paths, Noise: noise || len(paths) > 0})
	if err != nil {
		return err
	}
	for _, e := range entries {
		hidden := e.quiet && !noise && !slices.Contains(paths, e.Path)
		if !hidden {
			e.loud()
		}
		if e.Status == Unversioned || e.Status == Unstorable || hidden && e.Clean() {
			continue
		}
		for _, d := range t.differences(e) {
			if err := d.load(); err != nil {
				return fmt.Errorf("cannot compare %q: %w", d.Path, cause(err))
			}
			if hidden {
				d.New = d.Old
			}
			if err := each(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// differences is the entry itself and, for a directory that is gone, every
// file that was in it.
func (t *Tree) differences(e *Entry) []*Difference {
	all := []*Difference{{Entry: e}}
	gone := e.Status == Missing || e.Status == Deleted || e.Status == Obstructed
	if e.node == nil || !gone || e.node.top().kind != kindDir {
		return all
	}
	var below []string
	for rel := range e.copy.record().all() {
		if strings.HasPrefix(rel, e.rel+"/") && stateOf(e.copy.record(), rel) != nil {
			below = append(below, rel)
		}
	}
	sort.Strings(below)
	for _, rel := range below {
		n := e.copy.record().node(rel)
		sub := &Entry{Path: e.copy.path(rel), Status: Deleted, Kind: expectedKind(n, n.baseProps()), copy: e.copy, rel: rel, node: n}
		all = append(all, &Difference{Entry: sub})
	}
	return all
}

// load reads both texts.
func (d *Difference) load() error {
	d.OldLabel, d.NewLabel = "(nonexistent)", "(nonexistent)"
	e := d.Entry
	// the repository has no text; or the next commit takes it away, sealed
	if e.node == nil || e.Withheld && e.copy.tree.seals() {
		return nil
	}
	if s := stateOf(e.copy.record(), e.rel); s != nil && e.Status != Added {
		d.OldLabel = fmt.Sprintf("(revision %d)", s.row.revision)
		if s.row.hasChecksum {
			text, err := os.ReadFile(pristinePath(e.copy.dir, s.row.checksum))
			if err != nil {
				return err
			}
			d.Old = text
		}
	}
	props := e.node.props()
	if e.Status != Deleted && e.Status != Missing && e.live.exists {
		d.NewLabel = "(working copy)"
		if err := d.loadNew(props); err != nil {
			return err
		}
	}
	mime := props["svn:mime-type"]
	d.Binary = mime != "" && !strings.HasPrefix(mime, "text/") || bytes.IndexByte(d.Old, 0) >= 0 || bytes.IndexByte(d.New, 0) >= 0
	for _, name := range e.Properties {
		before, _ := parseProps(e.node.top().props)
		d.Props = append(d.Props, PropertyDiff{name, before[name], props[name]})
	}
	return nil
}

func (d *Difference) loadNew(props map[string]string) error {
	e := d.Entry
	switch e.live.values.Kind {
	case metadata.Symlink: // never what it points at
		t, err := e.copy.fs.Readlink(e.rel)
		d.New = []byte("link " + t)
		return err
	case metadata.File:
		f, err := e.copy.openFile(e.rel)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		d.New = normalForm(text, props["svn:eol-style"], props["svn:keywords"])
		return err
	}
	return nil
}

// Unified is the difference of the texts in the form of diff(1) -u, as svn
// heads it; empty when they are equal.
func (d *Difference) Unified() []byte {
	if d.Binary && !bytes.Equal(d.Old, d.New) {
		return []byte("Cannot display: the file is binary.\n")
	}
	text := diff.Diff(d.Path+"\t"+d.OldLabel, d.Old, d.Path+"\t"+d.NewLabel, d.New)
	_, text, _ = bytes.Cut(text, []byte("\n")) // "diff OLD NEW", which svn does not print
	return text
}

// Unified is the difference of the values as svn prints it, "##" in place of
// "@@".
func (p PropertyDiff) Unified() []byte {
	text := diff.Diff("", lines(p.Old), "", lines(p.New))
	var out bytes.Buffer
	for i, line := range bytes.SplitAfter(text, []byte("\n")) {
		if i < 3 { // the three lines that name the files
			continue
		}
		if bytes.HasPrefix(line, []byte("@@")) {
			line = bytes.ReplaceAll(line, []byte("@@"), []byte("##"))
		}
		out.Write(line)
	}
	return out.Bytes()
}

// lines ends a property value with a newline.
func lines(value string) []byte {
	if value != "" && !strings.HasSuffix(value, "\n") {
		value += "\n"
	}
	return []byte(value)
}

// Patterns returns an svn:ignore or svn:global-ignores value of a directory.
func (t *Tree) Patterns(dir, property string) (string, error) {
	c, rel := t.CopyOf(dir)
	if c == nil || !c.Versioned(rel) {
		return "", Hint(fmt.Errorf("%q is not under version control", dir), "rootwc add %s", dir)
	}
	v, _ := c.Property(rel, property)
	return v, nil
}

// CutRange cuts "N:M" into its revisions; a date in braces holds colons of
// its own. The second is empty when there is one only.
func CutRange(revisions string) (from, to string) {
	if strings.HasPrefix(revisions, "{") {
		if end := strings.IndexByte(revisions, '}'); end >= 0 {
			return revisions[:end+1], strings.TrimPrefix(revisions[end+1:], ":")
		}
		return revisions, ""
	}
	from, to, _ = strings.Cut(revisions, ":")
	return from, to
}

// DiffRevisions is svn's diff of a path between two revisions, "N:M", or
// between one and the working copy's.
func (t *Tree) DiffRevisions(ctx context.Context, path, revisions string) ([]byte, error) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	from, to := CutRange(revisions)
	if to == "" { // with the files as they are; this svn reads the live tree and writes nothing
		return t.Client.Run(ctx, Call{User: c.user, Dir: c.dir, Args: []string{"diff", "--internal-diff", "--revision", from, "--", target(rel)}})
	}
	peg := fmt.Sprint(c.Revision())
	return t.Client.Run(ctx, Call{User: c.user, Args: []string{"diff", "--internal-diff", "--revision", from + ":" + to, "--", c.DirURL(rel) + "@" + peg}})
}

// Log asks for the revisions of a path, youngest first.
func (t *Tree) Log(ctx context.Context, path string, args ...string) ([]LogEntry, error) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	at := func(peg string) []string { return append(args[:len(args):len(args)], "--", c.DirURL(rel)+"@"+peg) }
	entries, err := t.Client.Log(ctx, c.user, at(c.pegOf(rel))...)
	if !HasCode(err, "160013", "195012", "170000", "200009") {
		return entries, err
	}
	last, found := t.lastSeen(ctx, c, rel)
	if !found {
		return nil, fmt.Errorf("it is not in the repository, and never was")
	}
	// the history ends before the deletion: a range from HEAD would be refused
	for i := range args {
		if args[i] == "HEAD:1" {
			args[i] = fmt.Sprintf("%d:1", last)
		}
	}
	entries, err = t.Client.Log(ctx, c.user, at(fmt.Sprint(last))...)
	if err != nil {
		return nil, err
	}
	end, err := t.Client.Log(ctx, c.user, "--revision", fmt.Sprint(last+1), "--", c.RepositoryRoot()+"@HEAD")
	return append(end, entries...), err
}

// lastSeen finds the revision before a path was deleted from the repository.
func (t *Tree) lastSeen(ctx context.Context, c *Copy, rel string) (int64, bool) {
	dir := parentOf(rel)
	for dir != "" && !c.Versioned(dir) {
		dir = parentOf(dir)
	}
	entries, err := t.Client.Log(ctx, c.user, "--verbose", "--quiet", "--", c.DirURL(dir)+"@HEAD")
	if err != nil {
		return 0, false
	}
	path := strings.TrimPrefix(UnescapeURL(strings.TrimPrefix(c.DirURL(rel), c.record().reposRoot)), "/")
	for _, e := range entries {
		for _, p := range e.Paths {
			gone := strings.TrimPrefix(p.Path, "/")
			if (p.Action == "D" || p.Action == "R") && (gone == path || strings.HasPrefix(path, gone+"/")) {
				return e.Revision - 1, true
			}
		}
	}
	return 0, false
}

// pegOf is a revision in which rel has the name that it has here.
func (c *Copy) pegOf(rel string) string {
	if n := c.record().node(rel); n != nil && n.base() != nil && n.base().revision > 0 && n.base().presence != presenceNotPresent {
		return fmt.Sprint(n.base().revision)
	}
	return "HEAD"
}
