package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rootwc/datasets"
	"rootwc/internal/run"
	"rootwc/system"
	"rootwc/wc"
)

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
	for _, file := range t.VersionedAs(".ddm") {
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
