package index

import (
	"bufio"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"slices"
)

// List is what an index names, without what it knows of that.
type List struct {
	ID   ID
	Path string   // of the working copy, relative to the machine's root
	Dirs []string // relative to the working copy, sorted; nil where they are known
}

// ReadList reads the names of an index, and checks all of it, in the memory of
// one directory. Of one that is known only the head is read.
func ReadList(r io.Reader, known func(ID) bool) (*List, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	x, err := readHead(in)
	if err != nil {
		return nil, err
	}
	l := &List{ID: x.ID, Path: x.Path}
	if known(x.ID) {
		return l, nil
	}
	sum := uint32(0)
	var block []byte
	for range x.n {
		head, err := in.Peek(headLen)
		if err != nil {
			return nil, damaged(err)
		}
		size := int(u32(head[headLen-4:]))
		if size < headLen || uint64(size) > u64(x.data[atSize:]) {
			return nil, ErrDamaged
		}
		block = slices.Grow(block[:0], size)[:size]
		if _, err := io.ReadFull(in, block); err != nil {
			return nil, damaged(err)
		}
		sum = crc32.Update(sum, crc32.IEEETable, block)
		v, ok := viewOf(block)
		if !ok {
			return nil, ErrDamaged
		}
		l.Dirs = append(l.Dirs, string([]byte(v.Path())))
	}
	if _, err := in.ReadByte(); err != io.EOF || sum != u32(x.data[atSum:]) {
		return nil, ErrDamaged
	}
	return l, nil
}

// readHead reads all up to the blocks.
func readHead(in *bufio.Reader) (*Index, error) {
	data := make([]byte, headerLen)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, damaged(err)
	}
	if !bytes.HasPrefix(data, []byte(magic)) {
		return nil, ErrDamaged
	}
	more := io.LimitReader(in, int64(u32(data[atPath:]))+int64(u32(data[atSummary:]))+4*int64(u32(data[atNotable:]))+8*int64(u32(data[atDirs:])))
	rest, err := io.ReadAll(more)
	if err != nil {
		return nil, err
	}
	return parseHead(append(data, rest...))
}

// damaged is the error of a file that is cut.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}
