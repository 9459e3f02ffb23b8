package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rootwc/hooks/own"
	"rootwc/wc"
)

// ownHooks are the subcommands for the administrator's own programs.
type ownHooks struct {
	Allow hooksAllowCmd `cmd:"" help:"Allow versioned programs in /etc/rootwc/hooks.d to run on this machine, as they are now."`
	Run   hooksRunCmd   `cmd:"" help:"Run the programs of an event by hand."`
}

type hooksAllowCmd struct {
	Paths  []string `arg:"" help:"Programs below /etc/rootwc/hooks.d."`
	DryRun bool     `name:"dry-run" help:"Only show what would be allowed."`
}

// Run shows the programs and notes that they are allowed: their own text, not
// that of what they call.
func (c *hooksAllowCmd) Run(a *app) (err error) {
	t, w, err := a.begin("hooks allow")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, rel := range rels {
		h, err := own.One(root, rel)
		if err != nil {
			return fmt.Errorf("cannot allow %w", err)
		}
		fmt.Fprintf(a.out, "%s  %s:\n", h.Sum, shown(rel))
		for line := range strings.Lines(string(h.Text())) {
			fmt.Fprintf(a.out, "  %s\n", safe(strings.TrimRight(line, "\r\n")))
		}
		if c.DryRun {
			continue
		}
		if err := w.AllowHook(h.Path, h.Sum); err != nil {
			return err
		}
	}
	return nil
}

type hooksRunCmd struct {
	Event  string   `arg:"" help:"${events}."`
	Paths  []string `arg:"" optional:"" help:"What they are told of."`
	DryRun bool     `name:"dry-run" help:"Only list what would run, and what would not."`
}

// Run runs the programs of an event, whatever the root is: that was asked for.
func (c *hooksRunCmd) Run(a *app) error {
	t, err := a.open()
	if err != nil {
		return fmt.Errorf("cannot run hooks: %w", err)
	}
	defer t.Close()
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	if !c.DryRun {
		a.global.OwnHooks = true
		return a.runHooks(t, own.Event{Name: c.Event, Paths: rels})
	}
	found, err := a.findHooks(t, c.Event)
	if err != nil {
		return fmt.Errorf("cannot run hooks: %w", err)
	}
	for _, h := range found {
		words := ""
		if h.Refuse != nil {
			words = "  does not run: " + h.Refuse.Error()
		}
		fmt.Fprintf(a.out, "%s%s\n", shown(h.Path), safe(words))
	}
	return nil
}

// findHooks reads the programs of an event.
func (a *app) findHooks(t *wc.Tree, event string) ([]*own.Hook, error) {
	allowed, err := t.State.AllowedHooks()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return own.Find(root, event, own.Trust{Versioned: t.Delivers, Allowed: func(path, sum string) bool { return allowed[path] == sum }})
}

// runHooks runs the administrator's programs around a verb, and tells what they
// say. Before the verb a failure refuses it; after it, it is partly done. The
// programs of another root are that system's, which may not even run here: they
// run only when that is asked for.
func (a *app) runHooks(t *wc.Tree, e own.Event) error {
	if root, err := filepath.EvalSymlinks(t.Root); err != nil || root != "/" && !a.global.OwnHooks {
		return err
	}
	found, err := a.findHooks(t, e.Name)
	var reports []own.Report
	if err == nil {
		e.Root = t.Root
		a.turn()
		reports, err = own.Run(a.ctx, found, e, a.hookTimeout())
	}
	for _, r := range reports {
		for line := range strings.Lines(r.Output) {
			fmt.Fprintf(a.err, "%s: %s\n", safe(r.Hook.Path), safe(strings.TrimRight(line, "\r\n")))
		}
		if r.Err != nil && !e.Before() {
			a.warn("%s: %v", r.Hook.Path, r.Err)
		}
	}
	if err == nil {
		return nil
	}
	verb := strings.SplitN(e.Name, "-", 2)[1]
	if e.Before() {
		err = wc.Refuse("cannot %s: hook %w", verb, err)
	} else {
		err = wc.Partial("the %s is done, but not every hook after it: %w", verb, err)
	}
	return wc.Hint(err, "%s", hookHint(e.Name, reports, err))
}

// hookHint says what can be done about a hook that failed.
func hookHint(event string, reports []own.Report, err error) string {
	i := slices.IndexFunc(reports, func(r own.Report) bool { return errors.Is(r.Err, own.ErrNotAllowed) })
	if i >= 0 {
		return fmt.Sprintf("read it, then: rootwc hooks allow %s", reports[i].Hook.Path)
	}
	return fmt.Sprintf("mend what it tells of; rootwc hooks run %s runs the hooks alone", event)
}

// hookTimeout is how long each program may take.
func (a *app) hookTimeout() time.Duration {
	const usual = 60 * time.Second
	if a.description == nil || a.description.Hooks.Timeout == 0 {
		return usual
	}
	return time.Duration(a.description.Hooks.Timeout) * time.Second
}

// afterHooks runs post hooks after a verb that ended with err, which comes first.
func (a *app) afterHooks(t *wc.Tree, e own.Event, err error) error {
	failed := a.runHooks(t, e)
	if err == nil {
		return failed
	}
	if failed != nil {
		a.warn("%v", failed)
	}
	return err
}

// aroundHooks are the pre hooks of a verb, and what runs its post hooks in the
// end; changed tells those what the verb did.
func (a *app) aroundHooks(t *wc.Tree, verb string, paths []string, changed func() []*wc.Result) (after func(*error), err error) {
	if err := a.runHooks(t, own.Event{Name: "pre-" + verb, Paths: paths}); err != nil {
		return nil, err
	}
	return func(err *error) {
		e := own.Event{Name: "post-" + verb}
		for _, r := range changed() {
			if len(r.Changes) == 0 {
				continue
			}
			e.Paths = append(e.Paths, changedPaths(r.Changes)...)
			if c, _ := t.CopyOf(r.WorkingCopy); c != nil {
				e.Revisions = append(e.Revisions, fmt.Sprintf("%d %s", r.Revision, c.URL()))
			}
		}
		if len(e.Paths) > 0 {
			*err = a.afterHooks(t, e, *err)
		}
	}, nil
}

// changedPaths are the paths of changes.
func changedPaths(changes []wc.Change) (paths []string) {
	for _, ch := range changes {
		paths = append(paths, ch.Path)
	}
	return paths
}

// revisionLines are what hooks are told of new revisions.
func revisionLines(done []wc.Committed) (lines []string) {
	for _, one := range done {
		if one.Revision > 0 {
			lines = append(lines, fmt.Sprintf("%d %s", one.Revision, one.Repository))
		}
	}
	return lines
}
