package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"rootwc/datasets"
	"rootwc/system"
	"rootwc/wc"
)

type datasetCmd struct {
	List     datasetListCmd     `cmd:"" default:"withargs" help:"List datasets and how they are."`
	Checkout datasetCheckoutCmd `cmd:"" help:"Set datasets up: the directory, and what comes into it."`
	Update   datasetUpdateCmd   `cmd:"" help:"Bring what the repository holds, or the chosen part of it."`
	Commit   datasetCommitCmd   `cmd:"" help:"Send what changed here."`
	Flush    datasetFlushCmd    `cmd:"" help:"Send a buffer's files, prove that they arrived, remove them here; empty a cache."`
	Backup   datasetBackupCmd   `cmd:"" help:"Send what is to be kept; an extension to the repository NAME-extension."`
	Restore  datasetRestoreCmd  `cmd:"" help:"Bring it back, in the place of what changed here."`
	Allow    datasetAllowCmd    `cmd:"" help:"Allow ddm, on this machine, to run the .ddm files of datasets as they are now."`
}

// datasetOptions are those of the actions.
type datasetOptions struct {
	Paths    []string `arg:"" optional:"" help:"Datasets, or directories that hold some; all without any."`
	DryRun   bool     `name:"dry-run" help:"Only say what would happen."`
	Emptying bool     `help:"Even when it takes most of the files away, or the repository has become empty; refused otherwise."`
	Message  string   `short:"m" help:"Log message, for svn and git-annex." placeholder:"TEXT"`
}

type (
	datasetCheckoutCmd struct{ datasetOptions }
	datasetUpdateCmd   struct{ datasetOptions }
	datasetCommitCmd   struct{ datasetOptions }
	datasetFlushCmd    struct{ datasetOptions }
	datasetBackupCmd   struct{ datasetOptions }
	datasetRestoreCmd  struct{ datasetOptions }
)

// Run sets datasets up.
func (c *datasetCheckoutCmd) Run(a *app) error { return c.run(a, datasets.Checkout) }

// Run brings what the repositories hold.
func (c *datasetUpdateCmd) Run(a *app) error { return c.run(a, datasets.Update) }

// Run sends what changed.
func (c *datasetCommitCmd) Run(a *app) error { return c.run(a, datasets.Commit) }

// Run sends away.
func (c *datasetFlushCmd) Run(a *app) error { return c.run(a, datasets.Flush) }

// Run sends what is to be kept.
func (c *datasetBackupCmd) Run(a *app) error { return c.run(a, datasets.Backup) }

// Run brings back.
func (c *datasetRestoreCmd) Run(a *app) error { return c.run(a, datasets.Restore) }

// run carries out one action on each of the datasets. What one of them meets
// does not stop the others.
func (c *datasetOptions) run(a *app, action datasets.Action) error {
	t, all, err := a.openDatasets()
	if err != nil {
		return err
	}
	defer t.Close()
	chosen, err := chooseDatasets(t, all, c.Paths)
	if err != nil {
		return err
	}
	room, err := a.datasetRoom(t)
	if err != nil {
		return err
	}
	opt := datasets.Options{DryRun: c.DryRun, Emptying: c.Emptying, Message: c.Message}
	if action == datasets.Checkout {
		if err := a.makeDatasets(t, chosen, c.DryRun); err != nil {
			return err
		}
	}
	if len(c.Paths) == 0 { // asked of all, it is asked of those that it means something for
		chosen = slices.DeleteFunc(chosen, func(d system.Dataset) bool { return !datasets.Meaning(d, action).Means() })
	}
	var failed []error
	for _, d := range chosen {
		if err := a.doDataset(room, action, d, opt); err != nil {
			if a.ctx.Err() != nil {
				return err
			}
			failed = append(failed, err)
			if len(chosen) > 1 {
				a.warn("%v", err)
			}
		}
	}
	return datasetsFailed(action, failed, len(chosen))
}

// datasetsFailed is the error of an action on one dataset or several.
func datasetsFailed(action datasets.Action, failed []error, of int) error {
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == 1 && of == 1:
		err := fmt.Errorf("cannot %s: %w", action, failed[0])
		var advised interface{ Advice() string }
		if errors.As(err, &advised) && advised.Advice() != "" {
			err = wc.Hint(err, "%s", advised.Advice())
		}
		return err
	}
	return wc.Partial("cannot %s every dataset: %d of %d failed, named above", action, len(failed), of)
}

// doDataset carries out one action on one dataset and tells of it.
func (a *app) doDataset(room *datasets.Room, action datasets.Action, d system.Dataset, opt datasets.Options) error {
	r, err := room.Do(a.ctx, action, d, opt)
	a.progress.clear()
	for _, ch := range a.shortenDataset(r.Changes) {
		a.line(ch.Letter, path.Join(d.Path, ch.Path), ch.Note)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(a.out, safe(n))
	}
	return err
}

// shortenDataset leaves a long list of what went well to -v.
func (a *app) shortenDataset(changes []datasets.Change) []datasets.Change {
	const most = 100
	counts := map[byte]int{}
	for _, ch := range changes {
		counts[ch.Letter]++
	}
	var shown []datasets.Change
	for _, ch := range changes {
		if a.global.Verbose || counts[ch.Letter] <= most || strings.ContainsRune("C!", rune(ch.Letter)) {
			shown = append(shown, ch)
		}
	}
	for _, letter := range []byte("AUD>") {
		if n := counts[letter]; n > most && !a.global.Verbose {
			fmt.Fprintf(a.out, "%c %d files (-v lists them)\n", letter, n)
		}
	}
	return shown
}
