package conffiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"rootwc/packages"
	"rootwc/wc"
)

// Machine is where conffiles are merged. Close it when done.
type Machine struct {
	Tree    *wc.Tree
	Sandbox Sandbox
	Now     map[string]Shipped // what its packages ship, by path below the root
	Before  map[string]Shipped // what they shipped when that was last committed; nil when it never was

	root *os.Root
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
	m.Now = Index(installed)
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

// history looks for a text in the history of a path.
type history func(ctx context.Context, path string, want func([]byte) bool) ([]byte, error)

// base looks for a base where it costs least first: in ucf's cache, in the
// archives of the package, then in the repository.
func (m *Machine) base(path, pkg string, in history) func(context.Context, []Digest) ([]byte, error) {
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

// Rivals decides about the files of a first checkout that would take the place
// of a package's: it is a [wc.Decider] with the decisions beside.
func (m *Machine) Rivals(ctx context.Context, r *wc.Rivals) (map[string]*wc.Decision, []Decision, error) {
	answer := map[string]*wc.Decision{}
	var told []Decision
	for _, path := range r.Paths {
		now, owned := m.Now[path]
		if !owned {
			continue
		}
		d, one, err := m.rival(ctx, r, path, now)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if d != nil {
			answer[path] = d
			told = append(told, one)
		}
	}
	return answer, told, nil
}

// rival decides about one of them; nil where the package has nothing new.
func (m *Machine) rival(ctx context.Context, r *wc.Rivals, path string, now Shipped) (*wc.Decision, Decision, error) {
	told := Decision{Path: path, Package: now.Package}
	var old []Digest
	if before, known := m.Before[path]; known {
		if before.Digest == now.Digest {
			return nil, told, nil
		}
		old = []Digest{before.Digest}
	}
	live, err := r.Live(path, MaxSize)
	if errors.Is(err, wc.ErrTooLarge) {
		return nil, told, nil
	}
	if err != nil {
		return nil, told, err
	}
	mine, err := r.Repository(path, MaxSize)
	if errors.Is(err, wc.ErrTooLarge) {
		return nil, told, nil
	}
	if err != nil {
		return nil, told, err
	}
	if len(old) == 0 { // the person may have begun with this very version
		text, err := r.History(ctx, path, func(text []byte) bool { return bytes.Equal(text, live) })
		if err != nil || text != nil {
			return nil, told, err
		}
	}
	out, err := m.judge(ctx, Case{Path: path, Mine: mine, Theirs: live, Old: old, Base: m.base(path, now.Package, r.History)})
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

// known are the digests of what a path's package ships and shipped.
func (m *Machine) known(path string) (all []Digest) {
	for _, s := range []map[string]Shipped{m.Now, m.Before} {
		if shipped, ok := s[path]; ok && !slices.Contains(all, shipped.Digest) {
			all = append(all, shipped.Digest)
		}
	}
	return all
}
