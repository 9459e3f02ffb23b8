// Package wc keeps the working copies below a machine's root: it finds out
// what changed in them, and it commits, updates, reverts and restores, with
// the metadata that Subversion does not keep.
//
// Three facts prevent misuse. No svn process ever works in a live tree: svn
// gets a private stage (see [stage]) that shares the live working copy's
// pristine texts and has a copy of its database; rootwc moves the resulting
// files into place, each with its final metadata, and then the database.
// Everything that writes holds the lock of the root and keeps a journal, so
// that the next command finishes or undoes what was interrupted. And all
// paths are slash-separated and relative, to the machine's root where a type
// or field says "Path", to a working copy where it says "rel".
//
// Reading ([Tree.Status], [Tree.Diff]) is safe as an ordinary user.
package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"rootwc/internal/run"
	"rootwc/noise"
	"rootwc/secrets"
	"rootwc/wc/metadata"
)

// AdminDir is Subversion's administrative directory.
const AdminDir = ".svn"

// Tree is a machine's root with the working copies below it. It is not safe
// for concurrent use.
type Tree struct {
	Root   string  // absolute path of the machine's root
	Copies []*Copy // sorted by Path; the first is the root's own
	Names  metadata.Names
	Mounts Mounts
	Client *Client
	State  *State
	// Servers are those that the run has to do with.
	Servers Servers

	// Withhold keeps the content of files that others may not read on the
	// machine out of commits.
	Withhold bool
	// Noise are the rules of what is no news; nil for none.
	Noise *noise.Rules
	// Datasets are directories of which svn holds nothing but that they are
	// there, by path.
	Datasets map[string]bool
	// Recipients are whom withheld content is sealed for; none when it stays on
	// the machine.
	Recipients secrets.Recipients
	// Distrusted is why what the description says of secrets does not count
	// here: nobody has agreed to it on this machine. Nothing is committed.
	Distrusted error
	// FileDefinitions finds the file externals; nil leaves them out.
	FileDefinitions FileDefinitions
	// BadPage is a versioned page of rootwc's own, the description or the list
	// of withheld files, that cannot be read. Everything works on, with the safe
	// defaults, so that a better page can come; but nothing is committed.
	BadPage error
	// BadTable is what is wrong with etc/passwd or etc/group as [Open] found
	// them; numbers stand in for the names.
	BadTable error
	// Witness spares a status what it has seen; nil for none. Set it before
	// anything is attached.
	Witness Witness
	// Warn receives what is no error, one sentence each.
	Warn func(format string, args ...any)
	// Detail receives what only a curious reader wants to know.
	Detail func(format string, args ...any)
	// Progress receives what long work is at; never nil after [Open].
	Progress func(what string, done, total int)

	// Unwatched says that nobody sees the progress.
	Unwatched bool

	failing sync.Mutex
	broken  error // of a record that could not be read: what was told is not all, and nothing may be written
	fs      *os.Root
	places  map[string]bool // of externals, whatever is there
	news    map[asker]*news // see Ask
	warned  map[string]bool // names already reported as unknown
}

// Open opens the root for work, without any working copy yet; [Tree.Attach]
// adds them. Close it when done.
func Open(root string) (*Tree, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot open root %q: %w", root, err)
	}
	dir, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("cannot open root %q: %w", root, cause(err))
	}
	t := &Tree{
		Root: abs, fs: dir, Withhold: true,
		Warn:     func(string, ...any) {},
		Detail:   func(string, ...any) {},
		Progress: func(string, int, int) {},
	}
	t.State = newState(t)
	t.Client = &Client{ConfigDir: t.State.path("subversion")}
	if t.Mounts, err = readMounts(abs); err != nil {
		dir.Close()
		return nil, err
	}
	t.Names, t.BadTable = loadNames(dir, abs)
	return t, nil
}

// Close releases what the tree holds: its file systems can be unmounted.
func (t *Tree) Close() error {
	t.Client.close()
	for _, c := range t.Copies {
		c.close()
	}
	return t.fs.Close()
}

// fail notes that a record could not be read.
func (t *Tree) fail(err error) {
	t.failing.Lock()
	defer t.failing.Unlock()
	t.broken = errors.Join(t.broken, err)
}

// Attach adds the working copy at path, which is ErrNotWorkingCopy when there
// is none. Attaching twice returns the same copy.
func (t *Tree) Attach(path string) (*Copy, error) {
	i, found := slices.BinarySearchFunc(t.Copies, path, func(c *Copy, p string) int { return strings.Compare(c.Path, p) })
	if found {
		return t.Copies[i], nil
	}
	c, err := openCopy(t, path)
	if err != nil {
		return nil, err
	}
	t.Copies = slices.Insert(t.Copies, i, c)
	return c, nil
}

// Reserve notes a path that an external is defined for: what is there is no
// unversioned path, and whoever knows of the external tells its state.
func (t *Tree) Reserve(path string) {
	if t.places == nil {
		t.places = map[string]bool{}
	}
	t.places[path] = true
}

// CopyOf returns the innermost attached working copy that holds path, and
// path relative to it. Nil when nothing is attached.
func (t *Tree) CopyOf(path string) (*Copy, string) {
	for i := len(t.Copies) - 1; i >= 0; i-- {
		c := t.Copies[i]
		if c.Path == "" {
			return c, path
		}
		if path == c.Path {
			return c, ""
		}
		if rel, ok := strings.CutPrefix(path, c.Path+"/"); ok {
			return c, rel
		}
	}
	return nil, path
}

// Rel makes a path relative to the root: an absolute one must lie below it, a
// relative one counts from it.
func (t *Tree) Rel(path string) (string, error) {
	clean := filepath.Clean(path)
	if filepath.IsAbs(clean) {
		if clean == t.Root {
			return "", nil
		}
		if rel, ok := strings.CutPrefix(clean, strings.TrimSuffix(t.Root, "/")+"/"); ok {
			return rel, nil
		}
		return "", Refuse("%q is not below the root %q", path, t.Root)
	}
	if clean == "." {
		return "", nil
	}
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", Refuse("%q is not below the root %q", path, t.Root)
	}
	return clean, nil
}

// abs is the absolute form of a path relative to the root. Only for
// messages, and for the programs that rootwc starts.
func (t *Tree) abs(path string) string { return filepath.Join(t.Root, path) }

// cause strips the operation and path that os puts before an error.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

// userOf gives the ids to run svn with for a directory owned by uid and gid:
// nil when that is the caller's own.
func userOf(uid, gid uint32, home string) *run.User {
	if os.Geteuid() != 0 || uid == 0 {
		return nil
	}
	return &run.User{UID: uid, GID: gid, Groups: []uint32{gid}, Home: home}
}

// Exists says whether something other than an empty directory is at path.
func (t *Tree) Exists(path string) bool {
	info, err := t.fs.Lstat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return true
	}
	d, err := openDir(t.fs, path)
	if err != nil {
		return true
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) > 0
}

// Known says whether something is at path, under version control there, or in
// conflict.
func (t *Tree) Known(path string) bool {
	if _, err := t.fs.Lstat(orDot(path)); err == nil {
		return true
	}
	if _, err := os.Lstat(filepath.Join(t.State.conflictDir(path), conflictFile)); err == nil {
		return true
	}
	c, rel := t.CopyOf(path)
	return c != nil && c.record().node(rel) != nil || t.withheldKnown(path)
}

// IsWorkingCopy says whether the root has a .svn.
func (t *Tree) IsWorkingCopy() bool {
	_, err := t.fs.Lstat(AdminDir)
	return err == nil
}
