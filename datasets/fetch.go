package datasets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fetch brings files from the repository. What they replace is kept until it
// is known to be what was compared: somebody may have worked on it during the
// hours of a transfer.
func (m *mirror) fetch(ctx context.Context, c changes, here *found, what deed) error {
	names := sorted(c.add, c.replace)
	if len(names) == 0 {
		return nil
	}
	if err := m.makeTemp(); err != nil {
		return err
	}
	aside := newAside()
	// Setuid and setgid of a repository would give its content the rights of
	// the directory's owner.
	err := m.transfer(ctx, names, m.remote(), "./", "--temp-dir="+tempDir, "--chmod=Fug-s", "--backup", "--backup-dir="+aside)
	if rerr := m.dir.RemoveAll(tempDir); err == nil {
		err = rerr
	}
	if kerr := m.sortAside(aside, here, what); kerr != nil {
		return kerr
	}
	return err
}

// newAside names a place for what is replaced.
func newAside() string {
	return path.Join(replacedDir, time.Now().UTC().Format("20060102T150405Z"))
}

func (j *job) noteAside(aside string, kept int) {
	j.report.note("%s: %s replaced here; the former content is in %s", j.Path, Files(kept), aside)
}

// makeTemp makes the place for files that are coming.
func (m *mirror) makeTemp() error {
	err := m.dir.Mkdir(tempDir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		err = m.give(tempDir)
	}
	return err
}

// give makes a directory the owner's. It is opened first: the owner may put
// anything in its place meanwhile, but no directory that would be a gain.
func (j *job) give(dir string) error {
	if j.user == nil {
		return nil
	}
	d, err := j.dir.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Chown(int(j.user.UID), int(j.user.GID))
}

// sortAside removes what was replaced and is as it was compared, and tells
// where the rest is kept.
func (m *mirror) sortAside(aside string, here *found, what deed) error {
	if _, err := m.dir.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	sub, err := m.dir.OpenRoot(aside)
	if err != nil {
		return err
	}
	defer sub.Close()
	keepAll := what == regain || what == repick
	kept := 0
	err = walkDir(sub, "", func(rel string, info fs.FileInfo) error {
		was, known := here.identities[rel]
		id := identityOf(info)
		switch {
		case info.IsDir():
			return nil
		case known && id.content() == was.content() && (!keepAll || m.state.last[rel].same(here.listing[rel])):
			return sub.Remove(rel)
		}
		kept++
		return nil
	})
	if err != nil {
		return err
	}
	if kept > 0 {
		m.noteAside(aside, kept)
		return nil
	}
	if err := m.dir.RemoveAll(aside); err != nil {
		return err
	}
	err = m.dir.Remove(replacedDir)
	if errors.Is(err, os.ErrNotExist) || err != nil && notEmpty(err) {
		return nil
	}
	return err
}

// tidyAside removes what an interrupted fetch has left of what it replaced, as
// far as both sides were equal in it.
func (j *job) tidyAside() error {
	aside, err := j.dir.OpenRoot(replacedDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer aside.Close()
	var dirs []string
	err = walkDir(aside, "", func(rel string, info fs.FileInfo) error {
		_, name, _ := strings.Cut(rel, "/") // below the time of the fetch
		switch was, known := j.state.last[name]; {
		case info.IsDir():
			dirs = append(dirs, path.Join(replacedDir, rel))
		case known && info.Mode().IsRegular() && was.same(stamp{'f', info.Size(), info.ModTime().Unix()}):
			return aside.Remove(rel)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return j.removeEmpty(append(dirs, replacedDir))
}

// content is an identity without ctime, which a rename changes.
func (id identity) content() identity {
	id.ctime = identity{}.ctime
	return id
}
