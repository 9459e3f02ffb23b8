package conffiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"rootwc/wc"
	"slices"
	"strings"
)

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
