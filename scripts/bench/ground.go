package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rootwc/wc"
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
	if err := g.set(ctx, "svn:ignore", stateTop); err != nil {
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
	return errors.Join(
		g.do(ctx, "", nil, "svnadmin", "create", g.repository),
		g.do(ctx, "", nil, "svn", "import", "-q", "--no-ignore", "--no-auto-props", "-m", "first", source, "file://"+g.repository),
		os.RemoveAll(source),
	)
}

// set sets a property of the root in the repository.
func (g *ground) set(ctx context.Context, name, value string) error {
	return g.do(ctx, "", nil, "svnmucc", "-m", name, "propset", name, value, g.url())
}

// checkout makes the working copy, and rootwc's state in it.
func (g *ground) checkout(ctx context.Context) error {
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		// so that metadata says nothing for an ordinary user, as for root
		owner, group := fmt.Sprint(uid), fmt.Sprint(gid)
		for name, value := range map[string]string{"svn:owner": owner, "svn:group": group, "rootwc:defaults": "owner " + owner + "\ngroup " + group + "\n"} {
			if err := g.set(ctx, name, value); err != nil {
				return err
			}
		}
	}
	if err := g.do(ctx, "", nil, "svn", "checkout", "-q", g.url(), g.dir); err != nil {
		return err
	}
	state := filepath.Join(g.dir, wc.StatePath)
	return errors.Join(os.MkdirAll(filepath.Dir(state), 0o755), os.Mkdir(state, 0o700), os.Chmod(filepath.Join(g.dir, wc.AdminDir), 0o700))
}

// Settings of git, each with a directory of its own for its books.
const (
	gitPlain = "plain"
	gitMany  = "many"
)

// gitEnv makes git keep its books beside the tree.
func (g *ground) gitEnv(settings string) []string {
	return []string{"GIT_DIR=" + g.gitDir(settings), "GIT_WORK_TREE=" + g.dir}
}

func (g *ground) gitDir(settings string) string { return filepath.Join(g.base, "git-"+settings) }

// keepWithGit takes the tree into git, with its defaults and with its settings
// for many files; once.
func (g *ground) keepWithGit(ctx context.Context) (*ground, error) {
	if _, err := os.Stat(g.gitDir(gitMany)); err == nil {
		return g, nil
	}
	g.say("taking it into git")
	plain, many := g.gitEnv(gitPlain), g.gitEnv(gitMany)
	if err := g.gitInit(ctx, g.dir, g.gitDir(gitPlain), plain); err != nil {
		return nil, err
	}
	if err := g.do(ctx, "", nil, "cp", "-a", g.gitDir(gitPlain), g.gitDir(gitMany)); err != nil {
		return nil, err
	}
	return g, errors.Join(
		g.do(ctx, g.dir, many, "git", "config", "core.worktree", g.dir),
		g.do(ctx, g.dir, many, "git", "config", "feature.manyFiles", "true"),
		g.do(ctx, g.dir, many, "git", "update-index", "--index-version", "4"),
	)
}

// gitInit takes a tree into a new repository. All contents go into one pack:
// 200,000 files of their own would only take time and room.
func (l *lab) gitInit(ctx context.Context, dir, gitDir string, env []string) error {
	if err := l.do(ctx, dir, env, "git", "init", "-q"); err != nil {
		return err
	}
	exclude := "/" + wc.AdminDir + "\n/" + stateTop + "\n"
	if err := os.WriteFile(filepath.Join(gitDir, "info/exclude"), []byte(exclude), 0o644); err != nil {
		return err
	}
	return errors.Join(
		l.do(ctx, dir, env, "git", "config", "gc.auto", "0"),
		l.do(ctx, dir, env, "git", "-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "add", "."),
		l.do(ctx, dir, env, "git", "commit", "-q", "-m", "first"),
	)
}

// gitCopy is the same tree anew, for git alone; made once.
func (g *ground) gitCopy(ctx context.Context) (*ground, error) {
	other := g.beside("git")
	if _, err := os.Stat(other.dir); err == nil {
		return other, nil
	}
	if err := g.write(ctx, other.dir); err != nil {
		return nil, err
	}
	return other, g.gitInit(ctx, other.dir, filepath.Join(other.dir, ".git"), nil)
}

// etckeeperCopy is such a tree with etckeeper's list of metadata: it would list
// what is in the other administrative directories as well.
func (g *ground) etckeeperCopy(ctx context.Context) (*ground, error) {
	g.say("taking a copy into etckeeper")
	other, err := g.gitCopy(ctx)
	if err != nil {
		return nil, err
	}
	return other, errors.Join(
		g.do(ctx, "", nil, "etckeeper", "pre-commit", "-d", other.dir),
		g.do(ctx, other.dir, nil, "git", "commit", "-q", "-m", "metadata"),
	)
}

// svnCopy is a copy of the working copy and its repository, for svn alone.
func (g *ground) svnCopy(ctx context.Context) (*ground, error) {
	g.say("copying it for svn")
	other := g.beside("svn")
	err := errors.Join(
		os.Mkdir(other.base, 0o755),
		g.do(ctx, "", nil, "cp", "-a", g.repository, other.repository),
		g.do(ctx, "", nil, "cp", "-a", g.dir, other.dir),
	)
	if err != nil {
		return nil, err
	}
	return other, errors.Join(
		os.RemoveAll(filepath.Join(other.dir, stateTop)),
		g.do(ctx, other.dir, nil, "svn", "relocate", other.url()),
	)
}

// beside is where a copy of the tree goes.
func (g *ground) beside(name string) *ground {
	other := g.ground(filepath.Join(filepath.Base(g.base), name))
	other.forest = g.forest
	return other
}

// keepWithFsvs commits the tree to a repository of its own.
func (g *ground) keepWithFsvs(ctx context.Context) (*ground, error) {
	g.say("taking it into fsvs")
	repository := filepath.Join(g.base, "fsvs")
	if err := errors.Join(
		g.do(ctx, "", nil, "svnadmin", "create", repository),
		g.do(ctx, g.dir, nil, "fsvs", "urls", "file://"+repository),
	); err != nil {
		return nil, err
	}
	for _, name := range []string{wc.AdminDir, stateTop} {
		if err := g.do(ctx, g.dir, nil, "fsvs", "ignore", "./"+name); err != nil {
			return nil, err
		}
	}
	return g, g.do(ctx, g.dir, nil, "fsvs", "commit", "-q", "-m", "first")
}
