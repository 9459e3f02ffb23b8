package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"rootwc/wc"
)

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
	if err := g.do(ctx, "", nil, words("cp", "-a", g.gitDir(gitPlain), g.gitDir(gitMany))); err != nil {
		return nil, err
	}
	return g, g.do(ctx, g.dir, many,
		words("git", "config", "core.worktree", g.dir),
		words("git", "config", "feature.manyFiles", "true"),
		words("git", "update-index", "--index-version", "4"),
	)
}

// gitInit takes a tree into a new repository. All contents go into one pack:
// 200,000 files of their own would only take time and room.
func (l *lab) gitInit(ctx context.Context, dir, gitDir string, env []string) error {
	if err := l.do(ctx, dir, env, words("git", "init", "-q")); err != nil {
		return err
	}
	exclude := "/" + wc.AdminDir + "\n/" + stateTop + "\n"
	if err := os.WriteFile(filepath.Join(gitDir, "info/exclude"), []byte(exclude), 0o644); err != nil {
		return err
	}
	return l.do(ctx, dir, env,
		words("git", "config", "gc.auto", "0"),
		words("git", "-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "add", "."),
		words("git", "commit", "-q", "-m", "first"),
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
	return other, g.do(ctx, other.dir, nil,
		words("etckeeper", "pre-commit", "-d", other.dir),
		words("git", "commit", "-q", "-m", "metadata"),
	)
}

// svnCopy is a copy of the working copy and its repository, for svn alone.
func (g *ground) svnCopy(ctx context.Context) (*ground, error) {
	g.say("copying it for svn")
	other := g.beside("svn")
	if err := os.Mkdir(other.base, 0o755); err != nil {
		return nil, err
	}
	err := g.do(ctx, other.base, nil,
		words("cp", "-a", g.repository, other.repository),
		words("cp", "-a", g.dir, other.dir),
		words("svn", "relocate", other.url(), other.dir),
	)
	return other, errors.Join(err, os.RemoveAll(filepath.Join(other.dir, stateTop)))
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
	steps := [][]string{
		words("svnadmin", "create", repository),
		words("fsvs", "urls", "file://"+repository),
	}
	for _, name := range []string{wc.AdminDir, stateTop} {
		steps = append(steps, words("fsvs", "ignore", "./"+name))
	}
	return g, g.do(ctx, g.dir, nil, append(steps, words("fsvs", "commit", "-q", "-m", "first"))...)
}
