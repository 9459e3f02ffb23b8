package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"rootwc/wc"
	"rootwc/wc/metadata"
)

// ground is one tree that several programs keep, each in an administrative
// directory of its own: they see the same files, in the same memory of the
// kernel. Git's and fsvs' directories are elsewhere, and both ignore ".svn".
type ground struct {
	*lab
	*forest
	base       string // holds all of it
	dir        string // the tree: svn's and rootwc's working copy
	repository string
	trunk      string // the directory in it that the root is of, "" or with a slash
}

// stateTop is the directory in the root below which rootwc keeps its state.
// Everybody ignores it.
const stateTop = "var"

// newGround makes a tree of so many files, under Subversion.
func (l *lab) newGround(ctx context.Context, files int) (*ground, error) {
	l.say("making a tree of %s files", grouped(files))
	g := l.ground(fmt.Sprintf("tree-%d", files))
	g.forest = newForest(files)
	source := filepath.Join(g.base, "source")
	if err := g.write(ctx, source); err != nil {
		return nil, err
	}
	if err := g.create(ctx, source); err != nil {
		return nil, err
	}
	if err := g.set(ctx, append(owned(""), property{"", "svn:ignore", stateTop})...); err != nil {
		return nil, err
	}
	return g, g.checkout(ctx)
}

func (l *lab) ground(name string) *ground {
	base := l.path(name)
	return &ground{lab: l, base: base, dir: filepath.Join(base, "root"), repository: filepath.Join(base, "repository")}
}

// remove makes room for the next one.
func (g *ground) remove() error { return os.RemoveAll(g.base) }

// url is what the working copy is of.
func (g *ground) url() string { return "file://" + g.repository + g.trunk }

// create makes the repository from a source tree, and takes that away.
func (g *ground) create(ctx context.Context, source string) error {
	err := g.do(ctx, "", nil,
		words("svnadmin", "create", g.repository),
		words("svn", "import", "-q", "--no-ignore", "--no-auto-props", "-m", "first", source, "file://"+g.repository),
	)
	return errors.Join(err, os.RemoveAll(source))
}

// property is one of a directory in the repository.
type property struct{ path, name, value string }

// set sets properties where that needs no working copy, in one revision.
func (g *ground) set(ctx context.Context, properties ...property) error {
	args := []string{"svnmucc", "-m", "properties"}
	for _, p := range properties {
		args = append(args, "propset", p.name, p.value, "file://"+g.repository+p.path)
	}
	return g.do(ctx, "", nil, args)
}

// owned are the properties that make metadata say nothing below a path, for an
// ordinary user as for root.
func owned(path string) []property {
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		return nil
	}
	return []property{
		{path, metadata.PropOwner, strconv.Itoa(uid)},
		{path, metadata.PropGroup, strconv.Itoa(gid)},
		{path, metadata.PropDefaults, fmt.Sprintf("owner %d\ngroup %d\n", uid, gid)},
	}
}

// checkout makes the working copy, and rootwc's state in it.
func (g *ground) checkout(ctx context.Context) error {
	if err := g.do(ctx, "", nil, words("svn", "checkout", "-q", g.url(), g.dir)); err != nil {
		return err
	}
	state := filepath.Join(g.dir, wc.StatePath)
	return errors.Join(os.MkdirAll(filepath.Dir(state), 0o755), os.Mkdir(state, 0o700), os.Chmod(filepath.Join(g.dir, wc.AdminDir), 0o700))
}
