package wc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// recordSent records a revision that the repository has made of a queued commit,
// although the answer never came. The live tree is left as it is: what changed
// there since is another change.
func (w *Work) recordSent(ctx context.Context, group []*commitPart, revision int64) error {
	for _, cp := range group {
		var err error
		if cp.stage, cp.part, err = w.stage(cp.copy); err != nil {
			return err
		}
		cp.part.Acks = cp.acks
		if err := cp.catchUp(ctx, revision); err != nil {
			return fmt.Errorf("cannot record revision %d in %q: %w", revision, w.tree.abs(cp.copy.Path), err)
		}
	}
	for _, cp := range group {
		if err := w.settle(ctx, cp); err != nil {
			return err
		}
	}
	return nil
}

// catchUp updates the stage to the revision. The paths are put up there as they
// were recorded, so that svn has nothing to merge.
func (cp *commitPart) catchUp(ctx context.Context, revision int64) error {
	s, before := cp.stage, cp.copy.record()
	var known, gone, fresh, added []string
	for _, rel := range keys(cp.targets) {
		n := before.node(rel)
		switch {
		case n == nil:
			fresh = append(fresh, rel)
		case n.base() == nil:
			fresh, added = append(fresh, rel), append(added, rel)
		case n.base().revision >= revision: // recorded already
		case slices.Contains(cp.delete, rel) || n.scheduledDelete():
			gone = append(gone, rel)
		default:
			known = append(known, rel)
		}
	}
	err := as(s.user, func() error {
		for _, rel := range slices.Concat(known, gone, fresh) {
			if err := s.mkdirs(parentOf(rel)); err != nil {
				return err
			}
		}
		for _, rel := range slices.Concat(known, gone) {
			if before.node(rel).base().kind != kindDir {
				continue
			}
			if err := s.mkdirs(rel); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, slices.Concat(known, added), "revert", "--quiet", noDepth); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, gone, "revert", "--quiet", "--recursive"); err != nil {
		return err
	}
	to := []string{"update", "--quiet", "--ignore-externals", "--accept", "postpone", "--revision", strconv.FormatInt(revision, 10)}
	if err := s.updateTargets(ctx, known, append(to, noDepth)); err != nil {
		return err
	}
	if err := s.updateTargets(ctx, slices.Concat(gone, fresh), to); err != nil {
		return err
	}
	return s.edit(ctx, cp.later)
}

// updateTargets runs svn update, which knows no --targets, in bits that fit on a
// command line.
func (s *stage) updateTargets(ctx context.Context, rels, args []string) error {
	const batch = 500
	for part := range slices.Chunk(rels, batch) {
		call := append(slices.Clone(args), "--")
		for _, rel := range part {
			call = append(call, target(rel))
		}
		if _, err := s.svn(ctx, nil, call...); err != nil {
			return err
		}
	}
	return nil
}
