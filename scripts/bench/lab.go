package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// lab is where a run takes place: one scratch directory, and an environment
// that knows nothing of the caller's settings.
type lab struct {
	*options
	self    string // this program
	scratch string
	env     []string
	tools   map[string]bool // the peers that are there and asked for
	random  *rand.Rand      // for the order of commands
	log     io.Writer
}

// tools are the names for -peers, and the programs they need. A tool that is
// not there is left out, but for svn.
var tools = []struct {
	name     string
	programs []string
}{
	{"svn", nil},
	{"git", []string{"git"}},
	{"fsvs", []string{"fsvs"}},
	{"etckeeper", []string{"etckeeper", "git"}},
	{"walk", nil},
}

func toolNames() (names []string) {
	for _, t := range tools {
		names = append(names, t.name)
	}
	return names
}

// newLab makes the scratch directory; close removes it.
func newLab(o *options, log io.Writer) (*lab, error) {
	for _, program := range []string{o.rootwc, "svn", "svnadmin", "svnmucc", "svnserve"} {
		if _, found := run.Look(program); !found {
			return nil, fmt.Errorf("cannot find %s", program)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := room(o.dir, max(slices.Max(o.files), externalCount*externalFiles)); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(o.dir, "rootwc-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make the scratch directory: %w", err)
	}
	l := &lab{options: o, self: self, scratch: scratch, log: log, tools: map[string]bool{}, random: rand.New(rand.NewPCG(seed, 0))}
	for _, dir := range []string{"home", "tmp", "fsvs/waa", "fsvs/conf"} {
		if err := os.MkdirAll(l.path(dir), 0o755); err != nil {
			l.close()
			return nil, err
		}
	}
	l.environment()
	return l, nil
}

func (l *lab) close() {
	if err := os.RemoveAll(l.scratch); err != nil {
		fmt.Fprintf(l.log, "bench: warning: cannot remove the scratch directory: %v\n", err)
	}
}

func (l *lab) path(elem ...string) string {
	return filepath.Join(append([]string{l.scratch}, elem...)...)
}

// environment keeps everything that a program reads or writes by itself below
// the scratch directory.
func (l *lab) environment() {
	path := os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin"
	if l.etckeeper != "" {
		path += ":" + filepath.Join(l.etckeeper, "usr/bin")
		l.env = append(l.env, "ETCKEEPER_CONF_DIR="+filepath.Join(l.etckeeper, "etc/etckeeper"))
	}
	os.Setenv("PATH", path) // for what is looked up here
	l.env = append(l.env,
		"PATH="+path, "HOME="+l.path("home"), "TMPDIR="+l.path("tmp"), "LANG=C.UTF-8", "USER=bench",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@localhost", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@localhost",
		"FSVS_WAA="+l.path("fsvs/waa"), "FSVS_CONF="+l.path("fsvs/conf"),
	)
}

// look finds out which of the peers asked for are there.
func (l *lab) look() (leftOut []string) {
	for _, t := range tools {
		if !slices.Contains(l.peers, t.name) {
			continue
		}
		l.tools[t.name] = true
		for _, program := range t.programs {
			if _, found := run.Look(program); !found {
				l.tools[t.name] = false
				leftOut = append(leftOut, t.name+": "+program+" is not installed")
			}
		}
	}
	return leftOut
}

// do runs programs in dir, one after the other, to prepare something.
func (l *lab) do(ctx context.Context, dir string, env []string, commands ...[]string) error {
	for _, args := range commands {
		if _, _, err := run.Output(ctx, run.Command{Args: args, Dir: dir, Env: append(slices.Clone(l.env), env...)}); err != nil {
			return err
		}
	}
	return nil
}

// words makes an argument list.
func words(args ...string) []string { return args }

// version is the first line in which a program names its version.
func (l *lab) version(ctx context.Context, args ...string) string {
	out, _, err := run.Output(ctx, run.Command{Args: args, Env: l.env})
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.log, "bench: "+format+"\n", args...)
}
