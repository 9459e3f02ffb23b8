package probes

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// extract is what reading a file system needs of its devices: testdata that
// another release's tools made.
type btrfsExtract struct {
	sizes []int64
	pages map[btrfsPage][]byte // those that are not empty
}

// page is where 4 KiB are.
type btrfsPage struct{ device, offset int64 }

const btrfsPageSize = 4096

// device is one of an extract's devices, to be read.
type btrfsExtractDevice struct {
	*btrfsExtract
	number int64
	keep   io.ReaderAt // where its pages come from, nil when they are all there
}

func (d btrfsExtractDevice) ReadAt(b []byte, offset int64) (int, error) {
	if offset < 0 || offset+int64(len(b)) > d.sizes[d.number] {
		return 0, io.EOF
	}
	for done := 0; done < len(b); {
		at := btrfsPage{d.number, (offset + int64(done)) / btrfsPageSize * btrfsPageSize}
		if d.keep != nil && d.pages[at] == nil {
			p := make([]byte, btrfsPageSize)
			if _, err := d.keep.ReadAt(p, at.offset); err != nil {
				return done, err
			}
			d.pages[at] = p
		}
		p := d.page(at)
		done += copy(b[done:], p[(offset+int64(done))%btrfsPageSize:])
	}
	return len(b), nil
}

// devices are the extract's devices, for reading.
func (e *btrfsExtract) devices() []medium {
	var list []medium
	for i, size := range e.sizes {
		list = append(list, medium{btrfsExtractDevice{e, int64(i), nil}, uint64(size)})
	}
	return list
}

// The form of an extract, gzipped: a line of text for each device and each
// page, and the page's bytes behind its line.
func (e *btrfsExtract) write(t testing.TB, path string) {
	t.Helper()
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	for _, size := range e.sizes {
		fmt.Fprintf(w, "device %d\n", size)
	}
	order := func(a, b btrfsPage) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.offset, b.offset))
	}
	for _, at := range slices.SortedFunc(maps.Keys(e.pages), order) {
		if p := e.pages[at]; !bytes.Equal(p, make([]byte, btrfsPageSize)) {
			fmt.Fprintf(w, "page %d %d\n%s", at.device, at.offset, p)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readBtrfsExtract(t testing.TB, path string) *btrfsExtract {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(z)
	e := &btrfsExtract{pages: map[btrfsPage][]byte{}}
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			return e
		}
		var size int64
		var at btrfsPage
		if _, err := fmt.Sscanf(line, "device %d\n", &size); err == nil {
			e.sizes = append(e.sizes, size)
			continue
		}
		p := make([]byte, btrfsPageSize)
		if _, err := fmt.Sscanf(line, "page %d %d\n", &at.device, &at.offset); err != nil {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		e.pages[at] = p
	}
}

// pagesOf are the pages of a block, for each of its copies.
func (e *btrfsExtract) pagesOf(t testing.TB, address uint64) [][]btrfsPage {
	t.Helper()
	super, members, err := readBtrfsMembers(e.devices())
	if err != nil {
		t.Fatal(err)
	}
	r := &btrfsReader{super: super, members: members, fs: &Btrfs{}}
	if r.disks, err = newBtrfsDisks(super, members); err != nil {
		t.Fatal(err)
	}
	r.source = r.disks
	if err := r.readChunks(t.Context()); err != nil {
		t.Fatal(err)
	}
	number := map[uint64]int64{}
	for i, d := range e.devices() {
		s, err := readBtrfsSuper(d)
		if err != nil {
			t.Fatal(err)
		}
		number[s.device.number] = int64(i)
	}
	c := r.disks.chunks.find(address)
	copies := make([][]btrfsPage, c.copies())
	for copy := range copies {
		for i := uint64(0); i < uint64(super.nodeSize); i += btrfsPageSize {
			at, _ := c.locate(address-c.start+i, copy)
			copies[copy] = append(copies[copy], btrfsPage{number[at.device], int64(at.offset)})
		}
	}
	return copies
}

// edit changes a block in all its copies, and makes the checksum right again.
func (e *btrfsExtract) edit(copies [][]btrfsPage, c btrfsChecksum, edit func(block []byte)) {
	var b []byte
	for _, at := range copies[0] {
		b = append(b, e.page(at)...)
	}
	edit(b)
	seal(b, c)
	for _, pages := range copies {
		for i, at := range pages {
			e.pages[at] = bytes.Clone(b[i*btrfsPageSize:][:btrfsPageSize])
		}
	}
}

func (e *btrfsExtract) page(at btrfsPage) []byte {
	if p := e.pages[at]; p != nil {
		return p
	}
	return make([]byte, btrfsPageSize)
}

// changeSuper edits the first superblock of a device.
func (e *btrfsExtract) changeSuper(device int64, edit func(block []byte)) {
	b := bytes.Clone(e.pages[btrfsPage{device, btrfsFirst}])
	edit(b)
	if kind := int(binary.LittleEndian.Uint16(b[0xc4:])); kind < len(btrfsChecksums) {
		seal(b, btrfsChecksums[kind])
	}
	e.pages[btrfsPage{device, btrfsFirst}] = b
}

// seal gives a block the checksum that it should have.
func seal(b []byte, c btrfsChecksum) {
	copy(b, append(c.sum(b[btrfsChecksumSize:]), make([]byte, 32)...)[:32])
}

// text is a file system as it is written down.
func btrfsText(t testing.TB, id ID, fs *FileSystem) string {
	t.Helper()
	var b strings.Builder
	l := &Layout{Format: Format, FileSystem: map[ID]*FileSystem{id: fs}}
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Read([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if changes := Compare(l, again); len(changes) > 0 {
		t.Errorf("written and read again it differs: %v", changes)
	}
	return b.String()
}

// btrfsExtracts are those in testdata.
func btrfsExtracts(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/btrfs/*.pages.gz")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no extracts: %v", err)
	}
	return paths
}

// TestBtrfsReleases reads what the tools of several releases made.
func TestBtrfsReleases(t *testing.T) {
	for _, path := range btrfsExtracts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".pages.gz"), func(t *testing.T) {
			devices := readBtrfsExtract(t, path).devices()
			slices.Reverse(devices)
			id, fs, err := readBtrfs(t.Context(), devices, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(path, ".pages.gz") + ".toml")
			if err != nil {
				t.Fatal(err)
			}
			if got := btrfsText(t, id, fs); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestMakeBtrfsExtracts makes the testdata, when ROOTWC_ROOTS names a
// directory with the roots of several releases that have btrfs-progs, debian11
// for one. The kernel is this machine's.
func TestMakeBtrfsExtracts(t *testing.T) {
	dir := os.Getenv("ROOTWC_ROOTS")
	if dir == "" {
		t.Skip("makes testdata; ROOTWC_ROOTS has to name a directory with Debian roots")
	}
	roots, err := filepath.Glob(filepath.Join(dir, "debian*"))
	if err != nil || len(roots) == 0 {
		t.Fatalf("no roots in %s: %v", dir, err)
	}
	cases := []struct {
		name    string
		devices int
		args    []string
		use     func(testing.TB, string)
	}{
		{"default", 1, nil, nil},
		{"odd", 1, []string{"--csum", "xxhash", "-n", "32k", "-O", "^extref"}, oddSubvolumes},
		{"striped", 4, []string{"--csum", "blake2", "-d", "raid0", "-m", "raid10", "-n", "4k"}, manySubvolumes},
		{"mixed", 1, []string{"--mixed", "-O", "^no-holes", "-R", "quota", "--csum", "sha256"}, func(t testing.TB, dir string) {
			createSubvolumes(t, dir, "limited")
			btrfsRun(t, "btrfs", "qgroup", "limit", "-e", "10M", filepath.Join(dir, "limited"))
		}},
		{"new", 2, []string{"-O", "block-group-tree,squota"}, nil},
	}
	for _, root := range roots {
		if _, err := os.Stat(filepath.Join(root, "proc/self")); err != nil {
			btrfsRun(t, "mount", "-t", "proc", "proc", filepath.Join(root, "proc"))
			t.Cleanup(func() {
				run.Output(context.Background(), run.Command{Args: []string{"umount", filepath.Join(root, "proc")}})
			})
		}
		version := btrfsRun(t, "chroot", root, "mkfs.btrfs", "--version")
		_, version, _ = strings.Cut(version, " v")
		version = strings.Fields(version)[0]
		for _, c := range cases {
			t.Run(version+"-"+c.name, func(t *testing.T) {
				args := append([]string{"chroot", root, "mkfs.btrfs", "-q", "-L", version + " " + c.name}, c.args...)
				var images []string
				for i := range c.devices {
					image := filepath.Join(root, "tmp", fmt.Sprintf("btrfs-%d.img", i))
					if err := os.WriteFile(image, nil, 0o600); err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { os.Remove(image) })
					if err := os.Truncate(image, 256<<20); err != nil {
						t.Fatal(err)
					}
					images = append(images, image)
					args = append(args, strings.TrimPrefix(image, root))
				}
				if _, _, err := run.Output(t.Context(), run.Command{Args: args}); err != nil {
					t.Skipf("this release cannot: %v", err)
				}
				if c.use != nil {
					dir, unmount := btrfsMount(t, loopDevices(t, images...))
					c.use(t, dir)
					unmount()
				}
				makeExtract(t, images, "testdata/btrfs/btrfs-progs-"+version+"-"+c.name)
			})
		}
	}
}

// manySubvolumes makes so many that their trees lie on all devices.
func manySubvolumes(t testing.TB, dir string) {
	t.Helper()
	for i := range 25 {
		createSubvolumes(t, dir, fmt.Sprintf("%02d", i))
	}
}

// makeExtract writes the two files of an extract.
func makeExtract(t testing.TB, images []string, path string) {
	t.Helper()
	e := &btrfsExtract{pages: map[btrfsPage][]byte{}}
	var devices []medium
	for i, s := range btrfsMedia(t, images...) {
		e.sizes = append(e.sizes, int64(s.size))
		devices = append(devices, medium{btrfsExtractDevice{e, int64(i), s}, s.size})
	}
	id, fs, err := readBtrfs(t.Context(), devices, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices { // the second superblocks, for tests of damage
		if _, err := d.read(btrfsCopies[1], btrfsSuperSize); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	e.write(t, path+".pages.gz")
	if err := os.WriteFile(path+".toml", []byte(btrfsText(t, id, fs)), 0o644); err != nil {
		t.Fatal(err)
	}
}
