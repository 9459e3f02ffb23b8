package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"rootwc/internal/run"
	"rootwc/system"
)

// direct sees that a dataset that is its repository is there: mounted at its
// path, or a symlink to where it is mounted, which is made when nothing is at
// the path.
func (r *Room) direct(d system.Dataset, opt Options, report *Report) error {
	_, location := d.Source()
	location = strings.TrimSuffix(location, "/")
	if !strings.HasPrefix(location, "/") {
		return refuse("%q: a direct dataset is a mounted directory; mount %s, or make it a copy", d.Path, d.Repository)
	}
	if _, err := mountOf(location); err != nil {
		return &Away{d.Repository, err}
	}
	there, err := os.Stat(location)
	if err != nil {
		return &Away{d.Repository, cause(err)}
	}
	info, err := r.Root.Lstat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		report.add('A', []string{""}, "-> "+location)
		if opt.DryRun {
			return nil
		}
		return r.link(d.Path, location)
	case err != nil:
		return fmt.Errorf("%q: %w", d.Path, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		if to, err := r.Root.Readlink(d.Path); err == nil && path.Clean(to) == location {
			return nil
		}
	case os.SameFile(info, there):
		return nil // mounted or bound there
	}
	return refuseHint("mount it there, or take away what is there: rootwc dataset checkout "+run.Quote([]string{d.Path})+" makes a symlink then",
		"%q is something else than %s", d.Path, location)
}

// link makes a symlink.
func (r *Room) link(at, to string) error {
	dir := r.Root
	if up := path.Dir(at); up != "." {
		var err error
		if dir, err = r.open(up); err != nil {
			return fmt.Errorf("cannot link %q: %w", at, err)
		}
		defer dir.Close()
	}
	if err := dir.Symlink(to, path.Base(at)); err != nil {
		return fmt.Errorf("cannot link %q: %w", at, cause(err))
	}
	return nil
}
