package wc

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"rootwc/wc/metadata"
)

// RevertOptions chooses what [Work.Revert] and [Work.Repair] undo.
type RevertOptions struct {
	Paths        []string // these and what is below them
	MetadataOnly bool
	DryRun       bool
}

// Revert puts paths back to what the working copies record: content,
// metadata and svn's own scheduling. Unversioned files are never touched.
func (w *Work) Revert(ctx context.Context, opt RevertOptions) ([]*Result, error) {
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: opt.Paths, Noise: !opt.MetadataOnly})
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e *Entry) bool { // which only who names it wants to hear of
		return e.quiet && e.Withheld && e.Clean() && !slices.Contains(opt.Paths, e.Path)
	})
	byCopy := map[*Copy][]*Entry{}
	for _, e := range entries {
		e.loud()
		if e.Status != Unversioned && e.Status != Unstorable {
			byCopy[e.copy] = append(byCopy[e.copy], e)
		}
	}
	var results []*Result
	for _, c := range w.tree.Copies {
		if len(byCopy[c]) == 0 {
			continue
		}
		r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
		results = append(results, r)
		if err := w.revertCopy(ctx, c, byCopy[c], opt, r); err != nil {
			return results, err
		}
		sort.Slice(r.Changes, func(i, j int) bool { return r.Changes[i].Path < r.Changes[j].Path })
	}
	return results, nil
}

func (w *Work) revertCopy(ctx context.Context, c *Copy, entries []*Entry, opt RevertOptions, r *Result) error {
	var deep []*Entry
	for _, e := range entries {
		switch {
		case e.Withheld && e.Status != Normal && e.node == nil:
			why := "its content is withheld: the repository does not have it"
			if e.Encrypted {
				why = "its content is encrypted: rootwc secrets restore --identity FILE brings it back"
			}
			r.Refused = append(r.Refused, Refused{e.Path, why})
		case e.Withheld && e.node == nil, e.Status == Normal && len(e.Properties) == 0, opt.MetadataOnly:
			if len(e.Metadata) > 0 {
				w.repairOne(e, opt, r)
			}
		case e.node == nil:
		case w.tree.Mounts[e.Path]:
			r.Refused = append(r.Refused, Refused{e.Path, e.Note})
		default:
			deep = append(deep, e)
		}
	}
	if len(deep) == 0 || opt.MetadataOnly {
		return nil
	}
	return w.revertDeep(ctx, c, deep, opt, r)
}

// repairOne sets one path's recorded metadata in place.
func (w *Work) repairOne(e *Entry, opt RevertOptions, r *Result) {
	t := w.tree
	props := map[string]string{}
	if e.node != nil {
		props = e.node.baseProps()
	} else if kept, err := t.loadWithheld(); err == nil && kept.files[e.Path] != nil {
		props = kept.files[e.Path].Properties
	}
	def := e.def
	if e.node == nil {
		def = metadata.StandardDefaults
	}
	want, _, _ := metadata.Wanted(propLookup(props), svnKind(e.Kind), def, t.Names)
	if e.node == nil {
		want.Mode &^= 0o6000 // a list makes no program
	}
	r.Changes = append(r.Changes, Change{Letter: 'M', Path: e.Path, Note: metadata.Words(metadata.Compare(e.live.values, want, t.Names))})
	if opt.DryRun {
		return
	}
	dir, name := splitPath(e.rel)
	if e.rel == "" {
		name = "."
	}
	err := as(e.copy.user, func() error {
		d, err := openDir(e.copy.fs, dir)
		if err != nil {
			return err
		}
		defer d.Close()
		p := &part{Path: e.copy.Path, User: e.copy.user}
		want, dropped := guarded(want, p)
		r.Unset = append(r.Unset, left(p, e.rel, dropped)...)
		for _, failed := range applyAt(int(d.Fd()), name, want, e.live.identity()) {
			r.Unset = append(r.Unset, fmt.Sprintf("%s: %v", e.Path, failed))
		}
		return nil
	})
	if err != nil {
		r.Unset = append(r.Unset, fmt.Sprintf("%s: %v", e.Path, cause(err)))
	}
}

// revertDeep lets svn revert paths in a stage and places what comes out.
func (w *Work) revertDeep(ctx context.Context, c *Copy, entries []*Entry, opt RevertOptions, r *Result) error {
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	var flat, deep []string
	err = as(s.user, func() error {
		for _, e := range entries {
			if e.Status == Normal || e.Status == Modified || e.Status == Conflicted && e.Kind != metadata.Dir {
				flat = append(flat, e.rel)
			} else {
				deep = append(deep, e.rel)
			}
			dir := parentOf(e.rel)
			if e.node.top().kind == kindDir && e.Status == Normal {
				dir = e.rel
			}
			if err := s.mkdirs(dir); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, flat, "revert", "--quiet"); err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	if err := s.svnTargets(ctx, topmost(deep), "revert", "--quiet", "--recursive"); err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	plan, err := w.planExact(s, flat, deep)
	if err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	r.changes(plan)
	r.unscheduled(entries)
	for _, cl := range plan.clashes {
		r.Refused = append(r.Refused, Refused{c.path(cl.rel), cl.why})
	}
	p.Steps = plan.steps
	if opt.DryRun {
		return w.drop(p)
	}
	if r.Saved, err = w.save(s, withheldIn(entries)); err != nil {
		return fmt.Errorf("cannot keep what is replaced: %w", err)
	}
	undecided := map[string]string{}
	for _, e := range entries {
		p.Ends = append(p.Ends, e.Path)
		undecided[e.Path] = ""
	}
	if err := w.placeAndReport(p, r); err != nil {
		return err
	}
	return w.tree.State.Decide(undecided)
}

// topmost drops the paths that lie below others of the list.
func topmost(rels []string) []string {
	sort.Strings(rels)
	var top []string
	for _, rel := range rels {
		if len(top) == 0 || !covers(top, rel) {
			top = append(top, rel)
		}
	}
	return top
}

// unscheduled names the paths of which a revert changes only what svn was
// going to do with them.
func (r *Result) unscheduled(entries []*Entry) {
	told := map[string]bool{}
	for _, c := range r.Changes {
		told[c.Path] = true
	}
	for _, e := range entries {
		switch {
		case told[e.Path]:
		case e.Status == Added:
			r.Changes = append(r.Changes, Change{Letter: '?', Path: e.Path, Note: "not to be added any more"})
		case e.Status == Deleted:
			r.Changes = append(r.Changes, Change{Letter: 'A', Path: e.Path, Note: "not to be deleted any more"})
		case len(e.Properties) > 0:
			r.Changes = append(r.Changes, Change{Letter: 'M', Path: e.Path, Note: "property " + strings.Join(e.Properties, ", ")})
		}
	}
}

// withheldIn are the files whose content no repository has.
func withheldIn(entries []*Entry) []string {
	var rels []string
	for _, e := range entries {
		if e.Withheld && e.live.exists {
			rels = append(rels, e.rel)
		}
	}
	return rels
}

// planExact plans to place the stage's version of just these paths: the flat
// ones alone, the deep ones with everything below them.
func (w *Work) planExact(s *stage, flat, deep []string) (*planner, error) {
	plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path, names: w.tree.Names, takeAll: true, exact: map[string]bool{}}
	var err error
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	for _, rel := range flat {
		plan.exact[rel] = true
	}
	for rel := range plan.new.all() {
		if len(deep) > 0 && covers(deep, rel) {
			plan.exact[rel] = true
		}
	}
	return plan, as(s.user, plan.plan)
}

// Repair restores the metadata that the working copies record and leaves
// content alone; it also closes .svn directories that others can read.
func (w *Work) Repair(ctx context.Context, opt RevertOptions) ([]*Result, error) {
	opt.MetadataOnly = true
	return w.Revert(ctx, opt)
}
