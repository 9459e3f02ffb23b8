package probes

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// TestBtrfsAgain makes file systems from what was read of others, and reads
// the same: nothing that matters is forgotten.
func TestBtrfsAgain(t *testing.T) {
	for round := range rounds(8) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, uint64(round)))
			args, sizes, _ := randomBtrfs(r)
			t.Log(run.Quote(args), len(sizes), "devices")
			devices := loopDevices(t, btrfsImages(t, sizes...)...)
			btrfsRun(t, append(args, devices...)...)
			dir, unmount := btrfsMount(t, devices)
			oddSubvolumes(t, dir)
			if r.IntN(2) == 0 {
				randomQuota(t, r, dir)
			}
			unmount()
			id, fs := mustReadBtrfs(t, devices...)
			want := withoutDeviceUUIDs(t, id, fs)

			// mkfs.btrfs takes no UUID that a device has already
			btrfsRun(t, append([]string{"wipefs", "-q", "-a"}, devices...)...)
			for i := range sizes {
				sizes[i] += r.Int64N(100 << 20) // as on new disks
			}
			devices = loopDevices(t, btrfsImages(t, sizes...)...)
			remakeBtrfs(t, id, fs, devices)
			if got := withoutDeviceUUIDs(t, id, secondOf(mustReadBtrfs(t, devices...))); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func secondOf[A, B any](_ A, b B) B { return b }

// withoutDeviceUUIDs is the text, less what mkfs.btrfs cannot be told.
func withoutDeviceUUIDs(t testing.TB, id ID, fs *FileSystem) string {
	t.Helper()
	for _, d := range fs.Btrfs.Device {
		d.UUID = ""
	}
	return btrfsText(t, id, fs)
}

func randomQuota(t testing.TB, r *rand.Rand, dir string) {
	t.Helper()
	btrfsRun(t, "btrfs", "quota", "enable", dir)
	btrfsRun(t, "btrfs", "qgroup", "limit", strconv.FormatInt(1<<20+r.Int64N(1<<30), 10), filepath.Join(dir, "@home"))
	btrfsRun(t, "btrfs", "qgroup", "limit", "-e", "12345678", filepath.Join(dir, "@home/with a blank"))
	btrfsRun(t, "btrfs", "qgroup", "create", "3/77", dir)
	btrfsRun(t, "btrfs", "qgroup", "create", "1/5", dir)
	btrfsRun(t, "btrfs", "qgroup", "limit", "-e", "1G", "1/5", dir)
	btrfsRun(t, "btrfs", "qgroup", "assign", "--no-rescan", "1/5", "3/77", dir)
	btrfsRun(t, "btrfs", "qgroup", "assign", "--no-rescan", "0/256", "1/5", dir)
}

// remakeBtrfs makes a file system from its description. The order matters:
// snapshots are taken while their origin is empty, what snapshots would
// inherit is set behind them, and what forbids writing last.
func remakeBtrfs(t testing.TB, id ID, fs *FileSystem, devices []string) {
	t.Helper()
	b := fs.Btrfs
	features, runtime := mkfsFeatures(t, b)
	args := []string{"mkfs.btrfs", "-q", "-f", "-K", "-U", string(id), "-L", fs.Label, "--csum", b.Checksum,
		"-n", fmt.Sprint(b.NodeSize), "-s", fmt.Sprint(b.SectorSize), "-d", b.Data, "-m", b.Metadata, "-O", features}
	if runtime != "" {
		args = append(args, "-R", runtime)
	}
	btrfsRun(t, append(args, devices...)...)
	dir, unmount := btrfsMount(t, devices)
	for number, d := range b.Device {
		btrfsRun(t, "btrfs", "filesystem", "resize", fmt.Sprintf("%s:%d", number, d.Size), dir)
	}
	if b.System != "" {
		btrfsRun(t, "btrfs", "balance", "start", "-f", "-sconvert="+b.System, dir)
	}
	paths := remakeSubvolumes(t, b, dir)
	for sub, s := range b.Subvolume {
		if s.NoCOW {
			btrfsRun(t, "chattr", "+C", paths[sub])
		}
		if s.Compression != "" {
			btrfsRun(t, "btrfs", "property", "set", "-t", "inode", paths[sub], "compression", s.Compression)
		}
	}
	remakeQuota(t, b, dir, paths)
	if b.Default != "" {
		btrfsRun(t, "btrfs", "subvolume", "set-default", paths[ID(b.Default)])
	}
	for sub, s := range b.Subvolume {
		if s.ReadOnly {
			btrfsRun(t, "btrfs", "property", "set", "-t", "subvol", paths[sub], "ro", "true")
		}
	}
	unmount()
}

// mkfsFeatures are all features that this mkfs.btrfs knows, for -O and -R:
// its defaults are another release's.
func mkfsFeatures(t testing.TB, b *Btrfs) (features, runtime string) {
	t.Helper()
	known := btrfsRun(t, "sh", "-c", "mkfs.btrfs -O list-all 2>&1")
	var list []string
	for _, f := range slices.Concat(btrfsIncompat, btrfsCompatRO) {
		if f.word == "" {
			continue
		}
		word := f.word
		if !slices.Contains(b.Features, word) {
			word = "^" + word
		}
		switch {
		case strings.Contains(known, "\n"+f.word+" "):
			list = append(list, word)
		case f.word == "free-space-tree":
			runtime = word // before 6.3
		case word == f.word:
			t.Fatalf("this mkfs.btrfs has no %s", word)
		}
	}
	return strings.Join(list, ","), runtime
}

// remakeSubvolumes makes each behind the one above it and the one it is a
// snapshot of, and gives their paths.
func remakeSubvolumes(t testing.TB, b *Btrfs, dir string) map[ID]string {
	t.Helper()
	paths := map[ID]string{"/": dir}
	var remake func(ID)
	remake = func(sub ID) {
		s := b.Subvolume[sub]
		if paths[sub] != "" || s == nil {
			return
		}
		path, err := SubvolumePath(sub)
		if err != nil {
			t.Fatal(err)
		}
		for above := string(sub); strings.Contains(above, "/"); {
			above = above[:strings.LastIndexByte(above, '/')]
			remake(ID(above))
		}
		remake(ID(s.SnapshotOf))
		paths[sub] = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(paths[sub]), 0o755); err != nil {
			t.Fatal(err)
		}
		if s.SnapshotOf == "" {
			btrfsRun(t, "btrfs", "subvolume", "create", "--", paths[sub])
		} else {
			btrfsRun(t, "btrfs", "subvolume", "snapshot", "--", paths[ID(s.SnapshotOf)], paths[sub])
		}
	}
	for _, sub := range slices.Sorted(maps.Keys(b.Subvolume)) {
		remake(sub)
	}
	return paths
}

func remakeQuota(t testing.TB, b *Btrfs, dir string, paths map[ID]string) {
	t.Helper()
	if b.Quota == "" {
		return
	}
	btrfsRun(t, "btrfs", "quota", "enable", dir)
	limit := func(group string, referenced, exclusive uint64) {
		if referenced != 0 {
			btrfsRun(t, "btrfs", "qgroup", "limit", fmt.Sprint(referenced), group, dir)
		}
		if exclusive != 0 {
			btrfsRun(t, "btrfs", "qgroup", "limit", "-e", fmt.Sprint(exclusive), group, dir)
		}
	}
	assign := func(group string, to []string) {
		for _, above := range to {
			btrfsRun(t, "btrfs", "qgroup", "assign", "--no-rescan", group, above, dir)
		}
	}
	for group := range b.Group {
		btrfsRun(t, "btrfs", "qgroup", "create", string(group), dir)
	}
	for group, g := range b.Group {
		limit(string(group), g.MaxReferenced, g.MaxExclusive)
		assign(string(group), g.Groups)
	}
	for sub, s := range b.Subvolume {
		group := "0/" + strings.TrimSpace(btrfsRun(t, "btrfs", "inspect-internal", "rootid", paths[sub]))
		limit(group, s.MaxReferenced, s.MaxExclusive)
		assign(group, s.Groups)
	}
	btrfsRun(t, "btrfs", "quota", "rescan", "-w", dir)
}
