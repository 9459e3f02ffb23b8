package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rogpeppe/go-internal/diff"

	"rootwc/conffiles"
	"rootwc/wc"
)

// show prints the versions of conflicts: what each side has made of the base,
// or without a base how the sides differ.
func (c *resolveCmd) show(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	for _, rel := range rels {
		k, err := conflictAt(t, rel)
		if err != nil {
			return err
		}
		if k == nil {
			return fmt.Errorf("cannot resolve %q: %w", rel, wc.ErrNoConflict)
		}
		a.tellConflict(k)
		sides, err := readSides(k)
		if err != nil {
			return err
		}
		if sides["base"] == nil {
			a.tellChange(rel, "mine", "theirs", sides)
			continue
		}
		a.tellChange(rel, "base", "mine", sides)
		a.tellChange(rel, "base", "theirs", sides)
	}
	a.hint("rootwc resolve --accept mine|theirs|merged|edit|working PATH ends a conflict")
	return nil
}

// tellChange prints how one side differs from another.
func (a *app) tellChange(path, from, to string, sides map[string][]byte) {
	for _, side := range []string{from, to} {
		if bytes.IndexByte(sides[side], 0) >= 0 {
			fmt.Fprintf(a.out, "%s of %s is no text.\n", side, safe(path))
			return
		}
	}
	text := diff.Diff(safe(path)+"\t("+from+")", sides[from], safe(path)+"\t("+to+")", sides[to])
	_, text, _ = bytes.Cut(text, []byte("\n")) // "diff OLD NEW"
	a.out.Write(text)
}

// readSides reads the versions of a conflict; one that it does not have is nil.
func readSides(k *wc.Conflict) (map[string][]byte, error) {
	sides := map[string][]byte{}
	for _, side := range wc.SideNames {
		text, err := os.ReadFile(k.File(side))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot resolve %q: %w", k.Path, err)
		}
		if err == nil {
			sides[side] = append([]byte{}, text...) // an empty file is a version too
		}
	}
	return sides, nil
}

// text is what takes a conflict's path, where the answer makes a new text; nil
// where a version is taken as it is. What comes from here into the place of a
// package's file is checked first.
func (c *resolveCmd) text(a *app, t *wc.Tree, k *wc.Conflict, accept string) (text []byte, err error) {
	sides, err := readSides(k)
	if err != nil {
		return nil, err
	}
	mayMerge := sides["mine"] != nil && sides["theirs"] != nil
	switch {
	case accept != "merged" && accept != "edit":
		if accept == "mine" && k.Package != "" {
			err = c.check(a, t, k, sides["mine"])
		}
		return nil, err
	case !mayMerge:
		return nil, wc.Refuse("cannot resolve %q: one side is no file, so there is nothing to merge", k.Path)
	case accept == "edit":
		text, err = c.edited(a, k, sides)
	case sides["base"] == nil:
		return nil, wc.Hint(wc.Refuse("cannot resolve %q: there is no common base of both sides to merge from", k.Path), "--accept edit")
	default:
		text, err = conffiles.Merge(a.ctx, sides["base"], sides["mine"], sides["theirs"])
		if err != nil {
			err = wc.Hint(wc.Refuse("cannot resolve %q: %w", k.Path, err), "--accept edit, mine or theirs")
		}
	}
	if err != nil {
		return nil, err
	}
	return text, c.check(a, t, k, text)
}

// check lets the validator of a path look at its text.
func (c *resolveCmd) check(a *app, t *wc.Tree, k *wc.Conflict, text []byte) error {
	err := conffiles.Sandbox{Root: t.Root, All: c.Validate}.Check(a.ctx, k.Path, text)
	if errors.Is(err, conffiles.ErrUnchecked) {
		a.warn("%s: %v; --validate lets it", k.Path, err)
		return nil
	}
	if err != nil {
		return wc.Refuse("cannot resolve %q: it would not be valid: %w", k.Path, err)
	}
	return nil
}

// edited lets the person merge in an editor, on a copy that waits beside the
// versions until the conflict ends.
func (c *resolveCmd) edited(a *app, k *wc.Conflict, sides map[string][]byte) ([]byte, error) {
	editor := a.editor()
	if editor == "" {
		return nil, wc.Hint(fmt.Errorf("cannot resolve %q: no editor is named, and standard input is no terminal", k.Path), "name one in VISUAL or EDITOR")
	}
	draft := k.File("merged")
	if _, err := os.Lstat(draft); errors.Is(err, fs.ErrNotExist) {
		text, err := conffiles.Marked(a.ctx, sides["base"], sides["mine"], sides["theirs"])
		if err == nil {
			err = os.WriteFile(draft, text, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot resolve %q: %w", k.Path, err)
		}
	}
	if err := a.openEditor(editor, draft); err != nil {
		return nil, fmt.Errorf("cannot resolve %q: the editor failed: %w", k.Path, err)
	}
	text, err := os.ReadFile(draft)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %q: %w", k.Path, err)
	}
	if conffiles.HasMarks(text) {
		return nil, wc.Hint(wc.Refuse("cannot resolve %q: it still has marks of the conflict", k.Path), "the same command opens your copy again")
	}
	return append([]byte{}, text...), nil
}
