package externals

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"rootwc/wc"
)

// State is what became of an external on disk. svn says nothing of one that is
// defined and not there.
type State string

// The states of [External].
const (
	OK         State = "ok"
	Missing    State = "missing"    // nothing is at its path
	Obstructed State = "obstructed" // what is at its path is no working copy
	Switched   State = "switched"   // a working copy of another URL
	Unreadable State = "unreadable"
	Invalid    State = "invalid" // the definition itself is refused
)

// External is a definition with what is at its path.
type External struct {
	Resolved
	State    State
	File     bool     // a file external: a file of the working copy around it
	Revision int64    // of the working copy, when there is one
	Copy     *wc.Copy // nil unless State is OK or Switched
	Err      error    // why the state is not OK
}

// Discover finds the externals of the root's working copy, attaches those that
// are there, and goes on with theirs. The list is sorted by path. Definitions that are refused come as states, not as errors.
func Discover(t *wc.Tree) []External {
	var found []External
	byPath := map[string]bool{"": true}
	defer func() {
		for _, e := range found {
			if e.State != Invalid {
				t.Reserve(e.Path)
			}
		}
	}()
	for queue := slices.Clone(t.Copies[:1]); len(queue) > 0; queue = queue[1:] {
		owner := queue[0]
		defs, invalid := definitions(owner)
		found = append(found, invalid...)
		for _, r := range defs {
			e := External{Resolved: r}
			if byPath[r.Path] {
				e.State, e.Err = Invalid, ErrDuplicateTarget
				found = append(found, e)
				continue
			}
			byPath[r.Path] = true
			if endless(t, r) {
				e.State, e.Err = Invalid, ErrEndless
				found = append(found, e)
				continue
			}
			e.look(t, owner)
			if e.Copy != nil && len(byPath) < maxExternals {
				queue = append(queue, e.Copy)
			}
			found = append(found, e)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return comparePaths(found[i].Path, found[j].Path) < 0 })
	return found
}

// endless says whether an external holds a working copy that it lies in: each
// round would bring itself up again. One with a peg may lead to a time without
// the definition.
func endless(t *wc.Tree, r Resolved) bool {
	if peg, _ := r.Definition.Revisions(); !peg.IsHead() {
		return false
	}
	for _, c := range t.Copies {
		if c.Path == "" || strings.HasPrefix(r.Path, c.Path+"/") {
			if Holds(r.URL, c.URL()) {
				return true
			}
		}
	}
	return false
}

// Holds says whether the directory at url is, or has in it, the one at other.
func Holds(url, other string) bool { return url == other || strings.HasPrefix(other, url+"/") }

// maxExternals bounds a repository whose externals lead on for ever.
const maxExternals = 10000

// definitions resolves the definitions of one working copy.
func definitions(owner *wc.Copy) (good []Resolved, bad []External) {
	values := owner.Definitions()
	dirs := make([]string, 0, len(values))
	for dir := range values {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		parsed, err := Parse(dir, values[dir])
		for _, problem := range problems(err) {
			bad = append(bad, External{Resolved: Resolved{Owner: owner.Path, Path: path.Join(owner.Path, dir)}, State: Invalid, Err: problem})
		}
		for _, def := range parsed.All() {
			r := Resolved{Definition: def, Owner: owner.Path, Path: path.Join(owner.Path, def.Path())}
			var err error
			if r.URL, err = Resolve(def, owner.RepositoryRoot(), owner.DirURL(dir)); err != nil {
				bad = append(bad, External{Resolved: r, State: Invalid, Err: err})
				continue
			}
			good = append(good, r)
		}
	}
	return good, bad
}

func problems(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

// look finds out what is at the external's path.
func (e *External) look(t *wc.Tree, owner *wc.Copy) {
	if owner.FileExternal(e.Definition.Path()) {
		e.State, e.File, e.Revision = OK, true, owner.Revision()
		return
	}
	c, err := t.Attach(e.Path)
	switch {
	case errors.Is(err, wc.ErrNotWorkingCopy):
		e.State, e.Err = Missing, nil
		if t.Exists(e.Path) {
			e.State, e.Err = Obstructed, errors.New("what is there is no working copy")
		}
	case err != nil:
		e.State, e.Err = Unreadable, err
	case c.URL() != e.URL:
		e.Copy, e.Revision, e.State = c, c.Revision(), Switched
		e.Err = fmt.Errorf("it is a working copy of %s", c.URL())
	default:
		e.Copy, e.Revision, e.State = c, c.Revision(), OK
	}
}

// OfSurvey resolves the definitions of a working copy that is not there yet:
// path is where it will be.
func OfSurvey(owner string, s *wc.Survey) []External {
	var found []External
	dirs := make([]string, 0, len(s.Properties))
	for dir := range s.Properties {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		value := s.Properties[dir]["svn:externals"]
		if value == "" {
			continue
		}
		parsed, err := Parse(dir, value)
		for _, problem := range problems(err) {
			found = append(found, External{Resolved: Resolved{Owner: owner, Path: path.Join(owner, dir)}, State: Invalid, Err: problem})
		}
		dirURL := s.URL
		if dir != "" {
			dirURL += "/" + wc.EscapeURL(dir)
		}
		for _, def := range parsed.All() {
			e := External{Resolved: Resolved{Definition: def, Owner: owner, Path: path.Join(owner, def.Path())}, State: Missing}
			if e.URL, e.Err = Resolve(def, s.Root, dirURL); e.Err != nil {
				e.State = Invalid
			}
			found = append(found, e)
		}
	}
	return found
}
