package conffiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"rootwc/packages"
	"rootwc/wc"
)

// Machine is where conffiles are merged. Close it when done.
type Machine struct {
	Tree    *wc.Tree
	Sandbox Sandbox
	Now     map[string]Shipped // what its packages ship, by path below the root
	Before  map[string]Shipped // what they shipped when that was last committed; nil when it never was
	Newer   bool               // the release is another one than at that time

	root      *os.Root
	installed map[string]bool // its packages by name
}

// Shipped is a conffile as a package brings it.
type Shipped struct {
	Package, Version string
	Digest           Digest
}

// Open reads what the packages of a tree's machine ship. Without a package
// database there are no conffiles.
func Open(ctx context.Context, t *wc.Tree, all bool) (*Machine, error) {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	m := &Machine{Tree: t, Sandbox: Sandbox{Root: t.Root, All: all}, root: root}
	installed, err := packages.Read(ctx, root)
	if errors.Is(err, packages.ErrNone) {
		return m, nil
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("package database: %w", err)
	}
	m.Now, m.installed = Index(installed), map[string]bool{}
	for _, p := range installed.Packages {
		m.installed[p.Name] = true
	}
	return m, nil
}

// Close releases what [Open] has opened.
func (m *Machine) Close() error { return m.root.Close() }

// Index lists the conffiles of packages by path.
func Index(installed *packages.Installed) map[string]Shipped {
	all := map[string]Shipped{}
	for _, p := range installed.Packages {
		for path, digest := range p.Conffiles {
			all[path] = Shipped{Package: p.Name, Version: p.Version, Digest: Digest(digest)}
		}
	}
	return all
}

// History looks for a text in the history of a path.
type History func(ctx context.Context, path string, want func([]byte) bool) ([]byte, error)

// base looks for a base where it costs least first: in ucf's cache, in the
// archives of the package, then in the repository.
func (m *Machine) base(path, pkg string, in History) func(context.Context, []Digest) ([]byte, error) {
	return func(ctx context.Context, old []Digest) ([]byte, error) {
		text, err := FromUcf(m.root, path, old)
		if err != nil || text != nil {
			return text, err
		}
		if text, err = FromArchives(ctx, m.root, pkg, path, old); err != nil || text != nil {
			return text, err
		}
		return in(ctx, path, func(text []byte) bool { return anyMatches(old, text) })
	}
}

// judge is [Judge] with the validator's word on what was merged.
func (m *Machine) judge(ctx context.Context, c Case) (Outcome, error) {
	out, err := Judge(ctx, c)
	if err != nil || out.Verdict != Merged {
		return out, err
	}
	err = m.Sandbox.Check(ctx, c.Path, out.Text)
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil {
		out.Verdict, out.Why = Conflict, "changed here and in the package; the two can be merged: "+err.Error()
	}
	return out, nil
}

// Rivals decides about what a first checkout brings of packages: it is a
// [wc.Decider] with the decisions beside.
func (m *Machine) Rivals(ctx context.Context, r *wc.Rivals) (map[string]*wc.Decision, []Decision, error) {
	answer := map[string]*wc.Decision{}
	var told []Decision
	decided := func(path string, d *wc.Decision, one Decision) {
		answer[path], told = d, append(told, one)
	}
	for _, path := range r.Paths {
		d, one, err := m.rival(ctx, r, path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if d != nil {
			decided(path, d, one)
		}
	}
	dropped := map[string]bool{}
	for _, path := range r.New {
		was, obsolete, err := m.obsolete(r, path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if dropped[path] = obsolete; obsolete {
			one := Decision{Path: path, Package: was.Package, Verdict: Theirs, Why: was.Package + " has it no more: not changed here"}
			decided(path, &wc.Decision{Drop: true, Note: one.Why}, one)
		}
	}
	for _, path := range r.Links {
		if !m.Newer {
			break
		}
		if to, there := r.Leads(path, dropped); !there && (dropped[to] || ofPackages(to)) {
			one := Decision{Path: path, Verdict: Theirs, Why: "this release has no /" + to}
			decided(path, &wc.Decision{Drop: true, Keep: true, Note: one.Why}, one)
		}
	}
	return answer, told, nil
}

// obsolete says whether a file is what a package had shipped that is installed
// and ships it no more: dpkg calls such a conffile obsolete, and packages remove
// theirs unless somebody has changed them (dpkg-maintscript-helper(1)).
func (m *Machine) obsolete(r *wc.Rivals, path string) (Shipped, bool, error) {
	was, known := m.Before[path]
	if _, owned := m.Now[path]; !known || owned || !m.installed[was.Package] {
		return was, false, nil
	}
	mine, err := r.Repository(path, MaxSize)
	if errors.Is(err, wc.ErrTooLarge) {
		return was, false, nil
	}
	return was, err == nil && was.Digest.Matches(mine), err
}

// ofPackages says whether only packages bring what is at a path.
func ofPackages(path string) bool {
	top, rest, _ := strings.Cut(path, "/")
	return top == "usr" && !strings.HasPrefix(rest, "local/") || slices.Contains([]string{"lib", "lib32", "lib64", "bin", "sbin"}, top)
}

// rival decides about one of them; nil where the package has nothing new.
func (m *Machine) rival(ctx context.Context, r *wc.Rivals, path string) (*wc.Decision, Decision, error) {
	if _, owned := m.Now[path]; !owned {
		return m.generated(r, path)
	}
	if !m.News(path) {
		return nil, Decision{}, nil
	}
	live, err := r.Live(path, MaxSize)
	if err == nil {
		var mine []byte
		if mine, err = r.Repository(path, MaxSize); err == nil {
			return m.Decide(ctx, path, mine, live, r.History)
		}
	}
	if errors.Is(err, wc.ErrTooLarge) {
		err = nil
	}
	return nil, Decision{}, err
}

// News says whether a package ships a conffile that may be another one than
// when that was last committed.
func (m *Machine) News(path string) bool {
	now, owned := m.Now[path]
	before, known := m.Before[path]
	return owned && !(known && before.Digest == now.Digest)
}

// Decide decides about a conffile of which [Machine.News] tells: mine is the
// repository's, live the installed one. nil where the package has nothing new.
func (m *Machine) Decide(ctx context.Context, path string, mine, live []byte, in History) (*wc.Decision, Decision, error) {
	now := m.Now[path]
	told := Decision{Path: path, Package: now.Package}
	var old []Digest
	if before, known := m.Before[path]; known {
		old = []Digest{before.Digest}
	} else { // the person may have begun with this very version
		text, err := in(ctx, path, func(text []byte) bool { return bytes.Equal(text, live) })
		if err != nil || text != nil {
			return nil, told, err
		}
	}
	out, err := m.judge(ctx, Case{Path: path, Mine: mine, Theirs: live, Old: old, Base: m.base(path, now.Package, in)})
	told.take(out)
	d := &wc.Decision{Note: told.Words()}
	switch out.Verdict {
	case Theirs:
		d.Keep = true
	case Merged:
		d.Text = out.Text
	case Conflict:
		d.Conflict = &wc.Sides{What: out.Why, Package: now.Package, Base: out.Base, Mine: mine, Theirs: live}
	}
	return d, told, err
}

// generated decides about a file that a package had shipped, and that something
// else makes now: its maintainer script, say.
func (m *Machine) generated(r *wc.Rivals, path string) (*wc.Decision, Decision, error) {
	was, obsolete, err := m.obsolete(r, path)
	if err != nil || !obsolete {
		return nil, Decision{}, err
	}
	told := Decision{Path: path, Package: was.Package, Verdict: Theirs, Why: was.Package + " no longer ships it as a configuration file: not changed here"}
	return &wc.Decision{Keep: true, Note: told.Words()}, told, nil
}

// known are the digests of what a path's package ships and shipped.
func (m *Machine) known(path string) (all []Digest) {
	for _, s := range []map[string]Shipped{m.Now, m.Before} {
		if shipped, ok := s[path]; ok && !slices.Contains(all, shipped.Digest) {
			all = append(all, shipped.Digest)
		}
	}
	return all
}
