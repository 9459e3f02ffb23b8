package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"rootwc/hooks/own"
	"rootwc/probes"
	"rootwc/wc"
)

type commitCmd struct {
	Paths   []string `arg:"" optional:"" help:"Only these and what is below them."`
	Message *string  `short:"m" help:"Log message; without it the editor is opened." placeholder:"TEXT"`
	File    string   `short:"F" help:"Read the log message from FILE, - for standard input." placeholder:"FILE"`
	Add     bool     `help:"Take unversioned paths as well."`
	Auto    bool     `help:"Take what [commit] in the description lists, and nothing else, with a standard message; for a timer."`
	DryRun  bool     `name:"dry-run" help:"Only say what would be sent."`
	queueOptions
}

// Run sends changes: one revision for each repository that is touched.
func (c *commitCmd) Run(a *app) (err error) {
	if asked, err := c.queueOptions.run(a); asked {
		return err
	}
	t, w, err := a.begin("commit")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := unsure(a, w); err != nil {
			return err
		}
		a.deliverFirst(w, true)
	}
	auto, err := c.auto(a)
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := a.quieten(w, rels); err != nil {
			return err
		}
	}
	if c.Auto && len(auto) == 0 {
		return nil
	}
	var late error
	options := wc.CommitOptions{Paths: rels, Add: c.Add, Auto: auto}
	if len(rels) == 0 && !c.Auto {
		options.Also = probes.Dir
		late = a.refreshProbes(t, c.DryRun)
	}
	plan, err := w.PlanCommit(a.ctx, options)
	if err != nil {
		return err
	}
	if c.DryRun {
		return errors.Join(c.tell(a, plan, nil), late)
	}
	message := ""
	if plan.Sends() {
		if message, err = c.message(a, plan); err != nil {
			return err
		}
	}
	message, told, err := tellDecided(t, plan, len(rels) == 0 && !c.Auto, message)
	if err != nil {
		return err
	}
	if plan.Sends() {
		if err := a.runHooks(t, own.Event{Name: "pre-commit", Paths: changedPaths(plan.Changes), Message: message}); err != nil {
			return err
		}
	}
	whole := len(rels) == 0 && !c.Auto
	if whole {
		message = a.withOwed(t, message)
	}
	done, err := plan.Run(a.ctx, message)
	if err != nil {
		for _, one := range done {
			a.tellCommitted(one)
		}
		return err
	}
	if plan.Sends() {
		if err := t.State.Decide(told); err != nil {
			return err
		}
	}
	if whole && len(done) > 0 {
		late = errors.Join(late, a.paidOwed(t))
	}
	err = errors.Join(c.tell(a, plan, done), narrow(t, w), late, a.tellQueued(done))
	if len(done) == 0 {
		return err
	}
	return a.afterHooks(t, own.Event{Name: "post-commit", Paths: changedPaths(plan.Changes), Message: message, Revisions: revisionLines(done)}, err)
}

func (c *commitCmd) tell(a *app, plan *wc.Commit, done []wc.Committed) error {
	for _, ch := range plan.Changes {
		a.line(ch.Letter, ch.Path, ch.Note)
	}
	for _, s := range plan.Skipped {
		a.warn("left out %s: %s", s.Path, s.Why)
	}
	g := plan.Gathered
	g.Skipped, g.Withheld = nil, nil
	a.tellGathered(&g)
	a.tellClosed(withheldWords, plan.Withheld)
	a.tellClosed(encryptedWords, plan.Sealed)
	for _, note := range plan.Notes {
		fmt.Fprintln(a.out, note)
	}
	for _, one := range done {
		a.tellCommitted(one)
	}
	return nil
}

func (a *app) tellCommitted(one wc.Committed) {
	if one.Queued != nil {
		fmt.Fprintf(a.out, "Queued commit %d for %s.\n", one.Queued.Number, one.Repository)
		return
	}
	fmt.Fprintf(a.out, "Committed revision %d of %s.\n", one.Revision, one.Repository)
}

// message takes the log message from where the options say.
func (c *commitCmd) message(a *app, plan *wc.Commit) (string, error) {
	switch {
	case c.Message != nil && c.File != "":
		return "", errors.New("cannot take the message from both -m and -F")
	case c.Message != nil:
		return *c.Message, nil
	case c.File == "-":
		text, err := io.ReadAll(a.stdin)
		return string(text), err
	case c.File != "":
		text, err := os.ReadFile(c.File)
		if err != nil {
			return "", fmt.Errorf("cannot read the message: %w", err)
		}
		return string(text), nil
	}
	if c.Auto {
		return autoMessage(plan, a.description.System.Hostname), nil
	}
	return a.edit(plan)
}

// ignoredBelow is the line that svn puts under the message in the editor.
const ignoredBelow = "--This line, and those below, will be ignored--"

// edit opens the editor with the changes listed, as svn does.
func (a *app) edit(plan *wc.Commit) (string, error) {
	editor := a.editor()
	if editor == "" {
		return "", wc.Hint(errors.New("cannot ask for a log message: standard input is no terminal"), "give one with -m or -F")
	}
	f, err := os.CreateTemp("", "rootwc-commit-*.txt")
	if err != nil {
		return "", fmt.Errorf("cannot write the log message: %w", err)
	}
	defer os.Remove(f.Name())
	fmt.Fprintf(f, "\n%s\n\n", ignoredBelow)
	for _, ch := range plan.Changes {
		note := ch.Note
		if note != "" {
			note = "  " + note
		}
		fmt.Fprintf(f, "%c %s%s\n", ch.Letter, safe(ch.Path), safe(note))
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("cannot write the log message: %w", err)
	}
	if err := a.openEditor(editor, f.Name()); err != nil {
		return "", fmt.Errorf("cannot commit: the editor failed, nothing was sent: %w", err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return "", fmt.Errorf("cannot read the log message: %w", err)
	}
	message, _, _ := strings.Cut(string(text), ignoredBelow)
	if message = strings.TrimSpace(message); message == "" {
		return "", wc.Refuse("commit aborted: the log message is empty, nothing was sent")
	}
	return message + "\n", nil
}
