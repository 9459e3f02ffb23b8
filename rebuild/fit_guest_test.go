package rebuild

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

// TestInsideFit sets a machine with RAID, LUKS, LVM and file systems up on a
// disk, makes it again on a larger one and on a smaller one, and uses what is on
// it.
func TestInsideFit(t *testing.T) {
	l := insideGuest(t)
	l.secrets = map[Key]string{}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes := l.partitions("/dev/vda", 4, 200, 200, 700, 3)
	l.tool("", "mdadm", "--create", "/dev/md/data", "--run", "--force", "--assume-clean", "--metadata=1.2", "--homehost=lab", "--level=1", "--raid-devices=2", "--bitmap=internal", nodes[1], nodes[2])
	l.tool("", "cryptsetup", "--batch-mode", "luksFormat", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", nodes[3], filepath.Join(dir, "key"))
	l.tool("", "cryptsetup", "open", "--key-file", filepath.Join(dir, "key"), nodes[3], "opened")
	group := vg{name: "vg0", config: lvmConfig([]string{"/dev/mapper/opened"}, "")}
	l.do([]Action{group.lvm("vgcreate", "vg0", "/dev/mapper/opened"),
		group.lvm("lvcreate", "--size", "100m", "--name", "swap", "vg0"), group.lvm("lvcreate", "--size", "200m", "--name", "root", "vg0"),
		group.lvm("lvcreate", "--size", "300m", "--name", "home", "vg0")})
	l.tool("", "mke2fs", "-q", "-t", "ext4", "/dev/md/data")
	l.tool("", "mkswap", "/dev/mapper/vg0-swap")
	l.tool("", "mke2fs", "-q", "-t", "ext4", "-O", "64bit,metadata_csum", "-m", "3", "/dev/mapper/vg0-root")
	l.tool("", "mkfs.xfs", "-q", "/dev/mapper/vg0-home")
	before := l.storage("vda")
	l.do([]Action{{Words: "take down", Do: func() error { return takeDown([]string{"/dev/vda"}) }}})
	for _, node := range nodes {
		l.tool("", "wipefs", "--all", "--quiet", node)
	}
	l.tool("", "sfdisk", "--delete", "--quiet", "/dev/vda")

	rules := Sizes{"lv.vg0/root": {Share, 150 << 20}, "lv.vg0/home": {Share, 300 << 20}}
	for id, p := range before.Layout.Partition {
		if p.Number > 1 && p.Number < 5 {
			rules[probes.Ref("partition."+id)] = Rule{Share, 100 << 20}
		}
	}
	layout, texts := before.Layout, before.Files
	for _, size := range []uint64{3 << 30, 1100 << 20} {
		disks := map[probes.ID]uint64{}
		for id := range layout.Disk {
			disks[id] = size
		}
		fitted, fittedTexts, words, err := Fit(layout, texts, disks, rules)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %q", probes.Size(size), words)
		l.rebuild(fitted, fittedTexts, "/dev/vdb", dir)
		now := l.storage("vdb")
		if is, want := fitPage(t, now.Layout), fitPage(t, fitted); is != want {
			t.Errorf("(- is what was to be, + what is)\n%s", difference(want, is))
		}
		for name, text := range fittedTexts {
			if !bytes.Equal(now.Files[name], text) {
				t.Errorf("%s: %s", name, difference(string(text), string(now.Files[name])))
			}
		}
		for _, fs := range fitted.FileSystem {
			l.useAll(fitted, fs)
		}
		l.do([]Action{{Words: "take down", Do: func() error { return takeDown([]string{"/dev/vdb"}) }}})
		layout, texts = fitted, fittedTexts
	}
}

// storage is what a probe finds on a disk.
func (l *lab) storage(disk string) *probes.Storage {
	l.Helper()
	m, err := probes.Here("/")
	if err != nil {
		l.Fatal(err)
	}
	m.Only = []string{disk}
	// What md writes goes past the cache of its members, which udevd has filled.
	if err := errors.Join(settle(), os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0)); err != nil {
		l.Fatal(err)
	}
	s, err := probes.ReadStorage(context.Background(), m, nil)
	if err != nil {
		l.Fatal(err)
	}
	if len(s.Findings) > 0 {
		l.Errorf("%q", s.Findings)
	}
	return s
}

// rebuild makes the layers of a layout one by one on a disk.
func (l *lab) rebuild(layout *probes.Layout, texts map[string][]byte, disk, work string) {
	l.Helper()
	do := func(layer Layer, err error) {
		l.Helper()
		if err != nil {
			l.Fatal(err)
		}
		l.do(layer.Make, layer.Open)
	}
	devices := map[probes.Ref]string{}
	for id := range layout.Disk {
		t, err := layout.Table(id)
		if err != nil {
			l.Fatal(err)
		}
		do(Table(t, disk))
	}
	for id, p := range layout.Partition {
		devices[probes.Ref("partition."+id)] = PartitionDevice(disk, p.Number)
	}
	for id, r := range layout.RAID {
		do(RAID(id, r, devices))
		devices[probes.Ref("raid."+id)] = RAIDDevice(id, r)
	}
	for id, u := range layout.LUKS {
		l.secrets[Key{id, "0"}] = "secret"
		do(LUKS(id, u, devices[u.On], []probes.ID{"0"}))
		devices[probes.Ref("luks."+id)] = LUKSDevice(id, u)
	}
	for id, g := range layout.VG {
		text, err := probes.ParseVGText(string(texts[g.Script]))
		if err != nil {
			l.Fatal(err)
		}
		pvs := map[probes.ID]PhysicalVolume{}
		for id, pv := range layout.PV {
			pvs[id] = PhysicalVolume{pv, devices[pv.On]}
		}
		do(VG(id, g, text, pvs, work))
	}
	for id := range layout.LV {
		devices[probes.Ref("lv."+id)] = LVDevice("vg0", volumeName(id))
	}
	for id, fs := range layout.FileSystem {
		do(FileSystem(l.Context(), id, fs, []string{devices[fs.On[0]]}, 0, work))
	}
	for id, s := range layout.Swap {
		do(Swap(l.Context(), id, s, devices[s.On]))
	}
}

// useAll mounts a file system, which must be as large as it says, and writes to
// it.
func (l *lab) useAll(layout *probes.Layout, fs *probes.FileSystem) {
	l.Helper()
	devices := map[probes.Ref]string{}
	for id, r := range layout.RAID {
		devices[probes.Ref("raid."+id)] = RAIDDevice(id, r)
	}
	for id := range layout.LV {
		devices[probes.Ref("lv."+id)] = LVDevice("vg0", volumeName(id))
	}
	device := devices[fs.On[0]]
	l.tool("", "mount", "-t", fs.Type, device, "/mnt")
	defer l.tool("", "umount", "/mnt")
	var st unix.Statfs_t
	if err := unix.Statfs("/mnt", &st); err != nil {
		l.Fatal(err)
	}
	has := st.Blocks * uint64(st.Bsize)
	l.Logf("%s on %s: %s, mounted %s", fs.Type, device, probes.Size(fs.Size()), probes.Size(has))
	if has > fs.Size() || has < fs.Size()*7/10 {
		l.Errorf("%s has %d bytes, mounted %d", device, fs.Size(), has)
	}
	if err := os.WriteFile("/mnt/file", bytes.Repeat([]byte("content "), 1<<17), 0o600); err != nil {
		l.Error(err)
	}
}

// fitPage is a layout as text, without the guest's own mounts.
func fitPage(t *testing.T, l *probes.Layout) string {
	t.Helper()
	copied, err := copyLayout(l)
	if err != nil {
		t.Fatal(err)
	}
	copied.Mount = nil
	var b bytes.Buffer
	if err := copied.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestInsideFitRAID makes arrays again on devices of another size.
func TestInsideFitRAID(t *testing.T) {
	l := insideGuest(t)
	small, large := l.partitions("/dev/vda", 60, 60, 64, 60), l.partitions("/dev/vdb", 151, 150, 154, 150)
	for _, a := range arrays {
		t.Run(a.name, func(t *testing.T) {
			l := insideGuest(t)
			from, to, on := small, large, span{60 << 20, 150 << 20}
			if len(a.name)%2 == 0 && a.name != "six" {
				from, to, on = large, small, span{on.new, on.old}
			}
			id, want, devices := l.makeRAID(a.name, from[:a.devices], a.options)
			if err := resizeRAID(want, on); err != nil {
				t.Log(err)
				return
			}
			for ref, d := range devices {
				devices[ref] = to[slices.Index(from, d)]
			}
			layer, err := RAID(id, want, devices)
			if err != nil {
				t.Fatal(err)
			}
			l.do(layer.Make, layer.Open)
			l.use(RAIDDevice(id, want))
			if size := l.sizeOf(RAIDDevice(id, want)); size != raidSize(want) {
				t.Errorf("it has %d bytes, should have %d", size, raidSize(want))
			}
			l.do(layer.Close)
			if _, got := l.readRAID(devices); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", show(got), show(want))
			}
		})
	}
}

// TestInsideFitVolumes uses volumes of several types that have grown, then
// shrunk.
func TestInsideFitVolumes(t *testing.T) {
	l := insideGuest(t)
	nodes := l.partitions("/dev/vda", 250, 250, 250, 250)
	old := vg{name: "vg1", config: lvmConfig(nodes, "")}
	l.do([]Action{old.lvm("vgcreate", append([]string{"vg1"}, nodes...)...)})
	for name, options := range map[string]string{
		"one": "--type raid1 --mirrors 1", "five": "--type raid5 --stripes 3", "ten": "--type raid10 --mirrors 1 --stripes 2", "wide": "--type striped --stripes 2", "plain": "",
	} {
		l.do([]Action{old.lvm("lvcreate", append(strings.Fields(options), "--size", "48m", "--name", name, "vg1")...)})
	}
	l.do([]Action{old.lvm("lvcreate", "--type", "thin-pool", "--size", "48m", "--name", "pool", "vg1"), old.lvm("lvcreate", "--thin", "--virtualsize", "1g", "--name", "thin", "vg1/pool")})
	before := l.storage("vda")
	l.do([]Action{{Words: "take down", Do: func() error { return takeDown([]string{"/dev/vda"}) }}})
	for _, node := range nodes {
		l.tool("", "wipefs", "--all", "--quiet", node)
	}
	rules := Sizes{}
	for id := range before.Layout.Partition {
		rules[probes.Ref("partition."+id)] = Rule{Share, 1}
	}
	for id, lv := range before.Layout.LV {
		if lv.Type != "thin" {
			rules[probes.Ref("lv."+id)] = Rule{Share, 8 << 20}
		}
	}
	layout, texts := before.Layout, before.Files
	for _, size := range []uint64{3 << 30, 800 << 20} {
		disks := map[probes.ID]uint64{}
		for id := range layout.Disk {
			disks[id] = size
		}
		fitted, fittedTexts, words, err := Fit(layout, texts, disks, rules)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %q", probes.Size(size), words)
		l.rebuild(fitted, fittedTexts, "/dev/vdb", t.TempDir())
		for id, lv := range fitted.LV {
			if lv.Type == "thin-pool" {
				continue
			}
			device := LVDevice("vg1", volumeName(id))
			l.use(device)
			if size := l.sizeOf(device); size != lv.Size {
				t.Errorf("%s has %d bytes, should have %d", device, size, lv.Size)
			}
		}
		now := l.storage("vdb")
		now.Layout.FileSystem = nil // of [lab.use]
		if is, want := fitPage(t, now.Layout), fitPage(t, fitted); is != want {
			t.Errorf("(- is what was to be, + what is)\n%s", difference(want, is))
		}
		l.do([]Action{{Words: "take down", Do: func() error { return takeDown([]string{"/dev/vdb"}) }}})
		layout, texts = fitted, fittedTexts
	}
}

// sizeOf is that of a device in bytes.
func (l *lab) sizeOf(device string) uint64 {
	l.Helper()
	f, err := os.Open(device)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		l.Fatal(err)
	}
	return uint64(size)
}
