package wc

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"rootwc/ignore"
	"rootwc/internal/run"
)

// A dataset's directory is versioned, empty, with svn:ignore "*"; so are the
// settings that ddm keeps in it. Everything else in it is for a transfer tool.

// settings says whether a file is one of ddm's.
func settings(at string) bool { return strings.HasPrefix(path.Base(at), ".ddm") }

// datasetAbove is the dataset that holds path, "" for none.
func (t *Tree) datasetAbove(at string) string {
	for dir := parentOf(at); dir != ""; dir = parentOf(dir) {
		if t.Datasets[dir] {
			return dir
		}
	}
	return ""
}

// gatherSettings gathers ddm's settings in a dataset's directory.
func (t *Tree) gatherSettings(at place, fd int, rel string, g *Gathered) error {
	d, err := openDir(at.root, rel)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	sort.Strings(names)
	for _, name := range names {
		if !settings(name) {
			continue
		}
		if err := t.gatherAt(at, fd, joinPath(rel, name), name, ignore.NewRules(), g); err != nil {
			return err
		}
	}
	return nil
}

// gatherSettingsBelow is gatherSettings for what is not versioned yet.
func (w *Work) gatherSettingsBelow(c *Copy, rel string, g *Gathered) error {
	d, err := openDir(c.fs, rel)
	if err != nil {
		return err
	}
	defer d.Close()
	var all Gathered
	if err := w.tree.gatherSettings(c.place(), int(d.Fd()), rel, &all); err != nil {
		return err
	}
	for _, a := range all.add {
		if !c.Versioned(a.rel) {
			g.add = append(g.add, a)
		}
	}
	return nil
}

// VersionedAs finds the versioned files of a name, in all working copies, sorted.
func (t *Tree) VersionedAs(name string) []string {
	var found []string
	for _, c := range t.Copies {
		for rel, n := range c.record().all() {
			if path.Base(rel) == name && n.visible() {
				found = append(found, c.path(rel))
			}
		}
	}
	sort.Strings(found)
	return found
}

// OwnerOf tells with whose ids programs work in a directory: its owner's; nil
// for the caller's own.
func (t *Tree) OwnerOf(dir fs.FileInfo) *run.User {
	st := dir.Sys().(*unixStat)
	return t.ownerOf(st)
}

// MakeDirectory makes a directory that is not there, as the owner of the one
// it is made in. No symlink leads there.
func (t *Tree) MakeDirectory(dir string) error {
	for at := dir; at != ""; at = parentOf(at) {
		if info, err := t.fs.Lstat(at); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return Refuse("cannot make %q: %q is a symlink", dir, at)
		}
	}
	if _, _, err := t.makeTarget(dir); err != nil {
		return fmt.Errorf("cannot make %q: %w", dir, err)
	}
	return nil
}

// FileSystem is the root, for rooms that do their own work below it. It is
// closed with the tree.
func (t *Tree) FileSystem() *os.Root { return t.fs }

// Directory makes a directory of its own in the state directory, mode 0700, and
// returns its absolute path.
func (s *State) Directory(name string) (string, error) {
	if err := s.ensure(); err != nil {
		return "", err
	}
	dir := s.path(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", dir, cause(err))
	}
	return dir, nil
}

// Write replaces a file in the state directory, wholly old or wholly new after a
// power cut. The caller holds the lock.
func (s *State) Write(name string, content []byte) error { return s.writeDurable(name, content) }

// Path names something in the state directory, whether it is there or not.
func (s *State) Path(name string) string { return s.path(name) }
