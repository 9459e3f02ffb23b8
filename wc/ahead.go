package wc

import (
	"crypto/rand"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ahead is a copy of a live wc.db that is made while the status before a
// commit goes on, for the stage that is likely to come. On file systems that
// cannot share blocks the copy is what a stage of a large working copy takes
// longest for.
type ahead struct {
	name  string
	stamp *databaseStamp // of the database before it was read
	done  chan error
}

// copyAhead begins the copy. Whatever goes wrong, the stage copies by itself.
func (c *Copy) copyAhead() {
	dir := c.tree.State.path(stageState)
	if c.ahead != nil || c.user != nil || c.db == nil || os.MkdirAll(dir, 0o700) != nil {
		return
	}
	a := &ahead{name: c.tree.State.path(stageState, rand.Text()), stamp: stampOf(c.db), done: make(chan error, 1)}
	if c.beingWritten() { // from here on, a writer changes the stamp
		return
	}
	c.ahead = a
	go func(from *os.File) { a.done <- cloneFile(a.name, from) }(c.db)
}

// takeAhead moves the copy to a place in a stage; false when there is none, or
// the database was written since. The live database is pinned.
func (c *Copy) takeAhead(path string) bool {
	a := c.ahead
	if c.ahead = nil; a == nil {
		return false
	}
	now := stampOf(c.db)
	if <-a.done == nil && now != nil && a.stamp != nil && *now == *a.stamp && os.Rename(a.name, path) == nil {
		return true
	}
	_ = os.Remove(a.name)
	return false
}

// dropAhead removes a copy that nobody took.
func (c *Copy) dropAhead() {
	if c.ahead != nil {
		<-c.ahead.done
		_ = os.Remove(c.ahead.name)
		c.ahead = nil
	}
}

// cloneFile makes a private copy of an open file, without moving its offset and
// without closing it: that would drop the locks on it, fcntl(2).
func cloneFile(path string, from *os.File) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(out.Fd()), int(from.Fd())) != nil { // btrfs and xfs share the blocks
		err = copyRange(out, from)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

func copyRange(out, from *os.File) error {
	const most = 1 << 30
	for at := int64(0); ; {
		n, err := unix.CopyFileRange(int(from.Fd()), &at, int(out.Fd()), nil, most, 0)
		switch {
		case err != nil && at == 0: // not between these file systems
			_, err = io.Copy(out, io.NewSectionReader(from, 0, 1<<62))
			return err
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
}
