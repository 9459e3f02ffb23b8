package conffiles

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"rootwc/wc"
)

// Clearing is what becomes of a leftover and of the conffile beside it.
type Clearing struct {
	Decision
	File     *wc.File  // the leftover; it goes, unless the verdict is [Left]
	Live     *wc.File  // the conffile; nil when there is none
	Text     []byte    // for the conffile; nil when that stays as it is
	Conflict *wc.Sides // for a person; nil when there is nothing to ask
	Asked    bool      // an earlier run was cut off after it had asked
}

// Leftovers finds what package managers have put beside conffiles and decides
// about each of those that wanted wants.
func (m *Machine) Leftovers(ctx context.Context, wanted func(Leftover) bool) ([]*Clearing, error) {
	found, err := m.Tree.Named(func(name string) bool { _, is := ParseLeftover(name); return is })
	if err != nil {
		return nil, err
	}
	open, err := m.Tree.Conflicts()
	if err != nil {
		return nil, err
	}
	var all []*Clearing
	asked, changed := map[string]*wc.Conflict{}, map[string]bool{}
	for _, c := range open {
		asked[c.Path] = c
	}
	for _, path := range found {
		left, _ := ParseLeftover(path)
		if !wanted(left) {
			continue
		}
		c, err := m.clear(ctx, left, asked[left.Of], changed[left.Of])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		changed[left.Of] = changed[left.Of] || c.Text != nil || c.Conflict != nil
		all = append(all, c)
	}
	return all, nil
}

// clear decides about one leftover. That of a conffile which is in conflict, or
// gets another text by this very run, is left for the next one.
func (m *Machine) clear(ctx context.Context, left Leftover, asked *wc.Conflict, changed bool) (*Clearing, error) {
	c := &Clearing{Decision: Decision{Path: left.Of, Leftover: left.Path, Package: cmp.Or(m.Now[left.Of].Package, m.Before[left.Of].Package)}}
	var err error
	if c.File, err = m.Tree.ReadLive(left.Path, MaxSize); err != nil {
		return c.leave("it cannot be read: %v", err), nil
	}
	c.Live, err = m.Tree.ReadLive(left.Of, MaxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Live = nil
	case err != nil:
		return c.leave("%s cannot be read: %v", left.Of, err), nil
	case bytes.Equal(c.Live.Text, c.File.Text):
		c.Verdict, c.Why = Same, "the same as "+left.Of
		return c, nil
	}
	now, owned := m.Now[c.Path]
	switch {
	case left.Saved:
	case !owned:
		return c.leave("no installed package ships %s", c.Path), nil
	case !now.Digest.Matches(c.File.Text): // of an upgrade before the last, or not finished
		return c.leave("it is not what %s %s ships", now.Package, now.Version), nil
	}
	switch {
	case asked != nil && asked.Package != "" && isAbout(asked, c.File):
		c.Asked, c.Verdict = true, Conflict
		return c, nil
	case asked != nil || changed:
		return c.leave("%s has to be settled first: rootwc resolve, then rootwc merge again", left.Of), nil
	case left.Saved:
		return c, m.saved(ctx, c)
	}
	return c, m.shipped(ctx, c)
}

// isAbout says whether a conflict is about the very text of a leftover.
func isAbout(asked *wc.Conflict, f *wc.File) bool {
	for _, side := range []string{"mine", "theirs"} {
		if text, err := os.ReadFile(asked.File(side)); err == nil && bytes.Equal(text, f.Text) {
			return true
		}
	}
	return false
}

func (c *Clearing) leave(format string, args ...any) *Clearing {
	c.Verdict, c.Why = Left, fmt.Sprintf(format, args...)
	return c
}

// shipped decides about a package's version beside the person's.
func (m *Machine) shipped(ctx context.Context, c *Clearing) error {
	if c.Live == nil {
		c.Verdict, c.Why = Mine, c.Path+" was removed here"
		return nil
	}
	old, err := m.before(c.Path, c.File.Text)
	if err != nil {
		return err
	}
	out, err := m.judge(ctx, Case{Path: c.Path, Mine: c.Live.Text, Theirs: c.File.Text, Old: old, Base: m.base(c.Path, c.Package, m.Tree.FindText)})
	if err != nil {
		return err
	}
	c.take(out)
	switch out.Verdict {
	case Theirs:
		c.Text = c.File.Text
	case Merged:
		c.Text = out.Text
	case Conflict:
		c.Conflict = &wc.Sides{What: out.Why, Package: c.Package, Base: out.Base, Mine: c.Live.Text, Theirs: c.File.Text}
	}
	return nil
}

// saved decides about a person's version that was put aside for the package's.
// Somebody may have chosen that, so its changes never come back unasked.
func (m *Machine) saved(ctx context.Context, c *Clearing) error {
	old, err := m.before(c.Path, nil)
	if err != nil {
		return err
	}
	old = append(old, m.known(c.Path)...)
	recorded, err := m.Tree.Recorded(c.Path)
	if err != nil {
		return err
	}
	now, owned := m.Now[c.Path]
	switch {
	case anyMatches(old, c.File.Text):
		c.Verdict, c.Why = Theirs, "as "+cmp.Or(c.Package, "its package")+" ships or shipped it"
		return nil
	case c.Live != nil && owned && now.Digest.Matches(c.Live.Text) && bytes.Equal(recorded, c.File.Text):
		return m.asideNow(ctx, c, now, old)
	}
	text, err := m.Tree.FindText(ctx, c.Path, func(text []byte) bool { return bytes.Equal(text, c.File.Text) })
	if err != nil {
		return err
	}
	if text == nil {
		c.leave("the repository has no such version of %s", c.Path)
		return nil
	}
	c.Verdict, c.Why = Mine, "the repository has it in the history of "+c.Path
	return nil
}

// asideNow asks about a version that was put aside since the last commit.
func (m *Machine) asideNow(ctx context.Context, c *Clearing, now Shipped, old []Digest) error {
	old = slices.DeleteFunc(old, func(d Digest) bool { return d.Matches(c.Live.Text) })
	out, err := Judge(ctx, Case{Path: c.Path, Mine: c.File.Text, Theirs: c.Live.Text, Old: old, Base: m.base(c.Path, now.Package, m.Tree.FindText)})
	if err != nil {
		return err
	}
	if out.Verdict == Theirs {
		c.Verdict, c.Why = Theirs, "its changes are in the version of "+now.Package
		return nil
	}
	c.Verdict, c.Why = Conflict, "the version from here was put aside for the package's"
	c.Conflict = &wc.Sides{What: c.Why, Package: now.Package, Base: out.Base, Mine: c.File.Text, Theirs: c.Live.Text}
	return nil
}

// before are the digests that a conffile's package shipped before theirs: as
// the repository has recorded them, else as Debian keeps copies of dpkg's
// status in var/backups for a week.
func (m *Machine) before(path string, theirs []byte) ([]Digest, error) {
	if s, known := m.Before[path]; known && !s.Digest.Matches(theirs) {
		return []Digest{s.Digest}, nil
	}
	all, err := statusBackups(m.root, path)
	return slices.DeleteFunc(all, func(d Digest) bool { return d.Matches(theirs) }), err
}
