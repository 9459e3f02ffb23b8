package conffiles

import (
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

// known are the digests of what a path's package ships and shipped.
func (m *Machine) known(path string) (all []Digest) {
	for _, s := range []map[string]Shipped{m.Now, m.Before} {
		if shipped, ok := s[path]; ok && !slices.Contains(all, shipped.Digest) {
			all = append(all, shipped.Digest)
		}
	}
	return all
}
