package main

import (
	"fmt"
	"strings"

	"rootwc/wc"
)

type diffCmd struct {
	Paths    []string `arg:"" optional:"" help:"Only these and what is below them."`
	Revision string   `short:"r" help:"Compare revisions: N with the working copy's, or N:M." placeholder:"N[:M]"`
	JSON     bool     `name:"json" help:"Answer in JSON."`
	Noise    bool     `help:"What is no news as well; a path that is named is shown in any case."`
	ExitCode bool     `name:"exit-code" help:"Exit with 1 when there are differences."`
	identityOptions
}

// diffDoc is one change in JSON.
type diffDoc struct {
	entryDoc
	Diff string `json:"diff,omitempty"`
}

// Run shows what changed; only -r asks a server.
func (c *diffCmd) Run(a *app) error {
	if err := checkRange(c.Revision); err != nil {
		return err
	}
	if err := c.readIdentities(a); err != nil {
		return err
	}
	t, err := a.open()
	if err != nil {
		return fmt.Errorf("cannot compare: %w", err)
	}
	defer t.Close()
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	if c.Revision != "" {
		return c.revisions(a, t, rels)
	}
	docs := []diffDoc{}
	found := false
	err = t.Diff(a.ctx, rels, c.Noise, func(d *wc.Difference) error {
		found = true
		if d.Encrypted && d.Status == wc.Modified && len(c.identities) > 0 {
			if err := d.Unseal(t, c.identities); err != nil {
				a.warn("%s: %v", d.Path, err)
			}
		}
		if c.JSON {
			docs = append(docs, diffDoc{entryJSON(d.Entry), string(d.Unified())})
			return nil
		}
		a.difference(d)
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = a.json(struct {
			Format  string    `json:"format"`
			Root    string    `json:"root"`
			Changes []diffDoc `json:"changes"`
		}{jsonFormat, t.Root, docs})
	}
	if err == nil && c.ExitCode && found {
		return errDifferences
	}
	return err
}

// checkRange looks at N or N:M before svn does.
func checkRange(words string) error {
	from, to := wc.CutRange(words)
	if err := checkRevision(from); err != nil {
		return err
	}
	return checkRevision(to)
}

const rule = "==================================================================="

// difference prints one path the way svn diff does, with a part for metadata.
func (a *app) difference(d *wc.Difference) {
	if text := d.Unified(); len(text) > 0 {
		fmt.Fprintf(a.out, "Index: %s\n%s\n%s", shown(d.Path), rule, text)
	} else if d.Status != wc.Normal && d.Status != wc.Modified {
		fmt.Fprintf(a.out, "Index: %s (%s %s)\n%s\n", shown(d.Path), d.Status, d.Kind, rule)
	}
	if d.Withheld && d.Status == wc.Modified && d.Old == nil {
		fmt.Fprintf(a.out, "Index: %s\n%s\nContent changed; it is %s.\n", shown(d.Path), rule, closedWord(d.Entry))
	}
	if len(d.Props) > 0 {
		fmt.Fprintf(a.out, "\nProperty changes on: %s\n%s\n", shown(d.Path), strings.Repeat("_", len(rule)))
		for _, p := range d.Props {
			fmt.Fprintf(a.out, "%s: %s\n", propertyWord(p), p.Name)
			a.out.Write(p.Unified())
		}
	}
	if len(d.Metadata) > 0 {
		fmt.Fprintf(a.out, "\nMetadata changes on: %s\n%s\n", shown(d.Path), strings.Repeat("_", len(rule)))
		for _, m := range d.Metadata {
			fmt.Fprintf(a.out, "%s %s -> %s\n", safe(m.Name), safe(m.Base), safe(m.Working))
		}
		fmt.Fprintln(a.out)
	}
}

// closedWord says why the content of a file is not shown.
func closedWord(e *wc.Entry) string {
	if e.Encrypted {
		return "encrypted, so it is shown only with --identity"
	}
	return "withheld, so there is nothing to compare with"
}

func propertyWord(p wc.PropertyDiff) string {
	switch {
	case p.Old == "":
		return "Added"
	case p.New == "":
		return "Deleted"
	}
	return "Modified"
}

// revisions compares revisions in the repositories.
func (c *diffCmd) revisions(a *app, t *wc.Tree, rels []string) error {
	if c.JSON {
		return fmt.Errorf("cannot compare revisions in JSON: --json goes without -r")
	}
	if len(rels) == 0 {
		for _, cp := range t.Copies {
			rels = append(rels, cp.Path)
		}
	}
	found := false
	for _, path := range rels {
		text, err := t.DiffRevisions(a.ctx, path, c.Revision)
		if err != nil {
			return fmt.Errorf("cannot compare revisions of %q: %w", path, err)
		}
		found = found || len(text) > 0
		a.out.Write(text)
	}
	if c.ExitCode && found {
		return errDifferences
	}
	return nil
}
