package index

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"unsafe"
)

// Builder makes an index. Directories must come sorted by path.
type Builder struct {
	Keys    Keys
	Summary []byte // of the user, as it likes

	blocks []byte
	places []uint64
}

// Add adds a directory. Entries and Others must be sorted by name.
func (b *Builder) Add(d *Dir) {
	b.places = append(b.places, uint64(len(b.blocks)))
	from := len(b.blocks)
	b.blocks = append(b.blocks, make([]byte, headLen+entryLen*len(d.Entries)+otherLen*len(d.Others))...)
	names := len(b.blocks)
	b.blocks = append(append(b.blocks, d.Path...), 0)
	keep := func(name string) uint32 {
		at := len(b.blocks) - names
		b.blocks = append(append(b.blocks, name...), 0)
		return uint32(at)
	}
	at := from + headLen
	for i := range d.Entries {
		e := &d.Entries[i]
		place := keep(e.Name)
		e.put(b.blocks[at:], place)
		at += entryLen
	}
	for _, o := range d.Others {
		place := keep(o.Name)
		binary.LittleEndian.PutUint32(b.blocks[at:], place)
		binary.LittleEndian.PutUint16(b.blocks[at+4:], uint16(len(o.Name)))
		b.blocks[at+6] = o.Type
		if o.Ignored {
			b.blocks[at+7] = 1
		}
		at += otherLen
	}
	for len(b.blocks)%8 != 0 {
		b.blocks = append(b.blocks, 0)
	}
	head := b.blocks[from:]
	binary.LittleEndian.PutUint64(head, d.Dev)
	d.Self.put(head[8:], 0)
	for i, n := range []int{len(d.Entries), len(d.Others), len(d.Path), len(b.blocks) - from} {
		binary.LittleEndian.PutUint32(head[8+entryLen+4*i:], uint32(n))
	}
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

// Keep adds a directory as another index has it.
func (b *Builder) Keep(v View) {
	b.places = append(b.places, uint64(len(b.blocks)))
	b.blocks = append(b.blocks, v.block...)
}

// Same says whether the directory added last is as v has it: nothing was
// learned.
func (b *Builder) Same(v View) bool {
	return len(b.places) > 0 && bytes.Equal(b.blocks[b.places[len(b.places)-1]:], v.block)
}

// Bytes is the content of the file.
func (b *Builder) Bytes() []byte {
	first := headerLen + len(b.Summary) + 8*len(b.places)
	out := make([]byte, headerLen, first+len(b.blocks))
	copy(out, magic)
	copy(out[atKeys:], b.Keys.Database[:])
	copy(out[atKeys+32:], b.Keys.Rules[:])
	binary.LittleEndian.PutUint32(out[atSummary:], uint32(len(b.Summary)))
	binary.LittleEndian.PutUint32(out[atDirs:], uint32(len(b.places)))
	out = append(out, b.Summary...)
	for _, p := range b.places {
		out = binary.LittleEndian.AppendUint64(out, uint64(first)+p)
	}
	out = append(out, b.blocks...)
	seal(out)
	return out
}

// seal writes the sum.
func seal(data []byte) {
	if len(data) >= headerLen {
		binary.LittleEndian.PutUint32(data[atSum:], crc32.Checksum(data[atKeys:], castagnoli))
	}
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
func i64(b []byte) int64  { return int64(binary.LittleEndian.Uint64(b)) }

// text is b as a string, without a copy: an index never changes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
