package main

import (
	"context"
	"errors"
	"fmt"

	"rootwc/wc"
)

type revertCmd struct {
	Paths  []string `arg:"" help:"Paths to put back, with what is below them; . is everything."`
	DryRun bool     `name:"dry-run" help:"Only say what would be put back."`
	// Recursive is svn's flag; paths always count with what is below them.
	Recursive bool `short:"R" hidden:""`
}

// Run puts paths back to what was last committed or updated.
func (c *revertCmd) Run(a *app) (err error) {
	results, err := undone(a, "revert", c.Paths, c.DryRun, (*wc.Work).Revert)
	a.tellResults(results)
	return err
}

type repairCmd struct {
	Paths  []string `arg:"" optional:"" help:"Only these and what is below them."`
	Check  bool     `help:"Change nothing; exit with 1 when there is something to repair."`
	JSON   bool     `name:"json" help:"Answer in JSON."`
	DryRun bool     `name:"dry-run" help:"Only say what would be repaired."`
}

// Run restores metadata, for one after plain svn has destroyed it.
func (c *repairCmd) Run(a *app) error {
	results, err := undone(a, "repair", c.Paths, c.DryRun || c.Check, (*wc.Work).Repair)
	found := false
	for _, r := range results {
		found = found || len(r.Changes) > 0
	}
	if c.JSON {
		err = errors.Join(err, a.resultsJSON(results))
	} else {
		a.tellResults(results)
	}
	if err == nil && c.Check && found {
		return errDifferences
	}
	return err
}

func (a *app) tellResults(results []*wc.Result) {
	for _, r := range results {
		a.tellResult(r)
	}
}

// resultsJSON prints what was changed, or would be.
func (a *app) resultsJSON(results []*wc.Result) error {
	type changed struct {
		Path   string `json:"path"`
		Letter string `json:"letter"`
		Note   string `json:"note,omitempty"`
	}
	doc := struct {
		Format  string    `json:"format"`
		Changes []changed `json:"changes"`
		Unset   []string  `json:"unset"`
	}{jsonFormat, []changed{}, []string{}}
	for _, r := range results {
		for _, c := range r.Changes {
			doc.Changes = append(doc.Changes, changed{c.Path, string(c.Letter), c.Note})
		}
		doc.Unset = append(doc.Unset, r.Unset...)
	}
	return a.json(doc)
}

// undone runs a verb that puts paths back.
func undone(a *app, verb string, operands []string, dryRun bool, how func(*wc.Work, context.Context, wc.RevertOptions) ([]*wc.Result, error)) (results []*wc.Result, err error) {
	t, w, err := a.begin(verb)
	if err != nil {
		return nil, err
	}
	defer end(t, w, &err)
	rels, err := known(t, operands)
	if err != nil {
		return nil, err
	}
	if results, err = how(w, a.ctx, wc.RevertOptions{Paths: rels, DryRun: dryRun}); err != nil {
		return results, err
	}
	return results, incomplete(verb, results)
}

type restoreCmd struct {
	Path   string `arg:"" help:"Path to bring back, with what is below it."`
	At     string `required:"" help:"A date (2026-05-01, or with time 2026-05-01T12:00) or a revision." placeholder:"DATE|REV"`
	DryRun bool   `name:"dry-run" help:"Only say what would be brought back."`
}

// Run brings back content and metadata; the result is a local change.
func (c *restoreCmd) Run(a *app) (err error) {
	if err := wc.CheckRevisionWord(c.At); err != nil {
		return fmt.Errorf("cannot restore %q: %w", c.Path, err)
	}
	t, w, err := a.begin("restore")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	if !c.DryRun {
		a.deliverFirst(w, false)
	}
	rel, err := operand(t, c.Path)
	if err != nil {
		return err
	}
	r, err := w.Restore(a.ctx, wc.RestoreOptions{Path: rel, Revision: wc.RevisionWord(c.At), DryRun: c.DryRun})
	if err != nil {
		return err
	}
	a.tellResult(r)
	return incomplete("restore", []*wc.Result{r})
}
