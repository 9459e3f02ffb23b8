package externals

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Resolved is a definition at its place on the machine. The caller fills in
// all fields but Within.
type Resolved struct {
	Definition Definition
	// Owner is the working copy whose property holds the definition, as a
	// path relative to the machine's root; empty is the root working copy.
	Owner string
	// Path is the place of the external relative to the machine's root, slash
	// separated: Owner joined with Definition.Path.
	Path string
	// URL is what [Resolve] returned.
	URL string
	// Within is set by [Plan]: the Path of the next external above this one,
	// empty if there is none. Subversion brings up an external inside another
	// one beside its versioned paths, and refuses it (W155035) on one of them;
	// which it is can be told only once the outer one is there.
	Within string
}

var (
	// ErrVersionedPath marks an external on a path that another external
	// brings along as one of its own (svn's W155035).
	ErrVersionedPath = errors.New("path is versioned in another external")
	// ErrEndless marks an external that contains itself. svn 1.14 does not
	// notice and checks out one inside the other until the path gets too
	// long, or the disk full.
	ErrEndless = errors.New("external contains itself")
)

// PlanError is a definition that [Plan] left out.
type PlanError struct {
	// Refused is the definition that was left out, Other the one it clashes
	// with; Other is zero if there is none.
	Refused, Other Resolved
	// Err is ErrDuplicateTarget, ErrVersionedPath, ErrEndless or
	// ErrUnsafeTarget.
	Err error
}

// Error names both definitions by directory and line.
func (e *PlanError) Error() string {
	if e.Other.Path == "" {
		return fmt.Sprintf("external %q (%s): %v", e.Refused.Path, e.Refused.origin(), e.Err)
	}
	return fmt.Sprintf("external %q (%s): %v: %q (%s)",
		e.Refused.Path, e.Refused.origin(), e.Err, e.Other.Path, e.Other.origin())
}

// Unwrap returns the cause.
func (e *PlanError) Unwrap() error { return e.Err }

// origin says where the definition is written.
func (r Resolved) origin() string {
	return fmt.Sprintf("%q line %d", path.Join("/", r.Owner, r.Definition.Dir), r.Definition.Line)
}

// Plan returns the externals in the order in which they can be checked out:
// by path, each one right before what lies below it. Subversion works in the
// order of the lines, and "URL a/b" before "URL a" fails there (W155007).
//
// Each error is a [*PlanError] for a definition that is left out, while the
// others stay: an unsafe path; the second definition of a path in the order
// given, also from another directory, where Subversion switches to and fro
// without a word; one that is certain to lie on a versioned path of another
// external; and one that leads back to an external it comes from.
func Plan(defs []Resolved) ([]Resolved, []error) {
	sorted := slices.Clone(defs)
	slices.SortStableFunc(sorted, func(a, b Resolved) int { return comparePaths(a.Path, b.Path) })
	var plan []Resolved
	var errs []error
	byPath := map[string]Resolved{}
	for _, r := range sorted {
		r.Within = enclosing(byPath, r.Path)
		if err := check(byPath, r); err != nil {
			errs = append(errs, err)
			continue
		}
		byPath[r.Path] = r
		plan = append(plan, r)
	}
	return plan, errs
}

// comparePaths sorts by path with the slash first, so that "a/b" comes right
// after "a" and before "a-b".
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// enclosing returns the nearest path above p that is in byPath.
func enclosing(byPath map[string]Resolved, p string) string {
	for above := path.Dir(p); above != "." && above != "/"; above = path.Dir(above) {
		if _, found := byPath[above]; found {
			return above
		}
	}
	return ""
}

// check returns why r cannot join the externals planned so far.
func check(byPath map[string]Resolved, r Resolved) error {
	if err := checkPath(r.Path); err != nil {
		return &PlanError{Refused: r, Err: err}
	}
	if r.Path != path.Clean(r.Path) || r.Owner != "" && !strings.HasPrefix(r.Path, r.Owner+"/") {
		return &PlanError{Refused: r, Err: fmt.Errorf("internal error: path is not below owner %q", r.Owner)}
	}
	if other, taken := byPath[r.Path]; taken {
		return &PlanError{Refused: r, Other: other, Err: ErrDuplicateTarget}
	}
	if outer, found := byPath[r.Within]; found && isPartOf(r, outer) {
		return &PlanError{Refused: r, Other: outer, Err: ErrVersionedPath}
	}
	// Up the chain of working copies that define each other.
	for owner, found := byPath[r.Owner]; found; owner, found = byPath[owner.Owner] {
		if r.URL == owner.URL && sameRevisions(r, owner) {
			return &PlanError{Refused: r, Other: owner, Err: ErrEndless}
		}
	}
	return nil
}

// isPartOf reports whether r is the very content that outer has at the same
// path, so that the path is versioned there.
func isPartOf(r, outer Resolved) bool {
	below := strings.TrimPrefix(r.Path, outer.Path+"/")
	var b strings.Builder
	for part := range strings.SplitSeq(below, "/") {
		b.WriteByte('/')
		writeEscaped(&b, strings.ReplaceAll(part, "%", "%25"))
	}
	return r.URL == outer.URL+b.String() && sameRevisions(r, outer)
}

// sameRevisions compares the revisions that count.
func sameRevisions(a, b Resolved) bool {
	peg, operative := a.Definition.Revisions()
	otherPeg, otherOperative := b.Definition.Revisions()
	return peg == otherPeg && operative == otherOperative
}
