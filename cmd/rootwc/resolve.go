package main

import (
	"errors"
	"fmt"

	"rootwc/wc"
)

type resolveCmd struct {
	Paths  []string `arg:"" optional:"" help:"Paths in conflict; without any, list them."`
	Accept string   `help:"working: the file as it is now; mine: as it was when the conflict arose; theirs: the repository's; base: what both came from." placeholder:"WHICH"`
	DryRun bool     `name:"dry-run" help:"Only say what would become of the files."`
	JSON   bool     `name:"json" help:"Without paths: answer in JSON."`
}

// conflictDoc is one conflict in JSON; the sides are files.
type conflictDoc struct {
	Path   string `json:"path"`
	What   string `json:"what"`
	Base   string `json:"base,omitempty"`
	Mine   string `json:"mine,omitempty"`
	Theirs string `json:"theirs,omitempty"`
}

// Run ends conflicts, or lists them with the files to merge.
func (c *resolveCmd) Run(a *app) (err error) {
	if len(c.Paths) == 0 {
		return c.list(a)
	}
	accept, ok := wc.Accepts[c.Accept]
	if !ok {
		return wc.Hint(errors.New("cannot resolve: --accept wants working, mine, theirs or base"), "rootwc resolve lists the conflicts with their files")
	}
	t, w, err := a.begin("resolve")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	var results []*wc.Result
	for _, rel := range rels {
		r, err := w.Resolve(a.ctx, wc.ResolveOptions{Path: rel, Accept: accept, DryRun: c.DryRun})
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
		a.line('C', k.Path, k.What)
		for _, side := range []string{"base", "mine", "theirs"} {
			if k.Has(side) {
				fmt.Fprintf(a.out, "    %-7s %s\n", side, safe(k.File(side)))
			}
		}
	}
	return nil
}
