package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/wc"
)

const (
	externalCount = 50
	externalFiles = 400
)

// externals measures a root of 50 externals. Git has nothing like it: its
// submodules are no working copies of one repository.
func (l *lab) externals(ctx context.Context, r *report) error {
	g, err := l.externalsGround(ctx)
	if err != nil {
		return err
	}
	s := scenes[slices.Index(sceneNames(), sceneExternals)]
	one := g.result(s.name, s.title, s.rounds)
	l.say("%s", one.heading())
	c := &contest{warm: 2, rounds: one.Rounds, entrants: []entrant{{commands: []command{g.rootwcStatus()}}}}
	if l.tools["svn"] {
		status := g.svnStatus()
		status.good = onlyExternals
		c.entrants = append(c.entrants, entrant{commands: []command{status}})
	}
	if l.tools["walk"] {
		c.entrants = append(c.entrants, entrant{commands: []command{g.bareWalk()}})
	}
	if one.Rows, err = l.hold(ctx, c); err != nil {
		return err
	}
	r.add(one)
	return g.remove()
}

func (l *lab) externalsGround(ctx context.Context) (*ground, error) {
	g, err := l.externalsRepository(ctx, externalCount, externalFiles)
	if err != nil {
		return nil, err
	}
	if err := g.checkout(ctx); err != nil {
		return nil, err
	}
	for i := range externalCount {
		if err := os.Chmod(filepath.Join(g.dir, fmt.Sprintf("ext/%02d", i), wc.AdminDir), 0o700); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// externalsRepository makes the repository of a root with externals.
func (l *lab) externalsRepository(ctx context.Context, count, files int) (*ground, error) {
	l.say("making %d externals of %d files", count, files)
	g := l.ground("externals")
	g.trunk = "/root"
	source := filepath.Join(g.base, "source")
	part := newForest(files)
	all := &forest{dirs: []string{"", "ext"}} // what the walk finds in the working copy
	var definitions strings.Builder
	properties := owned(g.trunk)
	err := os.MkdirAll(filepath.Join(source, "root/ext"), 0o755)
	for i := range count {
		name := fmt.Sprintf("ext/%02d", i)
		if err = errors.Join(err, part.write(ctx, filepath.Join(source, name))); err != nil {
			return nil, err
		}
		properties = append(properties, owned("/"+name)...)
		fmt.Fprintf(&definitions, "^/%s %s\n", name, name)
		all.dirs, all.files = append(all.dirs, part.dirs...), append(all.files, part.files...)
	}
	g.forest = all
	if err := g.create(ctx, source); err != nil {
		return nil, err
	}
	return g, g.set(ctx, append(properties, property{g.trunk, "svn:externals", definitions.String()}, property{g.trunk, "svn:ignore", stateTop})...)
}
