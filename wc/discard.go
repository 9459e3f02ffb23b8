package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"sort"

	"golang.org/x/sys/unix"
)

// Discard deletes a working copy with its versioned files. The caller has
// made sure that nothing in it is uncommitted; what is not versioned stays.
func (w *Work) Discard(c *Copy) error {
	var rels []string
	for rel, n := range c.record().all() {
		if rel != "" && n.visible() {
			rels = append(rels, rel)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(rels)))
	return as(c.user, func() error {
		for _, rel := range rels {
			err := c.fs.Remove(rel)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
				return fmt.Errorf("cannot delete %q: %w", c.path(rel), cause(err))
			}
		}
		if err := c.fs.RemoveAll(AdminDir); err != nil {
			return fmt.Errorf("cannot delete %q: %w", c.path(AdminDir), cause(err))
		}
		dir, err := w.tree.fs.OpenRoot(orDot(parentOf(c.Path)))
		if err != nil {
			return err
		}
		defer dir.Close()
		_, name := splitPath(c.Path)
		if err := dir.Remove(name); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("cannot delete %q: %w", c.Path, cause(err))
		}
		return nil
	})
}
