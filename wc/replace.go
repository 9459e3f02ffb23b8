package wc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// File is a live regular file as it was at one moment.
type File struct {
	Path string // relative to the machine's root
	Text []byte

	copy *Copy
	rel  string
	live live
}

// Replacement is what becomes of a file: it gets a text and keeps its metadata,
// or it goes when Text is nil.
type Replacement struct {
	File *File
	Text []byte
	Note string // a few words for the report
}

// ReadLive reads a live regular file of at most that many bytes.
// os.ErrNotExist when there is none, [ErrTooLarge] when it is larger.
func (t *Tree) ReadLive(path string, most int64) (*File, error) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	f := &File{Path: path, copy: c, rel: rel}
	err := as(c.user, func() (err error) {
		if f.live, err = t.look(c, rel); err != nil {
			return err
		}
		f.Text, err = readRegular(c.fs, rel, most) // after the look: a later change shows
		return err
	})
	if err != nil {
		return nil, cause(err)
	}
	return f, nil
}

// ErrTooLarge says that a file is larger than the reader wants.
var ErrTooLarge = errors.New("it is too large")

func readRegular(root *os.Root, rel string, most int64) ([]byte, error) {
	f, err := openRegular(root, rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = ErrTooLarge
	}
	return text, err
}

// Recorded is the text that the working copy records of a path, in the
// repository's form; nil when it has none.
func (t *Tree) Recorded(path string) ([]byte, error) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return nil, nil
	}
	s := stateOf(c.record(), rel)
	if s == nil || s.kind != metadata.File || !s.row.hasChecksum {
		return nil, nil
	}
	return os.ReadFile(pristinePath(c.dir, s.row.checksum))
}

// Ask stores a conflict between a person's version of a file and a package's,
// for [Work.Resolve].
func (w *Work) Ask(path string, s *Sides) error {
	c := &Conflict{Path: path, What: s.What, Package: s.Package, Recorded: true}
	err := w.tree.State.storeConflict(c, s.texts())
	fault.At("conflict-stored")
	return err
}

// Replace gives files a new text, or removes them. What the working copies
// record stays as it is, so that the changes show until they are committed.
// Everything that goes is kept under the state directory.
func (w *Work) Replace(ctx context.Context, all []Replacement) ([]*Result, error) {
	byCopy := map[*Copy][]Replacement{}
	for _, r := range all {
		byCopy[r.File.copy] = append(byCopy[r.File.copy], r)
	}
	var results []*Result
	for _, c := range w.tree.Copies {
		if len(byCopy[c]) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return results, err
		}
		r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
		results = append(results, r)
		if err := w.replaceIn(c, byCopy[c], r); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (w *Work) replaceIn(c *Copy, all []Replacement, r *Result) error {
	s, p, err := w.scratch(c, "")
	if err != nil {
		return err
	}
	defer s.live.Close()
	var rels []string
	for _, one := range all {
		f := one.File
		st := step{Act: actRemove, Rel: f.rel, Expect: f.live.identity()}
		change := Change{Letter: 'D', Path: f.Path, Note: one.Note}
		if one.Text != nil {
			want := f.live.values
			st.Act, st.Want, change.Letter = actPut, &want, 'U'
			err := as(s.user, func() error {
				return errors.Join(s.mkdirs(parentOf(f.rel)), s.root.WriteFile(f.rel, one.Text, 0o600))
			})
			if err != nil {
				return fmt.Errorf("cannot stage %q: %w", f.Path, cause(err))
			}
		}
		rels = append(rels, f.rel)
		p.Steps = append(p.Steps, st)
		r.Changes = append(r.Changes, change)
	}
	// a file that makes room goes after the one that needed it was placed
	sort.SliceStable(p.Steps, func(i, j int) bool { return p.Steps[i].Act == actPut && p.Steps[j].Act != actPut })
	if r.Saved, err = w.save(s, rels); err != nil {
		return fmt.Errorf("cannot keep the files that are replaced: %w", err)
	}
	return w.placeAndReport(p, r)
}

// Named lists the regular files in versioned directories whose names accept
// wants, be they versioned, ignored or neither; sorted. Working copies of
// ordinary users are left out.
func (t *Tree) Named(accept func(name string) bool) ([]string, error) {
	var found []string
	for _, c := range t.Copies {
		if c.user != nil {
			continue
		}
		for rel, n := range c.record().all() {
			if !n.visible() || n.top().kind != kindDir || t.Mounts[c.path(rel)] || c.symlinkAbove(rel+"/") != "" {
				continue
			}
			names, err := c.namesIn(rel)
			if err != nil {
				return nil, fmt.Errorf("cannot read %q: %w", c.path(rel), cause(err))
			}
			for _, name := range names {
				if accept(name) {
					found = append(found, c.path(joinPath(rel, name)))
				}
			}
		}
	}
	sort.Strings(found)
	return found, nil
}

// namesIn are the regular files of a live directory; none when it is gone, or
// another working copy's.
func (c *Copy) namesIn(rel string) ([]string, error) {
	d, err := openDir(c.fs, rel)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}
