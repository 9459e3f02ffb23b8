// Package datasets transfers the content of directories that no working copy
// holds: photographs, music, blobs.
//
// A dataset is a directory that stands in some relation, its type, to a
// repository; [Meaning] is the table of what each action means for each type.
// Three rules hold, a cache apart. Nothing here is removed unless it was just
// proven to be in the repository with the same content, or was last seen equal
// there, is unchanged here, and is gone there. Nothing is overwritten on
// either side that changed since both sides were last equal, unless a restore
// asks for it: it is named as a conflict and stays. And a repository that is
// away is never taken for an empty one. git-annex and ddm keep their own rules.
//
// Programs work as the owner of the directory, in a directory that was opened
// through the machine's root. The package writes to the dataset, its
// repository and its own state directory; it prints nothing.
package datasets

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"rootwc/internal/run"
	"rootwc/system"
)

// Room is where datasets are worked on: one machine's root.
type Room struct {
	Root  *os.Root
	State string // absolute path of the directory for state, mode 0700

	// Owner tells with whose ids programs run in a directory; nil for the
	// caller's own.
	Owner func(dir fs.FileInfo) *run.User
	// Svn runs the svn program; nil where there are no svn repositories.
	Svn func(ctx context.Context, c run.Command) ([]byte, error)
	// Echo receives each command line, nil for none.
	Echo func(line string)
	// Progress receives what a transfer is at, in percent; nil for none.
	Progress func(what string, percent int)
	// Warn receives what is no error, one sentence each.
	Warn func(format string, args ...any)
}

// Options are those of one action.
type Options struct {
	DryRun   bool
	Emptying bool   // even when it takes most of the files away
	Message  string // of a commit to svn or git-annex; "" for a standard one
}

// Change is what happened to one path, or would happen.
type Change struct {
	Letter byte   // of svn: A added, U replaced, D removed; > sent, C in conflict, ! failed
	Path   string // relative to the dataset's directory
	Note   string
}

// Report is what an action did.
type Report struct {
	Changes []Change
	Notes   []string // sentences on what was left as it is
}

func (r *Report) add(letter byte, paths []string, note string) {
	for _, p := range paths {
		r.Changes = append(r.Changes, Change{letter, p, note})
	}
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// left are the paths that the action was to deal with and did not.
func (r *Report) left() (conflicts, failed int) {
	for _, c := range r.Changes {
		switch c.Letter {
		case 'C':
			conflicts++
		case '!':
			failed++
		}
	}
	return conflicts, failed
}

// job is one action on one dataset.
type job struct {
	*Room
	system.Dataset
	Options
	action Action
	dir    *os.Root // the dataset's directory
	at     *os.File // the same, for programs to work in
	user   *run.User
	state  *state
	report *Report
	beside bool // see Meant

	interrupted bool // the last action was
}

// Do carries out one action. The report tells what was done even when there is
// an error. Errors are a [*Refusal] (nothing was changed), [*Away] (the
// repository cannot be reached), [*Unfinished] (the rest is named in the
// report), or others for what failed.
func (r *Room) Do(ctx context.Context, action Action, d system.Dataset, opt Options) (*Report, error) {
	report := &Report{}
	m := Meaning(d, action)
	if m.deed == nothing {
		report.note("%s: %s", d.Path, m.Words)
		return report, nil
	}
	if m.deed == link {
		return report, r.direct(d, opt, report)
	}
	j, err := r.begin(d, action, opt)
	if err != nil {
		return report, err
	}
	defer j.end()
	j.report = report
	if m.deed == setUp {
		return report, nil // the directory is there
	}
	j.beside = m.beside
	j.state.about(j.Repository, j.beside)
	if err := j.start(); err != nil {
		return report, err
	}
	err = j.perform(ctx, m.deed)
	if conflicts, failed := report.left(); err == nil && conflicts+failed > 0 {
		err = &Unfinished{d.Path, conflicts, failed}
	}
	if serr := j.settle(err); err == nil {
		err = serr
	}
	return report, err
}

// perform hands the deed to the driver.
func (j *job) perform(ctx context.Context, what deed) error {
	if what == drain {
		return j.drain()
	}
	driver, location := j.Source()
	location = strings.TrimSuffix(location, "/")
	switch driver {
	case system.VFS:
		return (&mirror{job: j, location: location}).perform(ctx, what)
	case system.SVN:
		return (&subversion{job: j, url: location}).perform(ctx, what)
	case system.Annex:
		return (&annex{job: j, url: location}).perform(ctx, what)
	case system.DDM:
		return j.ddm(ctx)
	}
	return fmt.Errorf("internal error: no driver for %q", j.Repository)
}

// begin locks the dataset and opens its directory.
func (r *Room) begin(d system.Dataset, action Action, opt Options) (*job, error) {
	j := &job{Room: r, Dataset: d, Options: opt, action: action}
	dir, err := r.open(d.Path)
	if err != nil {
		return nil, err
	}
	j.dir = dir
	if j.at, err = dir.Open("."); err == nil {
		var info fs.FileInfo
		if info, err = j.at.Stat(); err == nil {
			j.user = r.Owner(info)
			j.state, err = r.lock(d.Path)
		}
	}
	if err == nil && !opt.DryRun {
		err = j.tidy()
	}
	if err != nil {
		j.end()
		return nil, err
	}
	return j, nil
}

// end releases what the job holds.
func (j *job) end() {
	j.dir.Close()
	j.at.Close()
	j.state.unlock()
}

// start notes in the state that the action is at work.
func (j *job) start() error {
	if j.DryRun {
		return nil
	}
	j.interrupted = j.state.Running != ""
	j.state.Running = j.action
	return j.state.save()
}

// settle notes in the state how the action ended.
func (j *job) settle(err error) error {
	if j.DryRun {
		return nil
	}
	j.state.finished(j.Dataset, j.action, err)
	return j.state.save()
}

// command is a program that works in the dataset's directory as its owner. The
// directory is named by its descriptor, whatever is at its path by then.
func (j *job) command(args ...string) run.Command {
	return run.Command{Args: args, Dir: fmt.Sprintf("/proc/self/fd/%d", j.at.Fd()), User: j.user, Echo: j.Echo}
}
