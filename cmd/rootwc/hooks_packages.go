package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
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
const hookPatience = 20 * time.Second

type hooksBeforeCmd struct {
	Manager string `arg:"" help:"The program that calls."`
}

// Run commits what people have changed, before packages change. It fails only
// where the description says that such changes stop a run.
func (c *hooksBeforeCmd) Run(a *app) error {
	err := a.aroundPackages(c.Manager, (*packageHook).before)
	if errors.Is(err, errDirty) {
		return err
	}
	if err != nil {
		a.warn("%s goes on, but %s", c.Manager, uncapped(err))
	}
	return nil
}

type hooksAfterCmd struct {
	Manager string `arg:"" help:"The program that calls."`
}

// Run commits what packages have changed. It never fails. Where the hook before
// the run has warned already, it says nothing more.
func (c *hooksAfterCmd) Run(a *app) error {
	var warned bool
	err := a.aroundPackages(c.Manager, func(r *packageHook) error {
		err := r.after()
		warned = r.notes.Warned
		return err
	})
	if err != nil && !warned {
		a.warn("%s is done, but %s", c.Manager, uncapped(err))
	}
	return nil
}

// uncapped is an error with its hint, as a part of a sentence.
func uncapped(err error) string {
	words := err.Error()
	if hint := wc.HintOf(err); hint != "" {
		words += "; " + hint
	}
	return words
}

// errDirty is the refusal of a run of packages.
var errDirty = errors.New("there are uncommitted changes")

// packageHook is one of the two hooks around a run of a package manager.
type packageHook struct {
	*app
	manager string
	caller  hooks.Caller
	tree    *wc.Tree
	work    *wc.Work
	notes   packageNotes
	known   bool // the notes are those of the hook before this run
}

// packageNotes are what the hook before a run leaves for the one after it.
type packageNotes struct {
	Manager     string   `json:"manager"`
	PID         int      `json:"pid"` // see [hooks.Caller]
	Warned      bool     `json:"warned"`
	Unversioned []string `json:"unversioned"` // paths that were so before
	Packages    string   `json:"packages"`    // text of a [packages.Installed]; "" for none
}

// packageNotesFile is in the state directory.
const packageNotesFile = "package-run.json"

// aroundPackages does the work of a hook, under the lock and in bounded time. A
// run that a rootwc command has started is that command's business.
func (a *app) aroundPackages(manager string, do func(*packageHook) error) (err error) {
	ctx, stop := context.WithTimeout(a.ctx, hookPatience)
	defer stop()
	a.ctx = ctx
	r := &packageHook{app: a, manager: manager, caller: hooks.FindCaller(os.DirFS("/proc"), os.Getpid(), os.Getenv)}
	r.tree, r.work, err = a.begin("hooks")
	if locked := (*wc.LockedError)(nil); errors.As(err, &locked) && slices.Contains(r.caller.Ancestors, locked.Holder.PID) {
		return nil
	}
	if err == nil {
		err = a.doPackages(r, do)
	}
	a.tree = nil // what main would say of it is among the reasons of a failure already
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("nothing is committed until rootwc commit: it takes longer than %s", hookPatience)
	}
	return err
}

func (a *app) doPackages(r *packageHook, do func(*packageHook) error) (err error) {
	defer end(r.tree, r.work, &err)
	return do(r)
}

// before commits what people have changed, and takes notes.
func (r *packageHook) before() (err error) {
	_ = os.Remove(r.tree.State.Path(packageNotesFile)) // of a run that never came to its end
	r.notes = packageNotes{Manager: r.manager, PID: r.caller.PID}
	defer func() {
		r.notes.Warned = err != nil
		if werr := r.writeNotes(); err == nil {
			err = werr
		}
	}()
	if now := r.installed(); now != nil {
		text, err := now.Text()
		if err != nil {
			return err
		}
		r.notes.Packages = string(text)
	}
	if r.description != nil && r.description.Packages.Dirty == system.RefuseDirty {
		return r.refuse()
	}
	if err := r.writePackages(); err != nil {
		return err
	}
	return r.commit("uncommitted changes before: "+r.command(), nil)
}

// refuse stops the run when a commit would send something.
func (r *packageHook) refuse() error {
	plan, err := r.plan()
	if err != nil || len(plan.Changes) == 0 {
		return err
	}
	for _, c := range plan.Changes {
		r.line(c.Letter, c.Path, c.Note)
	}
	refused := wc.Refuse("cannot let %s go on: %w, and the description says packages.dirty = \"refuse\"", r.manager, errDirty)
	return wc.Hint(refused, "rootwc commit or rootwc revert, then again")
}

// after commits what the packages have changed.
func (r *packageHook) after() error {
	r.readNotes()
	defer os.Remove(r.tree.State.Path(packageNotesFile)) // else the next run does it
	changes := r.changes()
	if err := r.writePackages(); err != nil {
		return err
	}
	return r.commit("packages: "+r.command(), changes)
}

// plan takes what root's own working copies have: packages change nothing in
// those of users. Unversioned paths are noted before a run; after it, those that
// are new are added.
func (r *packageHook) plan() (*wc.Commit, error) {
	return r.work.PlanCommit(r.ctx, wc.CommitOptions{Take: func(e *wc.Entry) bool {
		switch {
		case !e.Own():
			return false
		case e.Status != wc.Unversioned || e.Path == probes.Dir || strings.HasPrefix(e.Path, probes.Dir+"/"):
			return true
		case r.known:
			return !slices.Contains(r.notes.Unversioned, e.Path)
		}
		r.notes.Unversioned = append(r.notes.Unversioned, e.Path)
		return false
	}})
}

// commit sends what there is.
func (r *packageHook) commit(title string, changes []packages.Change) error {
	if err := r.work.UnsureCommit(r.ctx); err != nil {
		return err
	}
	plan, err := r.plan()
	if err != nil || !plan.Sends() {
		return err
	}
	message, told, err := tellDecided(r.tree, plan, true, r.message(title, changes))
	if err != nil {
		return err
	}
	done, err := plan.Run(r.ctx, message)
	for _, one := range done {
		r.tellCommitted(one)
	}
	if err != nil {
		return r.queueLater(plan, message, err)
	}
	return errors.Join(r.tree.State.Decide(told), narrow(r.tree, r.work))
}

// queueLater is where a commit ends that could not be made: what it was to send
// stays uncommitted.
func (r *packageHook) queueLater(_ *wc.Commit, _ string, cause error) error {
	return fmt.Errorf("nothing is committed until rootwc commit: %w", cause)
}

// command is what is run, as the log is to have it.
func (r *packageHook) command() string {
	if r.caller.Command == "" {
		return r.manager
	}
	return safe(r.caller.Command)
}

// message is a log message: what was run, by whom, and what it did to packages.
func (r *packageHook) message(title string, changes []packages.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nrun by %s\n", title, safe(r.caller.Who(r.userName)))
	if r.notes.Manager == "" {
		b.WriteString("what changed before the run is not known, and may be among this\n")
	}
	for _, c := range changes {
		switch {
		case c.Before == "":
			fmt.Fprintf(&b, "installed %s %s\n", c.Key, c.Now)
		case c.Now == "":
			fmt.Fprintf(&b, "removed %s %s\n", c.Key, c.Before)
		default:
			fmt.Fprintf(&b, "changed %s %s -> %s\n", c.Key, c.Before, c.Now)
		}
	}
	return b.String()
}

func (r *packageHook) userName(uid string) string {
	number, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return uid
	}
	if name, known := r.tree.Names.UserName(uint32(number)); known {
		return name
	}
	return "user " + uid
}

// installed is what is installed now; nil where there is no database that
// rootwc reads.
func (r *packageHook) installed() *packages.Installed {
	now, err := packages.Read(r.ctx, r.tree.FileSystem())
	if err != nil {
		r.tree.Detail("packages are not read: %v", err)
		return nil
	}
	return now
}

// changes compares what is installed with what was before the run, or else with
// what was recorded last.
func (r *packageHook) changes() []packages.Change {
	text := []byte(r.notes.Packages)
	if len(text) == 0 {
		text, _ = r.tree.ReadFile(probes.Dir + "/" + probes.PackagesName + ".toml")
	}
	before, err := packages.Parse(text)
	now := r.installed()
	if err != nil || now == nil {
		return nil
	}
	return packages.Changes(before, now)
}

// writePackages writes the probe of packages, which belongs to the revision.
func (r *packageHook) writePackages() error {
	taken, err := r.takeProbes(r.tree, []string{probes.PackagesName}, nil)
	if err != nil {
		if notHere(err) {
			return nil
		}
		return err
	}
	return writeProbes(r.tree, taken)
}

// readNotes takes the notes of this very run, and no others.
func (r *packageHook) readNotes() {
	var notes packageNotes
	text, err := os.ReadFile(r.tree.State.Path(packageNotesFile))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.tree.Detail("notes of the run are not read: %v", err)
		}
		return
	}
	if json.Unmarshal(text, &notes) == nil && notes.Manager == r.manager && notes.PID == r.caller.PID {
		r.notes, r.known = notes, true
	}
}

func (r *packageHook) writeNotes() error {
	text, err := json.Marshal(r.notes)
	if err != nil {
		return err
	}
	return r.tree.State.Write(packageNotesFile, text)
}
