package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rootwc/wc"
)

type logCmd struct {
	Paths    []string `arg:"" optional:"" help:"Only revisions that touched these; default: the whole machine."`
	Limit    int      `short:"l" default:"100" help:"At most N revisions; 0 means all." placeholder:"N"`
	Revision string   `short:"r" help:"Only these: N, N:M or {DATE}:HEAD. Default: HEAD:1." placeholder:"N[:M]"`
	Changed  bool     `name:"changed" help:"List the paths that each revision touched."`
	JSON     bool     `name:"json" help:"Answer in JSON."`
}

// logged is one revision of one repository.
type logged struct {
	wc.LogEntry
	WorkingCopies []string `json:"workingCopies"`
	Repository    string   `json:"repository"`
}

// Run shows the revisions of every repository below the root as one history.
func (c *logCmd) Run(a *app) error {
	if err := checkRange(c.Revision); err != nil {
		return err
	}
	t, err := a.open()
	if err != nil {
		return fmt.Errorf("cannot show the log: %w", err)
	}
	defer t.Close()
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	if len(rels) == 0 {
		for _, cp := range t.Copies {
			rels = append(rels, cp.Path)
		}
	}
	all, err := c.collect(a, t, rels)
	if err != nil {
		return err
	}
	if c.JSON {
		return a.json(struct {
			Format    string   `json:"format"`
			Root      string   `json:"root"`
			Revisions []logged `json:"revisions"`
		}{jsonFormat, t.Root, all})
	}
	a.tellLog(all, len(t.Copies) > 1)
	return nil
}

// collect asks each repository and merges the answers, youngest first.
func (c *logCmd) collect(a *app, t *wc.Tree, rels []string) ([]logged, error) {
	revision := c.Revision
	if revision == "" {
		revision = "HEAD:1"
	}
	args := []string{"--revision", revision}
	if c.Limit > 0 {
		args = append(args, "--limit", fmt.Sprint(c.Limit))
	}
	if c.Changed {
		args = append(args, "--verbose")
	}
	all := []logged{}
	for _, rel := range rels {
		cp, _ := t.CopyOf(rel)
		entries, err := t.Log(a.ctx, rel, args...)
		if err != nil {
			return nil, fmt.Errorf("cannot show the log of %q: %w", shown(rel), err)
		}
		for _, e := range entries {
			i := slices.IndexFunc(all, func(l logged) bool {
				return l.Revision == e.Revision && l.Repository == cp.RepositoryRoot()
			})
			if i >= 0 {
				if !slices.Contains(all[i].WorkingCopies, cp.Path) {
					all[i].WorkingCopies = append(all[i].WorkingCopies, cp.Path)
				}
				continue
			}
			all = append(all, logged{e, []string{cp.Path}, cp.RepositoryRoot()})
		}
	}
	slices.SortStableFunc(all, func(x, y logged) int {
		if d := strings.Compare(y.Date, x.Date); d != 0 {
			return d
		}
		return int(y.Revision - x.Revision)
	})
	if c.Limit > 0 && len(all) > c.Limit {
		all = all[:c.Limit]
	}
	return all, nil
}

func (a *app) tellLog(all []logged, several bool) {
	line := strings.Repeat("-", 72)
	for _, e := range all {
		date := e.Date
		if at, err := time.Parse(time.RFC3339Nano, e.Date); err == nil {
			date = at.Local().Format("2006-01-02 15:04:05 -0700")
		}
		fmt.Fprintf(a.out, "%s\nr%d | %s | %s\n", line, e.Revision, safe(e.Author), date)
		if several {
			fmt.Fprintf(a.out, "Repository: %s\n", safe(e.Repository))
		}
		for _, p := range e.Paths {
			from := ""
			if p.CopyFrom != "" {
				from = " (from " + p.CopyFrom + ")"
			}
			fmt.Fprintf(a.out, "   %s %s%s\n", p.Action, safe(p.Path), safe(from))
		}
		fmt.Fprintln(a.out)
		for text := range strings.Lines(strings.TrimRight(e.Message, "\n")) {
			fmt.Fprintln(a.out, safe(strings.TrimSuffix(text, "\n")))
		}
	}
	if len(all) > 0 {
		fmt.Fprintln(a.out, line)
	}
}
