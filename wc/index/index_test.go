package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// sample has directories, entries and others of every shape.
func sample() []Dir {
	stat := Stat{Size: 7, Mtime: -5, Ctime: 1 << 60, Ino: 1<<64 - 1, Mode: 0o100644, UID: 1000, GID: 1<<32 - 2}
	return []Dir{
		{Path: "", Dev: 9, Self: Entry{Flags: Clean, Stat: stat}, Others: []Other{{"var", 4, true}}},
		{Path: "etc", Dev: 9, Self: Entry{Stat: stat, Xattrs: 77}, Entries: []Entry{
			{Name: "hosts", Flags: Clean | Summed | Raw, Stat: stat, Sum: [20]byte{1, 19: 2}},
			{Name: "motd", Flags: Withheld},
			{Name: "ÿ %\n", Flags: Racy, Stat: Stat{Ino: 3}, Xattrs: 1<<64 - 1},
		}, Others: []Other{{"", 0, false}, {"passwd-", 8, false}}},
		{Path: "etc/empty"},
	}
}

func build(dirs []Dir) []byte {
	f := &File{Keys: Keys{Database: [32]byte{1}, Rules: [32]byte{31: 2}}, ID: ID{5}, Path: "home/anna", Summary: []byte("summary")}
	for i := range dirs {
		f.Blocks = append(f.Blocks, Encode(&dirs[i]))
	}
	var b bytes.Buffer
	if n, err := f.WriteTo(&b); err != nil || n != int64(b.Len()) {
		panic(err)
	}
	return b.Bytes()
}

// dir reads a view back into a Dir.
func dir(v View) Dir {
	self := func(name string, k Known) Entry {
		return Entry{Name: name, Flags: k.Flags(), Xattrs: k.Xattrs(), Sum: k.Sum(), Stat: Stat{
			Size: i64(k.b[8:]), Mtime: i64(k.b[16:]), Ctime: i64(k.b[24:]), Ino: u64(k.b[32:]), Mode: u32(k.b[40:]), UID: u32(k.b[44:]), GID: u32(k.b[48:])}}
	}
	d := Dir{Path: v.Path(), Dev: v.Dev(), Self: self("", v.Self())}
	for i := range v.Entries() {
		d.Entries = append(d.Entries, self(v.Name(i), v.Entry(i)))
	}
	for i := range v.Others() {
		d.Others = append(d.Others, v.Other(i))
	}
	return d
}

func read(name string) (*Index, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

func TestRoundTrip(t *testing.T) {
	dirs := sample()
	name := filepath.Join(t.TempDir(), "index")
	if err := os.WriteFile(name, build(dirs), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	if x.Keys != (Keys{[32]byte{1}, [32]byte{31: 2}}) || x.ID != (ID{5}) || x.Path != "home/anna" || string(x.Summary) != "summary" || x.Len() != len(dirs) {
		t.Errorf("%v %q %d", x.Keys, x.Summary, x.Len())
	}
	for i, want := range dirs {
		v, ok := x.Find(want.Path)
		if got := dir(v); !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for j, e := range want.Entries {
			k, ok := v.Find(e.Name)
			if !ok || !k.Is(&e.Stat) || k.Sum() != e.Sum || *v.CName(j) != v.block[v.names+int(u32(v.entry(j)))] {
				t.Errorf("%q: %v", e.Name, k)
			}
			other := e.Stat
			other.Ctime++
			if k.Is(&other) {
				t.Errorf("%q: another ctime passes", e.Name)
			}
		}
		if !Encode(&want).Equal(v.Block()) {
			t.Errorf("%d: written otherwise than read", i)
		}
	}
	for _, path := range []string{"a", "etc/", "etc/emptyx", "\xff"} {
		if _, ok := x.Find(path); ok {
			t.Errorf("found %q", path)
		}
	}
}

func TestDamage(t *testing.T) {
	good := build(sample())
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		if _, err := Parse(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := ReadList(bytes.NewReader(bad), never); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed, the list: %v", i, err)
		}
		if _, err := ReadList(bytes.NewReader(good[:i]), never); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes, the list: %v", i, err)
		}
		if _, err := Parse(good[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := Parse(build([]Dir{{Path: "b"}, {Path: "a"}})); !errors.Is(err, ErrDamaged) {
		t.Errorf("not sorted: %v", err)
	}
}

func never(ID) bool { return false }

func TestReadList(t *testing.T) {
	l, err := ReadList(bytes.NewReader(build(sample())), never)
	if err != nil || l.ID != (ID{5}) || l.Path != "home/anna" || fmt.Sprintf("%q", l.Dirs) != `["" "etc" "etc/empty"]` {
		t.Errorf("%v: %+v", err, l)
	}
	l, err = ReadList(bytes.NewReader(build(sample())), func(id ID) bool { return id == ID{5} })
	if err != nil || l.Dirs != nil {
		t.Errorf("a known one: %v: %+v", err, l)
	}
}

// mend gives data the size and sums that fit it.
func mend(data []byte) {
	if len(data) < headerLen {
		return
	}
	binary.LittleEndian.PutUint64(data[atSize:], uint64(len(data)))
	blocks := headerLen
	for at, size := range map[int]int{atPath: 1, atSummary: 1, atNotable: 4, atDirs: 8} {
		blocks += size * int(u32(data[at:]))
	}
	if blocks <= len(data) {
		binary.LittleEndian.PutUint32(data[atSum:], crc32.ChecksumIEEE(data[blocks:]))
		binary.LittleEndian.PutUint32(data[atHeadSum:], crc32.ChecksumIEEE(data[atSum:blocks]))
	}
}

// FuzzParse: whatever passes the sum is read without a panic.
func FuzzParse(f *testing.F) {
	f.Add(build(sample()))
	f.Add(build(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte(nil), data...)
		mend(data)
		x, err := Parse(data)
		if err != nil {
			return
		}
		for i := range x.Len() {
			dir(x.At(i))
		}
	})
}

// TestNotables: clean directories whose changes are all events, and that
// nothing is told of, are not among them.
func TestNotables(t *testing.T) {
	clean := func(path string, more Flags, d Dir) Dir {
		d.Path, d.Self.Flags = path, Clean|Whole|more
		return d
	}
	dirs := []Dir{
		clean("a-quiet", 0, Dir{Entries: []Entry{{Name: "x", Flags: Clean}}, Others: []Other{{"y", 8, true}}}),
		clean("b-linked", Linked, Dir{}),
		clean("c-unversioned", 0, Dir{Others: []Other{{"y", 8, false}}}),
		{Path: "d-changed", Self: Entry{Flags: Clean}},
		clean("e-withheld", 0, Dir{Entries: []Entry{{Name: "x", Flags: Clean | Withheld}}}),
		clean("f-quiet", 0, Dir{}),
	}
	name := filepath.Join(t.TempDir(), "index")
	if err := os.WriteFile(name, build(dirs), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := Map(f)
	if err != nil || x.Check() != nil {
		t.Fatal(err)
	}
	var got []int
	for i := range x.Notables() {
		got = append(got, x.Notable(i))
	}
	if fmt.Sprint(got) != "[1 2 3 4]" {
		t.Errorf("notable: %v", got)
	}
}

// large is this many directories, with nine files each.
func large(n int) (dirs []Dir) {
	for i := range n {
		d := Dir{Path: fmt.Sprintf("directory/%05d", i)}
		for j := range 9 {
			d.Entries = append(d.Entries, Entry{Name: fmt.Sprintf("some-file-%d", j)})
		}
		dirs = append(dirs, d)
	}
	return dirs
}

// TestParseAllocates: reading allocates the same for few entries and for many.
func TestParseAllocates(t *testing.T) {
	for _, dirs := range []int{1, 2000} {
		data := build(large(dirs))
		if n := testing.AllocsPerRun(5, func() { _, _ = Parse(data) }); n > 3 {
			t.Errorf("%d directories: %v allocations", dirs, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	name := filepath.Join(b.TempDir(), "index")
	if err := os.WriteFile(name, build(large(22000)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(name); err != nil {
			b.Fatal(err)
		}
	}
}
