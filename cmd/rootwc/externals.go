package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"rootwc/externals"
	"rootwc/wc"
)

type externalsCmd struct {
	List   externalsListCmd   `cmd:"" default:"withargs" help:"List externals and their state."`
	Add    externalsAddCmd    `cmd:"" help:"Define an external and bring it up."`
	Remove externalsRemoveCmd `cmd:"" help:"Remove a definition; the files stay."`
	Pin    externalsPinCmd    `cmd:"" help:"Fix an external at a revision."`
	Unpin  externalsUnpinCmd  `cmd:"" help:"Let an external follow HEAD."`
}

type externalsListCmd struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

// Run lists definitions with what is at their paths.
func (c *externalsListCmd) Run(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	if c.JSON {
		return a.json(struct {
			Format    string        `json:"format"`
			Root      string        `json:"root"`
			Externals []externalDoc `json:"externals"`
		}{jsonFormat, t.Root, a.externalDocs()})
	}
	for _, e := range a.externals {
		words := e.URL
		if peg, _ := e.Definition.Revisions(); !peg.IsHead() {
			words += "@" + peg.String()
		}
		if e.Revision > 0 {
			words += fmt.Sprintf("  at revision %d", e.Revision)
		}
		if e.State != externals.OK {
			words += "  " + string(e.State)
		}
		fmt.Fprintf(a.out, "%s  %s\n", safe(e.Path), safe(words))
	}
	return nil
}

type externalsAddCmd struct {
	URL      string `arg:"" help:"Where it comes from; ^/… is relative to the repository's root, ../… to the directory that carries the definition."`
	Path     string `arg:"" help:"Where it goes, below the root."`
	Revision string `short:"r" help:"Fix it at this revision." placeholder:"REV"`
	DryRun   bool   `name:"dry-run" help:"Only say what would be defined."`
}

// Run defines an external on the nearest versioned directory and checks it out.
func (c *externalsAddCmd) Run(a *app) (err error) {
	t, w, err := a.begin("externals add")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rel, err := operand(t, c.Path)
	if err != nil {
		return err
	}
	def := externals.Definition{URL: c.URL}
	if def.Peg, err = externals.ParseRevision(c.Revision); err != nil && c.Revision != "" {
		return err
	}
	if cp, at := t.CopyOf(rel); cp.Versioned(at) {
		return wc.Refuse("cannot add external %q: the path is versioned already", rel)
	}
	dir, value := carrier(t, rel)
	def.Target = strings.TrimPrefix(strings.TrimPrefix(rel, dir), "/")
	defs, err := externals.Parse(dir, value)
	if err != nil {
		return fmt.Errorf("cannot add external %q: %w", rel, err)
	}
	// an earlier run may have been cut off before it brought the files
	old, defined := defs.Lookup(def.Target)
	defined = defined && old.URL == def.URL && old.Peg == def.Peg
	if !defined {
		if defs, err = defs.Add(def); err != nil {
			return err
		}
	}
	if err := c.exists(a, t, dir, def); err != nil {
		return err
	}
	if c.DryRun {
		a.line('M', dir, "property svn:externals")
		return nil
	}
	if !defined {
		if err := w.SetProperty(a.ctx, dir, "svn:externals", defs.String()); err != nil {
			return err
		}
		a.line('M', dir, "property svn:externals")
	}
	g := &gatherer{app: a, tree: t, work: w,
		wanted: func(e externals.External) bool { return e.Path == rel },
		took: func(_ externals.External, r *wc.Result) {
			a.tellResult(r)
			fmt.Fprintf(a.out, "Checked out revision %d%s.\n", r.Revision, ofCopy(rel))
			err = incomplete("materialize", []*wc.Result{r})
		},
		failed: func(_ externals.External, ferr error) {
			err = wc.Hint(ferr, "the definition is in place; rootwc materialize brings it up, rootwc externals remove %s takes it back", rel)
		},
	}
	if cancelled := g.run(); cancelled != nil {
		return cancelled
	}
	return err
}

// exists asks the server before anything is defined.
func (c *externalsAddCmd) exists(a *app, t *wc.Tree, dir string, def externals.Definition) error {
	cp, at := t.CopyOf(dir)
	url, err := externals.Resolve(def, cp.RepositoryRoot(), cp.DirURL(at))
	if err != nil {
		return err
	}
	peg := ""
	if !def.Peg.IsHead() {
		peg = def.Peg.String()
	}
	if _, err := t.Client.Info(a.ctx, nil, url, peg); err != nil {
		return fmt.Errorf("cannot add external %q: %w", path.Join(dir, def.Target), err)
	}
	return nil
}

// carrier is the directory whose svn:externals defines path: the nearest
// versioned one above it.
func carrier(t *wc.Tree, rel string) (dir, value string) {
	for dir = path.Dir(rel); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		cp, at := t.CopyOf(dir)
		if cp.Versioned(at) || dir == "" {
			value, _ = cp.Property(at, "svn:externals")
			return dir, value
		}
	}
}

// defined finds the definition of an external by its path.
func defined(a *app, rel string) (externals.External, error) {
	for _, e := range a.externals {
		if e.Path == rel && e.Definition.Target != "" {
			return e, nil
		}
	}
	return externals.External{}, wc.Hint(fmt.Errorf("%q is not defined as an external", rel), "rootwc externals list")
}

// change rewrites the property that defines an external.
func change(a *app, t *wc.Tree, w *wc.Work, e externals.External, edit func(externals.Definitions) (externals.Definitions, error)) error {
	dir := path.Join(e.Owner, e.Definition.Dir)
	cp, at := t.CopyOf(dir)
	value, _ := cp.Property(at, "svn:externals")
	defs, err := externals.Parse(e.Definition.Dir, value)
	if err != nil {
		return err
	}
	if defs, err = edit(defs); err != nil {
		return err
	}
	a.line('M', dir, "property svn:externals")
	if w == nil {
		return nil
	}
	text := defs.String()
	if strings.TrimSpace(text) == "" {
		text = ""
	}
	return w.SetProperty(a.ctx, dir, "svn:externals", text)
}

type externalsRemoveCmd struct {
	Path   string `arg:"" help:"The external's path."`
	Delete bool   `help:"Delete its files too, when nothing in it is uncommitted. Asked for at a terminal."`
	Keep   bool   `help:"Keep the files without asking."`
	DryRun bool   `name:"dry-run" help:"Only say what would be removed."`
}

// Run removes a definition. Plain svn would delete the files with its next
// update; here they stay unless that is asked for.
func (c *externalsRemoveCmd) Run(a *app) (err error) {
	t, w, err := a.begin("externals remove")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rel, err := operand(t, c.Path)
	if err != nil {
		return err
	}
	e, err := defined(a, rel)
	if err != nil {
		cp, at := t.CopyOf(rel)
		orphan, aerr := t.Attach(rel)
		if !c.Delete || aerr != nil || cp.Versioned(at) && at != "" {
			return err
		}
		e = externals.External{Resolved: externals.Resolved{Path: rel}, Copy: orphan}
	}
	remove := c.Delete
	if !remove && !c.Keep && e.Copy != nil && !c.DryRun {
		remove = a.confirm(fmt.Sprintf("Delete the files of %s as well? They are kept otherwise.", rel))
	}
	if remove && e.Copy != nil {
		entries, err := t.Status(a.ctx, wc.StatusOptions{Paths: []string{rel}})
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return wc.Hint(wc.Refuse("cannot delete %q: %d paths in it are not committed, %q first", rel, len(entries), entries[0].Path), "rootwc status %s", rel)
		}
	}
	if e.Definition.Target != "" {
		used := w
		if c.DryRun {
			used = nil
		}
		err := change(a, t, used, e, func(d externals.Definitions) (externals.Definitions, error) { return d.Remove(e.Definition.Target) })
		if err != nil {
			return fmt.Errorf("cannot remove external %q: %w", rel, err)
		}
	}
	if c.DryRun || e.Copy == nil {
		return nil
	}
	if !remove {
		fmt.Fprintf(a.out, "The files of %s stay.\n", safe(rel))
		return nil
	}
	if err := w.Discard(e.Copy); err != nil {
		return err
	}
	a.line('D', rel, "")
	return nil
}

type externalsPinCmd struct {
	Path     string `arg:"" help:"The external's path."`
	Revision string `arg:"" optional:"" help:"Default: the revision that is here."`
	DryRun   bool   `name:"dry-run" help:"Only say what would change."`
}

// Run fixes an external at a revision.
func (c *externalsPinCmd) Run(a *app) (err error) {
	t, w, err := a.begin("externals pin")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rel, err := operand(t, c.Path)
	if err != nil {
		return err
	}
	e, err := defined(a, rel)
	if err != nil {
		return fmt.Errorf("cannot pin: %w", err)
	}
	peg := externals.Number(e.Revision)
	if c.Revision != "" {
		if peg, err = externals.ParseRevision(strings.TrimPrefix(c.Revision, "r")); err != nil {
			return fmt.Errorf("cannot pin %q: %w", rel, err)
		}
	} else if e.Revision == 0 {
		return errors.New("cannot pin: the external is not here, so name a revision")
	}
	if c.DryRun {
		w2 := (*wc.Work)(nil)
		return change(a, t, w2, e, func(d externals.Definitions) (externals.Definitions, error) { return d.Pin(e.Definition.Target, peg) })
	}
	return change(a, t, w, e, func(d externals.Definitions) (externals.Definitions, error) {
		d, err := d.Unpin(e.Definition.Target)
		if err != nil {
			return d, err
		}
		return d.Pin(e.Definition.Target, peg)
	})
}

type externalsUnpinCmd struct {
	Path   string `arg:"" help:"The external's path."`
	DryRun bool   `name:"dry-run" help:"Only say what would change."`
}

// Run lets an external follow HEAD again.
func (c *externalsUnpinCmd) Run(a *app) (err error) {
	t, w, err := a.begin("externals unpin")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rel, err := operand(t, c.Path)
	if err != nil {
		return err
	}
	e, err := defined(a, rel)
	if err != nil {
		return fmt.Errorf("cannot unpin: %w", err)
	}
	used := w
	if c.DryRun {
		used = nil
	}
	return change(a, t, used, e, func(d externals.Definitions) (externals.Definitions, error) { return d.Unpin(e.Definition.Target) })
}
