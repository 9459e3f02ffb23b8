package main

import (
	"errors"
	"fmt"

	"rootwc/wc"
)

type resolveCmd struct {
	Paths    []string `arg:"" optional:"" help:"Paths in conflict; without any, list them."`
	Accept   string   `help:"working: the file as it is now; mine: as it was when the conflict arose; theirs: the repository's, or the package's; base: what both came from; merged: both sides' changes, where they do not overlap; edit: what you make of them in your editor. Without it, show the versions." placeholder:"WHICH"`
	Validate bool     `help:"With merged, edit or mine: let every program of the machine that can check the file do so."`
	DryRun   bool     `name:"dry-run" help:"Only say what would become of the files."`
	JSON     bool     `name:"json" help:"Without paths: answer in JSON."`
}

// conflictDoc is one conflict in JSON; the sides are files.
type conflictDoc struct {
	Path    string `json:"path"`
	What    string `json:"what"`
	Package string `json:"package,omitempty"`
	Base    string `json:"base,omitempty"`
	Mine    string `json:"mine,omitempty"`
	Theirs  string `json:"theirs,omitempty"`
}

// Run ends conflicts, shows them, or lists them with the files to merge.
func (c *resolveCmd) Run(a *app) (err error) {
	accept, ok := wc.Accepts[c.Accept]
	switch {
	case len(c.Paths) == 0:
		return c.list(a)
	case c.Accept == "":
		return c.show(a)
	case !ok:
		return wc.Hint(fmt.Errorf("cannot resolve: --accept %q is not known", c.Accept), "--accept wants working, mine, theirs, base, merged or edit")
	}
	t, w, err := a.begin("resolve")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	defer func() {
		if err == nil && !c.DryRun { // commits may wait for just that
			a.deliverFirst(w, true)
		}
	}()
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	var results []*wc.Result
	for _, rel := range rels {
		r, err := c.one(a, t, w, rel, accept)
		if errors.Is(err, wc.ErrNoConflict) && len(rels) > 1 { // as svn does; an earlier run may have been cut off after it
			a.warn("%v", err)
			continue
		}
		if err != nil {
			return err
		}
		a.tellResult(r)
		results = append(results, r)
		if c.DryRun {
			continue
		}
		fmt.Fprintf(a.out, "Resolved %s.\n", safe(rel))
	}
	return incomplete("resolve", results)
}

// one ends one conflict.
func (c *resolveCmd) one(a *app, t *wc.Tree, w *wc.Work, rel, accept string) (*wc.Result, error) {
	opt := wc.ResolveOptions{Path: rel, Accept: accept, DryRun: c.DryRun}
	conflict, err := conflictAt(t, rel)
	if err != nil {
		return nil, err
	}
	if conflict != nil {
		if opt.Text, err = c.text(a, t, conflict, accept); err != nil {
			return nil, err
		}
	}
	if opt.Text != nil {
		opt.Accept = wc.AcceptText
	}
	r, err := w.Resolve(a.ctx, opt)
	if err == nil && conflict != nil && conflict.Package != "" && !c.DryRun {
		err = t.State.Decide(map[string]string{rel: fmt.Sprintf("the version of %s was in conflict; taken: %s", conflict.Package, accept)})
	}
	return r, err
}

// conflictAt finds the conflict of a path, nil for none.
func conflictAt(t *wc.Tree, path string) (*wc.Conflict, error) {
	all, err := t.Conflicts()
	for _, k := range all {
		if k.Path == path {
			return k, err
		}
	}
	return nil, err
}

func (c *resolveCmd) list(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	conflicts, err := t.Conflicts()
	if err != nil {
		return err
	}
	if c.JSON {
		return a.conflictsJSON(t, conflicts)
	}
	for _, k := range conflicts {
		a.tellConflict(k)
	}
	return nil
}

// tellConflict prints a conflict with the files of its versions.
func (a *app) tellConflict(k *wc.Conflict) {
	a.line('C', k.Path, k.What)
	for _, side := range wc.SideNames {
		if k.Has(side) {
			fmt.Fprintf(a.out, "    %-7s %s\n", side, safe(k.File(side)))
		}
	}
}

// conflictsJSON lists the conflicts.
func (a *app) conflictsJSON(t *wc.Tree, conflicts []*wc.Conflict) error {
	docs := []conflictDoc{}
	for _, k := range conflicts {
		d := conflictDoc{Path: k.Path, What: k.What, Package: k.Package}
		for side, file := range map[string]*string{"base": &d.Base, "mine": &d.Mine, "theirs": &d.Theirs} {
			if k.Has(side) {
				*file = k.File(side)
			}
		}
		docs = append(docs, d)
	}
	return a.json(struct {
		Format    string        `json:"format"`
		Root      string        `json:"root"`
		Conflicts []conflictDoc `json:"conflicts"`
	}{jsonFormat, t.Root, docs})
}
