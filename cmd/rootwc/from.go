package main

import (
	"errors"
	"fmt"

	"rootwc/externals"
	"rootwc/wc"
)

// from brings working copies up to date, and then merges another branch into
// them.
func (c *updateCmd) from(a *app) (err error) {
	if c.Revision != "" {
		return errors.New("cannot merge into an old revision: --from and -r exclude each other")
	}
	t, w, err := a.begin("update")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	copies, err := c.targets(a, t)
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := w.UnsureCommit(a.ctx); err != nil {
			return err
		}
		a.deliverFirst(w, true)
	}
	withheld, err := t.Withheld()
	if err != nil {
		return err
	}
	u := &updater{app: a, tree: t, work: w, dryRun: c.DryRun, emptying: c.Emptying}
	if !c.DryRun {
		var paths []string
		for _, cp := range copies {
			paths = append(paths, cp.Path)
		}
		after, refused := a.aroundHooks(t, "update", paths, func() []*wc.Result { return u.results })
		if refused != nil {
			return refused
		}
		defer func() { after(&err) }()
	}
	for _, cp := range copies {
		if err := u.merge(cp, c.From); err != nil {
			return err
		}
	}
	if err := u.follow(withheld); err != nil {
		return err
	}
	return incomplete("update", u.results)
}

// targets are the working copies that are named, else the root's own. A branch
// is merged as a whole: what is merged into a part of it alone has to be
// remembered for that part alone, for ever.
func (c *updateCmd) targets(a *app, t *wc.Tree) ([]*wc.Copy, error) {
	rels, err := known(t, c.Paths)
	if err != nil {
		return nil, err
	}
	if len(rels) == 0 {
		rels = []string{""}
	}
	var copies []*wc.Copy
	for _, rel := range rels {
		cp, at := t.CopyOf(rel)
		if at != "" {
			return nil, wc.Hint(wc.Refuse("cannot merge into %q alone: a branch is merged as a whole", rel), "rootwc update --from %s %s", c.From, shown(cp.Path))
		}
		for _, e := range a.externals {
			if e.Copy == cp && (e.State != externals.OK || revisionOf(e) != "") {
				return nil, wc.Refuse("cannot merge into %q: the external is %s", rel, stateOfExternal(e))
			}
		}
		copies = append(copies, cp)
	}
	return copies, nil
}

func stateOfExternal(e externals.External) string {
	if e.State == externals.OK {
		return "pinned to revision " + revisionOf(e)
	}
	return externalWords(e)
}

// merge updates one working copy and merges a branch into it. A conflict of the
// update is resolved first.
func (u *updater) merge(cp *wc.Copy, from string) error {
	if _, err := cp.Branch(from); err != nil {
		return err
	}
	if err := u.one(cp, wc.UpdateOptions{}); err != nil {
		return err
	}
	if len(u.failed) > 0 {
		return u.failed[0]
	}
	updated := u.results[len(u.results)-1]
	if len(updated.Conflicts) > 0 {
		u.app.warn("nothing was merged%s: resolve what the update has brought, then again", intoCopy(cp.Path))
		return nil
	}
	if !u.dryRun && cp.Mixed() { // as after a commit: svn merges into one revision only
		if err := u.one(cp, wc.UpdateOptions{Files: true}); err != nil {
			return err
		}
	}
	r, err := u.work.MergeBranch(u.app.ctx, cp, wc.MergeOptions{From: from, DryRun: u.dryRun})
	if err != nil {
		if len(updated.Changes) > 0 && !u.dryRun {
			return wc.Partial("updated, not merged: %w", err)
		}
		return err
	}
	u.results = append(u.results, r)
	u.app.tellResult(r)
	switch {
	case len(r.Changes) == 0 && len(r.Conflicts) == 0:
		fmt.Fprintf(u.app.out, "Nothing to merge from %s%s.\n", safe(from), intoCopy(cp.Path))
	case u.dryRun:
		fmt.Fprintf(u.app.out, "Would merge %s%s.\n", safe(from), intoCopy(cp.Path))
	default:
		fmt.Fprintf(u.app.out, "Merged %s%s; look at it, then commit.\n", safe(from), intoCopy(cp.Path))
	}
	return nil
}

func intoCopy(path string) string {
	if path == "" {
		return ""
	}
	return " into " + safe(path)
}
