package wc

import (
	"slices"
	"sort"
	"strings"
)

// Result is what an update, revert or materialize did to one working copy.
type Result struct {
	WorkingCopy string   // path
	Revision    int64    // it is at this revision now
	Changes     []Change // sorted by path
	Kept        []Change // what was decided to stay as it is; sorted by path
	Conflicts   []*Conflict
	Refused     []Refused // left alone for safety
	Unset       []string  // metadata that could not be set
	Saved       string    // directory with the files that were replaced, "" for none
	Notes       []string
}

// Complete says that everything was done.
func (r *Result) Complete() bool {
	return len(r.Conflicts) == 0 && len(r.Refused) == 0 && len(r.Unset) == 0
}

// Change is one path that a writing verb changed, with svn's letter: A, D, U
// (updated), G (merged), R (another kind) or M (metadata alone).
type Change struct {
	Letter byte
	Path   string
	Note   string
}

// Refused is a path that was left alone, and why.
type Refused struct{ Path, Why string }

// changes turns a plan's steps into what a person is told.
func (r *Result) changes(p *planner) {
	told := map[string]bool{}
	for i := range p.steps {
		s := &p.steps[i]
		ch := Change{Path: joinPath(p.path, s.Rel)}
		switch s.Act {
		case actRemove, actRmdir:
			ch.Letter = 'D'
		case actMkdir, actPut:
			ch.Letter, ch.Note = p.letter(s), s.Note
		case actMeta:
			ch.Letter, ch.Note = 'M', s.Note
		}
		if told[ch.Path] {
			continue // a directory's metadata after its making
		}
		told[ch.Path] = true
		r.Changes = append(r.Changes, ch)
	}
	for rel, names := range p.properties {
		note := "property " + strings.Join(names, ", ")
		if i := slices.IndexFunc(r.Changes, func(c Change) bool { return c.Path == joinPath(p.path, rel) }); i < 0 {
			r.Changes = append(r.Changes, Change{Letter: 'M', Path: joinPath(p.path, rel), Note: note})
		} else if r.Changes[i].Note == "" {
			r.Changes[i].Note = note
		} else {
			r.Changes[i].Note += ", " + note
		}
	}
	sort.Slice(r.Changes, func(i, j int) bool { return r.Changes[i].Path < r.Changes[j].Path })
}

func (p *planner) letter(s *step) byte {
	was, is := stateOf(p.old, s.Rel), stateOf(p.new, s.Rel)
	switch {
	case !s.Expect.Exists:
		return 'A'
	case was != nil && is != nil && was.kind != is.kind:
		return 'R'
	}
	if e := p.local[s.Rel]; p.decided[s.Rel] || e != nil && e.Status == Modified {
		return 'G'
	}
	return 'U'
}
