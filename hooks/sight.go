package hooks

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

// see counts an event, and says what may follow from it.
func (s *sight) see(e fsnotify.Event) (what happened) {
	dir, name := filepath.Split(e.Name)
	dir = filepath.Clean(dir)
	comes := e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename)
	switch state, indexes := s.abs(wc.StatePath), s.abs(wc.IndexPath); {
	case e.Name == state && e.Has(fsnotify.Remove|fsnotify.Rename):
		return forgotten
	case e.Name == indexes && comes:
		_ = s.notes.Remove(indexes)
		_ = s.notes.Add(indexes) // when it is there again
		s.unread = true
		return indexed
	case dir == state && name == "lock":
		return stirred // a command has ended, or begins
	case dir == state:
		return nothing
	case dir == indexes && comes && wc.IsIndex(name):
		s.unread = true
		return indexed
	case dir == indexes:
		return nothing
	}
	s.count++
	for _, path := range []string{dir, e.Name} {
		if d := s.dirs[path]; d != nil {
			d.count, what = s.count, stirred
		}
	}
	if s.dirs[e.Name] != nil && comes {
		s.moved[e.Name] = true
	}
	if s.dirs[dir] != nil && e.Has(fsnotify.Create) && linked(e.Name) {
		s.lose() // its other name may be watched, too: writing by this one is no event there
	}
	return what
}

// linked says whether a file has another name.
func linked(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1
}

// happened is what an event means.
type happened int

const (
	nothing   happened = iota
	stirred            // something in a directory that is watched
	indexed            // a status has written what it has learned
	forgotten          // the state directory is being taken away
)

// lose makes blind: events are lost, or something that is no event has happened.
func (s *sight) lose() {
	s.count++
	s.blind = s.count
	for _, c := range s.copies {
		s.moved[c.dirs[0].path] = true
	}
}

// settle reads new indexes and watches anew what was moved: a testimony comes
// after it. more says whether something has stirred thereby.
func (s *sight) settle() (more bool, err error) {
	s.look()
	more = len(s.moved) > 0
	if err := s.follow(); err != nil || !s.unread {
		return more, err
	}
	s.unread = false
	fresh, err := s.load()
	return more || fresh, err
}

// follow watches anew what was moved. Old watches go first: the directories may
// be there by other names.
func (s *sight) follow() error {
	if len(s.moved) == 0 {
		return nil
	}
	var paths []string
	for path := range s.dirs {
		if s.movedAbove(path) {
			paths = append(paths, path)
			_ = s.notes.Remove(path) // it may be gone
		}
	}
	clear(s.moved)
	return s.watch(paths)
}

func (s *sight) movedAbove(path string) bool {
	for p := path; ; p = filepath.Dir(p) {
		if s.moved[p] {
			return true
		}
		if p == s.tree.Root || p == "/" {
			return false
		}
	}
}

// look finds out what no event tells: sleep, and mounts.
func (s *sight) look() {
	any, here := s.table.changed(s.concerns)
	if s.slept.since() || here || any && s.unmounted() {
		s.lose()
	}
}

// unmounted says whether watches have gone with their file system.
func (s *sight) unmounted() bool {
	listed := map[string]bool{}
	for _, path := range s.notes.WatchList() {
		listed[path] = true
	}
	for path, d := range s.dirs {
		if !d.lost && !listed[path] {
			return true
		}
	}
	return false
}

// concerns says whether a mount point covers something that is watched, or a
// name in it.
func (s *sight) concerns(point string) bool {
	if s.dirs[point] != nil || s.dirs[filepath.Dir(point)] != nil {
		return true
	}
	for _, c := range s.copies {
		if point == "/" || strings.HasPrefix(c.dirs[0].path, point+"/") {
			return true
		}
	}
	return false
}

// manyStirred is from when on looking at all directories is as good.
const manyStirred = 4096

// testify answers a status; follow comes before it.
func (s *sight) testify(asked []wc.Sighting) *wc.Testimony {
	told := &wc.Testimony{Now: wc.Moment{Witness: s.life, Count: s.count}, Space: wc.MountSpace(), Stirred: map[index.ID][]string{}}
	for _, c := range s.copies {
		i := slices.IndexFunc(asked, func(a wc.Sighting) bool { return a.Index == c.id })
		if i < 0 || asked[i].Since.Witness != s.life || asked[i].Since.Count < s.blind {
			continue
		}
		dirs := []string{}
		for _, d := range c.dirs {
			if d.lost || d.count > asked[i].Since.Count {
				dirs = append(dirs, d.path[min(c.at, len(d.path)):])
			}
		}
		if len(dirs) < manyStirred {
			told.Stirred[c.id] = dirs
		}
	}
	return told
}
