package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"rootwc/wc/metadata"
)

// save copies live files that are about to be replaced to the state directory.
func (w *Work) save(s *stage, rels []string) (string, error) {
	if len(rels) == 0 {
		return "", nil
	}
	base := w.tree.State.path("replaced", time.Now().UTC().Format("20060102T150405Z"), s.path)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	out, err := os.OpenRoot(base)
	if err != nil {
		return "", err
	}
	defer out.Close()
	for _, rel := range rels {
		if err := saveOne(s, out, rel); err != nil {
			return "", fmt.Errorf("%q: %w", joinPath(s.path, rel), cause(err))
		}
	}
	return base, syncFS(base)
}

// saveOne copies one file or symlink with its metadata.
func saveOne(s *stage, out *os.Root, rel string) error {
	dir, name := splitPath(rel)
	if dir != "" {
		if err := out.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	l, err := (&planner{tree: s.tree, live: s.live, path: s.path}).lstat(rel)
	if err != nil || !l.exists {
		return err
	}
	switch l.values.Kind {
	case metadata.Symlink:
		link, err := s.live.Readlink(rel)
		if err != nil {
			return err
		}
		if err := out.Symlink(link, rel); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case metadata.File:
		if err := copyFile(s, out, rel); err != nil {
			return err
		}
	default:
		return nil // a fifo holds nothing
	}
	d, err := openDir(out, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, failed := range applyAt(int(d.Fd()), name, l.values, identity{}) {
		s.tree.Warn("the saved copy of %s: %v", joinPath(s.path, rel), failed)
	}
	return nil
}

func copyFile(s *stage, out *os.Root, rel string) error {
	var in *os.File
	err := as(s.user, func() (err error) {
		in, err = openRegular(s.live, rel)
		return err
	})
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := out.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(in)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
