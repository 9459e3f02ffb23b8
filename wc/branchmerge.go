package wc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// MergeOptions says what [Work.MergeBranch] merges.
type MergeOptions struct {
	From   string // see [Copy.Branch]
	DryRun bool
}

// MergeBranch merges what another branch has and this one lacks: svn merge with
// its merge tracking runs in a stage, the result is placed as an update is. It
// is left uncommitted, with the mergeinfo, as svn leaves it: a person looks at
// what comes to this host from others, resolves, tests, and commits it as one
// revision that can be reverted as one; until then rootwc revert undoes it.
//
// The working copy must be at one revision, which [Work.Update] brings it to.
// Uncommitted changes at a path that the merge changes are refused before
// anything is, since that revert would take them along; metadata is merged as
// an update does it. What svn cannot merge becomes a [Conflict].
func (w *Work) MergeBranch(ctx context.Context, c *Copy, opt MergeOptions) (*Result, error) {
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	url, err := c.Branch(opt.From)
	if err != nil {
		return nil, err
	}
	if err := w.mergeable(c); err != nil {
		return nil, err
	}
	info, err := w.tree.Client.Info(ctx, c.user, url, "")
	var gone *notThereError
	switch {
	case errors.As(err, &gone):
		return nil, Hint(Refuse("cannot merge from %s: there is nothing", url), "name the branch as ^/PATH, from the repository's root")
	case err != nil:
		return nil, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	own, nothing, err := w.eligible(ctx, c, url, info.Revision)
	if err != nil || nothing {
		return r, err
	}
	s, p, err := w.stage(c)
	if err != nil {
		return nil, err
	}
	plan, err := w.merge(ctx, s, url, info.Revision, own, r)
	if err != nil {
		return nil, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	r.Notes = plan.notes
	r.changes(plan)
	sort.Slice(r.Conflicts, func(i, j int) bool { return r.Conflicts[i].Path < r.Conflicts[j].Path })
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	for _, conflict := range r.Conflicts {
		if err := w.tree.State.storeConflict(conflict, conflict.sides); err != nil {
			return nil, err
		}
	}
	fault.At("conflict-stored")
	return r, w.placeAndReport(p, r)
}

// eligible asks whether the branch at url has anything that this one lacks; own
// are those of its revisions that are promotions from here, which were cut off
// before this branch could record them.
func (w *Work) eligible(ctx context.Context, c *Copy, url string, peg int64) (own []int64, nothing bool, err error) {
	revisions, err := w.tree.Client.Eligible(ctx, c.user, url, c.URL(), peg)
	if err != nil {
		return nil, false, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	if len(revisions) == 0 {
		return nil, true, nil
	}
	entries, err := w.tree.Client.Log(ctx, c.user, "--with-revprop", promotedFrom, "--revision", fmt.Sprintf("%d:%d", revisions[0], peg), "--", fmt.Sprintf("%s@%d", url, peg))
	if err != nil {
		return nil, false, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	for _, e := range entries {
		if _, here := e.promotedFrom(c.summary.Path); here && slices.Contains(revisions, e.Revision) {
			own = append(own, e.Revision)
		}
	}
	return own, false, nil
}

// noteMerged counts revisions of the branch at url as merged, in the stage.
func (s *stage) noteMerged(ctx context.Context, url string, revisions []int64) error {
	if len(revisions) == 0 {
		return nil
	}
	values, err := s.copy.record().noteMerged(s.copy.pathOf(url), revisions)
	if err != nil {
		return err
	}
	groups := propertyGroups{}
	for rel, value := range values {
		groups.set(rel, propMergeinfo, value)
	}
	return groups.apply(ctx, s)
}

// mergeable refuses working copies into which nothing can be merged.
func (w *Work) mergeable(c *Copy) error {
	waiting, err := w.tree.State.conflicts()
	if err != nil {
		return err
	}
	for path := range waiting {
		if at, _ := w.tree.CopyOf(path); at == c {
			return Hint(Refuse("cannot merge into %q: %q is in conflict", c.dir, path), "rootwc resolve %s, then again", path)
		}
	}
	low, high, switched := c.revisions()
	if switched {
		return Refuse("cannot merge into %q: part of it is switched to another branch, or incomplete", c.dir)
	}
	if low != high {
		return Hint(Refuse("cannot merge into %q: it is at revisions %d to %d", c.dir, low, high), "rootwc update, then again")
	}
	return nil
}

// Mixed says whether paths of the working copy are at different revisions, as
// they are after a commit.
func (c *Copy) Mixed() bool {
	low, high, _ := c.revisions()
	return low != high
}

// merge lets svn merge in the stage and plans what that means here.
func (w *Work) merge(ctx context.Context, s *stage, url string, peg int64, own []int64, r *Result) (*planner, error) {
	c, from := s.copy, fmt.Sprintf("%s@%d", url, peg)
	local, err := w.tree.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.noteMerged(ctx, url, own); err != nil {
		return nil, err
	}
	touched, err := s.mergeTouches(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := uncommitted(c, local, touched); err != nil {
		return nil, err
	}
	if err := as(s.user, func() error { return s.show(touched) }); err != nil {
		return nil, err
	}
	if _, err := s.svn(ctx, nil, "merge", "--quiet", "--accept", "postpone", "--", from, "."); err != nil {
		return nil, err
	}
	fault.At("fetched")
	if r.Conflicts, err = w.mergeConflicts(ctx, s); err != nil {
		return nil, err
	}
	live, err := w.tree.openTarget(c.Path)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	p := &planner{tree: w.tree, stage: s, live: live, path: c.Path, old: c.record(), local: local}
	if p.new, err = s.record(); err != nil {
		return nil, err
	}
	p.names = w.tree.namesAfter(p.new, s)
	if err := as(s.user, func() error { return p.planWorking(append(touched, "")) }); err != nil {
		return nil, err
	}
	return p, p.obstructed()
}

// mergeTouches asks svn which paths a merge is going to touch: stand-ins in
// the place of all files make it tell each of them.
func (s *stage) mergeTouches(ctx context.Context, from string) (rels []string, err error) {
	if err := as(s.user, func() error { return s.fill(func(string) bool { return false }) }); err != nil {
		return nil, err
	}
	touched := map[string]bool{}
	_, err = s.svn(ctx, func(line string) {
		// four columns of letters, a blank, the path: svn help merge has no XML
		if rel := ""; len(line) > 5 && line[4] == ' ' && strings.Trim(line[:4], " ADUCGRE") == "" {
			if rel = line[5:]; rel != "." {
				touched[rel] = true
			}
		}
	}, "merge", "--dry-run", "--accept", "postpone", "--", from, ".")
	return keys(touched), err
}

// show puts the live files at paths, and below them, in the place of the
// stand-ins, for svn to merge into.
func (s *stage) show(rels []string) error {
	for rel := range s.copy.record().all() {
		if len(rels) == 0 || !covers(rels, rel) {
			continue
		}
		if err := s.takeMine(rel); err != nil {
			return fmt.Errorf("%q: %w", joinPath(s.path, rel), cause(err))
		}
	}
	return nil
}

// uncommitted refuses local changes at what a merge touches.
func uncommitted(c *Copy, local map[string]*Entry, touched []string) error {
	var names []string
	for rel, e := range local {
		if len(touched) > 0 && covers(touched, rel) && e.Status != Unversioned && (e.Status != Normal || len(e.Properties) > 0) {
			names = append(names, e.Path)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return Hint(Refuse("the merge changes what is not committed: %s", list(names)), "rootwc commit or revert it first")
}

// obstructed refuses the whole merge when something is in its way that svn does
// not know of.
func (p *planner) obstructed() error {
	if len(p.clashes) == 0 {
		return nil
	}
	words := make([]string, len(p.clashes))
	for i, c := range p.clashes {
		words[i] = fmt.Sprintf("%s is in the way (%s)", joinPath(p.path, c.rel), c.why)
	}
	return Hint(Refuse("%s", strings.Join(words, "; ")), "move it away, then again")
}

// workingOf is what the working copy is to have at rel, with what is scheduled
// there; nil for nothing. Its row tells no checksum of what was merged.
func workingOf(rec *record, rel string) *state {
	n := rec.node(rel)
	if n == nil || n.scheduledDelete() {
		return nil
	}
	b := n.top()
	if b.presence != presenceNormal && b.presence != presenceIncomplete {
		return nil
	}
	s := &state{n: n, row: b, props: n.props(), kind: metadata.File}
	switch {
	case b.kind == kindDir:
		s.kind = metadata.Dir
	case s.props["rootwc:special"] == "fifo":
		s.kind = metadata.Fifo
	case hasKey(s.props, "svn:special") || b.kind == kindSymlink:
		s.kind = metadata.Symlink
	}
	return s
}

// planWorking plans to place what the stage's working copy has at paths and
// below them, "" being the root alone.
func (p *planner) planWorking(rels []string) error {
	p.begin()
	below := slices.DeleteFunc(slices.Clone(rels), func(rel string) bool { return rel == "" })
	all := map[string]bool{}
	for _, rec := range []*record{p.old, p.new} {
		for rel := range rec.all() {
			if len(below) > 0 && covers(below, rel) || slices.Contains(rels, rel) {
				all[rel] = true
			}
		}
	}
	for _, rel := range keys(all) {
		was, is := workingOf(p.old, rel), workingOf(p.new, rel)
		if was == nil && is == nil || p.below(rel) {
			continue
		}
		if err := p.change(rel, was, is); err != nil {
			return err
		}
	}
	p.order()
	return nil
}
