// Package index keeps what a status has proven of one working copy in a flat
// file, so that the next one need not prove it again.
//
// An index is only ever a cache: what it says counts while the database and
// the disk are as they were, which the two keys in it and the times of each
// entry tell. It is read as a whole, checked by a sum, and never changed in
// place; [File] writes the next one. Reading allocates nothing for each
// entry.
package index

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sort"
)

// Stat is what tells one state of a file from another, from stat(2). Times are
// nanoseconds since 1970.
type Stat struct {
	Size, Mtime, Ctime int64
	Ino                uint64
	Mode, UID, GID     uint32
}

// Flags say what is known of an entry or a directory.
type Flags uint16

const (
	// Clean: with this Stat the path is as the working copy and rootwc record
	// it.
	Clean Flags = 1 << iota
	// Whole: the directory and all its entries are clean, and its listing is
	// known.
	Whole
	// Racy: the change of the path was too young to tell it from a later one.
	Racy
	// Summed: Sum is that of the content with this Stat.
	Summed
	// Raw: Sum is of the bytes as they are, without translation.
	Raw
	// Withheld: rootwc knows the path, svn does not.
	Withheld
	// Noise: the content is another one than recorded, which is no news.
	Noise
	// Linked: an entry of the directory has other names, too. What is written
	// through one of those is no event of the directory.
	Linked
)

// Entry is a versioned path that is no directory, or a withheld one.
type Entry struct {
	Name   string
	Flags  Flags
	Stat   Stat
	Xattrs uint64   // digest of ACLs and attributes; 0 for none
	Sum    [20]byte // SHA-1 of the content as Subversion stores it
}

// Other is a name in a versioned directory that is not versioned.
type Other struct {
	Name    string
	Type    uint8 // d_type of getdents64(2)
	Ignored bool
}

// Dir is a versioned directory with what is in it; directories in it have
// their own.
type Dir struct {
	Path    string // relative to the working copy; "" is its root
	Dev     uint64 // of the directory and all its entries
	Self    Entry  // the directory itself, without a name
	Entries []Entry
	Others  []Other
}

// Keys tell whether an index still holds: Database changes with the working
// copy's wc.db, Rules with what else decides on what is clean.
type Keys struct{ Database, Rules [32]byte }

// ID names one written index: no other one has it.
type ID [16]byte

// The file, in little-endian: a header, the working copy's path, the summary,
// the numbers of the notable directories, the place of each directory's block,
// the blocks. A block is a head, its entries and others, all of fixed length,
// and their names, each with a final zero.
const (
	magic     = "rootwc index 3\n\x00"
	atHeadSum = len(magic)    // CRC-32 (IEEE) of what follows, up to the blocks
	atSum     = atHeadSum + 4 // CRC-32 (IEEE) of the blocks
	atKeys    = atSum + 4     // 32 bytes each
	atID      = atKeys + 64   // 16 bytes
	atSize    = atID + 16     // of the whole file, 8 bytes
	atPath    = atSize + 8    // length of the working copy's path
	atSummary = atPath + 4    // length of the summary
	atNotable = atSummary + 4 // number of notable directories
	atDirs    = atNotable + 4 // number of directories
	headerLen = atDirs + 4

	entryLen = 80
	otherLen = 8
	headLen  = 8 + entryLen + 4 + 4 + 4 + 4 // dev, self, entries, others, path's length, block's length
)

// ErrDamaged is returned for a file that is no index, is cut, was changed, or
// has another format.
var ErrDamaged = errors.New("no index, or a damaged one")

// Index is a read index. It is safe for concurrent use.
type Index struct {
	Keys    Keys
	ID      ID
	Path    string // of the working copy, relative to the machine's root
	Summary []byte // of the user, as it likes

	data    []byte
	notable []byte
	places  []byte
	blocks  int // where they begin
	n       int
}

// Read reads an index from its open file: an error of the system, or
// [ErrDamaged].
func Read(f *os.File) (*Index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse reads an index from the content of its file, which it keeps.
func Parse(data []byte) (*Index, error) {
	x, err := parseWhole(data)
	if err != nil {
		return nil, err
	}
	return x, x.Check()
}

// parseWhole is parseHead for a file that must not be cut.
func parseWhole(data []byte) (*Index, error) {
	x, err := parseHead(data)
	if err == nil && u64(data[atSize:]) != uint64(len(data)) {
		return nil, ErrDamaged
	}
	return x, err
}

// parseHead reads all but the blocks, which need not be there.
func parseHead(data []byte) (*Index, error) {
	if len(data) < headerLen || !bytes.HasPrefix(data, []byte(magic)) {
		return nil, ErrDamaged
	}
	x := &Index{data: data, n: int(u32(data[atDirs:]))}
	path := headerLen + int(u32(data[atPath:]))
	notable := path + int(u32(data[atSummary:]))
	places := notable + 4*int(u32(data[atNotable:]))
	blocks := places + 8*x.n
	if blocks > len(data) || crc32.ChecksumIEEE(data[atSum:blocks]) != u32(data[atHeadSum:]) {
		return nil, ErrDamaged
	}
	copy(x.Keys.Database[:], data[atKeys:])
	copy(x.Keys.Rules[:], data[atKeys+32:])
	copy(x.ID[:], data[atID:])
	x.Path, x.Summary = string(data[headerLen:path]), bytes.Clone(data[path:notable])
	x.notable, x.places, x.blocks = data[notable:places], data[places:blocks], blocks
	return x, nil
}

// Check reads all of an index that was only mapped: [ErrDamaged] when it
// cannot be used. Before it, only the head may be, and what somebody else has
// checked under the same ID.
func (x *Index) Check() error {
	if crc32.ChecksumIEEE(x.data[x.blocks:]) != u32(x.data[atSum:]) {
		return ErrDamaged
	}
	for i, last := 0, ""; i < x.n; i++ {
		v, ok := x.view(i)
		if !ok || i > 0 && v.Path() <= last {
			return ErrDamaged
		}
		last = v.Path()
	}
	for i := range x.Notables() {
		if x.Notable(i) >= x.n {
			return ErrDamaged
		}
	}
	return nil
}

// Notables is how many directories there are that a status has to look at
// even when nothing has happened in them: see [Block.notable].
func (x *Index) Notables() int { return len(x.notable) / 4 }

// Notable is the number of such a directory.
func (x *Index) Notable(i int) int { return int(u32(x.notable[4*i:])) }

// Len is the number of directories.
func (x *Index) Len() int { return x.n }

// At is a directory by number; they are sorted by path, byte by byte.
func (x *Index) At(i int) View {
	v, _ := x.view(i) // checked when read
	return v
}

// Find is the directory at path.
func (x *Index) Find(path string) (View, bool) {
	i, ok := x.Number(path)
	if !ok {
		return View{}, false
	}
	return x.At(i), true
}

// Number is the number of the directory at path.
func (x *Index) Number(path string) (int, bool) {
	if x == nil {
		return 0, false
	}
	i := sort.Search(x.n, func(i int) bool { return x.At(i).Path() >= path })
	return i, i < x.n && x.At(i).Path() == path
}

// view cuts a block out; false when it does not fit in the file, or something
// not in it.
func (x *Index) view(i int) (View, bool) {
	from := u64(x.places[8*i:])
	if from > uint64(len(x.data)) || uint64(len(x.data))-from < headLen {
		return View{}, false
	}
	return viewOf(x.data[from:])
}

// viewOf is the view of the block that b begins with.
func viewOf(b []byte) (View, bool) {
	v := View{entries: int(u32(b[8+entryLen:])), others: int(u32(b[12+entryLen:])), path: int(u32(b[16+entryLen:]))}
	size := uint64(u32(b[20+entryLen:]))
	v.names = headLen + entryLen*v.entries + otherLen*v.others
	if size > uint64(len(b)) || uint64(v.names)+uint64(v.path)+1 > size {
		return View{}, false
	}
	v.block = b[:size]
	return v, v.sound()
}

// View is a [Dir] in the index, read where it lies.
type View struct {
	block           []byte
	entries, others int
	path, names     int
}

// sound says whether all names lie in the block and end with a zero.
func (v View) sound() bool {
	fits := func(at uint32, n uint16) bool {
		end := uint64(v.names) + uint64(at) + uint64(n)
		return end < uint64(len(v.block)) && v.block[end] == 0
	}
	for i := range v.entries {
		if e := v.entry(i); !fits(u32(e), u16(e[4:])) {
			return false
		}
	}
	for i := range v.others {
		if o := v.other(i); !fits(u32(o), u16(o[4:])) {
			return false
		}
	}
	return fits(0, uint16(v.path))
}

func (v View) entry(i int) []byte { return v.block[headLen+entryLen*i:][:entryLen] }

func (v View) other(i int) []byte { return v.block[headLen+entryLen*v.entries+otherLen*i:][:otherLen] }

func (v View) name(b []byte) string {
	at := v.names + int(u32(b))
	return text(v.block[at : at+int(u16(b[4:]))])
}

// Path is the directory's path; it lies in the index, and so do all names.
func (v View) Path() string { return text(v.block[v.names : v.names+v.path]) }

// CPath is the path with a final zero, for a system call.
func (v View) CPath() *byte { return &v.block[v.names] }

// Dev is the device of the directory and its entries.
func (v View) Dev() uint64 { return u64(v.block) }

// Self is the directory's own entry.
func (v View) Self() Known { return Known{v.block[8:][:entryLen]} }

// Entries is the number of entries, sorted by name.
func (v View) Entries() int { return v.entries }

// Entry is an entry by number.
func (v View) Entry(i int) Known { return Known{v.entry(i)} }

// Name is the name of an entry.
func (v View) Name(i int) string { return v.name(v.entry(i)) }

// CName is the name of an entry with a final zero, for a system call.
func (v View) CName(i int) *byte { return &v.block[v.names+int(u32(v.entry(i)))] }

// Find is the entry with a name.
func (v View) Find(name string) (Known, bool) {
	i := sort.Search(v.entries, func(i int) bool { return v.Name(i) >= name })
	if i == v.entries || v.Name(i) != name {
		return Known{}, false
	}
	return v.Entry(i), true
}

// Others is the number of names that are not versioned, sorted.
func (v View) Others() int { return v.others }

// Other is such a name by number.
func (v View) Other(i int) Other {
	b := v.other(i)
	return Other{Name: v.name(b), Type: b[6], Ignored: b[7] != 0}
}

// Known is what the index says of one path.
type Known struct{ b []byte }

// Flags are those of the entry.
func (k Known) Flags() Flags { return Flags(u16(k.b[6:])) }

// Has says whether all of these flags are set.
func (k Known) Has(f Flags) bool { return k.Flags()&f == f }

// Is says whether the path still has this Stat.
func (k Known) Is(s *Stat) bool {
	return s.Ctime == i64(k.b[24:]) && s.Mtime == i64(k.b[16:]) && s.Size == i64(k.b[8:]) && s.Ino == u64(k.b[32:]) &&
		s.Mode == u32(k.b[40:]) && s.UID == u32(k.b[44:]) && s.GID == u32(k.b[48:])
}

// Entry is all of it, without the name.
func (k Known) Entry() Entry {
	return Entry{Flags: k.Flags(), Xattrs: k.Xattrs(), Sum: k.Sum(), Stat: Stat{
		Size: i64(k.b[8:]), Mtime: i64(k.b[16:]), Ctime: i64(k.b[24:]), Ino: u64(k.b[32:]),
		Mode: u32(k.b[40:]), UID: u32(k.b[44:]), GID: u32(k.b[48:])}}
}

// Xattrs is the digest of ACLs and attributes; 0 for none.
func (k Known) Xattrs() uint64 { return u64(k.b[52:]) }

// Sum is the content's.
func (k Known) Sum() (sum [20]byte) {
	copy(sum[:], k.b[60:])
	return sum
}
