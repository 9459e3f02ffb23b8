package rebuild

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/oddfs"
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
	for round := range rounds(12) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			rng := dice(round)
			args, sizes, _ := oddfs.NewBtrfs(rng)
			devices := loopDevices(t, sizes...)
			t.Logf("%q on %v", args, sizes)
			must(t, append(args, devices...))
			dir := t.TempDir()
			if round%4 > 0 {
				must(t, append([]string{"btrfs", "device", "scan"}, devices...), []string{"mount", "-t", "btrfs", devices[0], dir})
				inside := oddfs.Subvolumes(dir)
				if round%4 > 1 {
					inside = append(inside, oddfs.Snapshots(dir)...)
				}
				if round%2 > 0 {
					inside = append(inside, oddfs.Quota(rng, dir)...)
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
			must(t, append([]string{"wipefs", "-q", "-a"}, devices...), forget(devices))
			for i := range sizes {
				sizes[i] += rng.Int64N(100 << 20)
			}
			devices = loopDevices(t, sizes...)
			l, err := FileSystem(t.Context(), id, want, devices, filepath.Join(dir, "work"))
			if err != nil {
				t.Fatal(err)
			}
			if err := do(t, append(l.Make, l.After...)); err != nil {
				tool("umount", filepath.Join(dir, "work", "btrfs-"+string(id)))
				t.Fatal(err)
			}
			must(t, []string{"btrfs", "check", "--readonly", "--force", devices[0]})
			t.Log(l.Notes)
			id, node = identify(t, devices...)
			got := node.(*probes.FileSystem)
			changed(want, l.Notes)
			changed(got, l.Notes)
			if g, w := text(t, id, got), text(t, id, want); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
			must(t, forget(devices))
		})
	}
}

// forget makes the kernel forget that devices belong together.
func forget(devices []string) []string {
	return append([]string{"btrfs", "device", "scan", "--forget"}, devices...)
}

// changed takes out of a layout what notes say will change.
func changed(fs *probes.FileSystem, notes []string) {
	for _, note := range notes {
		switch {
		case note == "devices get new UUIDs":
			for _, d := range fs.Btrfs.Device {
				d.UUID = ""
			}
		case strings.HasSuffix(note, ", which was moved into it"):
			fs.Btrfs.Subvolume[probes.ID(strings.Split(note, `"`)[1])].SnapshotOf = ""
		}
	}
}
