package wc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// temporary is a private directory outside of the root, for a user whom the
// state directory is closed to. It is held by an flock(2), which ends with the
// process: what nobody holds was left by a crash.
type temporary struct {
	dir  string
	user *run.User
	held *os.File
}

// temporaryPrefix begins the name of every one; nothing else is called so.
const temporaryPrefix = "rootwc-tmp-"

// tempDir is where a user may make temporary files: TMPDIR is the caller's,
// and may be closed to others (pam_tmpdir).
func tempDir(user *run.User) string {
	if user != nil {
		return "/tmp"
	}
	return os.TempDir()
}

// newTemporary makes one; remove it when done.
func newTemporary(user *run.User) (*temporary, error) {
	t := &temporary{user: user}
	err := as(user, func() error {
		for {
			var err error
			if t.dir, err = os.MkdirTemp(tempDir(user), temporaryPrefix); err != nil {
				return err
			}
			switch t.held, err = holdDir(t.dir, unix.LOCK_SH); {
			case err == nil:
				return nil
			case !errors.Is(err, fs.ErrNotExist): // else swept away before it was held
				return err
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// holdDir locks a directory; fs.ErrNotExist when it is gone by then.
func holdDir(dir string, how int) (*os.File, error) {
	d, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), how); err != nil {
		d.Close()
		return nil, err
	}
	held, err := d.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(dir); err == nil && !os.SameFile(held, now) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// remove takes the directory away.
func (t *temporary) remove() error {
	err := as(t.user, func() error { return os.RemoveAll(t.dir) })
	t.held.Close()
	return err
}

// sweepTemporary removes what crashed commands have left, each with the rights
// of its owner: anybody may make directories in /tmp.
func sweepTemporary() {
	dirs := []string{"/tmp"}
	if own := os.TempDir(); own != "/tmp" {
		dirs = append(dirs, own)
	}
	for _, dir := range dirs {
		found, _ := os.ReadDir(dir)
		for _, f := range found {
			if !strings.HasPrefix(f.Name(), temporaryPrefix) || !f.IsDir() {
				continue
			}
			info, err := f.Info()
			if err != nil {
				continue
			}
			st := info.Sys().(*unixStat)
			if os.Geteuid() != 0 && int(st.Uid) != os.Geteuid() {
				continue
			}
			left := filepath.Join(dir, f.Name())
			_ = as(userOf(st.Uid, st.Gid, ""), func() error {
				d, err := holdDir(left, unix.LOCK_EX|unix.LOCK_NB)
				if err != nil {
					return err // somebody is at work with it
				}
				defer d.Close()
				return os.RemoveAll(left)
			})
		}
	}
}
