package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/packages"
	"rootwc/probes"
	"rootwc/wc"
)

type probeCmd struct {
	Names  []string `arg:"" optional:"" name:"name" help:"Only these: ${probes}."`
	Check  bool     `help:"Only compare with what was recorded; exit with 1 when something differs."`
	DryRun bool     `name:"dry-run" help:"Only say what would be written."`
	JSON   bool     `name:"json" help:"Answer in JSON."`
	Disks  []string `name:"disk" help:"Look at this disk too, though it is removable or virtual." placeholder:"DEVICE"`
}

// Run writes down what is no file on the machine.
func (c *probeCmd) Run(a *app) (err error) {
	for _, name := range c.Names {
		if !slices.Contains(probeNames, name) {
			return fmt.Errorf("cannot probe %q: the probes are %s", name, strings.Join(probeNames, ", "))
		}
	}
	t, w, err := c.begin(a)
	if err != nil {
		return err
	}
	if w == nil {
		defer t.Close()
	} else {
		defer end(t, w, &err)
	}
	taken, err := a.takeProbes(t, c.Names, c.Disks)
	if err != nil && (len(taken) == 0 || len(c.Names) > 0 || !notHere(err)) {
		return fmt.Errorf("cannot probe: %w", err)
	}
	if err != nil {
		t.Detail("not everything is probed: %v", err)
	}
	if !c.Check && !c.DryRun {
		if err := writeProbes(t, taken); err != nil {
			return err
		}
		if w != nil {
			if err := a.addProbes(t, w); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		return errors.Join(a.json(probesDoc{jsonFormat, t.Root, probeDocs(taken)}), c.outcome(taken))
	}
	c.tell(a, taken)
	return c.outcome(taken)
}

// begin opens the root. It need not be a working copy: the texts are of use
// without one.
func (c *probeCmd) begin(a *app) (*wc.Tree, *wc.Work, error) {
	t, err := a.openRoot()
	if err != nil {
		return nil, nil, err
	}
	if c.Check || c.DryRun || !t.IsWorkingCopy() {
		return t, nil, nil
	}
	t.Close()
	return a.begin("probe")
}

// outcome is the error that the exit status is made of.
func (c *probeCmd) outcome(taken []*probes.Taken) error {
	var failed []string
	differs := false
	for _, p := range taken {
		if p.Err != nil {
			failed = append(failed, p.Name)
		}
		differs = differs || p.Drifted()
	}
	switch {
	case len(failed) > 0:
		return wc.Partial("cannot probe everything: %s stayed as recorded", strings.Join(failed, ", "))
	case c.Check && differs:
		return errDifferences
	}
	return nil
}

func (c *probeCmd) tell(a *app, taken []*probes.Taken) {
	for _, p := range taken {
		a.tellProbe(p)
		for _, finding := range p.Findings {
			a.warn("%s", finding)
		}
		for _, note := range p.Notes {
			if a.global.Verbose {
				a.warn("%s", note)
			}
		}
	}
}

// tellProbe prints a probe's differences, a line each.
func (a *app) tellProbe(p *probes.Taken) {
	switch {
	case p.Err != nil:
		for line := range strings.Lines(p.Err.Error()) {
			a.warn("%s: %s", p.Name, strings.TrimSpace(line))
		}
	case !p.Recorded:
		a.line('?', p.Name, "not recorded yet")
	}
	for _, words := range p.Changes {
		a.line('M', p.Name, words)
	}
}

// probeNames are all probes: those of the machine's disks, and that of what is
// installed.
var probeNames = append(slices.Clone(probes.Names), probes.PackagesName)

func ofDisks(name string) bool { return name != probes.PackagesName }

// takeProbes takes probes of the root and of the machine that it is of. With an
// error about the machine's disks come those that need none.
func (a *app) takeProbes(t *wc.Tree, names, disks []string) (taken []*probes.Taken, err error) {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	recorded, err := fs.Sub(root.FS(), probes.Dir)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 || slices.ContainsFunc(names, ofDisks) {
		taken, err = a.takeDisks(t, recorded, names, disks)
	}
	if len(names) == 0 || slices.Contains(names, probes.PackagesName) {
		p := probes.TakePackages(a.ctx, root, recorded)
		if errors.Is(p.Err, packages.ErrNone) {
			return taken, cmp.Or(err, p.Err)
		}
		taken = append(taken, p)
	}
	return taken, err
}

// takeDisks takes the probes of the machine that the root is of.
func (a *app) takeDisks(t *wc.Tree, recorded fs.FS, names, disks []string) ([]*probes.Taken, error) {
	place, err := filepath.EvalSymlinks(t.Root)
	if err != nil {
		return nil, err
	}
	m, err := probes.Here(place)
	for _, disk := range disks {
		device, derr := filepath.EvalSymlinks(disk)
		if derr != nil {
			return nil, derr
		}
		err = nil
		m.Besides = append(m.Besides, strings.TrimPrefix(device, m.Dev+"/"))
	}
	if err != nil {
		return nil, wc.Hint(fmt.Errorf("%s: %w", t.Root, err), "name the machine's disks with --disk")
	}
	if place != "/" && len(m.Only) == 0 {
		m.Only, m.Besides = m.Besides, nil
	}
	return probes.Take(a.ctx, m, recorded, names), nil
}

func writeProbes(t *wc.Tree, taken []*probes.Taken) error {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, p := range taken {
		if err := p.Write(root); err != nil {
			return err
		}
	}
	return nil
}

// addProbes schedules texts that are new.
func (a *app) addProbes(t *wc.Tree, w *wc.Work) error {
	if !t.Exists(probes.Dir) {
		return nil
	}
	entries, err := t.Status(a.ctx, wc.StatusOptions{Paths: []string{probes.Dir}})
	if err != nil {
		return err
	}
	var add []string
	for _, e := range entries {
		if e.Status == wc.Unversioned {
			add = append(add, e.Path)
		}
	}
	if len(add) == 0 {
		return nil
	}
	_, err = w.Add(a.ctx, wc.AddOptions{Paths: add})
	return err
}

// The JSON of probes, by themselves and in a status.
type (
	probesDoc struct {
		Format string     `json:"format"`
		Root   string     `json:"root"`
		Probes []probeDoc `json:"probes"`
	}
	probeDoc struct {
		Name     string   `json:"name"`
		State    string   `json:"state"` // ok, drift, unrecorded, failed
		Changes  []string `json:"changes,omitempty"`
		Findings []string `json:"findings,omitempty"`
		Error    string   `json:"error,omitempty"`
	}
)

func probeDocs(taken []*probes.Taken) []probeDoc {
	docs := []probeDoc{}
	for _, p := range taken {
		d := probeDoc{Name: p.Name, State: "ok", Changes: p.Changes, Findings: p.Findings}
		switch {
		case p.Err != nil:
			d.State, d.Error = "failed", p.Err.Error()
		case !p.Recorded:
			d.State = "unrecorded"
		case p.Drifted():
			d.State = "drift"
		}
		docs = append(docs, d)
	}
	return docs
}

// refreshProbes writes what has changed before a commit. A machine without
// disks of its own, a directory or a container, has nothing to record. What
// cannot be read is told; it is an error only where there is an earlier text
// that may be wrong now.
func (a *app) refreshProbes(t *wc.Tree, dryRun bool) error {
	taken, err := a.takeProbes(t, nil, nil)
	if err != nil && !notHere(err) {
		return fmt.Errorf("cannot probe: %w", err)
	}
	var stale []string
	for _, p := range taken {
		switch {
		case errors.Is(p.Err, probes.ErrNoStorage):
		case errors.Is(p.Err, fs.ErrPermission) && !p.Recorded:
			t.Detail("%s is not recorded: %v", p.Name, p.Err)
		case p.Err != nil:
			a.warn("%s is not recorded: %v", p.Name, p.Err)
			if p.Recorded {
				stale = append(stale, p.Name)
			}
		case dryRun:
			a.tellProbe(p)
		}
	}
	if !dryRun {
		if err := writeProbes(t, taken); err != nil {
			return err
		}
	}
	if len(stale) > 0 {
		return wc.Partial("committed with earlier probes: %s", strings.Join(stale, ", "))
	}
	return nil
}

// inReview are the probes that a status compares. Another disk in the place of
// an old one is no change of the machine: the next commit records it.
var inReview = []string{"storage", "boot", probes.PackagesName}

// notHere is the error of a root that has nothing of the kind to record.
func notHere(err error) bool {
	return errors.Is(err, probes.ErrNoStorage) || errors.Is(err, packages.ErrNone)
}

// startProbes takes probes beside a status of the whole root; the function that
// it returns waits for them. Those of disks that the user may not read are left
// out: such a daily review is about files.
func (a *app) startProbes(t *wc.Tree, rels []string) (wait func() []*probes.Taken) {
	if len(rels) > 0 {
		return func() []*probes.Taken { return nil }
	}
	type answer struct {
		taken []*probes.Taken
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		taken, err := a.takeProbes(t, inReview, nil)
		done <- answer{taken, err}
	}()
	return func() []*probes.Taken {
		got := <-done
		if got.err != nil && !notHere(got.err) {
			t.Detail("probes are not compared: %v", got.err)
		}
		return slices.DeleteFunc(got.taken, func(p *probes.Taken) bool {
			if errors.Is(p.Err, fs.ErrPermission) {
				t.Detail("%s is not compared: %v", p.Name, p.Err)
			}
			return errors.Is(p.Err, fs.ErrPermission) || errors.Is(p.Err, probes.ErrNoStorage)
		})
	}
}
