package wc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// UpdateOptions chooses what [Work.Update] brings in.
type UpdateOptions struct {
	Revision string // number, HEAD or {DATE}; "" is HEAD
	URL      string // switch the working copy to this URL
	Files    bool   // look at file externals even when nothing is new
	Emptying bool   // even when most of the tree goes
	DryRun   bool
}

// Update brings a working copy to a revision: fetched and merged in a stage,
// then placed, then recorded. Local changes that do not merge stay as they
// are, with a [Conflict] that waits for [Work.Resolve], and the working copy
// then still records their old revision.
func (w *Work) Update(ctx context.Context, c *Copy, opt UpdateOptions) (*Result, error) {
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	in, err := w.tree.incoming(ctx, c, opt)
	if err == nil {
		err = w.tree.incomingFiles(ctx, c, in)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot update %q: %w", w.tree.abs(c.Path), err)
	}
	r.Revision = in.revision
	if in.nothing && !opt.Files {
		return r, nil
	}
	s, p, err := w.stage(c)
	if err != nil {
		return nil, err
	}
	plan, err := w.fetch(ctx, s, in, opt, r)
	if errors.Is(err, errUnforeseen) {
		if err := w.drop(p); err != nil {
			return nil, err
		}
		if s, p, err = w.stage(c); err != nil {
			return nil, err
		}
		in.all = true
		plan, err = w.fetch(ctx, s, in, opt, r)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot update %q: %w", w.tree.abs(c.Path), err)
	}
	r.Notes = plan.notes
	r.changes(plan)
	sort.Slice(r.Conflicts, func(i, j int) bool { return r.Conflicts[i].Path < r.Conflicts[j].Path })
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	if gone, all := plan.losses(); !opt.Emptying && gone > all/2 && gone >= emptyingFrom {
		return nil, Hint(Refuse("cannot update %q: revision %d deletes %d of its %d files", w.tree.abs(c.Path), in.revision, gone, all),
			"look at it with --dry-run; --emptying lets it happen")
	}
	for _, conflict := range r.Conflicts {
		if err := w.tree.State.storeConflict(conflict, conflict.sides); err != nil {
			return nil, err
		}
	}
	fault.At("conflict-stored")
	p.Ends = w.settled(c, plan, r)
	return r, w.placeAndReport(p, r)
}

// emptyingFrom is the number of files from which on an update that takes away
// more than half of a working copy is taken for a mistake.
const emptyingFrom = 5

// losses counts the files that the plan removes, and all that are recorded.
func (p *planner) losses() (gone, all int) {
	for rel := range p.old.all() {
		if s := stateOf(p.old, rel); s != nil && s.kind != metadata.Dir {
			all++
		}
	}
	for i := range p.steps {
		if p.steps[i].Act == actRemove {
			gone++
		}
	}
	return gone, all
}

// settled are the conflicts that this update merges after all: somebody has
// edited the live file meanwhile.
func (w *Work) settled(c *Copy, plan *planner, r *Result) (paths []string) {
	for path, old := range plan.pending {
		at, rel := w.tree.CopyOf(path)
		again := slices.ContainsFunc(r.Conflicts, func(k *Conflict) bool { return k.Path == path })
		if at != c || old.Recorded || again || plan.revisionBefore(rel) >= old.To {
			continue
		}
		if n := stateOf(plan.new, rel); n != nil && n.row.revision >= old.To {
			paths = append(paths, path)
		}
	}
	return paths
}

// placeAndReport places a part and takes over what could not be done.
func (w *Work) placeAndReport(p *part, r *Result) error {
	w.Unset, w.Late = nil, nil
	if err := w.place(p); err != nil {
		return err
	}
	r.Unset = w.Unset
	for _, path := range w.Late {
		r.Conflicts = append(r.Conflicts, &Conflict{Path: path, What: changedMeanwhile, Recorded: true})
	}
	return nil
}

// drop gives up a part: its stage goes, nothing was touched.
func (w *Work) drop(p *part) error {
	s := w.stages[p]
	if s.copy != nil {
		if err := as(s.user, s.forgetPristines); err != nil {
			w.tree.Warn("texts that nothing refers to stay in %s: %v", s.copy.admin("pristine"), err)
		}
	}
	s.remove()
	return w.done(p)
}

// fetch lets svn update the stage and plans what that means here. Paths that
// clash are taken back to the revision that they had.
func (w *Work) fetch(ctx context.Context, s *stage, in *incoming, opt UpdateOptions, r *Result) (*planner, error) {
	c := s.copy
	local, err := w.tree.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	before := c.record()
	if err := as(c.user, func() error { return s.mirror(in, local) }); err != nil {
		return nil, err
	}
	scheduled, err := w.unschedule(ctx, s, in, local)
	if err != nil {
		return nil, err
	}
	args := []string{"update", "--ignore-externals", "--accept", "postpone", "--force"}
	if opt.URL != "" {
		args = []string{"switch", "--ignore-externals", "--ignore-ancestry", "--accept", "postpone", "--force"}
	}
	args = append(args, "--revision", strconv.FormatInt(in.revision, 10))
	url := c.URL()
	if opt.URL != "" {
		url = opt.URL
		args = append(args, "--", url+"@"+strconv.FormatInt(in.revision, 10), ".")
	}
	if err := s.fetch(ctx, url, args...); err != nil {
		return nil, err
	}
	if err := w.fileExternals(ctx, s, in.revision); err != nil {
		return nil, err
	}
	if err := w.settleNoise(ctx, s, in, local); err != nil {
		return nil, err
	}
	fault.At("fetched")
	live, err := w.tree.openTarget(c.Path)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	p := &planner{tree: w.tree, stage: s, live: live, path: c.Path, old: before, local: local}
	if p.pending, err = w.tree.State.conflicts(); err != nil {
		return nil, err
	}
	const rounds = 20 // each takes at least one clash back
	for range rounds {
		if p.new, err = s.record(); err != nil {
			return nil, err
		}
		p.names = w.tree.namesAfter(p.new, s, nil)
		if in.unforeseen(p) {
			return nil, errUnforeseen
		}
		if err := as(c.user, p.plan); err != nil {
			return nil, err
		}
		if len(p.clashes) == 0 {
			return p, w.reschedule(ctx, p, scheduled)
		}
		if err := w.takeBack(ctx, p, in.revision, r); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("internal error: clashes remain after %d rounds: %q", rounds, p.clashes[0].rel)
}

// unschedule takes local additions and deletions that the server may have
// news for out of the stage's record: svn calls each such pair a tree conflict,
// even of equal content.
func (w *Work) unschedule(ctx context.Context, s *stage, in *incoming, local map[string]*Entry) ([]*Entry, error) {
	var taken []*Entry
	var rels []string
	for rel, e := range local {
		if (e.Status == Added && !e.Copied || e.Status == Deleted) && e.node != nil && in.touches(rel) {
			taken = append(taken, e)
			rels = append(rels, rel)
		}
	}
	sort.Slice(taken, func(i, j int) bool { return taken[i].rel < taken[j].rel })
	return taken, s.svnTargets(ctx, rels, "revert", "--quiet", "--recursive")
}

// reschedule is the other way, for what the update left of it.
func (w *Work) reschedule(ctx context.Context, p *planner, scheduled []*Entry) error {
	var adds, deletes []string
	for _, e := range scheduled {
		is := stateOf(p.new, e.rel)
		switch {
		case e.Status == Added && is == nil:
			if err := as(p.stage.user, func() error { return p.stage.take(e.rel, e.Kind) }); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
			adds = append(adds, e.rel)
		case e.Status == Deleted && is != nil:
			deletes = append(deletes, e.rel)
		}
	}
	if err := p.stage.svnTargets(ctx, adds, "add", "--quiet", "--force", "--no-ignore", "--no-auto-props", noDepth); err != nil {
		return err
	}
	return p.stage.svnTargets(ctx, deletes, "delete", "--quiet", "--force", "--keep-local")
}

// localChanges are the entries of a working copy that are not clean, by path
// relative to it.
func (t *Tree) localChanges(ctx context.Context, c *Copy) (map[string]*Entry, error) {
	paths := []string{c.Path}
	if c.Path == "" {
		paths = nil
	}
	entries, err := t.Status(ctx, StatusOptions{Paths: paths, beneath: true, Noise: true})
	if err != nil {
		return nil, err
	}
	local := map[string]*Entry{}
	for _, e := range entries {
		e.loud()
		if e.copy == c {
			local[e.rel] = e
		}
	}
	return local, nil
}

// mirror gives the stage what svn update has to see of the live tree: nothing
// of what may change but the local edits, and a stand-in for the rest.
func (s *stage) mirror(in *incoming, local map[string]*Entry) error {
	err := s.fill(func(rel string) bool {
		e := local[rel]
		return in.touches(rel) || e != nil && (e.Status == Added || e.Status == Replaced)
	})
	if err != nil {
		return err
	}
	for rel, e := range local {
		switch {
		case e.node == nil:
		case e.Status == Added && !e.Copied && in.touches(rel):
		case e.Status == Added || e.Status == Replaced, e.Status == Modified && in.touches(rel):
			if err := s.take(rel, e.Kind); err != nil {
				return err
			}
		}
	}
	return nil
}
