package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rootwc/wc"
)

// gatherings are roots whose externals come from a server.
var gatherings = []struct {
	scene            string
	externals, files int
	roundTrip        time.Duration
	update           bool // else the first checkout
}{
	{sceneGather, 20, 400, 0, false},
	{sceneGatherFar, 50, 40, 30 * time.Millisecond, false},
	{sceneUpdateFar, 50, 40, 30 * time.Millisecond, true},
}

// gather measures how a root and its externals come from a server, and what it
// costs to hear that nothing is new there.
func (l *lab) gather(ctx context.Context, r *report) error {
	for _, what := range gatherings {
		if !slices.Contains(l.scenes, what.scene) || !l.tools["svn"] {
			continue
		}
		g, err := l.externalsRepository(ctx, what.externals, what.files)
		if err != nil {
			return err
		}
		s := scenes[slices.Index(sceneNames(), what.scene)]
		one := g.result(s.name, s.title, s.rounds)
		l.say("%s", one.heading())
		server, err := l.serve(ctx, g.base, what.roundTrip)
		if err != nil {
			return err
		}
		one.Rows, err = g.gatherRows(ctx, server.url+"/repository"+g.trunk, one.Rounds, what.update)
		server.close()
		if err != nil {
			return err
		}
		r.add(one)
		if err := g.remove(); err != nil {
			return err
		}
	}
	return nil
}

// gatherRows holds the contest of rootwc's tree and svn's.
func (g *ground) gatherRows(ctx context.Context, url string, rounds int, update bool) ([]row, error) {
	own, other := filepath.Join(g.base, "rootwc"), filepath.Join(g.base, "svn")
	begin := func(dir string) func(context.Context, int) error {
		return func(context.Context, int) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) }
	}
	first := []entrant{
		{before: begin(own), commands: []command{g.rootwcMaterialize(url, own)}},
		{before: begin(other), commands: []command{g.svnCheckout(url, other)}},
	}
	if !update {
		return g.hold(ctx, &contest{warm: 1, rounds: rounds, entrants: first})
	}
	for i := range first {
		if _, err := g.turn(ctx, &first[i], 0); err != nil {
			return nil, err
		}
	}
	return g.hold(ctx, &contest{warm: 1, rounds: rounds, entrants: []entrant{
		{commands: []command{g.rootwcUpdate(own)}},
		{commands: []command{g.svnUpdate(other)}},
	}})
}

func (g *ground) rootwcMaterialize(url, dir string) command {
	return command{name: rootwcMaterialize, args: words(g.rootwc, "--root", dir, "materialize", url), good: g.complete(dir)}
}

func (g *ground) svnCheckout(url, dir string) command {
	return command{name: svnCheckout, args: words("svn", "checkout", "-q", url, dir), good: g.complete(dir)}
}

func (g *ground) rootwcUpdate(dir string) command {
	return command{name: rootwcUpdate, args: words(g.rootwc, "--root", dir, "update"), good: says("At revision ")}
}

func (g *ground) svnUpdate(dir string) command {
	return command{name: svnUpdate, args: words("svn", "update"), dir: dir, good: says("At revision ")}
}

// complete says that all files have come.
func (g *ground) complete(dir string) func(*answer) bool {
	return func(a *answer) bool {
		files := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == wc.AdminDir || path == filepath.Join(dir, stateTop)):
				return filepath.SkipDir
			case !d.IsDir():
				files++
			}
			return nil
		})
		return err == nil && *a == answer{stdout: a.stdout} && files == len(g.files)
	}
}
