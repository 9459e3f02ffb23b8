package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// open opens a dataset's directory. No symlink leads there: what a user puts
// in the way would be filled as whoever owns what it leads to.
func (r *Room) open(path string) (*os.Root, error) {
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		info, err := r.Root.Lstat(path[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &Missing{path}
		case err != nil:
			return nil, fmt.Errorf("%q: %w", path, cause(err))
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, refuse("%q is not to be had: %q is a symlink", path, path[:i])
		case !info.IsDir():
			return nil, refuse("%q is not to be had: %q is no directory", path, path[:i])
		}
	}
	before, err := r.Root.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, cause(err))
	}
	dir, err := r.Root.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, cause(err))
	}
	if now, err := dir.Lstat("."); err != nil || !os.SameFile(before, now) {
		dir.Close()
		return nil, refuse("%q changed while it was opened", path)
	}
	return dir, nil
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
