package probes

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tables takes in what the machine's own tables say: swap files and mounts.
func (b *builder) tables() error {
	root, err := os.OpenRoot(b.machine.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	var text [2]string
	for i, name := range []string{"etc/fstab", "etc/crypttab"} {
		content, err := readBounded(root.FS(), name, tableLimit)
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("cannot read /%s: %w", name, err)
		}
		text[i] = string(content)
	}
	for id, name := range b.Layout.Mappings(text[1]) {
		if l := b.Layout.LUKS[id]; l != nil && l.Mapping == "" { // closed
			l.Mapping = name
		}
	}
	b.Layout.Mount = b.Layout.Mounts(text[0], text[1])
	for _, line := range ParseFstab(text[0]) {
		if line.swapping() && path.IsAbs(line.Source) && !aDevice(line.Source) {
			if err := b.swapFile(root, path.Clean(line.Source)); err != nil {
				b.find("swap file %s: %v", line.Source, err)
			}
		}
	}
	b.Findings = append(b.Findings, b.Layout.CheckTables(text[0], text[1])...)
	return nil
}

// tableLimit bounds what is read of a table of the machine.
const tableLimit = 1 << 20

// swapFile takes in a swap file, on the file system that fstab has there.
func (b *builder) swapFile(root *os.Root, file string) error {
	f, err := root.OpenFile(strings.TrimPrefix(file, "/"), os.O_RDONLY|unix.O_NONBLOCK, 0) // it may be a fifo
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no file")
	}
	found, err := readSwap(medium{f, uint64(info.Size())})
	if err != nil {
		return err
	}
	if found == nil {
		return errors.New("it holds no swap")
	}
	m := b.Layout.mountOf(file)
	if m == nil {
		return fmt.Errorf("the file system that it is on is not in fstab")
	}
	s := found.node.(*Swap)
	s.On, s.File = m.On, file
	id := found.id
	if id == "" {
		id = ID("on-" + file)
	}
	if b.twice.add(Ref("swap."+id), file) {
		b.Layout.Swap[id] = s
	}
	return nil
}

// mountOf is the mount that a path is below, nil for none.
func (l *Layout) mountOf(file string) *Mount {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if m := l.Mount[ID(dir)]; m != nil || dir == "/" {
			return m
		}
	}
}
