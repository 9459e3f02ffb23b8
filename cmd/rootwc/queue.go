package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rootwc/wc"
)

// queueOptions are what commit does with commits that wait for their server.
type queueOptions struct {
	Queued bool `help:"Only make the commits that wait for their server." xor:"queue"`
	Drop   int  `help:"Give up the waiting commit NUMBER; the files stay as they are." placeholder:"NUMBER" xor:"queue"`
}

// run does what was asked for; false when nothing was.
func (c *queueOptions) run(a *app) (asked bool, err error) {
	if !c.Queued && c.Drop == 0 {
		return false, nil
	}
	t, w, err := a.begin("commit")
	if err != nil {
		return true, err
	}
	defer end(t, w, &err)
	if c.Drop != 0 {
		return true, t.State.Drop(c.Drop)
	}
	if err := w.UnsureCommit(a.ctx); err != nil {
		return true, err
	}
	return true, errors.Join(a.deliver(w, true), a.settleOwed(t, w))
}

// deliver makes the commits that wait, and tells of each. A verb that does not
// ask the server anyway leaves one alone that was out of reach a while ago; now
// tries at once. The error says that some still wait.
func (a *app) deliver(w *wc.Work, now bool) error {
	done, err := w.Deliver(a.ctx, now)
	if err != nil {
		return err
	}
	waiting, last := 0, error(nil)
	for _, d := range done {
		for _, note := range d.Notes {
			a.warn("queued commit %d: %s", d.Intent.Number, note)
		}
		if d.Err != nil {
			waiting, last = waiting+1, d.Err
			continue
		}
		if d.Revision == 0 {
			fmt.Fprintf(a.out, "Nothing was left to send of the commit that was queued at %s.\n", queuedAt(d.Intent))
			continue
		}
		fmt.Fprintf(a.out, "Committed revision %d of %s, queued at %s.\n", d.Revision, d.Intent.Repository, queuedAt(d.Intent))
	}
	if waiting == 0 {
		return nil
	}
	err = wc.Partial("cannot make the queued commits: %w", last)
	if hint := wc.HintOf(last); hint != "" {
		err = wc.Hint(err, "%s", hint)
	}
	return err
}

// deliverFirst is deliver for a verb with other work to do: that commits still
// wait is a warning.
func (a *app) deliverFirst(w *wc.Work, now bool) {
	if err := a.deliver(w, now); err != nil {
		a.warn("%v", err)
		if hint := wc.HintOf(err); hint != "" {
			a.hint("%s", hint)
		}
	}
}

// deliverAfter tries again after an update that may have brought what stood in
// the way, and returns what it failed with, or else what the commits wait for.
func (a *app) deliverAfter(w *wc.Work, failed error) error {
	switch {
	case wc.Unreachable(failed) || a.ctx.Err() != nil:
		return failed
	case failed == nil:
		return a.deliver(w, true)
	}
	a.deliverFirst(w, true)
	return failed
}

// unsure is [wc.Work.UnsureCommit] where the commit can wait for its server.
func unsure(a *app, w *wc.Work) error {
	err := w.UnsureCommit(a.ctx)
	if wc.Unreachable(err) {
		return nil
	}
	return err
}

var errQueued = errors.New("cannot commit yet")

// tellQueued says that some of a commit waits; nil when nothing does.
func (a *app) tellQueued(done []wc.Committed) error {
	var queued []error
	for _, one := range done {
		if one.Queued != nil {
			queued = append(queued, fmt.Errorf("queued as commit %d for %s: %w", one.Queued.Number, one.Repository, one.Why))
		}
	}
	if len(queued) == 0 {
		return nil
	}
	return wc.Hint(wc.Partial("%w: %w", errQueued, joined(queued)), "the next command that reaches the server makes it, or rootwc commit --queued; rootwc status lists it")
}

func queuedAt(in *wc.Intent) string { return in.Since.Local().Format("2006-01-02 15:04") }

// queuedDoc is a waiting commit in the JSON of a status.
type queuedDoc struct {
	Number     int       `json:"number"`
	Since      time.Time `json:"since"`
	User       string    `json:"user"`
	LoginUID   *uint32   `json:"loginUid,omitempty"`
	Repository string    `json:"repository"`
	Message    string    `json:"message"`
	Paths      []string  `json:"paths"`
}

// queuedDocs are the commits that wait. That they cannot be read is for commit to
// stop at.
func (a *app) queuedDocs(t *wc.Tree) (docs []queuedDoc) {
	queue, err := t.State.Queue()
	if err != nil {
		a.warn("%v", err)
	}
	for _, in := range queue {
		docs = append(docs, queuedDoc{in.Number, in.Since, in.User, in.LoginUID, in.Repository, in.Message, in.Paths()})
	}
	return docs
}

// tellWaiting is the section of a status for them: they are no difference, but
// nobody else has them yet.
func (a *app) tellWaiting(docs []queuedDoc) {
	if len(docs) > 0 {
		fmt.Fprintln(a.out, "\nqueued commits:")
	}
	for _, d := range docs {
		first, _, _ := strings.Cut(strings.TrimSpace(d.Message), "\n")
		paths := fmt.Sprintf("%d paths", len(d.Paths))
		if len(d.Paths) == 1 {
			paths = shown(d.Paths[0])
		}
		fmt.Fprintf(a.out, "%d  %s  %s  %s  %s\n", d.Number, d.Since.Local().Format("2006-01-02 15:04"), safe(d.User), paths, safe(first))
	}
}
