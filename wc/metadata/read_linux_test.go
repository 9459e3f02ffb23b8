package metadata

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes one entry of every kind, and returns the names.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	file(t, dir, "file", 0o640)
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "dir"), 0o750),
		os.Symlink("file", filepath.Join(dir, "symlink")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o600, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"file", "dir", "symlink", "dangling", "fifo", "socket"}
	if unix.Mknod(filepath.Join(dir, "device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) == nil {
		names = append(names, "device")
	}
	return names
}

func TestReadKinds(t *testing.T) {
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			for _, name := range tree(t, dir) {
				v := read(t, filepath.Join(dir, name))
				if want := strings.Replace(name, "dangling", "symlink", 1); v.Kind.String() != want {
					t.Errorf("%s is a %s", name, v.Kind)
				}
				if v.ACL != nil || v.DefaultACL != nil || v.Xattrs != nil {
					t.Errorf("%s has %+v", name, v)
				}
			}
			if v := read(t, filepath.Join(dir, "file")); v.Mode != 0o640 {
				t.Errorf("mode %#o", v.Mode)
			}
		})
	}
}

// TestReadWays reads the same attributes by every way there is.
func TestReadWays(t *testing.T) {
	needRoot(t)
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			dirfd := openDir(t, dir)
			for _, name := range tree(t, dir) {
				path := filepath.Join(dir, name)
				want := 3
				for _, attr := range []string{"user.a", "trusted.a", "security.other", "security.capability"} {
					value := []byte("v")
					if attr == xattrCapability {
						value = []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
					}
					err := unix.Lsetxattr(path, attr, value, 0)
					if err != nil && Versioned(attr) {
						want-- // user.* exists for files and directories only
					}
				}
				first, st, err := Read(dirfd, name)
				if err != nil {
					t.Fatal(err)
				}
				if first.Kind == Symlink {
					want = 0
				}
				if len(first.Xattrs) != want {
					t.Errorf("%s: %d attributes, want %d: %s", name, len(first.Xattrs), want, FormatXattrs(first.Xattrs))
				}
				at, path2 := FromStat(&st), FromStat(&st)
				if err := at.ReadXattrs(dirfd, name); err != nil {
					t.Error(err)
				}
				if err := path2.ReadXattrsPath(path); err != nil {
					t.Error(err)
				}
				fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				byFD, _, err := ReadFD(fd)
				if err != nil {
					t.Error(err)
				}
				unix.Close(fd)
				for way, v := range map[string]Values{"ReadXattrs": at, "ReadXattrsPath": path2, "ReadFD": byFD} {
					if changes := Compare(first, v, testNames); changes != nil {
						t.Errorf("%s of %s: %s", way, name, Words(changes))
					}
				}
			}
			f, err := os.Open(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if v, _, err := ReadFD(int(f.Fd())); err != nil || len(v.Xattrs) != 3 {
				t.Errorf("by descriptor: %v, %v", v, err)
			}
		})
	}
}

// TestReadWithoutListxattrat is the way of kernels before 6.13.
func TestReadWithoutListxattrat(t *testing.T) {
	dir := t.TempDir()
	dirfd := openDir(t, dir)
	path := file(t, dir, "file", 0o644)
	before := noListxattrat.Swap(true)
	defer noListxattrat.Store(before)
	v := Values{Kind: File}
	if err := v.ReadXattrs(dirfd, "file"); err != nil || v.Xattrs != nil {
		t.Errorf("%v, %v", v, err)
	}
	if err := unix.Setxattr(path, "user.a", nil, 0); err != nil {
		t.Skip(err)
	}
	if err := v.ReadXattrs(dirfd, "file"); err != nil || len(v.Xattrs) != 1 || v.Xattrs[0].Value == nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	dirfd := openDir(t, dir)
	path := file(t, dir, "file", 0o644)
	if err := os.Symlink("..", filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	v := Values{Kind: File}
	if err := v.ReadXattrs(dirfd, "gone"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing entry: %v", err)
	}
	for _, name := range []string{"", "..", "up/x", "/etc/passwd", "a\x00b"} {
		if err := v.ReadXattrs(dirfd, name); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	if err := unix.Setxattr(path, "user.a", nil, 0); err != nil {
		t.Skip(err)
	}
	v.Kind = Dir
	if err := v.ReadXattrs(dirfd, "file"); !errors.Is(err, ErrChanged) || err.Error() != `"file" is no longer the same file` {
		t.Errorf("other kind: %v", err)
	}
}

func TestReadLimits(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "metadata-test-")
	if err != nil {
		t.Skip("needs /dev/shm, where attributes may be large")
	}
	defer os.RemoveAll(dir)
	needRoot(t)
	path := file(t, dir, "file", 0o644)
	big := make([]byte, maxXattrValue)
	for i := range 15 {
		if err := unix.Setxattr(path, "trusted."+string(rune('a'+i)), big, 0); err != nil {
			t.Skipf("tmpfs does not take that much: %v", err)
		}
	}
	if v := read(t, path); len(v.Xattrs) != 15 || len(v.Xattrs[14].Value) != maxXattrValue {
		t.Errorf("%d attributes", len(v.Xattrs))
	}
	for i := range 3 {
		if err := unix.Setxattr(path, "trusted.more"+string(rune('a'+i)), big, 0); err != nil {
			t.Skip(err)
		}
	}
	v := Values{Kind: File}
	if err := v.ReadXattrs(openDir(t, dir), "file"); !errors.Is(err, ErrTooLarge) || v.Xattrs != nil {
		t.Errorf("too large: %v", err)
	}
}

func benchmarkRead(b *testing.B, oldKernel bool) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	dirfd := openDir(b, dir)
	if oldKernel {
		defer noListxattrat.Store(noListxattrat.Swap(true))
	}
	b.ReportAllocs()
	for b.Loop() {
		v := Values{Kind: File}
		if err := v.ReadXattrs(dirfd, "file"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadXattrsNone(b *testing.B)      { benchmarkRead(b, false) }
func BenchmarkReadXattrsOldKernel(b *testing.B) { benchmarkRead(b, true) }
