package probes

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// extract is a device of which only the blocks that are not zero are kept, so
// that the superblocks of one fit into a small file: its size, then an offset
// and the bytes of each block, all of it compressed.
type extract struct {
	size   uint64
	blocks map[uint64][]byte // by offset
}

const extractBlock = 4096

// takeExtract keeps what is in parts of a device.
func takeExtract(r io.ReaderAt, size uint64, parts ...diskArea) (*extract, error) {
	e := &extract{size, map[uint64][]byte{}}
	for _, p := range parts {
		for at := p.at &^ (extractBlock - 1); at < min(size, p.at+p.size); at += extractBlock {
			b := make([]byte, min(extractBlock, size-at))
			if _, err := r.ReadAt(b, int64(at)); err != nil {
				return nil, err
			}
			if !zero(b) {
				e.blocks[at] = b
			}
		}
	}
	return e, nil
}

// ends are the parts of a device that superblocks of md are in.
func ends(_ io.ReaderAt, size uint64) []diskArea {
	return []diskArea{{0, 64 << 10}, {size - min(size, 256<<10), 256 << 10}}
}

// lvmParts are the label of a physical volume, and the text that is valid: what
// was valid before stands all around it.
func lvmParts(r io.ReaderAt, size uint64) []diskArea {
	m := medium{r, size}
	parts := []diskArea{{0, 4096}}
	label, _, err := findLVMLabel(m)
	if err != nil {
		return parts
	}
	pv, err := parsePVHeader(label)
	if err != nil {
		return parts
	}
	for _, area := range pv.areas {
		h, err := m.read(area.at, lvmSector)
		if err != nil {
			continue
		}
		at, n := binary.LittleEndian.Uint64(h[40:]), binary.LittleEndian.Uint64(h[48:])
		parts = append(parts, diskArea{area.at, lvmSector}, diskArea{area.at + at, n})
		if at+n > area.size {
			parts = append(parts, diskArea{area.at, lvmSector + at + n - area.size})
		}
	}
	return parts
}

// luksParts are headers without keyslots.
func luksParts(r io.ReaderAt, _ uint64) []diskArea {
	b := make([]byte, 8)
	if _, err := r.ReadAt(b, 0); err == nil && b[7] == 1 {
		return []diskArea{{0, 592}}
	}
	return []diskArea{{0, 32 << 10}}
}

func (e *extract) offsets() []uint64 {
	var all []uint64
	for at := range e.blocks {
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}

func (e *extract) save(path string) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	number := func(n uint64) { z.Write(binary.BigEndian.AppendUint64(nil, n)) }
	number(e.size)
	for _, at := range e.offsets() {
		number(at)
		z.Write(append(e.blocks[at], make([]byte, extractBlock-len(e.blocks[at]))...))
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func loadExtract(path string) (*extract, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	if len(b) < 8 || (len(b)-8)%(8+extractBlock) != 0 {
		return nil, errors.New("an extract of another form")
	}
	e := &extract{binary.BigEndian.Uint64(b), map[uint64][]byte{}}
	for b = b[8:]; len(b) > 0; b = b[8+extractBlock:] {
		at := binary.BigEndian.Uint64(b)
		e.blocks[at] = b[8:][:min(extractBlock, e.size-at)]
	}
	return e, nil
}

// ReadAt reads zero bytes where no block was kept.
func (e *extract) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for ; n < len(b) && uint64(off)+uint64(n) < e.size; n++ {
		at := uint64(off) + uint64(n)
		b[n] = 0
		if block, ok := e.blocks[at&^(extractBlock-1)]; ok {
			b[n] = block[at&(extractBlock-1)]
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// image makes a sparse file of an extract.
func (e *extract) image(t testing.TB) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(e.size)); err != nil {
		t.Fatal(err)
	}
	for at, b := range e.blocks {
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	return f.Name()
}
