package rebuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

// TestSpecial makes file systems whose settings the tools do not set when they
// make one, or not at all.
func TestSpecial(t *testing.T) {
	need(t, "mke2fs", "tune2fs", "debugfs", "e2fsck", "mkfs.xfs", "xfs_db", "mkfs.fat", "fsck.fat", "mkswap", "wipefs")
	fs := func(node any) *probes.FileSystem { return node.(*probes.FileSystem) }
	ext4 := []string{"mke2fs", "-q", "-t", "ext4"}
	ext2 := []string{"mke2fs", "-q", "-b", "1024", "-O", "none", "-I", "128"}
	xfs := []string{"mkfs.xfs", "-q"}
	fat16 := []string{"mkfs.fat", "-I", "-a", "--mbr=n", "-s", "4"}
	fat32 := []string{"mkfs.fat", "-I", "-a", "--mbr=n", "-s", "1", "-F", "32"}
	mkswap := []string{"mkswap"}
	for _, c := range []struct {
		name   string
		size   uint64
		make   []string
		change func(node any)
		fsck   []string
	}{
		{"ext: UUID that did not give the seed", 64 << 20, append(ext4, "-O", "metadata_csum_seed"), func(n any) { fs(n).Ext.ChecksumSeed = "0x01234567" }, []string{"e2fsck", "-fn"}},
		{"ext: no hash seed", 64 << 20, ext4, func(n any) { fs(n).Ext.HashSeed = "" }, []string{"e2fsck", "-fn"}},
		{"ext: mount options with commas", 64 << 20, ext4, func(n any) { fs(n).Ext.MountOptions = `nobarrier, "x" \ ,,` }, []string{"e2fsck", "-fn"}},
		{"ext: mount options to the end of the field", 64 << 20, ext4, func(n any) { fs(n).Ext.MountOptions = strings.Repeat("a,", 31) + "a" }, []string{"e2fsck", "-fn"}},
		{"ext: other inode sizes", 64 << 20, append(ext4, "-I", "256"), func(n any) { fs(n).Ext.RequiredExtraIsize, fs(n).Ext.DesiredExtraIsize = 28, 100 }, []string{"e2fsck", "-fn"}},
		{"ext: checked every other year", 64 << 20, ext4, func(n any) { fs(n).Ext.CheckInterval = 2 * 365 * 86400 }, []string{"e2fsck", "-fn"}},
		{"ext: revision 0", 16 << 20, ext2, func(n any) { fs(n).Ext.Revision0 = true; fs(n).Ext.Features = nil }, []string{"e2fsck", "-fn"}},
		{"ext: label of 16 bytes, no UTF-8", 16 << 20, ext2, func(n any) {
			fs(n).Label, fs(n).LabelBytes = strings.Repeat("\ufffd", 16), strings.Repeat("ff", 16)
		}, nil},
		{"xfs: label of odd bytes", 512 << 20, xfs, func(n any) { fs(n).Label, fs(n).LabelBytes = "-\ufffd \n'\"", "2dff200a2722" }, nil},
		{"fat: odd sectors", 20<<20 + 512, fat16, func(any) {}, []string{"fsck.fat", "-n"}},
		{"fat: odd sectors of a larger device", 20 << 20, fat16, func(n any) { fs(n).FAT.Sectors -= 3 }, []string{"fsck.fat", "-n"}},
		{"fat: odd sectors in 16 bits", 16 << 20, fat16, func(n any) { fs(n).FAT.Sectors -= 3 }, []string{"fsck.fat", "-n"}},
		{"fat: odd clusters of FAT32", 64 << 20, fat32, func(n any) { fs(n).FAT.Sectors -= 1001; fs(n).FAT.FATSectors -= 8 }, []string{"fsck.fat", "-n"}},
		{"fat: label of another code page", 20 << 20, fat16, func(n any) { fs(n).Label, fs(n).LabelBytes = "GR\ufffd\ufffdE", "475299e145" }, nil},
		{"fat: label of FAT32 that begins like a deleted one", 64 << 20, fat32, func(n any) { fs(n).Label, fs(n).LabelBytes = "\ufffdB", "e542" }, nil},
		{"fat: label in small letters", 20 << 20, fat16, func(n any) { fs(n).Label = "klein" }, nil},
		{"fat: label with what DOS forbids", 64 << 20, fat32, func(n any) { fs(n).Label = " \"*/:;\n`\\ |" }, nil},
		{"fat: label that means none", 20 << 20, fat16, func(n any) { fs(n).Label = "NO NAME" }, nil},
		{"fat: fewer tracks", 20 << 20, fat16, func(n any) { fs(n).FAT.Heads, fs(n).FAT.TrackSectors = 1, 65535 }, nil},
		{"swap: label of odd bytes", 1 << 20, mkswap, func(n any) {
			n.(*probes.Swap).Label, n.(*probes.Swap).LabelBytes = "-\ufffd\n", "2dff0a"
		}, nil},
		{"swap: on a larger device", 4 << 20, mkswap, func(n any) { n.(*probes.Swap).Size = 1 << 20 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			image := blank(t, filepath.Join(dir, "image"), c.size)
			must(t, append(c.make, image))
			id, node := identify(t, image)
			c.change(node)
			want := text(t, id, node)
			blank(t, image, c.size)
			l, err := plan(t, id, node, filepath.Join(dir, "work"), image)
			if err != nil || len(l.Notes) > 0 {
				t.Fatal(l.Notes, err)
			}
			for range 2 { // a step that was cut off is done again
				if err := do(t, l.Make); err != nil {
					t.Fatal(err)
				}
			}
			if c.fsck != nil {
				must(t, append(c.fsck, image))
			}
			id, node = identify(t, image)
			if got := text(t, id, node); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestReadOnlyLast keeps a file system writable until its files are there.
func TestReadOnlyLast(t *testing.T) {
	need(t, "mke2fs", "tune2fs", "wipefs")
	dir := t.TempDir()
	image := blank(t, filepath.Join(dir, "image"), 64<<20)
	must(t, []string{"mke2fs", "-q", "-t", "ext4", image}, []string{"tune2fs", "-O", "read-only", image})
	id, node := identify(t, image)
	want := text(t, id, node)
	l, err := plan(t, id, node, dir, image)
	if err != nil {
		t.Fatal(err)
	}
	for i, actions := range [][]Action{l.Make, l.After} {
		if err := do(t, actions); err != nil {
			t.Fatal(err)
		}
		id, node = identify(t, image)
		if got := text(t, id, node); (got == want) != (i == 1) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestSwapFile makes one in a tree, which it does not leave.
func TestSwapFile(t *testing.T) {
	need(t, "mkswap")
	root := t.TempDir()
	s := &probes.Swap{File: "/var/swap file", Label: "swap", Page: 4096, Size: 1 << 20}
	on := &probes.FileSystem{Type: "ext4"}
	l, err := SwapFile(t.Context(), someUUID, s, on, root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := do(t, l.Make); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(root, s.File))
	if err != nil || info.Size() != 1<<20 || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	id, node := identify(t, filepath.Join(root, s.File))
	got := node.(*probes.Swap)
	got.File = s.File
	if id != someUUID || *got != *s {
		t.Errorf("got %s %+v", id, got)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/link/swap", "/../../swap", "/var"} {
		s.File = file
		l, err := SwapFile(t.Context(), someUUID, s, on, root)
		if err == nil {
			err = do(t, l.Make)
		}
		if left, _ := os.ReadDir(elsewhere); err == nil && file != "/../../swap" || len(left) > 0 {
			t.Errorf("%s: %v, %v", file, left, err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "swap")); err != nil { // .. stops at the root
		t.Error(err)
	}
}

// TestBtrfsSystem has another profile for the system's chunks than for
// metadata, which takes a balance.
func TestBtrfsSystem(t *testing.T) {
	need(t, "mkfs.btrfs", "btrfs", "wipefs", "mount")
	devices := loopDevices(t, 300<<20, 300<<20)
	fs := goodBtrfs()
	fs.Btrfs.Metadata, fs.Btrfs.System = "raid1", "single"
	fs.Btrfs.Features = []string{"extref", "free-space-tree", "no-holes", "skinny-metadata"}
	fs.Btrfs.Device = map[probes.ID]*probes.BtrfsDevice{"1": {Size: 280 << 20}, "4": {Size: 290 << 20}}
	id := probes.ID(odds.UUID(odds.Dice(1)))
	l, err := FileSystem(t.Context(), id, fs, devices, 0, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := do(t, l.Make); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(l.Notes, "; "); notes != "device 4 becomes device 2" {
		t.Errorf("notes: %s", notes)
	}
	fs.Btrfs.Device = map[probes.ID]*probes.BtrfsDevice{"1": fs.Btrfs.Device["1"], "2": fs.Btrfs.Device["4"]}
	made, node := identify(t, devices...)
	changed(node.(*probes.FileSystem), l.Notes)
	if got, want := text(t, made, node), text(t, id, fs); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	scanForget(devices)
}
