package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// open opens a dataset's directory, one step after the other. No symlink leads
// there, also none that is put in the way meanwhile: what it leads to would be
// filled with the rights of whoever owns that.
func (r *Room) open(path string) (*os.Root, error) {
	dir := r.Root
	for name := range strings.SplitSeq(path, "/") {
		next, err := step(dir, name, path)
		if dir != r.Root {
			dir.Close()
		}
		if err != nil {
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// step opens one directory on the way to path.
func step(dir *os.Root, name, path string) (*os.Root, error) {
	info, err := dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Missing{path}
	case err != nil:
		return nil, fmt.Errorf("%q: %w", path, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, refuse("%q is not to be had: %q on the way is a symlink", path, name)
	case !info.IsDir():
		return nil, refuse("%q is not to be had: %q on the way is no directory", path, name)
	}
	next, err := dir.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, cause(err))
	}
	if now, err := next.Lstat("."); err != nil || !os.SameFile(info, now) {
		next.Close()
		return nil, refuse("%q is not to be had: %q on the way changed while it was opened", path, name)
	}
	return next, nil
}

// owned says whether a name is rootwc's or ddm's own: never transferred.
func owned(name string) bool {
	return strings.HasPrefix(name, ".rootwc-") || strings.HasPrefix(name, ".ddm")
}

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

// sync writes the dataset's file system to disk.
func (j *job) sync() error {
	if err := unix.Syncfs(int(j.at.Fd())); err != nil {
		return fmt.Errorf("cannot write %q to disk: %w", j.Path, err)
	}
	return nil
}
