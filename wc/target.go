package wc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// made is a directory that a first checkout has made, and as whom.
type made struct {
	path string
	user *run.User
}

// makeTarget opens the directory of a working copy, and makes it where it is
// not there. It belongs to whom the directory belongs that it is made in, or to
// the person whose home it is.
func (t *Tree) makeTarget(path string) (*reached, []made, error) {
	r, err := t.reach(path)
	if errors.Is(err, unix.ENOTDIR) {
		err = Refuse("%v", err)
	}
	if err != nil {
		return nil, nil, err
	}
	var all []made
	for err == nil && len(r.rest) > 0 {
		all = append(all, made{r.next(), r.user})
		err = t.makeNext(r)
	}
	if err == nil {
		err = r.owned(t)
	}
	if err != nil {
		r.dir.Close()
		return nil, nil, err
	}
	return r, all, nil
}

// makeNext makes the next directory on the way and enters it.
func (t *Tree) makeNext(r *reached) error {
	name, at := r.rest[0], r.next()
	err := as(r.user, func() error {
		if err := r.dir.Mkdir(name, 0o700); err != nil {
			return err
		}
		if person, ok := t.personAt(at); ok && r.user == nil && "/"+at == person.dir && os.Geteuid() == 0 {
			return r.dir.Lchown(name, int(person.uid), int(person.gid)) // a home that nobody has made yet
		}
		return r.dir.Chmod(name, 0o755) // the umask in force is 077
	})
	if err != nil {
		return fmt.Errorf("%q: %w", t.abs(at), cause(err))
	}
	info, err := r.dir.Lstat(name)
	if err != nil {
		return fmt.Errorf("%q: %w", t.abs(at), cause(err))
	}
	return r.enter(t, info)
}

// owned refuses a directory that is not its user's own: nobody could work in it
// for that user, and root does not write where a user can put other things in
// the way.
func (r *reached) owned(t *Tree) error {
	info, err := r.dir.Stat(".")
	if err != nil || r.user == nil {
		return err
	}
	if uid := info.Sys().(*unixStat).Uid; uid != r.user.UID {
		return Hint(Refuse("it belongs to user %d, but lies in a directory of user %d", uid, r.user.UID),
			"chown %d %s", r.user.UID, run.Quote([]string{t.abs(r.path)}))
	}
	return nil
}

// unmake removes the directories that a failed checkout has made.
func (s *stage) unmake() error {
	for _, m := range slices.Backward(s.made) {
		err := as(m.user, func() error { return s.tree.fs.Remove(m.path) })
		if err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %q again: %w", m.path, cause(err))
		}
	}
	return nil
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

// blockedWay says why nothing may be written at path, if it is so.
func (t *Tree) blockedWay(path string) []Blocker {
	r, err := t.reach(path)
	if err == nil {
		defer r.dir.Close()
		if len(r.rest) == 0 {
			err = r.owned(t)
		}
	}
	if err == nil || errors.Is(err, unix.ENOTDIR) { // which is told with its remedy
		return nil
	}
	return []Blocker{{path, err.Error()}}
}

// CheckTarget looks for what would stop a checkout at path before anything is
// fetched: permission, and space for twice what the repository holds.
func (t *Tree) CheckTarget(path string, need int64) []Blocker {
	found := t.blockedWay(path)
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
