package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// annex is a git repository whose large files git-annex keeps. The directory
// is a clone of it. git-annex drops content here only after it has made sure
// that the repository holds it.
type annex struct {
	*job
	url string
}

func (g *annex) perform(ctx context.Context, what deed) error {
	if _, found := run.Look("git-annex"); !found {
		return refuseHint("install it (package \"git-annex\")", "the program git-annex is not to be had")
	}
	if g.DryRun {
		g.report.note("%s: git-annex would be asked to %s", g.Path, g.action)
		return nil
	}
	if err := g.ready(ctx); err != nil {
		return err
	}
	var err error
	switch what {
	case pull, regain:
		err = g.all(ctx, g.merge, []string{"annex", "get", "--", "."})
	case pick, repick:
		err = g.pick(ctx)
	case push:
		err = g.all(ctx, g.record, []string{"annex", "copy", "--to=origin", "--", "."})
	}
	if err != nil {
		return err
	}
	return g.recount()
}

// git runs the program in the dataset's directory. It may use the protocols
// that are no programs; hooks and filters of the clone are its owner's.
func (g *annex) git(ctx context.Context, args ...string) ([]byte, error) {
	c := g.command(append([]string{"git"}, args...)...)
	c.Env = []string{"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh", "GIT_SSH_COMMAND=" + remoteShell}
	out, _, err := run.Output(ctx, c)
	var failed *run.Error
	if errors.As(err, &failed) && strings.Contains(failed.Stderr, "Could not read from remote repository") {
		err = &Away{g.Repository, err}
	}
	return out, err
}

// all runs first, then git.
func (g *annex) all(ctx context.Context, first func(context.Context) error, args []string) error {
	if err := first(ctx); err != nil {
		return err
	}
	_, err := g.git(ctx, args...)
	return err
}

// ready makes the clone. What is here already counts as changed where it
// differs.
func (g *annex) ready(ctx context.Context) error {
	if _, err := g.dir.Lstat(".git"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := g.dir.RemoveAll(stageDir); err != nil {
		return err
	}
	defer g.dir.RemoveAll(stageDir)
	if _, err := g.git(ctx, "clone", "--quiet", "--no-checkout", "--", g.url, stageDir); err != nil {
		return err
	}
	if err := g.dir.Rename(path.Join(stageDir, ".git"), ".git"); err != nil {
		return err
	}
	if _, err := g.git(ctx, "reset", "--quiet"); err != nil {
		return err
	}
	absent, err := g.git(ctx, "ls-files", "-z", "--deleted")
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(fields(absent), batchSize) {
		if _, err := g.git(ctx, append([]string{"checkout", "--quiet", "--"}, batch...)...); err != nil {
			return err
		}
	}
	_, err = g.git(ctx, "annex", "init", "--quiet")
	return err
}

// fields are what git ends with a null byte each.
func fields(out []byte) []string {
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}

// merge brings what others have recorded; git-annex keeps both of two versions.
func (g *annex) merge(ctx context.Context) error {
	_, err := g.git(ctx, "annex", "sync", "--quiet", "--no-commit", "--no-push", "--no-content", "origin")
	return err
}

// record takes up what is here and tells the repository of it.
func (g *annex) record(ctx context.Context) error {
	if _, err := g.git(ctx, "annex", "add", "--quiet", "--", "."); err != nil {
		return err
	}
	message := g.Message
	if message == "" {
		message = fmt.Sprintf("dataset %s: %s", g.action, g.Path)
	}
	_, err := g.git(ctx, "annex", "sync", "--quiet", "--commit", "--message", message, "--no-content", "origin")
	return err
}

// pick fetches the chosen part and drops the rest. Names tell what is chosen:
// git keeps no times.
func (g *annex) pick(ctx context.Context) error {
	if err := g.merge(ctx); err != nil {
		return err
	}
	out, err := g.git(ctx, "ls-files", "-z")
	if err != nil {
		return err
	}
	var get, drop []string
	for _, p := range fields(out) {
		if len(g.Include) == 0 || matchesAny(g.Include, p) {
			get = append(get, p)
		} else {
			drop = append(drop, p)
		}
	}
	for verb, names := range map[string][]string{"get": get, "drop": drop} {
		for batch := range slices.Chunk(names, batchSize) {
			if _, err := g.git(ctx, append([]string{"annex", verb, "--quiet", "--"}, batch...)...); err != nil {
				return err
			}
		}
	}
	return nil
}
