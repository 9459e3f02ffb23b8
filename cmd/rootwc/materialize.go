package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rootwc/externals"
	"rootwc/secrets"
	"rootwc/wc"
)

type materializeCmd struct {
	URL      string `arg:"" optional:"" help:"The machine's directory in the repository; not needed where the root is a working copy already."`
	Revision string `short:"r" help:"A number, HEAD or {DATE}." placeholder:"REV"`
	Check    bool   `help:"Only look for what would stop it, all of it in one run; exit with 1 when there is something."`
	Plan     bool   `help:"Only print what would happen."`
	DryRun   bool   `name:"dry-run" hidden:""`
	JSON     bool   `name:"json" help:"With --check: answer in JSON."`
	Validate bool   `help:"Let every program of the root that can check a merged configuration file do so."`
	Packages bool   `help:"Then install the packages that were recorded and are missing, as rootwc packages install does: this runs what they bring, as root."`
	Rebuild  bool   `help:"From a rescue system: set the machine's disks up first, as its probes say, and make it start. The root is then /mnt, unless --root names another place."`
	rebuildOptions
	identityOptions
}

// Run brings the machine's tree back: the root, then its externals.
func (c *materializeCmd) Run(a *app) (err error) {
	if err := checkRevision(c.Revision); err != nil {
		return err
	}
	if err := c.readIdentities(a); err != nil {
		return err
	}
	if c.Rebuild {
		return c.rebuild(a)
	}
	t, err := a.openRoot()
	if err != nil {
		return err
	}
	if c.Check {
		_, err = t.Client.Version(a.ctx)
	} else {
		t.Client.Require(a.ctx)
	}
	if err != nil {
		t.Close()
		return err
	}
	if !t.IsWorkingCopy() && c.URL == "" {
		t.Close()
		return wc.Hint(errors.New("cannot materialize: no URL given, and the root is not a working copy yet"), "rootwc materialize URL")
	}
	if c.Check {
		defer t.Close()
		return c.check(a, t)
	}
	if c.Plan || c.DryRun {
		defer t.KeepTimes(".", "var", "var/lib")()
	}
	w, err := t.Begin("materialize")
	if err != nil {
		t.Close()
		return fmt.Errorf("cannot materialize: %w", err)
	}
	defer end(t, w, &err)
	defer a.decideConffiles(t, c.Validate, c.Plan || c.DryRun)()
	m := &materializer{app: a, tree: t, work: w, plan: c.Plan || c.DryRun, quiet: c.JSON, validate: c.Validate, identities: c.identities}
	if !m.plan {
		after, refused := a.aroundHooks(t, "materialize", nil, func() []*wc.Result { return m.results })
		if refused != nil {
			return refused
		}
		defer func() { after(&err) }()
	}
	if err := m.root(c); err != nil {
		return err
	}
	if m.plan {
		return m.planRest(c)
	}
	return m.packages(c.Packages, m.finish())
}

// rebuild is the whole way back: disks, files, and what makes the machine start.
func (c *materializeCmd) rebuild(a *app) error {
	if c.URL == "" {
		return errors.New("cannot rebuild: no URL given")
	}
	if a.global.Root == "/" {
		a.global.Root = rescueMount
	}
	b, err := a.newRebuild(c.URL, c.Revision, a.global.Root, c.rebuildOptions, false)
	if err != nil {
		return err
	}
	defer b.close()
	if c.Check || c.Plan || c.DryRun {
		return b.show(c.JSON)
	}
	if err := b.set(); err != nil {
		return err
	}
	files := *c
	files.Rebuild = false
	if err := files.Run(a); err != nil {
		var known interface{ ExitCode() int }
		if !errors.As(err, &known) || known.ExitCode() != wc.ExitPartial {
			return wc.Hint(err, "the machine's disks are set up; the same command goes on")
		}
		a.complain(err)
		if err := b.finish(); err != nil {
			return err
		}
		return wc.Partial("the machine is set up, but not all of its files are back: see above")
	}
	return b.finish()
}

// materializer brings working copies up.
type materializer struct {
	app      *app
	tree     *wc.Tree
	work     *wc.Work
	plan     bool
	quiet    bool
	validate bool
	results  []*wc.Result
	failed   []error

	identities secrets.Identities
}

// root brings up the root's own working copy, unless it is there.
func (m *materializer) root(c *materializeCmd) error {
	url := strings.TrimSuffix(c.URL, "/")
	if m.tree.IsWorkingCopy() {
		cp, err := m.tree.Attach("")
		if err != nil {
			return err
		}
		if url != "" && cp.URL() != url {
			info, err := m.tree.Client.Info(m.app.ctx, nil, url, "")
			if err != nil || info.URL != cp.URL() {
				return wc.Refuse("cannot materialize %s: the root is a working copy of %s", url, cp.URL())
			}
		}
		return nil
	}
	trust := func(r *wc.Rivals) error { return trustFirst(r, m.work) }
	r, err := m.work.Checkout(m.app.ctx, m.app.deciding(wc.CheckoutOptions{URL: url, Revision: c.Revision, DryRun: m.plan, Arrived: trust}))
	if err != nil {
		return err
	}
	m.took(r)
	return nil
}

func (m *materializer) took(r *wc.Result) {
	m.results = append(m.results, r)
	shown := *r
	shown.Changes = m.app.shorten(r.Changes)
	m.app.tellResult(&shown)
	word := "Materialized"
	if m.plan {
		word = "Would materialize"
	}
	fmt.Fprintf(m.app.out, "%s revision %d%s.\n", word, r.Revision, ofCopy(r.WorkingCopy))
}

// shorten replaces a long list of new paths by their number: on a fresh root
// they would bury what took the place of something.
func (a *app) shorten(changes []wc.Change) []wc.Change {
	const most = 50
	var rest []wc.Change
	for _, ch := range changes {
		if ch.Letter != 'A' {
			rest = append(rest, ch)
		}
	}
	if added := len(changes) - len(rest); added > most && !a.global.Verbose {
		fmt.Fprintf(a.out, "A %d paths that were not there (-v lists them)\n", added)
		return rest
	}
	return changes
}

// finish brings up the externals, what they bring along, and what is withheld,
// and ends with the status.
func (m *materializer) finish() error {
	a, t := m.app, m.tree
	t.ReloadNames()
	if err := a.attach(t); err != nil {
		return err
	}
	g := &gatherer{app: a, tree: t, work: m.work,
		wanted: func(externals.External) bool { return true },
		took:   func(_ externals.External, r *wc.Result) { m.took(r) },
		failed: func(_ externals.External, err error) { m.failed = append(m.failed, err); a.warn("%v", err) },
	}
	if err := g.run(); err != nil {
		return err
	}
	if err := m.missing(); err != nil {
		return err
	}
	for _, e := range a.externals {
		if e.State == externals.Invalid || e.State == externals.Unreadable {
			m.failed = append(m.failed, fmt.Errorf("external %q: %w", e.Path, e.Err))
			a.warn("external %s refused: %v", e.Path, e.Err)
		}
	}
	if err := m.bringDatasets(); err != nil {
		return err
	}
	return m.summary()
}

// missing brings back versioned paths that are not there: an earlier run may
// have had to leave them out. What is left of those that this run brought up has
// been told.
func (m *materializer) missing() error {
	fresh := map[string]bool{}
	for _, r := range m.results {
		fresh[r.WorkingCopy] = true
	}
	if !slices.ContainsFunc(m.tree.Copies, func(c *wc.Copy) bool { return !fresh[c.Path] }) {
		return nil
	}
	entries, err := m.tree.Status(m.app.ctx, wc.StatusOptions{})
	if err != nil {
		return err
	}
	var paths []string
	for _, e := range entries {
		if e.Status == wc.Missing && !e.Withheld {
			paths = append(paths, e.Path)
		}
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { c, _ := m.tree.CopyOf(p); return fresh[c.Path] })
	if len(paths) == 0 {
		return nil
	}
	results, err := m.work.Revert(m.app.ctx, wc.RevertOptions{Paths: paths})
	for _, r := range results {
		m.results = append(m.results, r)
		m.app.tellResult(r)
	}
	return err
}

// summary applies what is recorded of withheld files and tells what is left.
func (m *materializer) summary() error {
	a, t := m.app, m.tree
	absent, err := m.work.ApplyWithheld(nil)
	if err != nil {
		return err
	}
	opt := wc.UnsealOptions{Identities: m.identities}
	if a.sealed != nil {
		opt.Decide = a.sealed(m.identities)
	}
	unsealed, err := m.work.Unseal(a.ctx, opt)
	if unsealed != nil {
		m.results = append(m.results, unsealed)
		a.tellResult(unsealed)
	}
	if err != nil {
		return err
	}
	encrypted, err := sealedPaths(t)
	if err != nil {
		return err
	}
	absent = slices.DeleteFunc(absent, func(p string) bool { return encrypted[p] })
	entries, err := t.Status(a.ctx, wc.StatusOptions{})
	if err != nil {
		return err
	}
	left := entries[:0]
	for _, e := range entries {
		if !(e.Withheld && e.Status == wc.Missing) {
			left = append(left, e)
		}
	}
	if len(left) > 0 {
		fmt.Fprintln(a.out, "What differs from the repository now:")
		a.statusText(left, nil, nil)
	}
	if len(absent) > 0 {
		fmt.Fprintln(a.out, "Withheld, and not on this machine; supply them from elsewhere:")
		for _, p := range absent {
			fmt.Fprintf(a.out, "  %s\n", safe(p))
		}
	}
	if len(m.failed) > 0 {
		return wc.Partial("cannot materialize everything: %w", joined(m.failed))
	}
	err = incomplete("materialize", m.results)
	if err != nil && len(unsealed.Refused) > 0 && len(m.identities) == 0 {
		err = wc.Hint(err, "rootwc materialize --identity FILE brings encrypted files back")
	}
	return err
}
