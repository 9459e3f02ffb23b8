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
	err := h.before()
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
// hook before the run has not done so.
func (c *hooksAfterCmd) Run(a *app) error {
	h := a.newPackageHook(c.Manager)
	if err := h.after(); err != nil && h.known && !h.notes.Warned {
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
	known   bool     // the notes are those of the hook before this run
	view    *wc.Tree // to look at, before and after there is a lock
	tree    *wc.Tree
	work    *wc.Work
}

func (a *app) newPackageHook(manager string) *packageHook {
	return &packageHook{app: a, manager: manager, caller: hooks.FindCaller(os.DirFS("/proc"), os.Getpid(), os.Getenv)}
}

// around does the work of a hook, under the lock, which is asked for once, and in
// bounded time. A run that a rootwc command has started is that command's
// business.
func (h *packageHook) around(do func() error) error {
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
		return fmt.Errorf("nothing is committed yet: it takes longer than %s", hookPatience)
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

// open is the beginning of both hooks; ours is false for dpkg that works aside.
func (h *packageHook) open() (ours bool, err error) {
	if h.caller.Aside() {
		return false, nil
	}
	if h.view, err = h.openRoot(); err != nil {
		return false, err
	}
	h.app.tree = nil
	if !h.view.IsWorkingCopy() {
		err = errors.Join(notWorkingCopy(h.view), h.view.Close())
	}
	return err == nil, err
}

// before takes notes, and commits what people have changed.
func (h *packageHook) before() error {
	if ours, err := h.open(); !ours {
		return err
	}
	defer h.view.Close()
	if err := h.takeNotes(); err != nil {
		return err
	}
	err := h.around(h.commitBefore)
	h.notes.Warned = err != nil
	if !errors.Is(err, errDirty) {
		h.owe(err, h.message(titleBefore+h.command(), nil))
	}
	return errors.Join(err, h.writeNotes())
}

const (
	titleBefore = "uncommitted changes before: "
	titleAfter  = "packages: "
)

func (h *packageHook) commitBefore() error {
	if h.description != nil && h.description.Packages.Dirty == system.RefuseDirty {
		return h.refuse()
	}
	if err := h.writePackages(); err != nil {
		return err
	}
	if err := h.settle(); err != nil {
		return err
	}
	return h.commit(h.message(titleBefore+h.command(), nil))
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
	if ours, err := h.open(); !ours {
		return err
	}
	defer h.view.Close()
	h.readNotes()
	message := h.message(titleAfter+h.command(), h.changes())
	err := h.around(func() error {
		if len(h.notes.Owed) > 0 {
			return errAway
		}
		if err := h.writePackages(); err != nil {
			return err
		}
		return h.commit(message)
	})
	h.owe(err, message)
	return errors.Join(err, h.endNotes())
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

// commit sends what there is, or queues it: a package manager waits for no server.
func (h *packageHook) commit(message string) error {
	var away error
	if h.notes.Warned { // the run has waited once
		away = errAway
	} else {
		if err := unsure(h.app, h.work); err != nil {
			return err
		}
		away = h.deliver(h.work, true)
	}
	plan, err := h.plan()
	if err != nil || !plan.Sends() {
		return err
	}
	plan.Hasty, plan.Away = true, away
	message, told, err := tellDecided(h.tree, plan, true, message)
	if err != nil {
		return err
	}
	done, err := plan.Run(h.ctx, message)
	for _, one := range done {
		h.tellCommitted(one)
	}
	if err != nil {
		return fmt.Errorf("nothing is committed yet: %w", err)
	}
	return errors.Join(h.tree.State.Decide(told), narrow(h.tree, h.work), h.tellQueued(done))
}
