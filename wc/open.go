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
