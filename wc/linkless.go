package wc

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A file system without links, as the FAT of an EFI system partition, answers
// EPERM to symlink(2) and link(2). What a stage has as links elsewhere are
// copies there.

// lendTexts gives a stage the live store of pristine texts.
func (c *Copy) lendTexts(admin string) error {
	live, staged := c.admin("pristine"), filepath.Join(admin, "pristine")
	err := os.Symlink(live, staged)
	if errors.Is(err, unix.EPERM) {
		return os.CopyFS(staged, os.DirFS(live))
	}
	return err
}

// returnTexts puts texts that svn has added to a stage's own store into the
// live one, where nobody refers to them until the record is published.
func (s *stage) returnTexts(added []sha1Sum) error {
	if len(added) == 0 {
		return nil
	}
	info, err := os.Lstat(filepath.Join(s.wc(), AdminDir, "pristine"))
	if err != nil || !info.IsDir() {
		return err
	}
	for _, sum := range added {
		from, to := pristinePath(s.wc(), sum), pristinePath(s.copy.dir, sum)
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	return nil
}

// standIn puts an empty file, which all stand-ins share, at a path.
func standIn(shared, path string) error {
	err := os.Link(shared, path)
	if errors.Is(err, unix.EPERM) {
		return os.WriteFile(path, nil, 0o600)
	}
	return err
}
