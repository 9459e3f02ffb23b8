package wc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// makeTarget makes the directory of a working copy that is not there, and
// tells whose it is: the owner of the directory, or of the one it is made in.
func (t *Tree) makeTarget(path string) (user *run.User, made []string, err error) {
	if path == "" {
		return nil, nil, nil
	}
	at := path
	var st *unixStat
	for {
		info, err := t.fs.Stat(orDot(at))
		if err == nil {
			if !info.IsDir() {
				return nil, nil, Refuse("%q is no directory", t.abs(at))
			}
			st = info.Sys().(*unixStat)
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == "" {
			return nil, nil, fmt.Errorf("%q: %w", t.abs(at), cause(err))
		}
		if info, lerr := t.fs.Lstat(at); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, nil, Refuse("%q is a symlink that leads nowhere", t.abs(at))
		}
		made = append([]string{at}, made...)
		at = parentOf(at)
	}
	user = userOf(st.Uid, st.Gid, t.homeOf(st.Uid))
	for _, dir := range made {
		if user == nil { // it may be a home directory that nobody has made yet
			if person, ok := t.personAt(dir); ok && "/"+dir == person.dir && os.Geteuid() == 0 {
				if err := t.makeHome(dir, person); err != nil {
					return nil, nil, err
				}
				user = userOf(person.uid, person.gid, person.dir)
				continue
			}
		}
		err := as(user, func() error {
			if err := t.fs.Mkdir(dir, 0o755); err != nil {
				return err
			}
			return t.fs.Chmod(dir, 0o755) // the umask in force is 077
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return user, made, nil
}

// unmake removes the directories that a failed checkout has made.
func (s *stage) unmake() error {
	for i := len(s.made) - 1; i >= 0; i-- {
		err := s.tree.fs.Remove(s.made[i])
		if err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %q again: %w", s.made[i], cause(err))
		}
	}
	return nil
}

// makeHome makes a home directory, closed as useradd(8) makes it.
func (t *Tree) makeHome(dir string, person home) error {
	if err := t.fs.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return t.fs.Lchown(dir, int(person.uid), int(person.gid))
}

// freshStageDir names a private directory from which rename(2) reaches the
// target of a first checkout: in the state directory, else in the target. It is
// not made yet.
func (t *Tree) freshStageDir(path string, user *run.User) (string, error) {
	if user == nil {
		if err := os.MkdirAll(t.State.path(stageState), 0o700); err != nil {
			return "", err
		}
		if sameFileSystem(t.State.path(stageState), t.abs(path)) {
			return t.State.path(stageState, rand.Text()), nil
		}
	}
	return filepath.Join(t.abs(path), stageNear+rand.Text()), nil
}

// Blocker is something that would stop a materialize.
type Blocker struct{ Path, Why string }

// CheckTarget looks for what would stop a checkout at path before anything is
// fetched: permission, and space for twice what the repository holds.
func (t *Tree) CheckTarget(path string, need int64) []Blocker {
	var found []Blocker
	at := path
	for at != "" {
		if _, err := t.fs.Lstat(at); err == nil {
			break
		}
		at = parentOf(at)
	}
	dir := t.abs(at)
	if unix.Access(dir, unix.W_OK) != nil {
		found = append(found, Blocker{path, "no permission to write in " + dir})
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil {
		if free := int64(st.Bavail) * st.Bsize; free < need {
			found = append(found, Blocker{path, fmt.Sprintf("%d bytes are missing: %d are needed, %d are free", need-free, need, free)})
		}
	}
	if info, err := t.fs.Lstat(orDot(at)); err == nil && at == path && !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
		found = append(found, Blocker{path, "a file is in the way of the working copy's directory"})
	}
	if strings.Contains(path, "\n") {
		found = append(found, Blocker{path, "a newline in the path"})
	}
	return found
}
