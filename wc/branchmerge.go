package wc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"

	"rootwc/internal/fault"
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
// revision that can be reverted as one. Until then rootwc revert undoes it, new
// files staying as svn revert leaves them.
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
	stale, err := w.mergeable(c)
	if err != nil {
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
	m, err := w.eligible(ctx, c, url, info.Revision)
	if err != nil || m == nil {
		return r, err
	}
	s, p, err := w.stage(c)
	if err != nil {
		return nil, err
	}
	plan, err := w.merge(ctx, s, m)
	if errors.Is(err, errUnforeseen) {
		if err := w.drop(p); err != nil {
			return nil, err
		}
		if s, p, err = w.stage(c); err != nil {
			return nil, err
		}
		m.in.all = true
		plan, err = w.merge(ctx, s, m)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	for _, k := range m.conflicts {
		r.Conflicts = append(r.Conflicts, k)
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
	for _, path := range stale {
		if !slices.ContainsFunc(r.Conflicts, func(k *Conflict) bool { return k.Path == path }) {
			p.Ends = append(p.Ends, path)
		}
	}
	return r, w.placeAndReport(p, r)
}

// merging is one merge.
type merging struct {
	url string // of the other branch
	peg int64
	in  *incoming // what it may touch
	own []int64   // promotions from here, which were cut off before this branch could record them

	told      map[string]bool      // what svn has touched; true with everything below
	conflicts map[string]*Conflict // by path relative to the working copy
}

// touches says whether svn has touched rel.
func (m *merging) touches(rel string) bool {
	for p := rel; p != ""; p = parentOf(p) {
		if deep, told := m.told[p]; told && (deep || p == rel) {
			return true
		}
	}
	return rel == "" // which gets the mergeinfo
}

// tell takes in a line of svn merge, which has no XML: columns of letters for
// the text, the properties, a lock and a tree conflict, a blank, the path.
func (m *merging) tell(line string) {
	if len(line) < 6 || line[4] != ' ' || strings.Trim(line[:4], " ADUCGRE") != "" {
		return
	}
	deep := strings.IndexByte("ADR", line[0]) >= 0 || line[3] == 'C'
	m.told[line[5:]] = m.told[line[5:]] || deep && line[5:] != "."
}

// eligible asks what the branch at url has that this one lacks; nil for
// nothing.
func (w *Work) eligible(ctx context.Context, c *Copy, url string, peg int64) (*merging, error) {
	revisions, err := w.tree.Client.Eligible(ctx, c.user, url, c.URL(), peg)
	if err != nil {
		return nil, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	if len(revisions) == 0 {
		return nil, nil
	}
	entries, err := w.tree.Client.Log(ctx, c.user, "--verbose", "--with-revprop", promotionMark, "--revision", fmt.Sprintf("%d:%d", revisions[0], peg), "--", fmt.Sprintf("%s@%d", url, peg))
	if err != nil {
		return nil, fmt.Errorf("cannot merge into %q: %w", c.dir, err)
	}
	m := &merging{url: url, peg: peg, in: &incoming{revision: peg, paths: map[string]bool{}}}
	for _, e := range entries {
		if _, here := e.promotedFrom(c.summary.Path); here && slices.Contains(revisions, e.Revision) {
			m.own = append(m.own, e.Revision)
		}
		for _, at := range e.below(c.pathOf(url)) {
			m.in.paths[at.Path] = true
			m.in.all = m.in.all || at.Path == "" && at.Action != "M"
		}
	}
	return m, nil
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

// mergeable refuses working copies into which nothing can be merged. stale are
// conflicts of a merge that was cut off before it was recorded.
func (w *Work) mergeable(c *Copy) (stale []string, err error) {
	waiting, err := w.tree.State.conflicts()
	if err != nil {
		return nil, err
	}
	root := c.record().root
	merged := root.props()[propMergeinfo] != root.baseProps()[propMergeinfo]
	for path, k := range waiting {
		if at, _ := w.tree.CopyOf(path); at != c {
			continue
		}
		if k.Merged == nil || merged {
			return nil, Hint(Refuse("cannot merge into %q: %q is in conflict", c.dir, path), "rootwc resolve %s, then again", path)
		}
		stale = append(stale, path)
	}
	low, high, switched := c.revisions()
	if switched {
		return nil, Refuse("cannot merge into %q: part of it is switched to another branch, or incomplete", c.dir)
	}
	if low != high {
		return nil, Hint(Refuse("cannot merge into %q: it is at revisions %d to %d", c.dir, low, high), "rootwc update, then again")
	}
	return stale, nil
}

// Mixed says whether paths of the working copy are at different revisions, as
// they are after a commit.
func (c *Copy) Mixed() bool {
	low, high, _ := c.revisions()
	return low != high
}

// merge lets svn merge in the stage and plans what that means here.
func (w *Work) merge(ctx context.Context, s *stage, m *merging) (*planner, error) {
	c := s.copy
	m.told, m.conflicts = map[string]bool{}, map[string]*Conflict{}
	local, err := w.tree.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.noteMerged(ctx, m.url, m.own); err != nil {
		return nil, err
	}
	if err := as(s.user, func() error { return s.show(m.in) }); err != nil {
		return nil, err
	}
	if err := w.mergeRanges(ctx, s, m); err != nil {
		return nil, err
	}
	fault.At("fetched")
	for rel := range m.told {
		if rel != "." && !m.in.touches(rel) {
			return nil, errUnforeseen // svn has merged into a stand-in
		}
	}
	if err := m.uncommitted(local); err != nil {
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
	p.names = w.tree.namesAfter(p.new, s, nil)
	if err := as(s.user, func() error { return p.planWorking(m.touches) }); err != nil {
		return nil, err
	}
	return p, p.obstructed()
}

// mergeRanges runs svn merge until nothing is left: it stops after each range
// of revisions in which it finds conflicts (E155015).
func (w *Work) mergeRanges(ctx context.Context, s *stage, m *merging) error {
	const rounds = 1000 // each merges at least one range
	for range rounds {
		_, err := s.svn(ctx, m.tell, "merge", "--accept", "postpone", "--", fmt.Sprintf("%s@%d", m.url, m.peg), ".")
		switch {
		case HasCode(err, "195016") && !m.in.all:
			return errUnforeseen // the other branch has all of this one: svn wants no local change, and takes stand-ins for it
		case HasCode(err, "195016"):
			return Hint(Refuse("%w", err), "rootwc commit what is not committed, then again")
		case err != nil && !HasCode(err, "155015"):
			return err
		}
		if kerr := w.mergeConflicts(ctx, s, m); kerr != nil || err == nil {
			return kerr
		}
	}
	return fmt.Errorf("internal error: svn merge finds no end in %d rounds", rounds)
}

// show makes the stage what svn merge has to see: the live files that it may
// touch, and stand-ins for the rest.
func (s *stage) show(in *incoming) error {
	if err := s.fill(in.touches); err != nil {
		return err
	}
	for rel := range s.copy.record().all() {
		if !in.touches(rel) {
			continue
		}
		if err := s.takeMine(rel); err != nil && !errors.Is(err, fs.ErrNotExist) { // uncommitted: refused later
			return fmt.Errorf("%q: %w", joinPath(s.path, rel), cause(err))
		}
	}
	return nil
}

// uncommitted refuses local changes at what the merge touches, and directories
// above it that are not there.
func (m *merging) uncommitted(local map[string]*Entry) error {
	var names []string
	for rel, e := range local {
		if rel == "" || e.Status == Unversioned || e.Status == Normal && len(e.Properties) == 0 {
			continue
		}
		below := func(told string) bool { return strings.HasPrefix(told, rel+"/") }
		if m.touches(rel) || e.Status != Modified && e.Status != Normal && slices.ContainsFunc(keys(m.told), below) {
			names = append(names, e.Path)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return Hint(Refuse("the merge changes what is not committed: %s", list(names)), "rootwc commit or revert it first")
}
