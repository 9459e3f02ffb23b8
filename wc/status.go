package wc

import (
	"context"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"

	"rootwc/wc/metadata"
)

// StatusOptions chooses what [Tree.Status] lists.
type StatusOptions struct {
	Paths    []string // only these and what is below them; none means everything
	All      bool     // clean paths as well
	NoIgnore bool     // ignored paths as well

	// Review is for a person's eyes: it lists clean paths as well that are
	// switched, locked or on a changelist, and takes svn's word where rootwc does
	// not understand a working copy's database. Nothing can be done there, and
	// without Review that is an error.
	Review bool
	// Noise lists as well what is no news, with the rules that say so; see
	// [Entry.Quiet].
	Noise bool

	beneath bool // what conflicts hide: the state of the live path itself
	commit  bool // the database is about to change
}

// Status lists what differs between the working copies and what they record
// from their repositories, sorted by path. It asks no server, and writes only
// what it has learned, into its index. What cannot be read is reported through
// Warn and left out.
func (t *Tree) Status(ctx context.Context, opt StatusOptions) ([]*Entry, error) {
	conflicts, err := t.State.conflicts()
	if err != nil {
		return nil, err
	}
	if opt.beneath {
		conflicts = nil
	}
	kept, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	s := &scan{ctx: ctx, tree: t, opt: opt, conflicts: conflicts, withheld: kept, nested: map[string]bool{}, began: time.Now().Add(-coarse).UnixNano()}
	for _, c := range t.Copies {
		for p := c.Path; p != ""; p, _ = splitPath(p) {
			s.nested[p] = true
		}
	}
	for place := range t.places {
		s.nested[place] = true
	}
	done, err := s.walk()
	if err != nil {
		return nil, err
	}
	return s.gather(done), t.broken
}

// gather puts together what the directories have brought.
func (s *scan) gather(done []*dirScan) []*Entry {
	sort.Slice(done, func(i, j int) bool { return done[i].path < done[j].path })
	var out []*Entry
	seen, met := map[string]bool{}, map[string]bool{}
	for _, d := range done {
		out = append(out, d.out...)
		for _, warning := range d.warnings {
			s.tree.Warn("%s", warning)
		}
		for _, u := range d.unknown {
			s.tree.unknownNames(u.path, u.names)
		}
		for _, path := range d.seen {
			seen[path] = true
		}
		for _, path := range d.met {
			met[path] = true
		}
	}
	out = append(out, s.withheldMissing(seen)...)
	out = append(out, s.conflictsElsewhere(met)...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

// scan is one run over all working copies. Its workers only read it.
type scan struct {
	ctx       context.Context
	tree      *Tree
	opt       StatusOptions
	conflicts map[string]*Conflict
	withheld  *withheld
	nested    map[string]bool // working copies and the directories above them
	began     int64           // changes from then on are too young to be told apart, ns
	testimony *Testimony      // nil for none
}

// wanted says whether the options ask for path.
func (s *scan) wanted(path string) bool { return covers(s.opt.Paths, path) }

// covers says whether path is one of these or below one. No paths cover all.
func covers(paths []string, path string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool {
		return p == "" || p == path || strings.HasPrefix(path, p+"/")
	})
}

// leads says whether something asked for is at or below path.
func (s *scan) leads(path string) bool {
	return s.wanted(path) || slices.ContainsFunc(s.opt.Paths, func(p string) bool { return path == "" || strings.HasPrefix(p, path+"/") })
}

// conflictsElsewhere are the conflicts of paths that are neither on disk nor
// recorded.
func (s *scan) conflictsElsewhere(met map[string]bool) (out []*Entry) {
	for path, k := range s.conflicts {
		c, rel := s.tree.CopyOf(path)
		if !met[path] && c != nil && s.wanted(path) {
			out = append(out, &Entry{Path: path, Status: Conflicted, Kind: metadata.File, Note: k.What, copy: c, rel: rel})
		}
	}
	return out
}

// withheldMissing are the withheld files that are gone.
func (s *scan) withheldMissing(seen map[string]bool) (out []*Entry) {
	for path := range s.withheld.files {
		c, rel := s.tree.CopyOf(path)
		if seen[path] || c == nil || !s.wanted(path) {
			continue
		}
		dir, _ := splitPath(rel)
		if !c.Versioned(dir) || c.Versioned(rel) {
			continue
		}
		if _, err := c.fs.Lstat(rel); err == nil {
			continue // there, but inside something that is obstructed or another mount
		}
		sealed := s.withheld.files[path].Sealed != ""
		note := ""
		if s.withheld.absent(path) {
			note = "never restored here"
		}
		out = append(out, &Entry{Path: path, Status: Missing, Kind: metadata.File, Withheld: true, Encrypted: sealed, Note: note, copy: c, rel: rel})
	}
	return out
}

func kindOfType(m fs.FileMode) metadata.Kind {
	switch {
	case m.IsDir():
		return metadata.Dir
	case m&fs.ModeSymlink != 0:
		return metadata.Symlink
	case m&fs.ModeNamedPipe != 0:
		return metadata.Fifo
	case m&fs.ModeSocket != 0:
		return metadata.Socket
	case m&fs.ModeDevice != 0:
		return metadata.Device
	}
	return metadata.File
}

// pathDepth is the op_depth of an operation whose root is rel.
func pathDepth(rel string) int {
	if rel == "" {
		return 0
	}
	return strings.Count(rel, "/") + 1
}

// unknownNames warns once about a name that this root has no number for.
func (t *Tree) unknownNames(path string, names []string) {
	for _, n := range names {
		if t.warned[n] {
			continue
		}
		if t.warned == nil {
			t.warned = map[string]bool{}
		}
		t.warned[n] = true
		t.Warn("%s: %s is unknown on this machine, its number is used", path, n)
	}
}
