package probes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errAbsent is what a reader returns when the medium does not hold what it
// looks for, as opposed to holding it damaged.
var errAbsent = errors.New("nothing of this kind is there")

// medium is what a reader reads: a disk, a partition, an image. Readers know
// nothing of its name. What is on it may be hostile: nothing is read that lies
// outside, and callers bound how much.
type medium struct {
	io.ReaderAt
	size uint64 // bytes
}

// read returns n bytes from an offset, or an error when not all are there.
func (m medium) read(at, n uint64) ([]byte, error) {
	if at > m.size || n > m.size-at {
		return nil, fmt.Errorf("%d bytes at %d: the end is at %d", n, at, m.size)
	}
	b := make([]byte, n)
	if k, err := m.ReadAt(b, int64(at)); uint64(k) < n {
		return nil, fmt.Errorf("%d bytes at %d: %w", n, at, err)
	}
	return b, nil
}

// untilNUL is the text in a field of fixed size that a zero byte ends.
func untilNUL(field []byte) string {
	text, _, _ := bytes.Cut(field, []byte{0})
	return string(text)
}

// zero tells whether there is nothing but zero bytes.
func zero(b []byte) bool { return len(bytes.TrimRight(b, "\x00")) == 0 }
