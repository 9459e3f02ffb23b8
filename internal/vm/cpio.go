package vm

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// The file types of a cpio archive are those of stat(2).
const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

// cpioWriter writes an initramfs in the format "newc", as the kernel's
// driver-api/early-userspace/buffer-format.rst has it. The kernel looks at
// names, modes, owners and contents: everything belongs to root, and times are
// zero, so that equal trees give equal bytes.
type cpioWriter struct {
	w     *bufio.Writer
	inode int
}

func newCPIO(w io.Writer) *cpioWriter { return &cpioWriter{w: bufio.NewWriterSize(w, 1<<20)} }

// add writes one entry: a type and permissions, and the content of a file or
// the target of a link. Directories come before what is in them.
func (c *cpioWriter) add(name string, mode uint32, content []byte) error {
	c.inode++
	links := 1
	if mode&typeDir == typeDir {
		links = 2
	}
	// ino, mode, uid, gid, nlink, mtime, filesize, major, minor, rmajor, rminor, namesize, check
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	head := header + name + "\x00"
	c.w.WriteString(head)
	c.w.WriteString(padding(len(head)))
	c.w.Write(content)
	// Errors of a bufio.Writer stay: one look is enough.
	_, err := c.w.WriteString(padding(len(content)))
	return err
}

// close writes the entry that ends an archive.
func (c *cpioWriter) close() error {
	c.inode = -1
	if err := c.add("TRAILER!!!", 0, nil); err != nil {
		return err
	}
	return c.w.Flush()
}

// padding fills up to a multiple of four bytes.
func padding(n int) string { return strings.Repeat("\x00", -n&3) }
