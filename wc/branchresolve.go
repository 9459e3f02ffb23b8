package wc

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"rootwc/wc/metadata"
)

// planMerged puts in place what a merge wanted at a path: its text, its
// properties with the metadata in them, or nothing.
func (w *Work) planMerged(ctx context.Context, s *stage, c *Copy, rel string, k *Conflict) (*planner, error) {
	plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path, old: c.record(), names: w.tree.Names}
	if k.Merged.Deleted {
		return plan, w.planMergedDeletion(ctx, s, rel, plan)
	}
	if err := as(s.user, func() error { return s.mkdirs(parentOf(rel)) }); err != nil {
		return nil, err
	}
	mine := workingOf(c.record(), rel)
	if mine == nil {
		if k.Merged.Source == "" {
			return nil, Refuse("it is not there any more")
		}
		if _, err := s.svn(ctx, nil, "copy", "--quiet", "--ignore-externals", "--", k.Merged.Source, target(rel)); err != nil {
			return nil, err
		}
		if err := s.propdel(ctx, []string{rel}, propMergeinfo); err != nil { // see clearCopies
			return nil, err
		}
	} else if err := as(s.user, func() error { return s.putTheirs(rel, mine.kind, k) }); err != nil {
		return nil, cause(err)
	}
	for name, value := range k.Merged.Properties {
		var err error
		if value == nil {
			err = s.propdel(ctx, []string{rel}, name)
		} else {
			err = s.propset(ctx, []string{rel}, name, *value)
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	return plan, as(s.user, func() error { return plan.planWorking(only(rel)) })
}

// putTheirs puts the other branch's text into the stage; where the conflict is
// not about the text, the live path.
func (s *stage) putTheirs(rel string, kind metadata.Kind, k *Conflict) error {
	text, err := os.ReadFile(k.File("theirs"))
	switch link, isLink := bytes.CutPrefix(text, []byte(linkText)); {
	case errors.Is(err, fs.ErrNotExist):
		return s.take(rel, kind)
	case err != nil:
		return err
	case kind == metadata.Symlink && isLink:
		return s.root.Symlink(string(link), rel)
	case kind != metadata.File:
		return Refuse("a %s is there, the other branch has a file", kind)
	}
	return s.root.WriteFile(rel, text, 0o600)
}

func (w *Work) planMergedDeletion(ctx context.Context, s *stage, rel string, plan *planner) error {
	err := as(s.user, func() error { return s.mkdirs(parentOf(rel)) })
	if err != nil || workingOf(plan.old, rel) == nil {
		return err
	}
	if err := s.svnTargets(ctx, []string{rel}, "delete", "--quiet", "--force", "--keep-local"); err != nil {
		return err
	}
	if plan.new, err = s.record(); err != nil {
		return err
	}
	return as(s.user, func() error { return plan.planWorking(only(rel)) })
}

// only is rel with everything below it; the root is meant alone.
func only(rel string) func(string) bool {
	return func(other string) bool { return other == rel || rel != "" && strings.HasPrefix(other, rel+"/") }
}
