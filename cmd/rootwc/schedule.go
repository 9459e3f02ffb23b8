package main

import (
	"fmt"

	"rootwc/wc"
)

type addCmd struct {
	Paths  []string `arg:"" help:"Files or directories; a directory comes with what is below it and not ignored."`
	DryRun bool     `name:"dry-run" help:"Only say what would be added."`
}

// Run schedules unversioned paths for the next commit.
func (c *addCmd) Run(a *app) (err error) {
	t, w, err := a.begin("add")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	if !c.DryRun {
		a.deliverFirst(w, false)
	}
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	r, err := w.Add(a.ctx, wc.AddOptions{Paths: rels, DryRun: c.DryRun})
	if err != nil {
		return err
	}
	for _, p := range r.Paths {
		a.line('A', p, "")
	}
	a.tellGathered(&r.Gathered)
	return nil
}

type forgetCmd struct {
	Paths  []string `arg:"" help:"Paths to take out of version control. They stay on this disk; another machine that shares the repository path deletes them with its next update."`
	DryRun bool     `name:"dry-run" help:"Only say what would be forgotten."`
}

// Run unversions paths with the next commit and keeps them on disk.
func (c *forgetCmd) Run(a *app) (err error) {
	t, w, err := a.begin("forget")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	if !c.DryRun {
		a.deliverFirst(w, false)
	}
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	if err := w.Forget(a.ctx, rels, c.DryRun); err != nil {
		return err
	}
	for _, p := range rels {
		a.line('D', p, "stays on disk")
	}
	if len(rels) > 0 && !c.DryRun {
		a.hint("it is listed as unversioned from now on; rootwc ignore %s hides it", safe(rels[0]))
	}
	return nil
}

// tellResult prints what a writing verb did to one working copy.
func (a *app) tellResult(r *wc.Result) {
	for _, ch := range r.Changes {
		a.line(ch.Letter, ch.Path, ch.Note)
	}
	for _, k := range r.Kept {
		a.line(k.Letter, k.Path, k.Note)
	}
	for _, n := range r.Notes {
		a.warn("%s", n)
	}
	for _, c := range r.Conflicts {
		a.line('C', c.Path, c.What)
	}
	for _, s := range r.Refused {
		a.warn("left alone %s: %s", s.Path, s.Why)
	}
	for _, u := range r.Unset {
		a.warn("metadata not set: %s", u)
	}
	if r.Saved != "" {
		fmt.Fprintf(a.out, "Replaced files are kept in %s\n", safe(r.Saved))
	}
}

// incomplete is the error of results that are done in part; nil when all are
// complete.
func incomplete(verb string, results []*wc.Result) error {
	conflicts, refused, unset := 0, 0, 0
	changed := false
	for _, r := range results {
		conflicts += len(r.Conflicts)
		refused += len(r.Refused)
		unset += len(r.Unset)
		changed = changed || len(r.Changes) > 0
	}
	switch {
	case conflicts > 0:
		return wc.Hint(wc.Partial("cannot %s everything: %d in conflict", verb, conflicts),
			"the live files are untouched; rootwc resolve --accept mine|theirs|working PATH")
	case refused > 0 && !changed && verb != "update" && verb != "materialize":
		return wc.Refuse("cannot %s: all of it was refused, see above", verb)
	case refused+unset > 0:
		return wc.Partial("cannot %s everything: the rest is named above", verb)
	}
	return nil
}
