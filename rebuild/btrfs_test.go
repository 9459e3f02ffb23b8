package rebuild

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
	"rootwc/probes"
)

// loopDevices makes loop devices of new sparse files, where that is possible.
func loopDevices(t *testing.T, sizes ...int64) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for loop devices and mounts")
	}
	if known, err := os.ReadFile("/proc/filesystems"); err != nil || !bytes.Contains(known, []byte("\tbtrfs\n")) {
		t.Skip("needs a kernel with btrfs (modprobe btrfs)")
	}
	dir := t.TempDir()
	var devices []string
	for i, size := range sizes {
		image := blank(t, filepath.Join(dir, strconv.Itoa(i)), uint64(size))
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

// must runs commands.
func must(t *testing.T, commands ...[]string) {
	t.Helper()
	for _, args := range commands {
		if err := tool(args...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoundTripBtrfs makes file systems with random options and contents, and
// each again on disks of other sizes.
func TestRoundTripBtrfs(t *testing.T) {
	need(t, "mkfs.btrfs", "btrfs", "wipefs", "chattr", "mount")
	for round := range odds.Rounds(12) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			rng := odds.Dice(round)
			args, sizes, _ := odds.NewBtrfs(rng)
			devices := loopDevices(t, sizes...)
			t.Logf("%q on %v", args, sizes)
			must(t, append(args, devices...))
			dir := t.TempDir()
			if round%4 > 0 {
				must(t, append([]string{"btrfs", "device", "scan"}, devices...), []string{"mount", "-t", "btrfs", devices[0], dir})
				inside := odds.Subvolumes(dir)
				if round%4 > 1 {
					inside = append(inside, odds.Snapshots(dir)...)
				}
				if round%2 > 0 {
					inside = append(inside, odds.Quota(rng, dir)...)
				}
				for _, args := range inside {
					if err := tool(args...); err != nil {
						t.Error(err)
					}
				}
				must(t, []string{"umount", dir})
			}
			id, node := identify(t, devices...)
			want := node.(*probes.FileSystem)

			// mkfs.btrfs takes no UUID that a device has already
			must(t, append([]string{"wipefs", "-q", "-a"}, devices...))
			scanForget(devices)
			for i := range sizes {
				sizes[i] += rng.Int64N(100 << 20)
			}
			again(t, id, want, sizes)
		})
	}
}

// TestRecordedBtrfs makes again what the tools of several releases made, as far
// as those of this machine can.
func TestRecordedBtrfs(t *testing.T) {
	need(t, "mkfs.btrfs", "btrfs", "wipefs", "chattr", "mount")
	paths, err := filepath.Glob("../probes/testdata/btrfs/*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			layout, err := probes.Read(b)
			if err != nil || len(layout.FileSystem) != 1 {
				t.Fatal(layout, err)
			}
			for id, want := range layout.FileSystem {
				var sizes []int64
				for _, d := range want.Btrfs.Device {
					sizes = append(sizes, int64(d.Size))
				}
				again(t, id, want, sizes)
			}
		})
	}
}

// again makes the file system of a layout on devices of these sizes, and
// compares.
func again(t *testing.T, id probes.ID, want *probes.FileSystem, sizes []int64) {
	t.Helper()
	devices := loopDevices(t, sizes...)
	work := t.TempDir()
	l, err := FileSystem(t.Context(), id, want, devices, 0, work)
	if err != nil && strings.Contains(err.Error(), ": this ") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer scanForget(devices)
	if err := do(t, append(l.Make, l.After...)); err != nil {
		tool("umount", filepath.Join(work, "btrfs-"+string(id)))
		t.Fatal(err)
	}
	t.Log(l.Notes)
	if len(devices) == 1 { // it does not always find the others
		must(t, []string{"btrfs", "check", "--readonly", devices[0]})
	}
	made, node := identify(t, devices...)
	got := node.(*probes.FileSystem)
	changed(want, l.Notes)
	changed(got, l.Notes)
	if g, w := text(t, made, got), text(t, id, want); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// scanForget makes the kernel forget that devices belong together, when it knows.
func scanForget(devices []string) {
	tool(append([]string{"btrfs", "device", "scan", "--forget"}, devices...)...)
}

// changed takes out of a layout what notes say will change.
func changed(fs *probes.FileSystem, notes []string) {
	for _, note := range notes {
		if strings.HasSuffix(note, ", which was moved into it") {
			fs.Btrfs.Subvolume[probes.ID(strings.Split(note, `"`)[1])].SnapshotOf = ""
		}
	}
}
