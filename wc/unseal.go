package wc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rootwc/secrets"
	"rootwc/wc/metadata"
)

// UnsealOptions chooses what [Work.Unseal] brings back.
type UnsealOptions struct {
	Paths      []string // only these and what is below them; none means everything
	Identities secrets.Identities
	Edited     bool // also where the content was changed since it was sealed here
	DryRun     bool
	// Decide decides about a path that has another file in its place, of a fresh
	// installation: a function that gets both texts, nil where the sealed one is to
	// come. Of what it decides, Drop has no meaning.
	Decide func(path string) SealedDecider
}

// Unseal brings sealed files back that are not here, or of which the repository
// has another content than was ever here. Each appears in one step with its
// content, owner and mode; before, its content is in no file that has a name.
// What does not come back is among the refused ones of the result.
func (w *Work) Unseal(ctx context.Context, opt UnsealOptions) (*Result, error) {
	t := w.tree
	kept, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	u := &unsealer{work: w, opt: opt, kept: kept, seen: acks{}, result: &Result{}}
	if !opt.DryRun {
		u.saved = filepath.Join("replaced", time.Now().UTC().Format("20060102T150405Z"))
	}
	for _, path := range sealedPaths(kept.files, opt.Paths) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var blocked *blockedError
		err := u.one(ctx, path)
		if errors.As(err, &blocked) {
			u.result.Refused = append(u.result.Refused, Refused{path, blocked.Error()})
		} else if err != nil {
			return u.result, errors.Join(fmt.Errorf("cannot restore %q: %w", path, cause(err)), t.acknowledge(u.seen))
		}
	}
	return u.result, t.acknowledge(u.seen)
}

// sealedPaths are the sealed files at or below some paths, sorted.
func sealedPaths(files map[string]*withheldFile, paths []string) []string {
	found := map[string]bool{}
	for path, f := range files {
		if f.Sealed != "" && covers(paths, path) {
			found[path] = true
		}
	}
	return keys(found)
}

// blockedError costs one file only.
type blockedError struct{ error }

func (e *blockedError) Unwrap() error { return e.error }

func blocked(format string, args ...any) error {
	return &blockedError{fmt.Errorf(format, args...)}
}

// unsealer is one run of [Work.Unseal].
type unsealer struct {
	work   *Work
	opt    UnsealOptions
	kept   *withheld
	saved  string
	seen   acks
	result *Result
}

func (u *unsealer) one(ctx context.Context, path string) error {
	t := u.work.tree
	c, rel := t.CopyOf(path)
	if c == nil || c.Versioned(rel) || unsafeName(path) != "" || t.State.holds(path) {
		return blocked("its place belongs to something else")
	}
	l, err := t.look(c, rel)
	if err != nil {
		return blocked("%w", cause(err))
	}
	switch {
	case l.exists && l.values.Kind != metadata.File:
		return blocked("a %s is in its place", l.values.Kind)
	case l.exists && !u.opt.Edited && !u.kept.absent(path):
		return nil // it was here since
	case len(u.opt.Identities) == 0:
		return blocked("it is encrypted, and no identity is given")
	}
	in, opened, err := t.openSealed(path, u.opt.Identities)
	if err != nil {
		return err
	}
	defer in.Close()
	return u.place(ctx, c, rel, &l, opened)
}

// openSealed opens the sealed form of a path.
func (t *Tree) openSealed(path string, with secrets.Identities) (*os.File, *secrets.Opened, error) {
	name, err := secrets.SealedPath(path)
	if err != nil {
		return nil, nil, blocked("%w", err)
	}
	in, err := openRegular(t.fs, name)
	if err != nil {
		return nil, nil, blocked("%s: %w", name, cause(err))
	}
	opened, err := secrets.Open(in, path, with)
	if err != nil {
		in.Close()
		return nil, nil, blocked("%s: %w", name, err)
	}
	return in, opened, nil
}

// place puts an opened file in its place.
func (u *unsealer) place(ctx context.Context, c *Copy, rel string, l *live, opened *secrets.Opened) error {
	path, t := c.path(rel), u.work.tree
	want, unknown, problems := metadata.Wanted(propLookup(closed(opened.Properties)), metadata.File, metadata.StandardDefaults, t.Names)
	t.unknownNames(path, unknown)
	for _, p := range problems {
		t.Warn("%s: %v", path, p)
	}
	want, dropped := guarded(want, &part{Path: c.Path, User: c.user})
	u.result.Unset = append(u.result.Unset, left(&part{Path: c.Path, User: c.user}, rel, dropped)...)

	var h *hidden
	to := io.Discard
	if !u.opt.DryRun {
		var err error
		if h, err = newHidden(c, rel); err != nil {
			return blocked("%w", cause(err))
		}
		defer h.close()
		to = h.file
	}
	clear, text := sha256.New(), sha256.New()
	d, err := u.write(ctx, io.MultiWriter(to, text), io.TeeReader(opened, clear), path, l)
	if err != nil {
		return err
	}
	sum := hex.EncodeToString(text.Sum(nil))
	is := &ack{SHA256: hex.EncodeToString(clear.Sum(nil)), Sealed: u.kept.files[path].Sealed}
	if d.Keep || d.Conflict != nil {
		return u.leave(path, d, is)
	}
	change := Change{Letter: 'A', Path: path, Note: d.Note}
	if l.exists {
		change.Letter = 'U'
		if d.Text != nil {
			change.Letter = 'G'
		}
		now, err := c.contentSum(rel)
		if err != nil {
			return blocked("%w", cause(err))
		}
		if now == sum {
			change.Letter = 'M'
			change.Note = metadata.Words(metadata.Compare(l.values, want, t.Names))
		}
	}
	if u.opt.DryRun {
		u.tell(change)
		return nil
	}
	if l.exists && change.Letter != 'M' {
		if err := u.save(c, rel); err != nil {
			return err
		}
	}
	if change.Letter != 'M' || change.Note != "" {
		unset, err := u.put(c, h, l, want)
		if err != nil {
			return err
		}
		u.result.Unset = append(u.result.Unset, unset...)
	}
	u.tell(change)
	is.Quiet = c.quietSum(rel, is.SHA256)
	u.seen[path] = is
	return nil
}

// closed are the properties of a sealed file as they may come back. rootwc seals
// only what others may not read; a header that says otherwise was made by
// somebody else, and opens nothing to others, nor makes a program.
func closed(props map[string]string) map[string]string {
	safe := map[string]string{}
	maps.Copy(safe, props)
	mode, err := strconv.ParseUint(strings.TrimSpace(props[metadata.PropMode]), 8, 16)
	if err != nil {
		mode = 0o600
	}
	safe[metadata.PropMode] = fmt.Sprintf("%04o", mode&0o1771)
	return safe
}

func (u *unsealer) tell(ch Change) {
	if ch.Letter != 'M' || ch.Note != "" {
		u.result.Changes = append(u.result.Changes, ch)
	}
}

// put gives the hidden file its metadata and its name.
func (u *unsealer) put(c *Copy, h *hidden, l *live, want metadata.Values) (unset []string, err error) {
	err = as(c.user, func() error {
		err := metadata.Apply(int(h.file.Fd()), want)
		var problems metadata.Problems
		if errors.As(err, &problems) {
			for _, p := range problems {
				unset = append(unset, fmt.Sprintf("%s: %v", c.path(h.rel), p))
			}
		} else if err != nil {
			return err
		}
		return h.file.Sync()
	})
	if err != nil {
		return nil, err
	}
	err = h.appear(l.identity())
	if errors.Is(err, fs.ErrExist) {
		return nil, blocked("it %s", changedMeanwhile)
	}
	return unset, err
}

// save keeps a live file that is about to be replaced.
func (u *unsealer) save(c *Copy, rel string) error {
	base := u.work.tree.State.path(u.saved, c.Path)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	out, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := saveOne(&stage{tree: u.work.tree, path: c.Path, live: c.fs, user: c.user}, out, rel); err != nil {
		return err
	}
	u.result.Saved = u.work.tree.State.path(u.saved)
	return syncFileIn(out, rel)
}

// Unseal reads the texts of a sealed file, which [Tree.Diff] leaves out.
func (d *Difference) Unseal(t *Tree, with secrets.Identities) error {
	in, opened, err := t.openSealed(d.Path, with)
	if err != nil {
		return err
	}
	defer in.Close()
	if d.Old, err = io.ReadAll(opened); err != nil {
		return err
	}
	d.OldLabel, d.NewLabel = "(encrypted)", "(working copy)"
	if err := d.loadNew(nil); err != nil {
		return err
	}
	d.Binary = bytes.IndexByte(d.Old, 0) >= 0 || bytes.IndexByte(d.New, 0) >= 0
	return nil
}
