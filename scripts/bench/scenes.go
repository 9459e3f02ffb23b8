package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// Names of the scenes.
const (
	sceneClean     = "clean"
	sceneWatched   = "watched"
	sceneTouched   = "touched"
	sceneCommit    = "commit"
	sceneExternals = "externals"
	sceneGather    = "gather"
	sceneGatherFar = "gather-far"
	sceneUpdateFar = "update-far"
)

const (
	edits       = 10 // files of a commit
	quickRounds = 3
	large       = 20000 // the expensive scenes are for trees from here on
)

// scenes are what is measured, in this order in every tree: what changes it
// comes last.
var scenes = []struct {
	name   string
	title  string
	rounds func(files int) int
	large  bool // only for large trees, or the largest there is
	run    func(*ground, context.Context, *result) error
}{
	{sceneClean, "clean", bySize(31, 21, 9), false, (*ground).cleanScene},
	{sceneWatched, "clean, with a watcher", bySize(31, 21, 21), true, (*ground).watchedScene},
	{sceneTouched, "every file touched", bySize(7, 7, 3), true, (*ground).touchedScene},
	{sceneCommit, "commit of 10 changed files", bySize(9, 9, 5), true, (*ground).commitScene},
	{sceneExternals, "clean, 50 externals", bySize(21, 21, 21), false, nil},
	{sceneGather, "first checkout, 20 externals", bySize(5, 5, 5), false, nil},
	{sceneGatherFar, "first checkout, 50 externals, server 30 ms away", bySize(5, 5, 5), false, nil},
	{sceneUpdateFar, "update with nothing new, 50 externals, server 30 ms away", bySize(5, 5, 5), false, nil},
}

func sceneNames() (names []string) {
	for _, s := range scenes {
		names = append(names, s.name)
	}
	return names
}

// bySize are the numbers of rounds for up to 2,000 files, 20,000, and more.
func bySize(small, medium, more int) func(int) int {
	return func(files int) int {
		switch {
		case files <= 2000:
			return small
		case files <= 20000:
			return medium
		}
		return more
	}
}

// measureAll is a whole run. With an error comes what was measured before it.
func measureAll(ctx context.Context, o *options, log io.Writer) (*report, error) {
	l, err := newLab(o, log)
	if err != nil {
		return nil, err
	}
	defer l.close()
	r := &report{Date: time.Now().UTC(), LeftOut: l.look()}
	if r.Machine, err = l.machine(ctx); err != nil {
		return nil, err
	}
	for _, files := range o.files {
		if err := l.tree(ctx, files, r); err != nil {
			return r, err
		}
	}
	if slices.Contains(o.scenes, sceneExternals) {
		if err := l.externals(ctx, r); err != nil {
			return r, err
		}
	}
	return r, l.gather(ctx, r)
}

// tree measures everything that is asked for in a tree of this size.
func (l *lab) tree(ctx context.Context, files int, r *report) error {
	var g *ground
	for _, s := range scenes {
		if s.run == nil || !slices.Contains(l.scenes, s.name) || s.large && files < large && files < slices.Max(l.files) {
			continue
		}
		if g == nil {
			var err error
			if g, err = l.newGround(ctx, files); err != nil {
				return err
			}
		}
		one := g.result(s.name, s.title, s.rounds)
		l.say("%s", one.heading())
		if err := s.run(g, ctx, one); err != nil {
			return err
		}
		r.add(one)
	}
	if g == nil {
		return nil
	}
	return g.remove()
}

func (g *ground) result(name, title string, rounds func(int) int) *result {
	one := &result{Scene: name, Title: title, Files: len(g.files), Directories: len(g.dirs), Rounds: g.rounds}
	if one.Rounds == 0 {
		one.Rounds = rounds(len(g.files))
	}
	return one
}

// cleanScene asks everybody about a tree in which nothing has changed.
func (g *ground) cleanScene(ctx context.Context, one *result) (err error) {
	c := &contest{warm: 2, rounds: one.Rounds}
	for _, p := range statusPeers {
		if p.tool != "" && !g.tools[p.tool] || p.upTo > 0 && len(g.files) > p.upTo {
			continue
		}
		its := g
		if p.prepare != nil {
			if its, err = p.prepare(g, ctx); err != nil {
				return err
			}
		}
		for _, row := range p.rows {
			c.entrants = append(c.entrants, entrant{commands: []command{row(its)}})
		}
	}
	one.Rows, err = g.hold(ctx, c)
	return err
}

// touchedScene gives every file a new time before each turn. rootwc and git
// write down what they found out; svn does not.
func (g *ground) touchedScene(ctx context.Context, one *result) (err error) {
	touch := func(ctx context.Context, _ int) error { return errors.Join(g.touch(g.dir), g.wait(ctx)) }
	twice := func(c command) entrant {
		return entrant{before: touch, commands: []command{c, c.as(c.name + ", again")}}
	}
	c := &contest{warm: 1, rounds: one.Rounds, entrants: []entrant{twice(g.rootwcStatus())}}
	if g.tools["svn"] {
		c.entrants = append(c.entrants, entrant{before: touch, commands: []command{g.svnStatus()}})
	}
	if g.tools["git"] {
		if _, err := g.keepWithGit(ctx); err != nil {
			return err
		}
		c.entrants = append(c.entrants, twice(g.gitStatus()))
	}
	one.Rows, err = g.hold(ctx, c)
	return err
}

// commitScene edits files and sends them, each program in a working copy and
// a repository of its own, without naming the files. Before a turn nobody has
// asked for a status since the commit before; "after status" has.
func (g *ground) commitScene(ctx context.Context, one *result) (err error) {
	edit := func(g *ground) func(context.Context, int) error {
		return func(ctx context.Context, round int) error {
			return errors.Join(g.edit(g.dir, edits, round), g.wait(ctx))
		}
	}
	review := func(ctx context.Context, round int) error {
		if err := edit(g)(ctx, round+len(g.files)/2); err != nil {
			return err
		}
		c := g.rootwcStatus()
		c.good = func(a *answer) bool { return a.status == 0 && strings.Count(a.stdout, "\n") == edits }
		_, err := g.time(ctx, &c)
		return err
	}
	c := &contest{warm: 1, rounds: one.Rounds, entrants: []entrant{
		{before: edit(g), commands: []command{g.rootwcCommit()}},
		{before: review, commands: []command{g.rootwcCommit().as("rootwc commit, after status")}},
	}}
	if g.tools["svn"] {
		other, err := g.svnCopy(ctx)
		if err != nil {
			return err
		}
		c.entrants = append(c.entrants, entrant{before: edit(other), commands: []command{other.svnCommit()}})
	}
	if g.tools["git"] {
		other, err := g.gitCopy(ctx)
		if err != nil {
			return err
		}
		c.entrants = append(c.entrants, entrant{before: edit(other), commands: []command{other.gitCommit()}})
	}
	one.Rows, err = g.hold(ctx, c)
	return err
}
