package watch

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"rootwc/wc"
	"rootwc/wc/index"
)

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
