package probes

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// flat is the beginning of a recording, to be damaged.
func flat(t testing.TB, name string, n int) ([]byte, uint64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", name+".gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s, %v", name, err)
	}
	e := readRecording(t, paths[0])
	b := make([]byte, n)
	e.ReadAt(b, 0)
	return b, e.size
}

// endless is a device of zeros after its first bytes.
type endless []byte

func (e endless) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	if at < int64(len(e)) {
		copy(b, e[at:])
	}
	return len(b), nil
}

// repair makes the checksums fit again.
func repair(b []byte, size uint64) {
	le := binary.LittleEndian
	if len(b) >= 2048 && le.Uint16(b[1024+0x38:]) == 0xef53 {
		le.PutUint32(b[1024+0x3fc:], ^crc32.Checksum(b[1024:1024+0x3fc], castagnoli))
	}
	if len(b) >= 512 && string(b[:4]) == "XFSB" {
		if n := int(binary.BigEndian.Uint16(b[102:])); n >= 512 && n <= len(b) {
			clear(b[224:228])
			le.PutUint32(b[224:], crc32.Checksum(b[:n], castagnoli))
		}
	}
	if len(b) >= 4096 && le.Uint32(b[1024:]) == f2fsMagic {
		le.PutUint32(b[1024+3068:], f2fsChecksum(b[1024:1024+3068]))
	}
	if len(b) >= 512 && string(b[3:11]) == "EXFAT   " && b[108] >= 9 && b[108] <= 12 {
		v := &exfatVolume{medium{endless(b), size}, b}
		region, err := v.read(0, 12*v.sector())
		if at := 11 * int(v.sector()); err == nil && at+4 <= len(b) {
			le.PutUint32(b[at:], exfatChecksum(region[:at]))
		}
	}
}

// TestDamaged has values that cannot be, under checksums that fit.
func TestDamaged(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int
		value []byte
		want  string
	}{
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x18, []byte{7, 0, 0, 0}, "ext superblock: block size 2^7 KiB"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x58, []byte{100, 0}, "ext superblock: inode size 100"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x58, []byte{0, 0x20}, "ext superblock: inode size 8192"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x20, []byte{0, 0, 0, 0}, "ext superblock: 0 blocks in a group"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x28, []byte{0, 0, 0, 0}, "ext superblock: 0 inodes in a group"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x00, []byte{1}, "ext superblock: 32769 inodes, 4 groups of 8192 inodes"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0xfe, []byte{48}, "ext superblock: group descriptor size 48"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x4c, []byte{2}, "ext superblock: revision 2"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x14, []byte{2}, "ext superblock: first block 2 of 131072"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x04, []byte{1}, "ext superblock: 131073 blocks of 4096 bytes do not fit on a device of 536870912 bytes"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x0a, []byte{9}, "ext superblock: 596377 of 131072 blocks reserved"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x3c, []byte{9}, "ext: superblock: behaviour 9 on errors"},
		{"e2fsprogs-1.47.0-ext4", 1024 + 0x14c, []byte{0, 0, 0, 0}, "ext: journal: 0 blocks"},
		{"e2fsprogs-1.47.0-orphan_file", 1024 + 0x280, []byte{0}, "ext: orphan file: inode 0 of 16384"},
		{"xfsprogs-6.1.0-default", 100, []byte{0xb4, 0xa3}, "xfs superblock: version 3"},
		{"xfsprogs-6.1.0-default", 4, []byte{0, 0, 0x20}, "xfs superblock: block size 8192"},
		{"xfsprogs-6.1.0-default", 102, []byte{3}, "xfs superblock: sector size 768"},
		{"xfsprogs-6.1.0-default", 104, []byte{1}, "xfs superblock: inode size 256"},
		{"xfsprogs-6.1.0-default", 88, []byte{0, 0, 0, 9}, "xfs superblock: 131072 blocks in 9 groups of 32768"},
		{"xfsprogs-6.1.0-default", 124, []byte{3}, "xfs superblock: groups of 32768 blocks, 2^3"},
		{"xfsprogs-6.1.0-default", 127, []byte{101}, "xfs superblock: 101 percent for inodes"},
		{"xfsprogs-6.1.0-default", 192, []byte{64}, "xfs superblock: directory blocks of 2^64 blocks"},
		{"xfsprogs-6.1.0-default", 96, []byte{9}, "xfs superblock: log of 151011328 blocks at 65542"},
		{"xfsprogs-6.1.0-default", 126, []byte{1}, "xfs superblock: mkfs.xfs did not come to its end"},
		{"dosfstools-4.2-fat16", 0x0b, []byte{0, 3}, "FAT boot sector: sector size 768"},
		{"dosfstools-4.2-fat16", 0x0d, []byte{3}, "FAT boot sector: 3 sectors in a cluster"},
		{"dosfstools-4.2-fat16", 0x10, []byte{0}, "FAT boot sector: no file allocation table"},
		{"dosfstools-4.2-fat16", 0x15, []byte{1}, "FAT boot sector: media byte 01"},
		{"dosfstools-4.2-fat16", 0x11, []byte{0, 0}, "FAT boot sector: no root directory"},
		{"dosfstools-4.2-fat16", 0x13, []byte{9, 0}, "FAT boot sector: 9 sectors, of which data begin at 292"},
		{"dosfstools-4.2-fat16", 0x22, []byte{9}, "FAT boot sector: 589824 blocks of 512 bytes do not fit on a device of 67108864 bytes"},
		{"dosfstools-4.2-fat32", 0x2c, []byte{0}, "FAT root directory: cluster 0 of "},
		{"exfatprogs-1.2.0-default", 108, []byte{8}, "exfat boot sector: sector size 2^8"},
		{"exfatprogs-1.2.0-default", 109, []byte{30}, "exfat boot sector: cluster size 2^30 sectors"},
		{"exfatprogs-1.2.0-default", 96, []byte{1}, "exfat boot sector: root directory in cluster 1 of "},
		{"exfatprogs-1.2.0-default", 84, []byte{1, 0}, "exfat boot sector: table of 1 sectors at 2048, data at 4096"},
		{"exfatprogs-1.2.0-default", 72, []byte{0, 0, 0, 7}, "exfat boot sector: 117440512 blocks of 512 bytes do not fit"},
		{"f2fs-tools-1.15.0-odd", 1024 + 16, []byte{9}, "f2fs superblock: block size 2^9"},
		{"f2fs-tools-1.15.0-odd", 1024 + 24, []byte{0}, "f2fs superblock: 0 segments in a section, 2 sections in a zone"},
		{"f2fs-tools-1.15.0-odd", 1024 + 39, []byte{1}, "f2fs superblock: 16842752 blocks of 4096 bytes do not fit"},
		{"f2fs-tools-1.15.0-odd", 1024 + 76, []byte{0, 0, 0, 0}, "f2fs superblock: no checkpoint"},
		{"f2fs-tools-1.15.0-odd", 1024 + 76, []byte{9}, "f2fs: checkpoint: neither of the two is whole"},
	} {
		b, size := flat(t, c.name, 1<<20)
		copy(b[c.at:], c.value)
		repair(b, size)
		one, err := identify(medium{endless(b), size})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s at %#x: want %q, got %v, %v", c.name, c.at, c.want, one, err)
		}
	}
}

// TestChecksums changes one bit of each byte that a checksum covers.
func TestChecksums(t *testing.T) {
	for name, region := range map[string][2]int{
		"e2fsprogs-1.47.0-ext4":    {1024, 2048},
		"xfsprogs-6.1.0-default":   {0, 512},
		"exfatprogs-1.2.0-default": {0, 512},
		"f2fs-tools-1.15.0-odd":    {1024, 4096},
	} {
		b, size := flat(t, name, 1<<20)
		before, _ := identify(medium{endless(b), size})
		for i := region[0]; i < region[1]; i++ {
			b[i] ^= 0x10
			one, err := identify(medium{endless(b), size})
			b[i] ^= 0x10
			if one == nil || err != nil {
				continue // not recognized, or damaged
			}
			if was, is := layoutText(t, before), layoutText(t, one); !bytes.Equal(was, is) {
				t.Errorf("%s: byte %d goes unnoticed:\n%s", name, i, is)
			}
		}
	}
}

// torn is a superblock that the kernel is changing when it is read first.
type torn struct {
	endless
	reads int
}

func (r *torn) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.endless.ReadAt(b, at)
	if at == 1024 {
		b[0x0c] += byte(max(0, 3-r.reads)) // the count of free blocks
		r.reads++
	}
	return n, err
}

func TestTorn(t *testing.T) {
	b, size := flat(t, "e2fsprogs-1.47.0-ext2", 1<<20)
	b[1024+extROCompatAt+1] |= 0x04 // metadata_csum
	repair(b, size)
	one, err := readExt(medium{&torn{endless: b}, size})
	if one == nil || err != nil {
		t.Errorf("got %v, %v", one, err)
	}
}

// counted counts what is read.
type counted struct {
	io.ReaderAt
	bytes, calls int
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	c.bytes += len(b)
	c.calls++
	return c.ReaderAt.ReadAt(b, at)
}

// fuzzFormat feeds one reader with damaged beginnings of devices.
func fuzzFormat(f *testing.F, format format, names ...string) {
	for _, name := range names {
		b, size := flat(f, name, 16<<10)
		f.Add(b, size, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint64, fitting bool) {
		size %= 1 << 60 // no device is larger
		b = bytes.Clone(b)
		if fitting {
			repair(b, size)
		}
		c := &counted{ReaderAt: endless(b)}
		one, err := format.read(medium{c, size})
		if c.bytes > 16<<20 || c.calls > 10000 {
			t.Errorf("%d bytes read in %d calls", c.bytes, c.calls)
		}
		switch {
		case err != nil && one != nil:
			t.Error("both an answer and an error")
		case one != nil:
			layoutText(t, one)
		}
	})
}

func FuzzExt(f *testing.F) {
	fuzzFormat(f, extFormat, "e2fsprogs-1.47.0-ext4", "e2fsprogs-1.47.0-casefold", "e2fsprogs-1.47.0-bigalloc", "e2fsprogs-1.47.0-revision0", "e2fsprogs-1.47.0-jbd",
		"e2fsprogs-1.47.0-fast_commit", "e2fsprogs-1.47.0-meta_bg", "e2fsprogs-1.47.0-orphan_file")
}

func FuzzXFS(f *testing.F) {
	fuzzFormat(f, xfsFormat, "xfsprogs-6.1.0-default", "xfsprogs-6.1.0-version4", "xfsprogs-6.1.0-odd", "xfsprogs-6.1.0-meta_uuid")
}

func FuzzFAT(f *testing.F) {
	fuzzFormat(f, fatFormat, "dosfstools-4.2-fat12", "dosfstools-4.2-fat16", "dosfstools-4.2-fat32", "dosfstools-4.2-odd")
}

func FuzzExFAT(f *testing.F) {
	fuzzFormat(f, exfatFormat, "exfatprogs-1.2.0-default", "exfatprogs-1.2.0-odd")
}

func FuzzF2FS(f *testing.F) {
	fuzzFormat(f, f2fsFormat, "f2fs-tools-1.15.0-default", "f2fs-tools-1.15.0-odd")
}

func FuzzSwap(f *testing.F) {
	fuzzFormat(f, swapFormat, "util-linux-2.38.1-swap", "util-linux-2.38.1-pages64k", "util-linux-2.41.5-big-endian")
}
