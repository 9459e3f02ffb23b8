package wc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openFile opens a live regular file for reading. O_NONBLOCK: a fifo that took
// its place must not hang rootwc.
func (c *Copy) openFile(rel string) (*os.File, error) { return openRegular(c.fs, rel) }

var errNotRegular = errors.New("no regular file any more")

func openRegular(root *os.Root, rel string) (*os.File, error) {
	f, err := root.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: rel, Err: errNotRegular}
	}
	return f, nil
}

// openDir opens a directory below root. A fifo in its place must not hang
// rootwc, nor a device be touched.
func openDir(root *os.Root, rel string) (*os.File, error) {
	return root.OpenFile(orDot(rel), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
}

// heldDir holds the directory that was opened last open: steps come sorted, so
// that the next one mostly is for the same. Close it when done.
type heldDir struct {
	root *os.Root
	rel  string
	file *os.File
}

// dir opens a directory; it stays open until another one is asked for.
func (h *heldDir) dir(rel string) (*os.File, error) {
	if h.file != nil && h.rel == rel {
		return h.file, nil
	}
	h.close()
	f, err := openDir(h.root, rel)
	if err == nil {
		h.rel, h.file = rel, f
	}
	return f, err
}

// lstat tells what is at a path.
func (h *heldDir) lstat(rel string) (st unix.Stat_t, err error) {
	parent, name := splitPath(rel)
	if rel == "" {
		name = "."
	}
	d, err := h.dir(parent)
	if err == nil {
		err = unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	return st, err
}

func (h *heldDir) close() {
	if h.file != nil {
		h.file.Close()
		h.file = nil
	}
}
