package wc

import (
	"context"
	"fmt"
	"slices"
)

// Quieten puts back what the rules of noise want put back: files of which
// nothing has changed but lines that do not count. Nothing of it is kept. It
// looks at these paths and what is below them, none for everything, but not at
// a file that is named itself. A file that somebody writes meanwhile stays as it
// is.
func (w *Work) Quieten(ctx context.Context, paths []string) ([]*Result, error) {
	if !w.tree.Noise.Revert() {
		return nil, nil
	}
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: paths, Noise: true})
	if err != nil {
		return nil, err
	}
	byCopy := map[*Copy][]*Entry{}
	for _, e := range entries {
		if e.Noise.Revert && e.Clean() && !slices.Contains(paths, e.Path) {
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
		if err := w.quietenCopy(ctx, c, byCopy[c], r); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (w *Work) quietenCopy(ctx context.Context, c *Copy, entries []*Entry, r *Result) error {
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	var rels []string
	judged := map[string]identity{}
	err = as(s.user, func() error {
		for _, e := range entries {
			rels = append(rels, e.rel)
			judged[e.rel] = e.live.identity()
			if err := s.mkdirs(parentOf(e.rel)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, rels, "revert", "--quiet"); err != nil {
		return fmt.Errorf("cannot put back what is no news: %w", err)
	}
	plan, err := w.planExact(s, rels, nil)
	if err != nil {
		return fmt.Errorf("cannot put back what is no news: %w", err)
	}
	// what somebody has edited since it was judged is not noise any more
	plan.steps = slices.DeleteFunc(plan.steps, func(st step) bool { return st.Act != actPut || st.Expect != judged[st.Rel] })
	if len(plan.steps) == 0 {
		return w.drop(p)
	}
	r.changes(plan)
	p.Steps, p.Again = plan.steps, true
	w.Unset, w.Late = nil, nil
	if err := w.place(p); err != nil {
		return err
	}
	r.Unset = w.Unset
	r.Changes = slices.DeleteFunc(r.Changes, func(c Change) bool { return slices.Contains(w.Late, c.Path) })
	return nil
}

// takeQuiet sorts what is no news out of the entries of a commit: what is named
// is sent all the same, and of the rest the changes beside the content.
func takeQuiet(entries []*Entry, named []string) []*Entry {
	return slices.DeleteFunc(entries, func(e *Entry) bool {
		if slices.Contains(named, e.Path) {
			e.loud()
			e.quiet = false
		}
		return e.quiet && e.Clean()
	})
}
