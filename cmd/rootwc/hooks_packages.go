package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"rootwc/hooks"
	"rootwc/packages"
	"rootwc/probes"
	"rootwc/system"
	"rootwc/wc"
)

// hookPatience bounds what a package manager waits for a hook, with the grace
// that a program gets to leave: libzypp gives up on a plugin after 30 seconds.
const hookPatience = 10 * time.Second

type hooksBeforeCmd struct {
	Manager string `arg:"" help:"The program that calls."`
}

// Run commits what people have changed, before packages change. It fails only
// where the description says that such changes stop a run.
func (c *hooksBeforeCmd) Run(a *app) error {
	h := a.newPackageHook(c.Manager)
	err := h.around(h.before)
	if err == nil || errors.Is(err, errDirty) {
		return err
	}
	a.warn("%s goes on, but %s", c.Manager, withHint(err))
	return nil
}

type hooksAfterCmd struct {
	Manager string `arg:"" help:"The program that calls."`
}

// Run commits what packages have changed. It never fails. It warns only where the
// hook before the run has not done so: one that could leave no notes has.
func (c *hooksAfterCmd) Run(a *app) error {
	h := a.newPackageHook(c.Manager)
	h.readNotes()
	err := h.around(h.after)
	if err != nil && h.known && !h.notes.Warned {
		a.warn("%s is done, but %s", c.Manager, withHint(err))
	}
	return nil
}

// withHint is an error with its hint in one sentence.
func withHint(err error) string {
	if hint := wc.HintOf(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}

var (
	errDirty = errors.New("there are uncommitted changes") // and they stop the run
	errAway  = errors.New("it was not possible before the run")
)

// packageHook is one of the two hooks around a run of a package manager.
type packageHook struct {
	*app
	manager string
	caller  hooks.Caller
	notes   packageNotes
	known   bool // the notes are those of the hook before this run
	tree    *wc.Tree
	work    *wc.Work
}

func (a *app) newPackageHook(manager string) *packageHook {
	return &packageHook{app: a, manager: manager, caller: hooks.FindCaller(os.DirFS("/proc"), os.Getpid(), os.Getenv)}
}

// around does the work of a hook, under the lock, which is asked for once, and in
// bounded time. A run that a rootwc command has started is that command's
// business, and so is dpkg that works aside.
func (h *packageHook) around(do func() error) error {
	if h.caller.Aside() {
		return nil
	}
	ctx, stop := context.WithTimeout(h.ctx, hookPatience)
	defer stop()
	h.ctx = ctx
	h.progress.terminal = false // which belongs to the package manager
	err := h.locked(do)
	h.app.tree = nil // what main would say of it is in the error
	if locked := (*wc.LockedError)(nil); errors.As(err, &locked) && slices.Contains(h.caller.Ancestors, locked.Holder.PID) {
		return nil
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("nothing is committed until rootwc commit: it takes longer than %s", hookPatience)
	}
	return err
}

func (h *packageHook) locked(do func() error) (err error) {
	if h.tree, h.work, err = h.begin("commit"); err != nil {
		return err
	}
	defer end(h.tree, h.work, &err)
	return do()
}

// before commits what people have changed, and takes notes.
func (h *packageHook) before() error {
	if err := h.takeNotes(); err != nil {
		return err
	}
	err := h.commitBefore()
	h.notes.Warned = err != nil
	if werr := h.writeNotes(); err == nil {
		err = werr
	}
	return err
}

func (h *packageHook) commitBefore() error {
	if h.description != nil && h.description.Packages.Dirty == system.RefuseDirty {
		return h.refuse()
	}
	if err := h.writePackages(); err != nil {
		return err
	}
	return h.commit("uncommitted changes before: "+h.command(), nil)
}

// refuse stops the run when a commit would send something.
func (h *packageHook) refuse() error {
	plan, err := h.plan()
	if err != nil || len(plan.Changes) == 0 {
		return err
	}
	for _, c := range plan.Changes {
		h.line(c.Letter, c.Path, c.Note)
	}
	refused := wc.Refuse("cannot let %s go on: %w, and the description says packages.dirty = \"refuse\"", h.manager, errDirty)
	return wc.Hint(refused, "rootwc commit or rootwc revert, then again")
}

// after commits what the packages have changed.
func (h *packageHook) after() error {
	defer h.dropNotes()
	changes := h.changes()
	if err := h.writePackages(); err != nil {
		return err
	}
	return h.commit("packages: "+h.command(), changes)
}

// plan takes what root's own working copies have: packages change nothing in
// those of users. Unversioned paths are noted before a run; after it, those that
// are new are added.
func (h *packageHook) plan() (*wc.Commit, error) {
	if !h.known {
		h.notes.Unversioned = []string{}
	}
	return h.work.PlanCommit(h.ctx, wc.CommitOptions{Take: func(e *wc.Entry) bool {
		switch {
		case !e.Own():
			return false
		case e.Status != wc.Unversioned || e.Path == probes.Dir || strings.HasPrefix(e.Path, probes.Dir+"/"):
			return true
		case h.known && h.notes.Unversioned != nil:
			return !slices.Contains(h.notes.Unversioned, e.Path)
		}
		h.notes.Unversioned = append(h.notes.Unversioned, e.Path)
		return false
	}})
}

// commit sends what there is.
func (h *packageHook) commit(title string, changes []packages.Change) error {
	away := h.notes.Warned // and the run has waited once
	if !away {
		if err := h.work.UnsureCommit(h.ctx); err != nil {
			return err
		}
	}
	plan, err := h.plan()
	if err != nil || !plan.Sends() {
		return err
	}
	message, told, err := tellDecided(h.tree, plan, true, h.message(title, changes))
	if err != nil {
		return err
	}
	if away {
		return h.queueLater(plan, message, errAway)
	}
	done, err := plan.Run(h.ctx, message)
	for _, one := range done {
		h.tellCommitted(one)
	}
	if err != nil {
		return h.queueLater(plan, message, err)
	}
	return errors.Join(h.tree.State.Decide(told), narrow(h.tree, h.work))
}

// queueLater is where a commit ends that cannot be made now: what it was to send
// stays uncommitted.
func (h *packageHook) queueLater(_ *wc.Commit, _ string, cause error) error {
	return fmt.Errorf("nothing is committed until rootwc commit: %w", cause)
}
