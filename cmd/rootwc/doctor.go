package main

import (
	"fmt"
	"path/filepath"

	"rootwc/externals"
	"rootwc/wc"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Answer in JSON."`
	// Offline leaves the servers out.
	Offline bool `help:"Ask no server."`
}

// finding is one thing that is not as it should be.
type finding struct {
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// Run looks at everything that rootwc relies on. It changes nothing, and exits
// with 1 when it found something.
func (c *doctorCmd) Run(a *app) error {
	t, err := a.openRoot()
	if err != nil {
		return err
	}
	defer t.Close()
	d := &doctor{app: a, tree: t}
	d.svn()
	d.state()
	if err := a.attach(t); err != nil {
		d.found(err.Error(), wc.HintOf(err))
	} else {
		d.copies()
		d.externals()
		if !c.Offline {
			d.servers()
		}
	}
	if c.JSON {
		if d.findings == nil {
			d.findings = []finding{}
		}
		if err := a.json(struct {
			Format   string    `json:"format"`
			Root     string    `json:"root"`
			Findings []finding `json:"findings"`
		}{jsonFormat, t.Root, d.findings}); err != nil {
			return err
		}
	} else {
		d.tell()
	}
	if len(d.findings) > 0 {
		return errDifferences
	}
	return nil
}

type doctor struct {
	app      *app
	tree     *wc.Tree
	facts    []string
	findings []finding
}

func (d *doctor) fact(format string, args ...any) {
	d.facts = append(d.facts, fmt.Sprintf(format, args...))
}

func (d *doctor) found(what, remedy string) { d.findings = append(d.findings, finding{what, remedy}) }

func (d *doctor) tell() {
	for _, f := range d.facts {
		fmt.Fprintf(d.app.out, "ok       %s\n", safe(f))
	}
	for _, f := range d.findings {
		fmt.Fprintf(d.app.out, "problem  %s\n", safe(f.What))
		if f.Remedy != "" {
			fmt.Fprintf(d.app.out, "         remedy: %s\n", safe(f.Remedy))
		}
	}
}

func (d *doctor) svn() {
	v, err := d.tree.Client.Version(d.app.ctx)
	if err != nil {
		d.found(err.Error(), wc.HintOf(err))
		return
	}
	d.fact("svn %s", v)
}

func (d *doctor) state() {
	if h := d.tree.State.LockHolder(); h != nil {
		d.found(fmt.Sprintf("rootwc %s is at work (pid %d, %s, since %s)", h.Verb, h.PID, h.User, h.Since.Local().Format("15:04")), "wait for it, or end that process; the lock ends with it")
		return
	}
	verb, placing, err := d.tree.State.Interrupted()
	if err != nil {
		d.found(err.Error(), wc.HintOf(err))
	}
	if verb != "" {
		what := "was interrupted before it changed anything"
		if placing {
			what = "was interrupted in the middle"
		}
		d.found(fmt.Sprintf("rootwc %s %s", verb, what), "any rootwc command that may write finishes or undoes it: rootwc status")
	}
}

func (d *doctor) copies() {
	for _, c := range d.tree.Copies {
		name := filepath.Join(d.tree.Root, c.Path)
		if what := c.Trouble(); len(what) > 0 {
			for _, w := range what {
				d.found(name+": "+w.What, w.Remedy)
			}
			continue
		}
		d.fact("%s is a working copy of %s at revision %d", name, c.URL(), c.Revision())
	}
	conflicts, err := d.tree.Conflicts()
	if err != nil {
		d.found(err.Error(), "")
	}
	for _, c := range conflicts {
		d.found(c.Path+" is in conflict: "+c.What, "rootwc resolve --accept mine|theirs|working "+c.Path)
	}
}

func (d *doctor) externals() {
	for _, e := range d.app.externals {
		if e.State == externals.OK {
			continue
		}
		remedy := "rootwc materialize"
		if e.State == externals.Invalid {
			remedy = "mend svn:externals: rootwc externals remove, rootwc externals add"
		}
		d.found(fmt.Sprintf("external %s is %s", e.Path, externalWords(e)), remedy)
	}
}

func (d *doctor) servers() {
	asked := map[string]bool{}
	for _, c := range d.tree.Copies {
		if asked[c.RepositoryRoot()] {
			continue
		}
		asked[c.RepositoryRoot()] = true
		info, err := d.tree.Client.Info(d.app.ctx, nil, c.URL(), "")
		switch {
		case err != nil && wc.Unreachable(err):
			d.found(fmt.Sprintf("the server of %s is not reachable: %v", c.RepositoryRoot(), err), "")
		case err != nil:
			d.found(fmt.Sprintf("%s: %v", c.URL(), err), "")
		case info.UUID != c.UUID():
			d.found(fmt.Sprintf("%s is another repository now", c.RepositoryRoot()), "")
		default:
			d.fact("%s answers, youngest revision %d", c.RepositoryRoot(), info.Revision)
		}
	}
}
