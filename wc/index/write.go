package index

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"unsafe"
)

// Block is a directory in the form of the file.
type Block []byte

// Encode writes a directory as a block. Entries and Others must be sorted by
// name.
func Encode(d *Dir) Block {
	size := headLen + (entryLen+1)*len(d.Entries) + (otherLen+1)*len(d.Others) + len(d.Path) + 8
	for i := range d.Entries {
		size += len(d.Entries[i].Name)
	}
	for i := range d.Others {
		size += len(d.Others[i].Name)
	}
	names := headLen + entryLen*len(d.Entries) + otherLen*len(d.Others)
	b := make(Block, names, size)
	b = append(append(b, d.Path...), 0)
	keep := func(name string) uint32 {
		at := len(b) - names
		b = append(append(b, name...), 0)
		return uint32(at)
	}
	at := headLen
	for i := range d.Entries {
		e := &d.Entries[i]
		e.put(b[at:], keep(e.Name))
		at += entryLen
	}
	for _, o := range d.Others {
		binary.LittleEndian.PutUint32(b[at:], keep(o.Name))
		binary.LittleEndian.PutUint16(b[at+4:], uint16(len(o.Name)))
		b[at+6] = o.Type
		if o.Ignored {
			b[at+7] = 1
		}
		at += otherLen
	}
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint64(b, d.Dev)
	d.Self.put(b[8:], 0)
	for i, n := range []int{len(d.Entries), len(d.Others), len(d.Path), len(b)} {
		binary.LittleEndian.PutUint32(b[8+entryLen+4*i:], uint32(n))
	}
	return b
}

func (e *Entry) put(b []byte, name uint32) {
	binary.LittleEndian.PutUint32(b, name)
	binary.LittleEndian.PutUint16(b[4:], uint16(min(len(e.Name), math.MaxUint16)))
	binary.LittleEndian.PutUint16(b[6:], uint16(e.Flags))
	s := &e.Stat
	for i, n := range []uint64{uint64(s.Size), uint64(s.Mtime), uint64(s.Ctime), s.Ino} {
		binary.LittleEndian.PutUint64(b[8+8*i:], n)
	}
	for i, n := range []uint32{s.Mode, s.UID, s.GID} {
		binary.LittleEndian.PutUint32(b[40+4*i:], n)
	}
	binary.LittleEndian.PutUint64(b[52:], e.Xattrs)
	copy(b[60:80], e.Sum[:])
}

// Block is the directory as it lies in the index.
func (v View) Block() Block { return v.block }

// Equal says whether two blocks hold the same.
func (b Block) Equal(o Block) bool { return bytes.Equal(b, o) }

// notable says whether a status has to look at the directory even when
// nothing has happened in it: it is not clean, something in it is to be told,
// or not every change of it is an event.
func (b Block) notable() bool {
	v, ok := viewOf(b)
	if !ok || !v.Self().Has(Whole) || v.Self().Has(Linked) {
		return true
	}
	for i := range v.Others() {
		if !v.Other(i).Ignored {
			return true
		}
	}
	for i := range v.Entries() {
		if v.Entry(i).Has(Withheld) {
			return true
		}
	}
	return false
}

// File is an index that is to be written.
type File struct {
	Keys    Keys
	ID      ID
	Path    string
	Summary []byte
	Blocks  []Block // sorted by the path of the directory
}

// WriteTo writes the file. It is read only when all of it was written.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	head := f.head()
	sum := uint32(0)
	written := int64(len(head))
	for _, b := range f.Blocks {
		sum = crc32.Update(sum, crc32.IEEETable, b)
		written += int64(len(b))
	}
	binary.LittleEndian.PutUint64(head[atSize:], uint64(written))
	binary.LittleEndian.PutUint32(head[atSum:], sum)
	binary.LittleEndian.PutUint32(head[atHeadSum:], crc32.ChecksumIEEE(head[atSum:]))
	out := bufio.NewWriterSize(w, 1<<20)
	_, err := out.Write(head)
	for _, b := range f.Blocks {
		if err == nil {
			_, err = out.Write(b)
		}
	}
	if err == nil {
		err = out.Flush()
	}
	return written, err
}

// head is all that comes before the blocks, but for sums and size.
func (f *File) head() []byte {
	out := make([]byte, headerLen, headerLen+len(f.Path)+len(f.Summary)+12*len(f.Blocks))
	copy(out, magic)
	copy(out[atKeys:], f.Keys.Database[:])
	copy(out[atKeys+32:], f.Keys.Rules[:])
	copy(out[atID:], f.ID[:])
	binary.LittleEndian.PutUint32(out[atPath:], uint32(len(f.Path)))
	binary.LittleEndian.PutUint32(out[atSummary:], uint32(len(f.Summary)))
	binary.LittleEndian.PutUint32(out[atDirs:], uint32(len(f.Blocks)))
	out = append(append(out, f.Path...), f.Summary...)
	notables := 0
	for i, b := range f.Blocks {
		if b.notable() {
			out = binary.LittleEndian.AppendUint32(out, uint32(i))
			notables++
		}
	}
	binary.LittleEndian.PutUint32(out[atNotable:], uint32(notables))
	at := uint64(len(out) + 8*len(f.Blocks))
	for _, b := range f.Blocks {
		out = binary.LittleEndian.AppendUint64(out, at)
		at += uint64(len(b))
	}
	return out
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
func i64(b []byte) int64  { return int64(binary.LittleEndian.Uint64(b)) }

// text is b as a string, without a copy: an index never changes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
