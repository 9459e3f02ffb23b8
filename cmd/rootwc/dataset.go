package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"rootwc/datasets"
	"rootwc/internal/run"
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

// openDatasets opens the root and lists its datasets.
func (a *app) openDatasets() (*wc.Tree, []system.Dataset, error) {
	t, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	if t.BadPage != nil {
		t.Close()
		return nil, nil, t.BadPage
	}
	return t, allDatasets(t, a.description), nil
}

// allDatasets are those of the description, and those that a versioned .ddm
// file tells of, sorted.
func allDatasets(t *wc.Tree, d *system.Description) []system.Dataset {
	var all []system.Dataset
	described := map[string]bool{}
	if d != nil {
		all = slices.Clone(d.Datasets)
	}
	for _, one := range all {
		described[one.Path] = true
	}
	for _, file := range t.Named(".ddm") {
		dir := strings.TrimSuffix(strings.TrimSuffix(file, ".ddm"), "/")
		if dir != "" && !described[dir] {
			all = append(all, system.Dataset{Path: dir, Type: datasets.Named(dir), Repository: "ddm:"})
		}
	}
	slices.SortFunc(all, func(x, y system.Dataset) int { return strings.Compare(x.Path, y.Path) })
	return all
}

// datasetPaths are the places of the datasets that are described.
func datasetPaths(d *system.Description) map[string]bool {
	places := map[string]bool{}
	if d != nil {
		for _, one := range d.Datasets {
			places[one.Path] = one.Type != system.Direct
		}
	}
	return places
}

// chooseDatasets picks those that the operands name; all without any.
func chooseDatasets(t *wc.Tree, all []system.Dataset, operands []string) ([]system.Dataset, error) {
	if len(operands) == 0 {
		return all, nil
	}
	rels, err := paths(t, operands)
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for i, rel := range rels {
		found := false
		for _, d := range all {
			if rel == "" || d.Path == rel || strings.HasPrefix(d.Path, rel+"/") {
				chosen[d.Path], found = true, true
			}
		}
		if !found {
			return nil, wc.Hint(fmt.Errorf("no dataset is at %q", operands[i]), "rootwc dataset list; [[dataset]] in %s describes one", wc.DescriptionPath)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(d system.Dataset) bool { return !chosen[d.Path] }), nil
}

// datasetRoom is where datasets of a root are worked on.
func (a *app) datasetRoom(t *wc.Tree) (*datasets.Room, error) {
	state, err := t.State.Directory(datasetState)
	if err != nil {
		return nil, err
	}
	return a.datasetRoomAt(t, state), nil
}

// datasetState is the part of the state directory that is about datasets.
const datasetState = "datasets"

func (a *app) datasetRoomAt(t *wc.Tree, state string) *datasets.Room {
	return &datasets.Room{
		Root: t.FileSystem(), State: state, Owner: t.OwnerOf, Warn: a.warn, Echo: t.Client.Echo,
		Svn: func(ctx context.Context, c run.Command) ([]byte, error) {
			return t.Client.Run(ctx, wc.Call{Program: c.Args[0], Args: c.Args[1:], User: c.User, Dir: c.Dir, Env: c.Env, Stdout: c.Stdout})
		},
		Progress: func(what string, percent int) { a.progress.show(what, percent, 100) },
	}
}

// makeDatasets makes the directories that are not there, and has them versioned.
func (a *app) makeDatasets(t *wc.Tree, chosen []system.Dataset, dryRun bool) error {
	var fresh []string
	for _, d := range chosen {
		if d.Type == system.Direct {
			continue
		}
		if c, rel := t.CopyOf(d.Path); c == nil || !c.Versioned(rel) {
			fresh = append(fresh, d.Path)
		}
		if dryRun {
			continue
		}
		if err := t.MakeDirectory(d.Path); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if dryRun {
		for _, p := range fresh {
			a.line('A', p, "")
		}
		return nil
	}
	return a.versionDatasets(t, fresh)
}

// versionDatasets schedules directories for the next commit; what is in them
// stays out.
func (a *app) versionDatasets(t *wc.Tree, fresh []string) (err error) {
	w, err := t.Begin("dataset checkout")
	if err != nil {
		return fmt.Errorf("cannot check datasets out: %w", err)
	}
	defer func() {
		if eerr := w.End(); err == nil {
			err = eerr
		}
	}()
	r, err := w.Add(a.ctx, wc.AddOptions{Paths: fresh})
	if err != nil {
		return err
	}
	for _, p := range r.Paths {
		a.line('A', p, "")
	}
	return nil
}

type datasetAllowCmd struct {
	Paths  []string `arg:"" help:"Datasets with a .ddm file."`
	DryRun bool     `name:"dry-run" help:"Only show what would be allowed."`
}

// Run shows the .ddm files and notes that they are allowed.
func (c *datasetAllowCmd) Run(a *app) error {
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
	for _, d := range chosen {
		text, err := room.Allow(d, c.DryRun)
		if err != nil {
			return fmt.Errorf("cannot allow ddm: %w", err)
		}
		fmt.Fprintf(a.out, "%s:\n", shown(d.Path))
		for line := range strings.Lines(text) {
			fmt.Fprintf(a.out, "  %s\n", safe(strings.TrimRight(line, "\r\n")))
		}
	}
	return nil
}

type datasetListCmd struct {
	Paths []string `arg:"" optional:"" help:"Datasets, or directories that hold some; all without any."`
	JSON  bool     `name:"json" help:"Answer in JSON."`
}

// Run lists datasets with how they are; it asks no server.
func (c *datasetListCmd) Run(a *app) error {
	t, all, err := a.openDatasets()
	if err != nil {
		return err
	}
	defer t.Close()
	chosen, err := chooseDatasets(t, all, c.Paths)
	if err != nil {
		return err
	}
	docs := a.datasetDocs(t, chosen)
	if c.JSON {
		return a.json(struct {
			Format   string       `json:"format"`
			Root     string       `json:"root"`
			Datasets []datasetDoc `json:"datasets"`
		}{jsonFormat, t.Root, docs})
	}
	for _, d := range docs {
		fmt.Fprintf(a.out, "%s  %s %s  %s\n", safe(d.Path), d.Type, safe(d.Repository), safe(d.words()))
	}
	return nil
}

// datasetDoc is a dataset in JSON; path, type, state, files and bytes are part
// of rootwc's contract.
type datasetDoc struct {
	Path       string `json:"path"`
	Type       string `json:"type"`
	Repository string `json:"repository,omitempty"`
	State      string `json:"state"`
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Counted    string `json:"counted,omitempty"` // when, if not now
	Note       string `json:"note,omitempty"`
}

// datasetDocs tells how datasets are.
func (a *app) datasetDocs(t *wc.Tree, chosen []system.Dataset) []datasetDoc {
	room := a.datasetRoomAt(t, t.State.Path(datasetState))
	docs := []datasetDoc{}
	for _, d := range chosen {
		s, err := room.Standing(d)
		if err != nil {
			s = datasets.Standing{State: datasets.Incomplete, Words: err.Error()}
		}
		doc := datasetDoc{Path: d.Path, Type: string(d.Type), Repository: d.Repository, State: s.State, Files: s.Files, Bytes: s.Bytes, Note: s.Words}
		if !s.Counted.IsZero() {
			doc.Counted = s.Counted.Format(time.RFC3339)
		}
		docs = append(docs, doc)
	}
	return docs
}

// words is a dataset's state for people.
func (d datasetDoc) words() string {
	words := d.State
	if d.Files > 0 {
		words += fmt.Sprintf(", %s, %s", datasets.Files(d.Files), sizeWords(d.Bytes))
	}
	if d.Note != "" {
		words += " (" + d.Note + ")"
	}
	if at, err := time.Parse(time.RFC3339, d.Counted); err == nil {
		words += ", counted " + ageWords(time.Since(at)) + " ago"
	}
	return words
}

// sizeWords is a number of bytes for people.
func sizeWords(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < 1<<10 {
			break
		}
		value, unit = value/(1<<10), next
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// ageWords is a time for people.
func ageWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "moments"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
