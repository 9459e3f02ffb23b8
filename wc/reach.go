package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// reached is where the way to a path below the root has ended.
type reached struct {
	dir  *os.Root  // the last directory of it that is there
	path string    // of dir
	rest []string  // names that are not there yet
	user *run.User // whose dir is, or the way to it; nil for the caller's own
}

// maxSymlinks is how many symlinks a way may have, as path_resolution(7).
const maxSymlinks = 40

// reach opens the directories on the way to a path one after the other, each
// in the one above it. A symlink is followed only while everything on the way
// belongs to the administrator: a user, or a repository that brings one, could
// have it lead to where they may not write, but root may. Close its dir.
func (t *Tree) reach(to string) (*reached, error) {
	r := &reached{rest: parts(to)}
	own := len(r.rest) // the names at the end that no symlink has brought
	if err := r.restart(t); err != nil {
		return nil, err
	}
	for links := 0; len(r.rest) > 0; {
		info, err := r.dir.Lstat(r.rest[0])
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(r.rest) > own:
			err = Refuse("%q leads nowhere: a symlink on the way names it", t.abs(r.next()))
		case errors.Is(err, fs.ErrNotExist):
			return r, nil
		case err != nil:
			err = fmt.Errorf("%q: %w", t.abs(r.next()), cause(err))
		case info.Mode()&fs.ModeSymlink != 0 && links == maxSymlinks:
			err = fmt.Errorf("%q: %w", t.abs(r.next()), unix.ELOOP)
		case info.Mode()&fs.ModeSymlink != 0:
			links++
			own = min(own, len(r.rest)-1)
			err = r.follow(t, info)
		case !info.IsDir():
			err = fmt.Errorf("%q: %w", t.abs(r.next()), unix.ENOTDIR)
		default:
			err = r.enter(t, info)
		}
		if err != nil {
			r.dir.Close()
			return nil, err
		}
	}
	return r, nil
}

func parts(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// next is the path of the next name on the way.
func (r *reached) next() string { return joinPath(r.path, r.rest[0]) }

// restart goes back to the root.
func (r *reached) restart(t *Tree) error {
	dir, err := t.fs.OpenRoot(".")
	if err != nil {
		return fmt.Errorf("%q: %w", t.Root, cause(err))
	}
	if r.dir != nil {
		r.dir.Close()
	}
	r.dir, r.path, r.user = dir, "", nil
	return nil
}

// enter goes into the next directory, which has to be the one that was seen.
func (r *reached) enter(t *Tree, seen fs.FileInfo) error {
	dir, err := r.dir.OpenRoot(r.rest[0])
	if err != nil {
		return fmt.Errorf("%q: %w", t.abs(r.next()), cause(err))
	}
	info, err := dir.Stat(".")
	if err == nil && !os.SameFile(seen, info) {
		err = Refuse("%q is another directory by now: somebody replaces it", t.abs(r.next()))
	}
	if err != nil {
		dir.Close()
		return err
	}
	r.dir.Close()
	r.dir, r.path, r.rest = dir, r.next(), r.rest[1:]
	st := info.Sys().(*unixStat)
	if user := t.ownerOf(st); user != nil {
		r.user = user
	}
	return nil
}

// follow puts the target of the next name, a symlink, in its place. The target
// counts from the tree's root, as everything does.
func (r *reached) follow(t *Tree, info fs.FileInfo) error {
	uid := info.Sys().(*unixStat).Uid
	if r.user != nil || uid != 0 && int(uid) != os.Geteuid() {
		return Refuse("%q is a symlink that user %d can change: nothing is written through it", t.abs(r.next()), max(uid, r.uid()))
	}
	if c, rel := t.CopyOf(r.next()); c != nil && c.Versioned(rel) {
		return Refuse("%q is a symlink that a repository brings: nothing is written through it", t.abs(r.next()))
	}
	link, err := r.dir.Readlink(r.rest[0])
	if err != nil {
		return err
	}
	to := path.Join(r.path, link)
	if filepath.IsAbs(link) || !filepath.IsLocal(to) {
		return Refuse("%q is a symlink that leads out of the root: %q", t.abs(r.next()), link)
	}
	if to == "." {
		to = ""
	}
	rest := r.rest[1:]
	if err := r.restart(t); err != nil {
		return err
	}
	r.rest = append(parts(to), rest...)
	return nil
}

func (r *reached) uid() uint32 {
	if r.user == nil {
		return 0
	}
	return r.user.UID
}

// openTarget opens the directory of a working copy through the root.
func (t *Tree) openTarget(path string) (*os.Root, error) {
	r, err := t.reach(path)
	if err == nil && len(r.rest) > 0 {
		r.dir.Close()
		err = fmt.Errorf("%q: %w", t.abs(r.next()), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", t.abs(path), err)
	}
	return r.dir, nil
}
