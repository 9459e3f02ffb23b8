package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rootwc/packages"
	"rootwc/wc"
)

type packagesInstallCmd struct {
	Plan   bool `help:"Only print what would run."`
	DryRun bool `name:"dry-run" hidden:""`
}

// Run brings packages back. That the administrator gives this command is what
// allows it: the repository names where packages come from, and packages bring
// programs that run as root.
func (c *packagesInstallCmd) Run(a *app) (err error) {
	if c.Plan || c.DryRun {
		t, err := a.openRoot()
		if err != nil {
			return err
		}
		defer t.Close()
		return a.installPackages(t, true)
	}
	t, w, err := a.begin("packages install")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	return a.mergeAfter(t, w, false, a.installPackages(t, false))
}

// installPackages brings back what was recorded and is missing; or prints how.
func (a *app) installPackages(t *wc.Tree, plan bool) error {
	p, err := a.packagesOf(t)
	if err != nil {
		return fmt.Errorf("cannot install packages: %w", err)
	}
	defer p.close()
	if err := p.readRecorded(); err != nil {
		return fmt.Errorf("cannot install packages: %w", err)
	}
	place, err := filepath.EvalSymlinks(t.Root)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 && !(plan && place == "/") {
		return wc.Refuse("cannot install packages: only root can")
	}
	i := &packageRun{app: a, opened: p, place: place, plan: plan, program: packages.In(place, t.Client.Echo, a.packageLine)}
	denied := func(err error) { a.warn("cannot show /proc, /sys and /dev to packages below the root: %v", err) }
	return packages.Apart(place, denied, i.run)
}

// packageLine shows what a package manager says, when asked for.
func (a *app) packageLine(line string) {
	if a.global.Verbose {
		a.progress.clear()
		fmt.Fprintf(a.err, "  %s\n", safe(line))
	}
}

// packageRun is one run of the way back.
type packageRun struct {
	app      *app
	opened   *openedPackages
	place    string // of the root
	program  packages.Program
	plan     bool
	back     func() error // of [packages.Quiet]
	failed   []string     // packages
	stumbled []string     // titles of steps
}

// run asks what is missing, prints the plan, does it, and looks whether it is
// there.
func (i *packageRun) run() (err error) {
	installer, err := packages.NewInstaller(i.opened.recorded, i.opened.now, i.program)
	if err != nil {
		return fmt.Errorf("cannot install packages: %w", err)
	}
	defer func() { err = errors.Join(err, i.loud()) }()
	prepare := installer.Prepare()
	if len(prepare) > 0 {
		i.trust()
	}
	if err := i.steps(prepare); err != nil {
		return err
	}
	plan, err := installer.Plan(i.app.ctx, !i.plan)
	if err != nil {
		return fmt.Errorf("cannot install packages: %w", err)
	}
	i.tell(plan)
	if err := i.steps(plan.Steps); err != nil {
		return err
	}
	if !i.plan && len(plan.Steps) > 0 {
		if err := i.verify(plan); err != nil {
			return err
		}
	}
	for _, g := range plan.Gone {
		i.failed = append(i.failed, g.Name)
	}
	if len(i.failed) == 0 {
		i.failed = i.stumbled
	}
	switch {
	case len(i.failed) > 0:
		return wc.Partial("cannot install everything: %s", strings.Join(i.failed, ", "))
	case len(plan.Steps) == 0 && i.plan:
		fmt.Fprintln(i.app.out, "Nothing is missing.")
	}
	return nil
}

// trust says whose word counts when packages are installed.
func (i *packageRun) trust() {
	for _, finding := range i.opened.now.Findings {
		i.app.warn("%s", finding)
	}
	for _, r := range i.opened.now.Unsigned() {
		i.app.warn("packages of %s are taken without a signature, as %s says", r, strings.Join(i.opened.now.Repositories[r].Files, ", "))
	}
}

// steps runs steps, or prints them.
func (i *packageRun) steps(steps []packages.Step) error {
	a := i.app
	for _, s := range steps {
		fmt.Fprintf(a.out, "%s\n", safe(s.String()))
		if i.plan {
			continue
		}
		if err := i.quiet(); err != nil {
			return fmt.Errorf("cannot install packages: %w", err)
		}
		a.out.Flush()
		_, err := i.program(a.ctx, s.Args)
		switch {
		case a.ctx.Err() != nil:
			return wc.Hint(fmt.Errorf("cannot %s: %w", s.Title, err), "the same command goes on")
		case err != nil && !s.Others:
			return fmt.Errorf("cannot %s: %w", s.Title, err)
		case err != nil:
			a.warn("%s: %v", s.Title, err)
			i.stumbled = append(i.stumbled, s.Title)
		}
	}
	return nil
}

// quiet keeps services from being started in a chroot.
func (i *packageRun) quiet() (err error) {
	if i.place != "/" && i.back == nil && i.opened.now.Manager == packages.Apt {
		i.back, err = packages.Quiet(i.opened.root)
	}
	return err
}

// loud takes that back.
func (i *packageRun) loud() error {
	if i.back == nil {
		return nil
	}
	return i.back()
}

// tell prints what the steps of a plan will do.
func (i *packageRun) tell(plan *packages.Plan) {
	a := i.app
	for _, key := range plan.Install {
		a.line('A', key, "")
	}
	for _, key := range plan.Remove {
		a.line('D', key, "makes way, and is not recorded")
	}
	if plan.Also > 0 {
		fmt.Fprintf(a.out, "and %d more that these need\n", plan.Also)
	}
	for _, g := range plan.Gone {
		a.line('!', g.Name, g.Why)
	}
	for _, note := range plan.Notes {
		a.warn("%s", note)
	}
}

// verify looks for what should be there now.
func (i *packageRun) verify(plan *packages.Plan) error {
	if err := i.opened.read(i.app); err != nil {
		return fmt.Errorf("cannot tell what is installed: %w", err)
	}
	for _, key := range plan.Install {
		found := i.opened.now.Get(key)
		switch {
		case len(found) == 0:
			i.app.line('!', key, "is not installed")
		case found[0].Broken:
			i.app.line('!', key, "is not configured")
		default:
			continue
		}
		i.failed = append(i.failed, key)
	}
	return nil
}
