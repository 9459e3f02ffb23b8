package main

import (
	"fmt"

	"rootwc/externals"
	"rootwc/wc"
)

type updateCmd struct {
	Paths    []string `arg:"" optional:"" help:"Only the working copies at or below these."`
	Revision string   `short:"r" help:"Bring the root to this revision: a number, HEAD or {DATE}." placeholder:"REV"`
	From     string   `help:"Then merge this branch into the root's working copy, or those named: a URL, ^/PATH, or trunk, branches/NAME, hosts/NAME beside this one." placeholder:"BRANCH"`
	Emptying bool     `help:"Even when it takes most of the files away; refused otherwise."`
	DryRun   bool     `name:"dry-run" help:"Fetch and merge, but only say what would change."`
}

// Run brings every working copy below the root up to date.
func (c *updateCmd) Run(a *app) (err error) {
	if c.From != "" {
		return c.from(a)
	}
	if err := checkRevision(c.Revision); err != nil {
		return err
	}
	t, w, err := a.begin("update")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := w.UnsureCommit(a.ctx); err != nil {
			return err
		}
		if a.deliver(w, true) != nil { // what the update brings may be what it takes
			defer func() { err = a.deliverAfter(w, err) }()
		}
	}
	if !c.DryRun {
		if err := a.quieten(w, rels); err != nil {
			return err
		}
	}
	withheld, err := t.Withheld()
	if err != nil {
		return err
	}
	u := &updater{app: a, tree: t, work: w, dryRun: c.DryRun, emptying: c.Emptying, paths: rels, before: a.externals, tried: map[string]bool{}}
	if !c.DryRun {
		after, refused := a.aroundHooks(t, "update", rels, func() []*wc.Result { return u.results })
		if refused != nil {
			return refused
		}
		defer func() { after(&err) }()
	}
	u.ask(c.Revision)
	if u.wants("") {
		if err := u.one(t.Copies[0], wc.UpdateOptions{Revision: c.Revision}); err != nil {
			return err
		}
	}
	if err := u.externals(); err != nil {
		return err
	}
	if err := u.follow(withheld); err != nil {
		return err
	}
	if len(u.failed) > 0 {
		return wc.Partial("cannot update everything: %w", joined(u.failed))
	}
	return incomplete("update", u.results)
}

// checkRevision looks at a revision before svn does: a number, HEAD or a date
// in braces. Empty is none.
func checkRevision(word string) error {
	if word == "" {
		return nil
	}
	if _, err := externals.ParseRevision(word); err != nil {
		return fmt.Errorf("cannot use revision %q: %w", word, err)
	}
	return nil
}

// updater goes over the working copies; a server that is away costs its own.
type updater struct {
	app      *app
	tree     *wc.Tree
	work     *wc.Work
	dryRun   bool
	emptying bool
	paths    []string
	before   []externals.External
	results  []*wc.Result
	failed   []error
	tried    map[string]bool // externals that were looked at
}

// ask puts one question to each repository for all that is to follow its youngest
// revision.
func (u *updater) ask(revision string) {
	var copies []*wc.Copy
	if u.wants("") && revision == "" {
		copies = append(copies, u.tree.Copies[0])
	}
	for _, e := range u.app.externals {
		if u.wants(e.Path) && e.State == externals.OK && e.Copy != nil && revisionOf(e) == "" {
			copies = append(copies, e.Copy)
		}
	}
	u.tree.Ask(u.app.ctx, copies)
}

// wants says whether a path is among those that were named.
func (u *updater) wants(path string) bool { return len(u.paths) == 0 || within(u.paths, path) }

// follow takes over what came with the files: names, the description, the list
// of withheld files.
func (u *updater) follow(withheld wc.WithheldList) error {
	if u.dryRun {
		return nil
	}
	u.tree.ReloadNames()
	u.tree.BadPage = nil // it may have been mended, or come
	u.app.describe(u.tree)
	_, err := u.work.ApplyWithheld(withheld)
	return err
}

func (u *updater) one(c *wc.Copy, opt wc.UpdateOptions) error {
	opt.DryRun, opt.Emptying = u.dryRun, u.emptying
	r, err := u.work.Update(u.app.ctx, c, opt)
	if err != nil {
		if c.Path == "" || u.app.ctx.Err() != nil {
			return err
		}
		u.failed = append(u.failed, err)
		u.app.warn("%v", err)
		return nil
	}
	u.results = append(u.results, r)
	u.app.tellResult(r)
	word := "At"
	switch {
	case len(r.Changes) > 0 && u.dryRun:
		word = "Would update to"
	case len(r.Changes) > 0:
		word = "Updated to"
	}
	fmt.Fprintf(u.app.out, "%s revision %d%s.\n", word, r.Revision, ofCopy(c.Path))
	return nil
}

func ofCopy(path string) string {
	if path == "" {
		return ""
	}
	return " in " + safe(path)
}

func revisionOf(e externals.External) string {
	_, operative := e.Definition.Revisions()
	if operative.IsHead() {
		return ""
	}
	return operative.String()
}

func checkoutOptions(e externals.External) wc.CheckoutOptions {
	peg, _ := e.Definition.Revisions()
	opt := wc.CheckoutOptions{Path: e.Path, URL: e.URL, Revision: revisionOf(e)}
	if !peg.IsHead() {
		opt.Peg = peg.String()
	}
	return opt
}
