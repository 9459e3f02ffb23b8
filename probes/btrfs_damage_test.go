package probes

import (
	"encoding/binary"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// oneBtrfsExtract reads testdata by its case.
func oneBtrfsExtract(t testing.TB, name string) *btrfsExtract {
	t.Helper()
	return readBtrfsExtract(t, "testdata/btrfs/btrfs-progs-6.14-"+name+".pages.gz")
}

// itemIn finds an item in a leaf, to be changed.
func itemIn(t testing.TB, block []byte, match func(btrfsKey) bool) (head, data []byte) {
	t.Helper()
	for i := range btrfsCount(block) {
		if item := btrfsItemAt(block, i); match(item.key) {
			return block[btrfsHeader+i*btrfsItemSize:][:btrfsItemSize], item.data
		}
	}
	t.Fatal("no such item")
	return nil, nil
}

// btrfsNameSize is the length of the name in an item that refers to a
// subvolume.
func btrfsNameSize(block []byte, key btrfsKey) int {
	for i := range btrfsCount(block) {
		if item := btrfsItemAt(block, i); item.key == key {
			return int(le16(item.data[16:]))
		}
	}
	return 0
}

func put64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

// superOf is the superblock of an extract's first device.
func superOf(t testing.TB, e *btrfsExtract) *btrfsSuper {
	t.Helper()
	s, err := readBtrfsSuper(e.devices()[0])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBtrfsDamage reads what is damaged, and what nobody can have made.
func TestBtrfsDamage(t *testing.T) {
	const second = 64 << 20
	dirty := func(e *btrfsExtract, device, offset int64) { e.pages[btrfsPage{device, offset}][200] ^= 1 }
	rootPages := func(e *btrfsExtract) [][]btrfsPage { return e.pagesOf(t, superOf(t, e).root.block) }
	roots := func(e *btrfsExtract, edit func(block []byte)) { e.edit(rootPages(e), superOf(t, e).checksum, edit) }
	ofSubvolume := func(kind uint8, number uint64) func(btrfsKey) bool {
		return func(k btrfsKey) bool { return k.kind == kind && k.object == number }
	}
	tests := []struct {
		name, extract, want string // want is in the error; "" for none
		damage              func(e *btrfsExtract)
	}{
		{"first superblock", "odd", "", func(e *btrfsExtract) { dirty(e, 0, btrfsFirst) }},
		{"both superblocks", "odd", "btrfs superblock at byte 65536: its checksum is wrong\nbtrfs superblock at byte 67108864: its checksum is wrong", func(e *btrfsExtract) {
			dirty(e, 0, btrfsFirst)
			dirty(e, 0, second)
		}},
		{"wiped", "odd", errAbsent.Error(), func(e *btrfsExtract) { clear(e.pages[btrfsPage{0, btrfsFirst}][btrfsMagicAt:][:8]) }},
		{"superblock of another place", "odd", "", func(e *btrfsExtract) { e.pages[btrfsPage{0, btrfsFirst}] = e.pages[btrfsPage{0, second}] }},
		{"size of nodes", "odd", "nodes of 12345 bytes", func(e *btrfsExtract) {
			for _, at := range []int64{btrfsFirst, second} {
				b := e.pages[btrfsPage{0, at}]
				binary.LittleEndian.PutUint32(b[0x94:], 12345)
				seal(b, btrfsChecksums[1])
			}
		}},
		{"system chunks", "odd", "system chunk array: (256 99 ", func(e *btrfsExtract) {
			e.changeSuper(0, func(b []byte) { b[0x32b+8] = 99 })
		}},
		{"one copy of a block", "odd", "", func(e *btrfsExtract) {
			roots(e, func([]byte) {}) // the second copy was not read
			dirty(e, 0, rootPages(e)[0][0].offset)
		}},
		{"both copies of a block", "odd", "its checksum is wrong", func(e *btrfsExtract) {
			roots(e, func([]byte) {})
			for _, pages := range rootPages(e) {
				dirty(e, 0, pages[0].offset)
			}
		}},
		{"a block of another time", "odd", "of generation 3, not ", func(e *btrfsExtract) {
			roots(e, func(b []byte) { put64(b[0x50:], 3) })
		}},
		{"a tree below itself", "odd", "it is of level 5, not 4", func(e *btrfsExtract) {
			root := superOf(t, e).root
			roots(e, func(b []byte) {
				b[0x64] = 5
				put64(b[btrfsHeader+17:], root.block)
				put64(b[btrfsHeader+25:], root.generation)
				binary.LittleEndian.PutUint32(b[0x60:], 1)
			})
			e.changeSuper(0, func(b []byte) { b[0xc6] = 5 })
		}},
		{"a subvolume inside itself", "odd", "subvolume 256: it is inside itself", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				head, _ := itemIn(t, b, ofSubvolume(btrfsRootBackref, 256))
				put64(head[9:], 256)
			})
		}},
		{"a subvolume in none", "odd", "subvolume 256: it is in subvolume 99, which is not there", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				head, _ := itemIn(t, b, ofSubvolume(btrfsRootBackref, 256))
				put64(head[9:], 99)
			})
		}},
		{"a short root item", "odd", "item (256 132 0): 7 bytes are too short", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				head, _ := itemIn(t, b, ofSubvolume(btrfsRootItem, 256))
				binary.LittleEndian.PutUint32(head[21:], 7)
			})
		}},
		{"a name longer than its item", "odd", "are too short", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				_, data := itemIn(t, b, ofSubvolume(btrfsRootBackref, 257))
				data[17] = 9
			})
		}},
		{"a name that leads elsewhere", "odd", `"../../etc" is no name`, func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				_, data := itemIn(t, b, func(k btrfsKey) bool {
					return k.kind == btrfsRootBackref && btrfsNameSize(b, k) >= 9
				})
				copy(data[18:], "../../etc")
				binary.LittleEndian.PutUint16(data[16:], 9)
			})
		}},
		{"an item outside of its block", "odd", "has bytes ", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				head, _ := itemIn(t, b, ofSubvolume(btrfsRootBackref, 257))
				binary.LittleEndian.PutUint32(head[17:], 1<<31)
			})
		}},
		{"a device that was cut", "odd", "device 1: 268435456 bytes do not fit on it, it has 200000000", func(e *btrfsExtract) { e.sizes[0] = 200_000_000 }},
		{"no default subvolume", "odd", "the default subvolume 4711 is not there", func(e *btrfsExtract) {
			roots(e, func(b []byte) {
				_, data := itemIn(t, b, func(k btrfsKey) bool { return k.object == 6 && k.kind == btrfsDirItem })
				put64(data, 4711)
			})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := oneBtrfsExtract(t, test.extract)
			test.damage(e)
			_, fs, err := readBtrfs(t.Context(), e.devices(), nil)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case err == nil:
				checkOdd(t, fs)
			}
		})
	}
}

// TestBtrfsUnsupported has what can be read but not made.
func TestBtrfsUnsupported(t *testing.T) {
	set := func(at int, bit uint) func([]byte) {
		return func(b []byte) { put64(b[at:], le64(b[at:])|1<<bit) }
	}
	const flags, compatRO, incompat = 0x38, 0xb4, 0xbc
	for want, edit := range map[string]func([]byte){
		"it is a seed":                       set(flags, 32),
		"it is a copy by btrfs-image":        set(flags, 34),
		"its UUID is being changed":          set(flags, 36),
		"it is zoned":                        set(incompat, 12),
		"it has version 2 of the extent":     set(incompat, 13),
		"unknown incompatible features 0x80": set(incompat, 31),
		"unknown read-only compatible fea":   set(compatRO, 40),
	} {
		e := oneBtrfsExtract(t, "odd")
		e.changeSuper(0, edit)
		_, fs, err := readBtrfs(t.Context(), e.devices(), nil)
		if err != nil || !strings.Contains(fs.Unsupported, want) || fs.Label == "" || fs.Btrfs.NodeSize != 32<<10 {
			t.Errorf("got %+v, %v, want %q", fs, err, want)
		}
	}
}

// TestBtrfsZoned has a superblock where a zoned device has its log of them.
func TestBtrfsZoned(t *testing.T) {
	e := oneBtrfsExtract(t, "odd")
	e.changeSuper(0, func(b []byte) { put64(b[0xbc:], le64(b[0xbc:])|btrfsZoned) })
	e.pages[btrfsPage{0, 0}] = e.pages[btrfsPage{0, btrfsFirst}]
	delete(e.pages, btrfsPage{0, btrfsFirst})
	_, fs, err := readBtrfs(t.Context(), e.devices(), nil)
	if err != nil || fs.Unsupported != "it is zoned" {
		t.Errorf("got %+v, %v", fs, err)
	}
	e.pages[btrfsPage{0, 0}] = oneBtrfsExtract(t, "odd").pages[btrfsPage{0, btrfsFirst}]
	if _, _, err := readBtrfs(t.Context(), e.devices(), nil); err != errAbsent {
		t.Errorf("a superblock at the start of what is not zoned: %v", err)
	}
}

// TestBtrfsMembers has devices that are none, copies, and of an earlier time.
func TestBtrfsMembers(t *testing.T) {
	e := oneBtrfsExtract(t, "striped")
	all := e.devices()
	fails := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, _, err := readBtrfs(t.Context(), append(all, all[2]), nil)
	fails("two devices are both device 3 of ", err)
	_, _, err = readBtrfs(t.Context(), append(all, oneBtrfsExtract(t, "odd").devices()...), nil)
	fails("devices are of two file systems, ", err)
	_, _, err = readBtrfs(t.Context(), nil, nil)
	fails(errAbsent.Error(), err)
	for name, device := range map[string]*btrfsExtract{"short": {sizes: []int64{5000}}, "blank": {sizes: []int64{1 << 20}}} {
		if s, err := identifyBtrfs(device.devices()[0]); s != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}

	old := oneBtrfsExtract(t, "striped")
	old.changeSuper(2, func(b []byte) {
		put64(b[0x48:], 1)    // generation
		b[0xc9+66] ^= 1       // UUID
		put64(b[0x50:], 4096) // root
	})
	_, want, err := readBtrfs(t.Context(), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, devices := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}} {
		list := slices.Clone(all)
		list = append(list, old.devices()[2])
		ordered := slices.Clone(list)
		for i, n := range devices {
			ordered[i] = list[n]
		}
		_, fs, err := readBtrfs(t.Context(), ordered, nil)
		if err != nil || fs.Unsupported != "" || len(fs.Btrfs.Subvolume) != len(want.Btrfs.Subvolume) {
			t.Errorf("with an old device %v: %+v, %v", devices, fs, err)
		}
	}
	if s, err := identifyBtrfs(all[3]); err != nil || s.device.number != 4 || len(s.id()) != 36 {
		t.Errorf("the fourth device is %+v, %v", s, err)
	}
}

// FuzzBtrfs changes bytes in blocks of real file systems, with checksums that
// are right. The input is which file system, then for each byte the block, the
// offset in two bytes, and what to flip.
func FuzzBtrfs(f *testing.F) {
	type original struct {
		*btrfsExtract
		blocks   [][][]btrfsPage
		checksum btrfsChecksum
	}
	var originals []original
	for _, path := range btrfsExtracts(f) {
		e := readBtrfsExtract(f, path)
		o := original{btrfsExtract: e, checksum: superOf(f, e).checksum}
		for _, address := range blocksOf(f, e) {
			o.blocks = append(o.blocks, e.pagesOf(f, address))
		}
		for i := range len(o.blocks) + 1 {
			f.Add([]byte{byte(len(originals)), byte(i), 0, 101, 1, byte(i), 0, 0x60, 2, byte(i), 0, 120, 0xff})
		}
		originals = append(originals, o)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 5 || len(data) > 100 {
			return
		}
		o := originals[int(data[0])%len(originals)]
		e := &btrfsExtract{o.sizes, maps.Clone(o.pages)}
		for edit := data[1:]; len(edit) >= 4; edit = edit[4:] {
			flip := func(b []byte) { b[int(binary.BigEndian.Uint16(edit[1:]))%len(b)] ^= edit[3] }
			if which := int(edit[0]) % (len(o.blocks) + 1); which < len(o.blocks) {
				e.edit(o.blocks[which], o.checksum, flip)
			} else {
				e.changeSuper(0, flip)
			}
		}
		start := time.Now()
		id, fs, err := readBtrfs(t.Context(), e.devices(), nil)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil {
			return
		}
		var b strings.Builder
		if err := (&Layout{Format: Format, FileSystem: map[ID]*FileSystem{id: fs}}).Write(&b); err != nil {
			t.Error(err)
		}
		if _, err := Read([]byte(b.String())); err != nil {
			t.Errorf("%v in\n%s", err, b.String())
		}
	})
}

// blocksOf are the addresses of the blocks that reading looks at.
func blocksOf(t testing.TB, e *btrfsExtract) []uint64 {
	t.Helper()
	super, members, err := readBtrfsMembers(e.devices())
	if err != nil {
		t.Fatal(err)
	}
	r := &btrfsReader{super: super, members: members, fs: &Btrfs{}}
	r.disks, _ = newBtrfsDisks(super, members)
	r.source = r.disks
	if err := r.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(r.disks.blocks))
}

func FuzzSubvolumePath(f *testing.F) {
	for _, s := range []string{"", "@home", "a\\b", "\xff\xfe/x", `\x41`, `\x2e.`, "a/../b", "/", "ü\u2028", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if filepath.IsLocal(s) && filepath.Clean(s) == s && s != "." && !strings.Contains(s, "\x00") && len(s) < 256 {
			if got, err := SubvolumePath(ID(escapeBtrfs(s))); err != nil || got != s {
				t.Errorf("%q came back as %q, %v", s, got, err)
			}
		}
		if path, err := SubvolumePath(ID(s)); err == nil && s != "/" && (!filepath.IsLocal(path) || filepath.Clean(path) != path) {
			t.Errorf("%q became %q", s, path)
		}
	})
}
