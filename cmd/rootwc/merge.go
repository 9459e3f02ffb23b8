package main

import (
	"fmt"
	"slices"

	"rootwc/conffiles"
	"rootwc/wc"
)

type mergeCmd struct {
	Paths    []string `arg:"" optional:"" help:"Only these and what is below them: configuration files, or directories."`
	Plan     bool     `help:"Only say what would become of them."`
	DryRun   bool     `name:"dry-run" hidden:""`
	Validate bool     `help:"Let every program of the machine that can check a merged file do so: some load code that the file names."`
	JSON     bool     `name:"json" help:"Answer in JSON."`
}

// Run merges what package managers have left beside configuration files.
func (c *mergeCmd) Run(a *app) (err error) {
	t, w, err := a.begin("merge")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	return c.merge(a, t, w, func(*conffiles.Clearing) bool { return false })
}

// mergeAfter merges what an installation of packages has left, and brings back the
// symlinks that waited for it; err is how that ended. What has to be left alone is
// older, and told by rootwc merge.
func (a *app) mergeAfter(t *wc.Tree, w *wc.Work, validate bool, err error) error {
	merge := (&mergeCmd{Validate: validate}).merge(a, t, w, func(c *conffiles.Clearing) bool { return c.Verdict == conffiles.Left })
	regained, rerr := w.Regain(a.ctx)
	for _, r := range regained {
		a.tellResult(r)
	}
	if merge == nil {
		merge = rerr
	} else if rerr != nil {
		a.complain(rerr)
	}
	if err == nil {
		return merge
	}
	if merge != nil {
		a.complain(merge)
	}
	return err
}

// merge decides about all leftovers but those to skip, tells it and does it.
func (c *mergeCmd) merge(a *app, t *wc.Tree, w *wc.Work, skip func(*conffiles.Clearing) bool) error {
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	m, err := conffiles.Open(a.ctx, t, c.Validate)
	if err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	defer m.Close()
	before, err := recordedPackages(t.ReadFile)
	if err != nil {
		return err
	}
	if before != nil {
		m.Before = conffiles.Index(before)
	}
	all, err := m.Leftovers(a.ctx, func(l conffiles.Leftover) bool { return len(rels) == 0 || within(rels, l.Path) || within(rels, l.Of) })
	if err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	all = slices.DeleteFunc(all, skip)
	if err := c.tell(a, t, all); err != nil {
		return err
	}
	if !c.Plan && !c.DryRun {
		if err := c.carryOut(a, t, w, all); err != nil {
			return err
		}
	}
	return unsettled(all)
}

// tell prints the plan, which is the list that is carried out.
func (c *mergeCmd) tell(a *app, t *wc.Tree, all []*conffiles.Clearing) error {
	if c.JSON {
		decisions := []conffiles.Decision{}
		for _, one := range all {
			decisions = append(decisions, one.Decision)
		}
		return a.json(struct {
			Format    string               `json:"format"`
			Root      string               `json:"root"`
			Decisions []conffiles.Decision `json:"decisions"`
		}{jsonFormat, t.Root, decisions})
	}
	for _, one := range all {
		switch {
		case one.Verdict == conffiles.Left:
			a.warn("left alone %s: %s", one.Leftover, one.Why)
		case one.Conflict != nil:
			a.line('C', one.Path, one.Why)
		case one.Verdict == conffiles.Merged:
			a.line('G', one.Path, one.Words())
		case one.Text != nil:
			a.line('U', one.Path, one.Words())
		}
		if one.Verdict != conffiles.Left {
			note := ""
			if one.Text == nil && one.Conflict == nil {
				note = one.Words()
			}
			a.line('D', one.Leftover, note)
		}
	}
	return nil
}

// carryOut notes the decisions, stores the conflicts and changes the files, in
// this order: after a crash at any moment the next run finds the rest.
func (c *mergeCmd) carryOut(a *app, t *wc.Tree, w *wc.Work, all []*conffiles.Clearing) error {
	var changes []wc.Replacement
	var told []conffiles.Decision
	for _, one := range all {
		if one.Verdict == conffiles.Left {
			continue
		}
		if one.Text != nil {
			changes = append(changes, wc.Replacement{File: one.Live, Text: one.Text})
		}
		changes = append(changes, wc.Replacement{File: one.File})
		if !one.Asked {
			told = append(told, one.Decision)
		}
	}
	if err := t.State.Decide(decidedWords(told)); err != nil {
		return err
	}
	for _, one := range all {
		if one.Conflict != nil {
			if err := w.Ask(one.Path, one.Conflict); err != nil {
				return err
			}
		}
	}
	results, err := w.Replace(a.ctx, changes)
	if err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	if !c.JSON {
		for _, r := range results {
			r.Changes = nil // told before
			a.tellResult(r)
		}
	}
	return incomplete("merge", results)
}

// unsettled is the error of leftovers that a person has to look at.
func unsettled(all []*conffiles.Clearing) error {
	asked, left := 0, 0
	for _, one := range all {
		if one.Conflict != nil {
			asked++
		}
		if one.Verdict == conffiles.Left {
			left++
		}
	}
	switch {
	case asked > 0:
		return wc.Hint(wc.Partial("cannot merge everything: %d in conflict, %d left alone", asked, left), "rootwc resolve PATH shows the versions; --accept mine|theirs|merged|edit ends a conflict")
	case left > 0:
		return wc.Partial("cannot merge everything: %d left alone, see above", left)
	}
	return nil
}
