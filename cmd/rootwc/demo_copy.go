package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// copier copies trees with all metadata that the caller may set.
type copier struct {
	from, to string
	ordinary bool // the caller is not root: files become his

	copied, unreadable, odd, unset int
}

// tree copies a path with what is below it, and the directories above it.
func (c *copier) tree(path string) error {
	if err := os.MkdirAll(filepath.Join(c.to, filepath.Dir(path)), 0o755); err != nil {
		return err
	}
	type made struct {
		name   string
		values metadata.Values
	}
	var dirs []made
	err := filepath.WalkDir(filepath.Join(c.from, path), func(source string, e fs.DirEntry, err error) error {
		if err != nil && e == nil { // path itself
			return err
		}
		if err != nil {
			return c.skip(e, err)
		}
		rel, err := filepath.Rel(c.from, source)
		if err != nil {
			return err
		}
		target := filepath.Join(c.to, rel)
		values, err := c.read(source)
		if err == nil {
			err = c.make(source, target, values.Kind)
		}
		switch {
		case errors.Is(err, errOdd):
			c.odd++
			return nil
		case err != nil:
			return c.skip(e, err)
		}
		c.copied++
		if values.Kind == metadata.Dir { // last, or nothing could be put into a closed one
			dirs = append(dirs, made{target, values})
			return nil
		}
		return c.apply(target, values)
	})
	for _, d := range slices.Backward(dirs) {
		if err == nil {
			err = c.apply(d.name, d.values)
		}
	}
	return err
}

// skip passes over what the caller may not read, or what went away meanwhile.
func (c *copier) skip(e fs.DirEntry, err error) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.unreadable++
	if e != nil && e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// read takes the metadata of one entry.
func (c *copier) read(source string) (metadata.Values, error) {
	fd, err := unix.Open(source, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return metadata.Values{}, &os.PathError{Op: "open", Path: source, Err: err}
	}
	defer unix.Close(fd)
	v, _, err := metadata.ReadFD(fd)
	if c.ordinary {
		v.UID, v.GID = uint32(os.Geteuid()), uint32(os.Getegid())
		v.Xattrs = slices.DeleteFunc(v.Xattrs, func(x metadata.Xattr) bool { return !strings.HasPrefix(x.Name, "user.") })
	}
	return v, err
}

var errOdd = errors.New("device or socket")

// make makes the target, still closed, with the source's content.
func (c *copier) make(source, target string, kind metadata.Kind) error {
	switch kind {
	case metadata.Dir:
		return os.Mkdir(target, 0o700)
	case metadata.Symlink:
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(to, target)
	case metadata.Fifo:
		return unix.Mkfifo(target, 0o600)
	case metadata.File:
		from, err := os.OpenFile(source, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(to, from)
		return errors.Join(err, to.Close())
	}
	return errOdd
}

// apply sets the metadata; what the system refuses is counted.
func (c *copier) apply(target string, v metadata.Values) error {
	fd, err := unix.Open(target, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: target, Err: err}
	}
	defer unix.Close(fd)
	var problems metadata.Problems
	if err = metadata.Apply(fd, v); errors.As(err, &problems) {
		c.unset++
		return nil
	}
	return err
}
