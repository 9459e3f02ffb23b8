package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"rootwc/conffiles"
	"rootwc/packages"
	"rootwc/probes"
	"rootwc/system"
	"rootwc/wc"
)

// packagesPage is where a commit records what packages ship.
const packagesPage = probes.Dir + "/packages.toml"

// conffileDecider decides about the conffiles that a materialize finds in
// place: on a newer release they are the newer package's. It is asked for one
// working copy after the other, maybe from several goroutines.
type conffileDecider struct {
	app     *app
	machine *conffiles.Machine
	plan    bool

	mu    sync.Mutex
	ready bool // the first working copy has told what was recorded
}

// decideConffiles makes checkouts ask about conffiles, as the packages of the
// root are now. Call the function that it returns when all are done.
func (a *app) decideConffiles(t *wc.Tree, validate, plan bool) (done func()) {
	m, err := conffiles.Open(a.ctx, t, validate)
	if err != nil {
		a.warn("configuration files of packages are not merged: %v", err)
		return func() {}
	}
	a.decide = (&conffileDecider{app: a, machine: m, plan: plan}).decide
	return func() { a.decide = nil; m.Close() }
}

func (d *conffileDecider) decide(ctx context.Context, r *wc.Rivals) (map[string]*wc.Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(r)
	answer, told, err := d.machine.Rivals(ctx, r)
	if err != nil || d.plan {
		return answer, err
	}
	return answer, d.machine.Tree.State.Decide(decidedWords(told))
}

// learn reads what the repository has recorded of packages: in the root's own
// working copy, which comes first, or is there. A machine that recorded nothing
// was of this release, or has no bases.
func (d *conffileDecider) learn(r *wc.Rivals) {
	if d.ready {
		return
	}
	read := func(path string) ([]byte, error) { return r.Repository(path, conffiles.MaxSize) }
	if d.machine.Tree.IsWorkingCopy() {
		read = d.machine.Tree.ReadFile
	}
	before, err := recordedConffiles(read)
	if err != nil { // no reason to bring nothing back
		d.app.warn("%v", err)
	}
	d.machine.Before = before
	if text, err := read(system.Path); before == nil && err == nil {
		_, release := osRelease(d.machine.Tree)
		page, err := system.Load(bytes.NewReader(text), system.Path)
		if err == nil && page.System.OS == release["ID"] && page.System.Release == release["VERSION_ID"] {
			d.machine.Now = nil
		}
	}
	d.ready = true
}

// recordedConffiles reads what packages shipped at the last commit; nil when
// that was not recorded.
func recordedConffiles(read func(path string) ([]byte, error)) (map[string]conffiles.Shipped, error) {
	text, err := read(packagesPage)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var installed *packages.Installed
	if err == nil {
		installed, err = packages.Parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", packagesPage, err)
	}
	return conffiles.Index(installed), nil
}

func decidedWords(told []conffiles.Decision) map[string]string {
	words := map[string]string{}
	for _, d := range told {
		words[d.Path] = d.Words()
	}
	return words
}

// tellDecided ends a log message with what was decided since the last commit
// about the paths that it sends, or about all.
func tellDecided(t *wc.Tree, plan *wc.Commit, all bool, message string) (string, map[string]string, error) {
	decided, err := t.State.Decided()
	if err != nil {
		return "", nil, err
	}
	if !all {
		maps.DeleteFunc(decided, func(path, _ string) bool {
			return !slices.ContainsFunc(plan.Changes, func(c wc.Change) bool { return c.Path == path })
		})
	}
	if len(decided) == 0 {
		return message, nil, nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nConfiguration files of packages:\n", strings.TrimRight(message, "\n"))
	for _, path := range slices.Sorted(maps.Keys(decided)) {
		fmt.Fprintf(&b, "%s: %s\n", path, decided[path])
		decided[path] = "" // told
	}
	return b.String(), decided, nil
}
