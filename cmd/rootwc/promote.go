package main

import (
	"fmt"
	"strings"

	"rootwc/wc"
)

type promoteCmd struct {
	Paths   []string `arg:"" help:"Committed paths, with what is below them; the path of a working copy is all of it."`
	To      string   `help:"The branch to carry them to: a URL, ^/PATH, or trunk, branches/NAME, hosts/NAME beside this one." default:"trunk" placeholder:"BRANCH"`
	Message string   `short:"m" help:"Goes above the revisions in the log message." placeholder:"TEXT"`
	Commit  bool     `help:"Commit what is not committed at the paths first, with the same message."`
	DryRun  bool     `name:"dry-run" help:"Only say what would be carried."`
}

// Run carries paths from this host's branch to the common one.
func (c *promoteCmd) Run(a *app) (err error) {
	t, w, err := a.begin("promote")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	if c.DryRun && c.Commit {
		return fmt.Errorf("cannot say what would be carried of what is not committed: --dry-run and --commit exclude each other")
	}
	if !c.DryRun {
		if err := w.UnsureCommit(a.ctx); err != nil {
			return err
		}
		a.deliverFirst(w, true)
	}
	if c.Commit {
		if err := c.commit(a, w, rels); err != nil {
			return err
		}
	}
	pr, err := w.PlanPromotion(a.ctx, wc.PromoteOptions{Paths: rels, To: c.To})
	if err != nil {
		return err
	}
	if pr.Empty() || c.DryRun {
		a.tellPromotion(pr)
		return nil
	}
	done, err := pr.Run(a.ctx, c.Message)
	a.tellPromotion(pr)
	if done.Revision > 0 {
		fmt.Fprintf(a.out, "Promoted to %s as revision %d.\n", pr.To, done.Revision)
	}
	if done.Recorded > 0 {
		fmt.Fprintf(a.out, "Recorded on %s as revision %d.\n", pr.From, done.Recorded)
	}
	return err
}

func (c *promoteCmd) commit(a *app, w *wc.Work, rels []string) error {
	plan, err := w.PlanCommit(a.ctx, wc.CommitOptions{Paths: rels})
	if err != nil || !plan.Sends() {
		return err
	}
	if strings.TrimSpace(c.Message) == "" {
		return wc.Hint(wc.Refuse("cannot commit without a log message"), "give one with -m")
	}
	done, err := plan.Run(a.ctx, c.Message)
	for _, one := range done {
		a.tellCommitted(one)
	}
	if err == nil { // what is not there yet cannot be promoted
		err = a.tellQueued(done)
	}
	return err
}

// tellPromotion prints what is carried, and what is not.
func (a *app) tellPromotion(pr *wc.Promotion) {
	for _, ch := range pr.Changes {
		a.line(ch.Letter, ch.Path, ch.Note)
	}
	for _, l := range pr.LeftOut {
		a.warn("left out %s: %s", l.Path, l.Why)
	}
	var words []string
	for _, e := range pr.Revisions {
		words = append(words, fmt.Sprintf("r%d", e.Revision))
	}
	switch {
	case len(pr.Changes) == 0:
		fmt.Fprintf(a.out, "Nothing to promote to %s.\n", pr.To)
	case len(words) > 0:
		fmt.Fprintf(a.out, "Carries %s.\n", strings.Join(words, ", "))
	}
}
