package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"rootwc/ignore"
	"rootwc/wc"
)

type ignoreCmd struct {
	Patterns []string `arg:"" optional:"" help:"Paths; the last part may be a pattern (etc/*.bak). Without any, list the patterns in force."`
	Why      bool     `help:"Tell for each path whether it is ignored, by which pattern of which directory."`
	Remove   bool     `help:"Take the patterns away."`
	Global   bool     `help:"Use svn:global-ignores: the pattern holds in all directories below as well."`
	JSON     bool     `name:"json" help:"With --why, or without paths: answer in JSON."`
	DryRun   bool     `name:"dry-run" help:"Only say what would be set."`
}

// Run edits or explains ignore patterns.
func (c *ignoreCmd) Run(a *app) error {
	switch {
	case c.Why:
		return c.why(a)
	case len(c.Patterns) == 0:
		return c.list(a)
	}
	return c.edit(a)
}

// verdictDoc is one answer of ignore --why.
type verdictDoc struct {
	Path     string `json:"path"`
	Ignored  bool   `json:"ignored"`
	At       string `json:"at,omitempty"` // the path above that the pattern matched
	Pattern  string `json:"pattern,omitempty"`
	Property string `json:"property,omitempty"`
	Origin   string `json:"origin,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func (c *ignoreCmd) why(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	if len(c.Patterns) == 0 {
		return errors.New("cannot tell why: no path given")
	}
	rels, err := paths(t, c.Patterns)
	if err != nil {
		return err
	}
	family, _ := osRelease(t)
	policy := ignore.Policy(family)
	docs := []verdictDoc{}
	for _, rel := range rels {
		v, at, err := t.WhyIgnored(rel)
		if err != nil {
			return err
		}
		docs = append(docs, verdictDoc{rel, v.Ignored, at, v.Pattern, v.Property, v.Origin, policy.Reason(v)})
	}
	if c.JSON {
		return a.json(struct {
			Format   string       `json:"format"`
			Verdicts []verdictDoc `json:"verdicts"`
		}{jsonFormat, docs})
	}
	for _, d := range docs {
		a.tellVerdict(t, d)
	}
	return nil
}

func (a *app) tellVerdict(t *wc.Tree, d verdictDoc) {
	switch cp, rel := t.CopyOf(d.Path); {
	case cp.Versioned(rel):
		fmt.Fprintf(a.out, "%s: versioned; no pattern applies to it\n", safe(d.Path))
	case !d.Ignored:
		fmt.Fprintf(a.out, "%s: not ignored\n", safe(d.Path))
	default:
		where := d.Origin
		if where == "" {
			where = "."
		}
		at := ""
		if d.At != d.Path {
			at = ", which matches " + d.At
		}
		fmt.Fprintf(a.out, "%s: ignored by pattern %q in %s of %s%s\n", safe(d.Path), d.Pattern, d.Property, safe(where), safe(at))
		if d.Reason != "" {
			fmt.Fprintf(a.out, "  %s\n", d.Reason)
		}
	}
}

func (c *ignoreCmd) list(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	if c.JSON {
		return a.patternsJSON(t)
	}
	for _, cp := range t.Copies {
		for _, p := range cp.IgnoreProperties() {
			for line := range strings.Lines(p.Value) {
				if line = strings.TrimRight(line, "\r\n"); line != "" {
					fmt.Fprintf(a.out, "%s  (%s)\n", safe(path.Join("./", p.Path, line)), p.Name)
				}
			}
		}
	}
	return nil
}

// patternsJSON lists the patterns in force.
func (a *app) patternsJSON(t *wc.Tree) error {
	type pattern struct {
		Directory string `json:"directory"`
		Property  string `json:"property"`
		Pattern   string `json:"pattern"`
	}
	docs := []pattern{}
	for _, cp := range t.Copies {
		for _, p := range cp.IgnoreProperties() {
			for _, line := range ignore.Parse(p.Value).Patterns() {
				docs = append(docs, pattern{p.Path, p.Name, line})
			}
		}
	}
	return a.json(struct {
		Format   string    `json:"format"`
		Root     string    `json:"root"`
		Patterns []pattern `json:"patterns"`
	}{jsonFormat, t.Root, docs})
}

func (c *ignoreCmd) edit(a *app) (err error) {
	property := ignore.PropIgnore
	if c.Global {
		property = ignore.PropGlobalIgnores
	}
	t, w, err := a.begin("ignore")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	for _, p := range c.Patterns {
		rel, err := operand(t, p)
		if err != nil {
			return err
		}
		if err := c.one(a, t, w, rel, property); err != nil {
			return err
		}
	}
	return nil
}

func (c *ignoreCmd) one(a *app, t *wc.Tree, w *wc.Work, rel, property string) error {
	dir, pattern := path.Dir(rel), path.Base(rel)
	if dir == "." {
		dir = ""
	}
	if t.Exists(rel) { // a name that is there means itself, whatever it holds
		pattern = ignore.Quote(pattern)
	}
	value, err := t.Patterns(dir, property)
	if err != nil {
		return fmt.Errorf("cannot ignore %q: %w", rel, err)
	}
	if reason, bad := ignore.Useless(pattern); reason != "" && !c.Remove {
		reason = strings.TrimPrefix(reason, "it ")
		if bad {
			return fmt.Errorf("cannot ignore %q: the pattern %s", rel, reason)
		}
		a.warn("%s: the pattern %s", rel, reason)
	}
	next := value
	if c.Remove {
		rest, found := ignore.Remove(value, pattern)
		if !found {
			return fmt.Errorf("cannot remove the pattern %q: %s of %q does not have it", pattern, property, dir)
		}
		next = rest
	} else if next, err = ignore.Add(value, pattern); err != nil {
		return fmt.Errorf("cannot ignore %q: %w", rel, err)
	}
	if cp, at := t.CopyOf(rel); !c.Remove && cp.Versioned(at) {
		a.warn("%s is versioned: a pattern does not hide it (rootwc forget takes it out)", rel)
	}
	if next != value && !c.DryRun {
		if err := w.SetProperty(a.ctx, dir, property, next); err != nil {
			return err
		}
	}
	a.line('M', dir, "property "+property)
	return nil
}
