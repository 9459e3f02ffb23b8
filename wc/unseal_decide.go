package wc

import (
	"bytes"
	"context"
	"io"

	"rootwc/secrets"
)

// SealedDecider decides about a sealed file and the one in its place by their
// texts; nil places the sealed one.
type SealedDecider func(ctx context.Context, sealed, here []byte) (*Decision, error)

// FindSealed looks for a text in the history of a sealed file, as
// [Tree.FindText] does; what does not open is no text.
func (t *Tree) FindSealed(ctx context.Context, path string, with secrets.Identities, want func([]byte) bool) ([]byte, error) {
	name, err := secrets.SealedPath(path)
	if err != nil {
		return nil, err
	}
	var found []byte
	_, err = t.FindText(ctx, name, func(text []byte) bool {
		opened, err := secrets.Open(bytes.NewReader(text), path, with)
		if err != nil {
			return false
		}
		clear, err := io.ReadAll(opened)
		if err == nil && want(clear) {
			found = append([]byte{}, clear...)
		}
		return found != nil
	})
	return found, err
}

// leave leaves the file that is there.
func (u *unsealer) leave(path string, d *Decision, is *ack) error {
	if c := d.Conflict; c != nil {
		if !u.opt.DryRun {
			if err := u.work.Ask(path, c); err != nil {
				return err
			}
		}
		u.result.Conflicts = append(u.result.Conflicts, &Conflict{Path: path, What: c.What, Package: c.Package, Recorded: true})
	} else {
		u.result.Kept = append(u.result.Kept, Change{Letter: 'E', Path: path, Note: d.Note})
	}
	u.seen[path] = is
	return nil
}

// write writes the text that a path gets, and says what was decided about it.
func (u *unsealer) write(ctx context.Context, to io.Writer, opened io.Reader, path string, l *live) (*Decision, error) {
	damaged := func(err error) error {
		if err == nil || passing(err) {
			return err
		}
		return blocked("its sealed form is damaged: %w", err)
	}
	var decide SealedDecider
	if l.exists && u.opt.Decide != nil {
		decide = u.opt.Decide(path)
	}
	if decide == nil {
		_, err := io.Copy(to, opened)
		return &Decision{}, damaged(err)
	}
	sealed, err := io.ReadAll(opened)
	if err != nil {
		return nil, damaged(err)
	}
	here, err := u.work.tree.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d, err := decide(ctx, sealed, here)
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		d = &Decision{}
	case d.Text != nil:
		sealed = d.Text
	}
	_, err = to.Write(sealed)
	return d, err
}
