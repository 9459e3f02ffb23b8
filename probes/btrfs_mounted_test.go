package probes

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rootwc/internal/odds"
	"rootwc/internal/run"
)

// loopDevices makes loop devices of files, where that is possible.
func loopDevices(t testing.TB, images ...string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for loop devices and mounts")
	}
	if known, err := os.ReadFile("/proc/filesystems"); err != nil || !bytes.Contains(known, []byte("\tbtrfs\n")) {
		t.Skip("needs a kernel with btrfs (modprobe btrfs)")
	}
	var devices []string
	for _, image := range images {
		out, _, err := run.Output(t.Context(), run.Command{Args: []string{"losetup", "--find", "--show", "--", image}})
		if err != nil {
			t.Skipf("no loop device: %v", err)
		}
		device := strings.TrimSpace(string(out))
		t.Cleanup(func() { run.Output(context.Background(), run.Command{Args: []string{"losetup", "--detach", device}}) })
		devices = append(devices, device)
	}
	return devices
}

// btrfsMount mounts a file system's top level, until the test or the returned
// function ends that.
func btrfsMount(t testing.TB, devices []string, options ...string) (dir string, unmount func()) {
	t.Helper()
	dir = t.TempDir()
	btrfsRun(t, append([]string{"btrfs", "device", "scan"}, devices...)...)
	btrfsRun(t, "mount", "-t", "btrfs", "-o", strings.Join(append(options, "subvolid=5"), ","), devices[0], dir)
	mounted := true
	unmount = func() {
		if !mounted {
			return
		}
		mounted = false
		if _, _, err := run.Output(context.Background(), run.Command{Args: []string{"umount", dir}}); err != nil {
			t.Error(err)
		}
		run.Output(context.Background(), run.Command{Args: append([]string{"btrfs", "device", "scan", "--forget"}, devices...)})
	}
	t.Cleanup(unmount)
	return dir, unmount
}

// readMounted reads a mounted file system by way of the kernel.
func readMounted(t testing.TB, dir string, devices ...string) *FileSystem {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, fs, err := readBtrfs(t.Context(), btrfsMedia(t, devices...), f)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// oddSubvolumes makes subvolumes with everything that is recorded of them.
func oddSubvolumes(t testing.TB, dir string) {
	t.Helper()
	for _, args := range odds.Subvolumes(dir) {
		btrfsRun(t, args...)
	}
}

// theOddSubvolumes is what oddSubvolumes makes.
var theOddSubvolumes = map[ID]*BtrfsSubvolume{
	"/":                              {Compression: "lzo"},
	"@":                              {},
	"@home":                          {Compression: "zstd"},
	"@home/with a blank":             {Compression: "none"},
	"@/var/lib/deep er/machines":     {NoCOW: true},
	"@/var/lib/deep er/machines/one": {},
	`odd\xff\x5cn` + "\x01ame":       {},
	"@home-yesterday":                {ReadOnly: true, Compression: "zstd", SnapshotOf: "@home"},
	"of-gone":                        {},
}

func checkOdd(t testing.TB, fs *FileSystem) {
	t.Helper()
	if fs.Label != "label of\tthe mounted" || fs.Btrfs.Default != "@" || fs.Unsupported != "" {
		t.Errorf("label %q, default %q, unsupported %q", fs.Label, fs.Btrfs.Default, fs.Unsupported)
	}
	for _, id := range slices.Sorted(maps.Keys(fs.Btrfs.Subvolume)) {
		if want := theOddSubvolumes[id]; want == nil || !reflect.DeepEqual(want, fs.Btrfs.Subvolume[id]) {
			t.Errorf("%q is %+v, not %+v", id, fs.Btrfs.Subvolume[id], want)
		}
	}
	for id := range theOddSubvolumes {
		if fs.Btrfs.Subvolume[id] == nil {
			t.Errorf("%q is not there", id)
		}
	}
}

// TestBtrfsMounted sees at once what is not on the devices yet, and the same
// on the devices after unmounting.
func TestBtrfsMounted(t *testing.T) {
	devices := loopDevices(t, btrfsImages(t, 256<<20)...)
	btrfsRun(t, "mkfs.btrfs", "-q", devices[0])
	dir, unmount := btrfsMount(t, devices, "commit=300")
	oddSubvolumes(t, dir)
	live := readMounted(t, dir, devices...)
	checkOdd(t, live)
	unmount()
	id, fs := mustReadBtrfs(t, devices...)
	checkOdd(t, fs)
	compareSuper(t, devices[0], id, fs)
	if !reflect.DeepEqual(fs, live) {
		t.Errorf("mounted  %+v\nunmounted %+v", live.Btrfs, fs.Btrfs)
	}
}

// createSubvolumes makes many without a process for each.
func createSubvolumes(t testing.TB, dir string, names ...string) {
	t.Helper()
	const create = 0x5000940e // BTRFS_IOC_SUBVOL_CREATE
	for _, name := range names {
		parent, err := os.Open(filepath.Join(dir, filepath.Dir(name)))
		if err != nil {
			t.Fatal(err)
		}
		var args [4096]byte // a descriptor, which is not used here, and a name
		copy(args[8:], filepath.Base(name))
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, parent.Fd(), create, uintptr(unsafe.Pointer(&args[0])))
		parent.Close()
		if errno != 0 {
			t.Fatalf("cannot make subvolume %s: %v", name, errno)
		}
	}
}

// TestBtrfsProfiles reads trees that lie over several devices, in many blocks.
func TestBtrfsProfiles(t *testing.T) {
	for _, profile := range []string{"single", "dup", "raid0", "raid1", "raid1c3", "raid1c4", "raid10", "raid5", "raid6"} {
		t.Run(profile, func(t *testing.T) {
			const size = 300 << 20
			devices := loopDevices(t, btrfsImages(t, size, size, size, size, size)...)
			btrfsRun(t, append([]string{"mkfs.btrfs", "-q", "-n", "4k", "-d", "single", "-m", profile}, devices...)...)
			dir, unmount := btrfsMount(t, devices)
			var names []string
			for i := range 400 {
				name := fmt.Sprintf("%0150d", i)
				if i%7 == 6 {
					name = names[len(names)-1] + "/" + name
				}
				names = append(names, name)
			}
			createSubvolumes(t, dir, names...)
			live := readMounted(t, dir, devices...)
			unmount()
			slices.Reverse(devices)
			_, fs := mustReadBtrfs(t, devices...)
			if !reflect.DeepEqual(live, fs) {
				t.Error("mounted and unmounted differ")
			}
			slices.Sort(names)
			var got []string
			for id := range fs.Btrfs.Subvolume {
				got = append(got, string(id))
			}
			slices.Sort(got)
			if !slices.Equal(names, got) {
				t.Errorf("%d subvolumes, made were %d", len(got), len(names))
			}
			if fs.Btrfs.Metadata != profile || fs.Btrfs.Data != "single" || fs.Btrfs.System != "" {
				t.Errorf("profiles are %s, %s, %s", fs.Btrfs.Data, fs.Btrfs.Metadata, fs.Btrfs.System)
			}

			// without a device
			_, fs, err := readBtrfs(t.Context(), btrfsMedia(t, devices[1:]...), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(fs.Unsupported)
			if !strings.Contains(fs.Unsupported, "device 5 (") && !strings.Contains(fs.Unsupported, "not all of its 5 devices") {
				t.Errorf("a device is missing: unsupported %q", fs.Unsupported)
			}
			if strings.HasPrefix(profile, "raid1") && len(fs.Btrfs.Subvolume) != len(names) {
				t.Errorf("%d subvolumes without a device", len(fs.Btrfs.Subvolume))
			}
		})
	}
}

func TestBtrfsQuota(t *testing.T) {
	devices := loopDevices(t, btrfsImages(t, 256<<20)...)
	btrfsRun(t, "mkfs.btrfs", "-q", devices[0])
	dir, unmount := btrfsMount(t, devices)
	createSubvolumes(t, dir, "one", "two", "two/three", "gone")
	quota := func(args ...string) { btrfsRun(t, append(append([]string{"btrfs"}, args...), dir)...) }
	quota("quota", "enable")
	quota("qgroup", "limit", "100M", "0/257")
	quota("qgroup", "limit", "50M")
	quota("qgroup", "limit", "-e", "30M", "0/258")
	quota("qgroup", "limit", "7M", "0/259")
	quota("qgroup", "limit", "none", "0/258")
	quota("qgroup", "create", "1/7")
	quota("qgroup", "create", "2/7")
	quota("qgroup", "create", "1/12")
	quota("qgroup", "limit", "200M", "1/7")
	quota("qgroup", "assign", "0/256", "1/7")
	quota("qgroup", "assign", "0/256", "1/12")
	quota("qgroup", "assign", "1/12", "2/7")
	btrfsRun(t, "btrfs", "-q", "subvolume", "delete", filepath.Join(dir, "gone"))
	live := readMounted(t, dir, devices...)
	unmount()
	_, fs := mustReadBtrfs(t, devices...)
	if !reflect.DeepEqual(live, fs) {
		t.Errorf("mounted and unmounted differ\n%+v\n%+v", live.Btrfs, fs.Btrfs)
	}
	wantSubvolumes := map[ID]*BtrfsSubvolume{
		"/":         {MaxReferenced: 50 << 20},
		"one":       {Groups: []string{"1/7", "1/12"}},
		"two":       {MaxReferenced: 100 << 20},
		"two/three": {MaxExclusive: 30 << 20},
	}
	wantGroups := map[ID]*BtrfsQuotaGroup{"1/7": {MaxReferenced: 200 << 20}, "2/7": {}, "1/12": {Groups: []string{"2/7"}}}
	if fs.Btrfs.Quota != "full" || !reflect.DeepEqual(fs.Btrfs.Group, wantGroups) || !reflect.DeepEqual(fs.Btrfs.Subvolume, wantSubvolumes) {
		t.Errorf("got quota %q, unsupported %q", fs.Btrfs.Quota, fs.Unsupported)
		for id, g := range fs.Btrfs.Group {
			t.Errorf("group %s: %+v", id, g)
		}
		for id, s := range fs.Btrfs.Subvolume {
			t.Errorf("subvolume %s: %+v", id, s)
		}
	}
}

// TestBtrfsStates has what only use makes of a file system.
func TestBtrfsStates(t *testing.T) {
	const size = 400 << 20
	fresh := func(t *testing.T, n int, args ...string) []string {
		t.Helper()
		devices := loopDevices(t, btrfsImages(t, slices.Repeat([]int64{size}, n)...)...)
		btrfsRun(t, append(append([]string{"mkfs.btrfs", "-q"}, args...), devices[0])...)
		return devices
	}
	unsupported := func(t *testing.T, fs *FileSystem, want string) {
		t.Helper()
		if fs.Unsupported != want {
			t.Errorf("unsupported: %q, want %q", fs.Unsupported, want)
		}
	}

	t.Run("seed", func(t *testing.T) {
		devices := fresh(t, 2)
		btrfsRun(t, "btrfstune", "-f", "-S", "1", devices[0])
		_, fs := mustReadBtrfs(t, devices[0])
		unsupported(t, fs, "it is a seed")
		dir, unmount := btrfsMount(t, devices[:1])
		btrfsRun(t, "btrfs", "device", "add", "-f", devices[1], dir)
		btrfsRun(t, "mount", "-o", "remount,rw", dir)
		createSubvolumes(t, dir, "new")
		unsupported(t, readMounted(t, dir, devices[1]), "it stands on a seed")
		unmount()
		_, fs = mustReadBtrfs(t, devices[1])
		unsupported(t, fs, "it stands on a seed")
	})

	t.Run("another UUID", func(t *testing.T) {
		devices := fresh(t, 1)
		before, fs := mustReadBtrfs(t, devices...)
		btrfsRun(t, "btrfstune", "-f", "-m", devices[0])
		after, again := mustReadBtrfs(t, devices...)
		if before == after || !reflect.DeepEqual(fs, again) {
			t.Errorf("%s became %s, %+v became %+v", before, after, fs.Btrfs, again.Btrfs)
		}
		dir, _ := btrfsMount(t, devices)
		if live := readMounted(t, dir, devices...); !reflect.DeepEqual(fs, live) {
			t.Errorf("mounted it is %+v", live.Btrfs)
		}
	})

	t.Run("devices come and go", func(t *testing.T) {
		devices := fresh(t, 3, "-m", "single")
		dir, unmount := btrfsMount(t, devices[:1])
		btrfsRun(t, "btrfs", "device", "add", "-f", devices[1], dir)
		btrfsRun(t, "btrfs", "replace", "start", "-B", "-f", "1", devices[2], dir)
		btrfsRun(t, "btrfs", "filesystem", "resize", "1:300m", dir)
		btrfsRun(t, "btrfs", "balance", "start", "-f", "-mconvert=raid1", "-sconvert=raid1", "-dconvert=raid0", dir)
		live := readMounted(t, dir, devices[1:]...)
		unmount()
		_, fs := mustReadBtrfs(t, devices[1:]...)
		if !reflect.DeepEqual(fs, live) {
			t.Errorf("mounted  %+v\nunmounted %+v", live.Btrfs, fs.Btrfs)
		}
		unsupported(t, fs, "")
		b := fs.Btrfs
		if b.Data != "raid0" || b.Metadata != "raid1" || b.System != "" || len(b.Device) != 2 || b.Device["1"].Size != 300<<20 || b.Device["2"].Size != size {
			t.Errorf("got %+v", b)
		}

		// the same while it is replaced, which does not hold still for a test
		e := &btrfsExtract{pages: map[btrfsPage][]byte{}}
		var list []medium
		for i, s := range btrfsMedia(t, devices[1:]...) {
			e.sizes = append(e.sizes, int64(s.size))
			list = append(list, medium{btrfsExtractDevice{e, int64(i), s}, s.size})
		}
		if _, _, err := readBtrfs(t.Context(), list, nil); err != nil {
			t.Fatal(err)
		}
		for _, address := range blocksOf(t, e) {
			e.edit(e.pagesOf(t, address), superOf(t, e).checksum, func(b []byte) {
				if le64(b[0x58:]) == btrfsDeviceTree && b[0x64] == 0 {
					_, data := itemIn(t, b, func(k btrfsKey) bool { return k.kind == btrfsReplaceItem })
					put64(data, 1)
					put64(data[32:], 4)
				}
			})
		}
		_, fs, err := readBtrfs(t.Context(), e.devices(), nil)
		if err != nil {
			t.Fatal(err)
		}
		unsupported(t, fs, "device 1 is being replaced")
	})

	t.Run("received", func(t *testing.T) {
		devices := fresh(t, 2, "-O", "^no-holes")
		btrfsRun(t, "mkfs.btrfs", "-q", devices[1])
		from, _ := btrfsMount(t, devices[:1])
		to, unmount := btrfsMount(t, devices[1:])
		createSubvolumes(t, from, "sent")
		btrfsRun(t, "btrfs", "property", "set", filepath.Join(from, "sent"), "ro", "true")
		stream := filepath.Join(t.TempDir(), "stream")
		btrfsRun(t, "btrfs", "-q", "send", "-f", stream, filepath.Join(from, "sent"))
		btrfsRun(t, "btrfs", "-q", "receive", "-f", stream, to)
		unmount()
		_, fs := mustReadBtrfs(t, devices[1])
		want := map[ID]*BtrfsSubvolume{"sent": {ReadOnly: true, Received: true}}
		if !reflect.DeepEqual(fs.Btrfs.Subvolume, want) {
			t.Errorf("got %+v", fs.Btrfs.Subvolume["sent"])
		}
	})

	t.Run("simple quota", func(t *testing.T) {
		devices := fresh(t, 1)
		dir, unmount := btrfsMount(t, devices)
		d, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		const control, enableSimple = 0xc0109428, 4 // BTRFS_IOC_QUOTA_CTL
		args := [2]uint64{enableSimple}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), control, uintptr(unsafe.Pointer(&args))); errno != 0 {
			t.Skipf("this kernel has no simple quota: %v", errno)
		}
		d.Close()
		live := readMounted(t, dir, devices...)
		unmount()
		_, fs := mustReadBtrfs(t, devices...)
		if fs.Btrfs.Quota != "simple" || live.Btrfs.Quota != "simple" || fs.Unsupported != "" {
			t.Errorf("quota %q, mounted %q, unsupported %q", fs.Btrfs.Quota, live.Btrfs.Quota, fs.Unsupported)
		}
	})

	// Use changes nothing: writing, compressing, mounting again, balancing.
	t.Run("use", func(t *testing.T) {
		devices := fresh(t, 1, "-n", "32k")
		_, before := mustReadBtrfs(t, devices...)
		dir, unmount := btrfsMount(t, devices, "compress-force=zstd")
		if err := os.WriteFile(filepath.Join(dir, "file"), bytes.Repeat([]byte("content "), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		btrfsRun(t, "btrfs", "filesystem", "defragment", "-clzo", filepath.Join(dir, "file"))
		btrfsRun(t, "btrfs", "balance", "start", "--full-balance", dir)
		unmount()
		if _, after := mustReadBtrfs(t, devices...); !reflect.DeepEqual(before, after) {
			t.Errorf("%+v became %+v", before.Btrfs, after.Btrfs)
		}
	})
}

// TestBtrfsMountedWrongly asks a directory that is not of the file system.
func TestBtrfsMountedWrongly(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _, err = readBtrfs(t.Context(), oneBtrfsExtract(t, "odd").devices(), f)
	if err == nil || !strings.Contains(err.Error(), ": no btrfs: ") && !strings.Contains(err.Error(), " is of file system ") {
		t.Errorf("got %v", err)
	}
}
