package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Rows of the table, and what [targets] call them.
const (
	rootwcStatus = "rootwc status"
	svnStatus    = "svn status"
	gitStatus    = "git status"
	bareWalk     = "bare walk"
	rootwcCommit = "rootwc commit"
	svnCommit    = "svn commit"

	rootwcMaterialize = "rootwc materialize"
	svnCheckout       = "svn checkout"
	rootwcUpdate      = "rootwc update"
	svnUpdate         = "svn update"
)

// fsvsUpTo is the largest tree that fsvs is given: its first commit syncs a file
// for each file, and takes minutes for more.
const fsvsUpTo = 20000

// command is a program to be timed.
type command struct {
	name string
	args []string
	dir  string
	env  []string
	good func(*answer) bool // says whether it has given the right answer
}

// as is the command under another name.
func (c command) as(name string) command {
	c.name = name
	return c
}

// answer is what a program said.
type answer struct {
	status         int
	stdout, stderr string
}

// silent is the answer of those that tell a clean tree by saying nothing.
func silent(status int) func(*answer) bool {
	return func(a *answer) bool { return *a == answer{status: status} }
}

// says is the answer of those that have a word for it.
func says(words string) func(*answer) bool {
	return func(a *answer) bool { return a.status == 0 && strings.Contains(a.stdout, words) }
}

// onlyExternals is svn's answer for clean externals: a heading each.
func onlyExternals(a *answer) bool {
	for line := range strings.Lines(a.stdout) {
		if line != "\n" && !strings.HasPrefix(line, "X ") && !strings.HasPrefix(line, "Performing status on external item at ") {
			return false
		}
	}
	return a.status == 0 && a.stderr == ""
}

// sent is rootwc's answer to a commit of n changes, and nothing else.
func sent(n int) func(*answer) bool {
	return func(a *answer) bool {
		lines := strings.Split(strings.TrimSpace(a.stdout), "\n")
		modified := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "M ") })
		return a.status == 0 && a.stderr == "" && len(modified) == n && len(lines) == n+1
	}
}

// statusPeers are the commands that tell a clean tree.
var statusPeers = []struct {
	tool    string // "" for rootwc itself
	upTo    int    // files; 0 for any number
	prepare func(*ground, context.Context) (*ground, error)
	rows    []func(*ground) command
}{
	{rows: commands{(*ground).rootwcStatus}},
	{tool: "svn", rows: commands{(*ground).svnStatus}},
	{tool: "git", prepare: (*ground).keepWithGit, rows: commands{(*ground).gitStatus, (*ground).gitManyFiles}},
	{tool: "fsvs", upTo: fsvsUpTo, prepare: (*ground).keepWithFsvs, rows: commands{(*ground).fsvsStatus}},
	{tool: "etckeeper", prepare: (*ground).etckeeperCopy, rows: commands{(*ground).etckeeperUnclean, (*ground).etckeeperMetadata}},
	{tool: "walk", rows: commands{(*ground).bareWalk}},
}

type commands = []func(*ground) command

func (g *ground) rootwcStatus() command {
	return command{name: rootwcStatus, args: []string{g.rootwc, "--root", g.dir, "status"}, good: silent(0)}
}

func (g *ground) svnStatus() command {
	return command{name: svnStatus, args: []string{"svn", "status"}, dir: g.dir, good: silent(0)}
}

func (g *ground) gitStatus() command {
	return command{name: gitStatus, args: []string{"git", "status"}, dir: g.dir, env: g.gitEnv(gitPlain), good: says("nothing to commit, working tree clean")}
}

// gitManyFiles is git with its untracked cache and a smaller index.
func (g *ground) gitManyFiles() command {
	c := g.gitStatus().as("git status, feature.manyFiles")
	c.env = g.gitEnv(gitMany)
	return c
}

func (g *ground) fsvsStatus() command {
	return command{name: "fsvs status", args: []string{"fsvs", "status"}, dir: g.dir, good: silent(0)}
}

// etckeeperUnclean asks git alone; 1 is clean.
func (g *ground) etckeeperUnclean() command {
	return command{name: "etckeeper unclean", args: []string{"etckeeper", "unclean", "-d", g.dir}, good: silent(1)}
}

// etckeeperMetadata is what it takes to see owners and modes as well.
func (g *ground) etckeeperMetadata() command {
	const script = `etckeeper pre-commit -d "$1" || exit 2; etckeeper unclean -d "$1"`
	return command{name: "etckeeper pre-commit, unclean", args: []string{"sh", "-c", script, "sh", g.dir}, good: silent(1)}
}

func (g *ground) bareWalk() command {
	answer := walkAnswer(len(g.files), len(g.dirs))
	return command{name: bareWalk, args: []string{g.self, "-walk", g.dir}, good: says(answer)}
}

func (g *ground) rootwcCommit() command {
	return command{name: rootwcCommit, args: []string{g.rootwc, "--root", g.dir, "commit", "-m", "edited"}, good: sent(edits)}
}

func (g *ground) svnCommit() command {
	return command{name: svnCommit, args: []string{"svn", "commit", "-m", "edited"}, dir: g.dir, good: says("Committed revision ")}
}

func (g *ground) gitCommit() command {
	return command{name: "git commit -a", args: []string{"git", "commit", "-a", "-m", "edited"}, dir: g.dir, good: says(strconv.Itoa(edits) + " files changed")}
}
