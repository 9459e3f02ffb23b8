package watch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"rootwc/wc"
	"rootwc/wc/index"
)

// sight is what a watcher sees: a watch on each directory that an index names,
// and a count of what happens in them. An index of a status holds for every
// directory that has not stirred since the moment before that status.
//
// Three rules keep that true. A directory is watched before anybody relies on
// it, and counts as stirred at that time. Watches follow directories and not
// paths, so whatever comes, goes or is renamed at a watched path is watched
// anew, with all below it. And what may have been missed makes blind: nothing
// of before counts any more.
type sight struct {
	tree  *wc.Tree
	notes *fsnotify.Watcher

	life   string                // names this sight in a [wc.Moment]
	count  uint64                // of what has happened
	blind  uint64                // up to that nothing is sworn to
	dirs   map[string]*directory // by absolute path
	copies map[string]*seenCopy  // by path
	moved  map[string]bool       // to be watched anew, with all below
	table  *mountTable
	slept  sleep
	token  *token
	unread bool // an index has come
}

// directory is a watched one.
type directory struct {
	path  string // absolute
	count uint64 // when something happened in it
	users int    // working copies that name it
	lost  bool   // it cannot be watched, or not by this name
}

// seenCopy is a working copy whose index was read.
type seenCopy struct {
	id   index.ID
	dirs []*directory // the first is its own
	at   int          // where in their paths that in the working copy begins
	svn  *directory   // its administrative one
}

// newSight watches what the indexes of a tree name.
func newSight(tree *wc.Tree) (*sight, error) {
	notes, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	s := &sight{tree: tree, notes: notes, life: rand.Text(), count: 1, blind: 1, dirs: map[string]*directory{}, copies: map[string]*seenCopy{}, moved: map[string]bool{}}
	s.slept.since() // from now on
	if s.table, err = newMountTable(); err == nil {
		s.token, err = newToken(notes)
	}
	for _, own := range []string{wc.StatePath, wc.IndexPath} {
		if err == nil {
			err = notes.Add(s.abs(own))
		}
	}
	if err == nil {
		_, err = s.load()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sight) close() {
	s.notes.Close()
	s.table.close()
	s.token.close()
}

func (s *sight) abs(path string) string { return filepath.Join(s.tree.Root, path) }

// load watches what new indexes name, and nothing that no index names any more.
// more says whether directories have come.
func (s *sight) load() (more bool, err error) {
	known := map[index.ID]bool{}
	for _, c := range s.copies {
		known[c.id] = true
	}
	there := map[string]bool{}
	var fresh []string
	for _, l := range s.tree.Indexes(func(id index.ID) bool { return known[id] }) {
		there[l.Path] = true
		if !known[l.ID] && len(l.Dirs) > 0 {
			fresh = append(fresh, s.take(l)...)
		}
	}
	for path, c := range s.copies {
		if !there[path] {
			s.leave(c)
			delete(s.copies, path)
		}
	}
	for path, d := range s.dirs {
		if d.users == 0 {
			_ = s.notes.Remove(path) // it may be gone
			delete(s.dirs, path)
		}
	}
	return len(fresh) > 0, s.watch(fresh)
}

// take notes the directories of an index, and returns those that are new.
func (s *sight) take(l *index.List) (fresh []string) {
	top := s.abs(l.Path)
	c := &seenCopy{id: l.ID, at: len(strings.TrimSuffix(top, "/")) + 1}
	use := func(path string) *directory {
		d := s.dirs[path]
		if d == nil {
			d = &directory{path: path}
			s.dirs[path] = d
			fresh = append(fresh, path)
		}
		d.users++
		return d
	}
	c.svn = use(filepath.Join(top, wc.AdminDir))
	for _, rel := range l.Dirs {
		c.dirs = append(c.dirs, use(filepath.Join(top, rel)))
	}
	if old := s.copies[l.Path]; old != nil {
		s.leave(old)
	}
	s.copies[l.Path] = c
	return fresh
}

// leave gives up the directories of an index.
func (s *sight) leave(c *seenCopy) {
	c.svn.users--
	for _, d := range c.dirs {
		d.users--
	}
}

// errTooFew says that the kernel allows too few watches.
type errTooFew struct{ needed, allowed int }

func (e *errTooFew) Error() string {
	return fmt.Sprintf("%d directories are to be watched, and the system allows %d watches to all programs of the user together", e.needed, e.allowed)
}

// watch sets watches, from the top down: whatever happens to a directory while
// those in it are still to come is an event of it. All of them have stirred.
func (s *sight) watch(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if err := enough(len(s.dirs)); err != nil {
		return err
	}
	slices.Sort(paths)
	s.count++
	for _, path := range paths {
		d := s.dirs[path]
		d.count, d.lost = s.count, true
		if info, err := os.Lstat(path); err != nil || !info.IsDir() {
			continue // no index holds of it either
		}
		err := s.notes.Add(path)
		if errors.Is(err, unix.ENOSPC) {
			return &errTooFew{len(s.dirs), allowedWatches()}
		}
		d.lost = err != nil
	}
	// The same directory by two names, of which one was renamed or is a symlink
	// by now, has one watch, which tells the first name.
	listed := map[string]bool{}
	for _, path := range s.notes.WatchList() {
		listed[path] = true
	}
	for _, path := range paths {
		s.dirs[path].lost = !listed[path]
	}
	return nil
}
