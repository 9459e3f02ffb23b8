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
	"rootwc/secrets"
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

	from, to string // codenames of the recorded release and a newer one; "" otherwise
}

// decideConffiles makes checkouts ask about conffiles, as the packages of the
// root are now. Call the function that it returns when all are done.
func (a *app) decideConffiles(t *wc.Tree, validate, plan bool) (done func()) {
	m, err := conffiles.Open(a.ctx, t, validate)
	if err != nil {
		a.warn("configuration files of packages are not merged: %v", err)
		return func() {}
	}
	d := &conffileDecider{app: a, machine: m, plan: plan}
	a.decide, a.sealed = d.decide, d.sealed
	return func() { a.decide, a.sealed = nil, nil; m.Close() }
}

func (d *conffileDecider) decide(ctx context.Context, r *wc.Rivals) (map[string]*wc.Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(r)
	answer, told, err := d.machine.Rivals(ctx, r)
	if err != nil {
		return nil, err
	}
	words := decidedWords(told)
	if err := d.sources(r, answer, words); err != nil || d.plan {
		return answer, err
	}
	return answer, d.machine.Tree.State.Decide(words)
}

// sealed decides about encrypted files: what comes back then is known to
// [wc.UnsealOptions].
func (d *conffileDecider) sealed(with secrets.Identities) func(path string) wc.SealedDecider {
	t := d.machine.Tree
	tables := mergePasswords(t)
	return func(path string) wc.SealedDecider {
		if tables[path] != nil {
			return tables[path]
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.machine.News(path) {
			return nil
		}
		return func(ctx context.Context, sealed, here []byte) (*wc.Decision, error) {
			history := func(ctx context.Context, path string, want func([]byte) bool) ([]byte, error) {
				return t.FindSealed(ctx, path, with, want)
			}
			decision, told, err := d.machine.Decide(ctx, path, sealed, here, history)
			if err != nil || decision == nil || d.plan {
				return decision, err
			}
			return decision, t.State.Decide(decidedWords([]conffiles.Decision{told}))
		}
	}
}

// learn reads what the repository has recorded of packages: in the root's own
// working copy, which comes first, or is there. A machine that recorded nothing
// was of this release, or has no bases.
func (d *conffileDecider) learn(r *wc.Rivals) {
	if d.ready {
		return
	}
	d.ready = true
	read := func(path string) ([]byte, error) { return r.Repository(path, conffiles.MaxSize) }
	if d.machine.Tree.IsWorkingCopy() {
		read = d.machine.Tree.ReadFile
	}
	before, err := recordedPackages(read)
	if err != nil { // no reason to bring nothing back
		d.app.warn("%v", err)
	}
	var was packages.Installed
	if before != nil {
		d.machine.Before, was = conffiles.Index(before), *before
	}
	if was.Release == "" {
		if page, err := readDescription(read); err == nil && page != nil {
			was.OS, was.Release = page.System.OS, page.System.Release
		}
	}
	_, is := osRelease(d.machine.Tree)
	same := was.OS == is["ID"] && was.Release == is["VERSION_ID"]
	if before == nil && same {
		d.machine.Now = nil
	}
	d.machine.Newer = was.Release != "" && was.OS == is["ID"] && !same
	if d.machine.Newer {
		d.from, d.to = was.Codename, is["VERSION_CODENAME"]
	}
}

// sources decides about where apt's packages come from: from the release that
// is installed, whatever the machine had before.
func (d *conffileDecider) sources(r *wc.Rivals, answer map[string]*wc.Decision, words map[string]string) error {
	if d.from == "" || d.to == "" {
		return nil
	}
	for _, path := range slices.Concat(r.Paths, r.New) {
		if !packages.IsAptSource(path) || answer[path] != nil {
			continue
		}
		text, err := r.Repository(path, conffiles.MaxSize)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		now := packages.ToRelease(path, text, d.from, d.to)
		if bytes.Equal(now, text) {
			continue
		}
		words[path] = d.from + " is " + d.to + " here"
		answer[path] = &wc.Decision{Text: now, Note: words[path]}
		if live, err := r.Live(path, conffiles.MaxSize); err == nil && bytes.Equal(live, now) {
			answer[path] = &wc.Decision{Keep: true, Note: words[path]}
		}
	}
	return nil
}

// recordedPackages reads what was installed at the last commit; nil when that was
// not recorded.
func recordedPackages(read func(path string) ([]byte, error)) (*packages.Installed, error) {
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
	return installed, nil
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
