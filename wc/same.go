package wc

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// sameContent compares the staged and the live path, which are of one kind.
func (p *planner) sameContent(rel string, kind metadata.Kind) (bool, error) {
	switch kind {
	case metadata.Fifo:
		return true, nil
	case metadata.Symlink:
		a, err := p.stage.root.Readlink(rel)
		if err != nil {
			return false, err
		}
		b, err := p.live.Readlink(rel)
		return a == b, err
	}
	a, err := p.stage.root.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := p.live.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return sameText(a, b)
}

// sameText compares two files.
func sameText(a, b *os.File) (bool, error) {
	ai, err := a.Stat()
	if err != nil {
		return false, err
	}
	bi, err := b.Stat()
	if err != nil || ai.Size() != bi.Size() {
		return false, err
	}
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err = errors.Join(err, err2); err != nil {
			return false, err
		}
	}
}
