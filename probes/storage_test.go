package probes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sysfs is a machine's /sys: a SATA disk with a partition that is encrypted,
// a stick on USB, a loop device, and an array.
func sysfs() fstest.MapFS {
	fsys := fstest.MapFS{}
	file := func(name, text string) { fsys[name] = &fstest.MapFile{Data: []byte(text + "\n")} }
	link := func(name, to string) { fsys[name] = &fstest.MapFile{Data: []byte(to), Mode: os.ModeSymlink} }
	for name, place := range map[string]string{
		"sda":   "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda",
		"sda1":  "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1",
		"sdb":   "devices/pci0000:00/usb1/1-1/host1/target1:0:0/1:0:0:0/block/sdb",
		"loop0": "devices/virtual/block/loop0",
		"dm-0":  "devices/virtual/block/dm-0",
		"dm-1":  "devices/virtual/block/dm-1",
		"md127": "devices/virtual/block/md127",
		"sr0":   "devices/pci0000:00/ata2/host2/target2:0:0/2:0:0:0/block/sr0",
	} {
		link("class/block/"+name, "../../"+place)
		file(place+"/dev", map[string]string{"sda": "8:0", "sda1": "8:1"}[name])
		file(place+"/size", "2097152")
		file(place+"/queue/logical_block_size", "512")
	}
	file("devices/pci0000:00/ata2/host2/target2:0:0/2:0:0:0/block/sr0/size", "0")
	sda := "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda"
	fsys[sda+"/device/vpd_pg80"] = &fstest.MapFile{Data: []byte("\x00\x80\x00\x06 S1234")}
	file(sda+"/device/model", "Disk")
	file(sda+"/sda1/partition", "1")
	file(sda+"/sda1/start", "2048")
	file("devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-root")
	file("devices/virtual/block/dm-0/dm/name", "root")
	file("devices/virtual/block/dm-0/slaves/sda1/dev", "8:1")
	file("devices/virtual/block/dm-1/dm/name", "by-hand") // without a UUID
	file("devices/virtual/block/dm-1/slaves/loop0/dev", "7:0")
	file("devices/virtual/block/md127/md/level", "raid1")
	file("devices/virtual/block/md127/slaves/sdb/dev", "8:16")
	return fsys
}

func TestDevices(t *testing.T) {
	all, err := Devices(sysfs())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*Device{}
	for _, d := range all {
		byName[d.Name] = d
	}
	if byName["sr0"] != nil {
		t.Error("a drive without a medium is listed")
	}
	sda, sda1, sdb := byName["sda"], byName["sda1"], byName["sdb"]
	if sda.Hardware != (Hardware{Serial: "S1234", Model: "Disk", Bus: "ata", Size: 1 << 30}) || sda.Virtual || sda.Removable {
		t.Errorf("sda: %+v", sda)
	}
	if sda1.Disk != "sda" || sda1.Start != 1<<20 || !slices.Equal(sda1.Below, []string{"sda"}) || sda1.Sector != 512 {
		t.Errorf("sda1: %+v", sda1)
	}
	if !sdb.Removable || sdb.Hardware.Bus != "usb" || !byName["loop0"].Virtual || byName["dm-1"].Virtual || !byName["md127"].MD {
		t.Errorf("sdb: %+v, loop0: %+v", sdb, byName["loop0"])
	}
	// What stands on a disk comes with it, and what else that needs.
	for want, m := range map[string]Machine{
		"dm-0 sda sda1":            {},
		"dm-0 md127 sda sda1 sdb":  {Besides: []string{"sdb"}},
		"dm-1 loop0":               {Only: []string{"dm-1"}},
		"dm-0 dm-1 loop0 sda sda1": {Besides: []string{"loop0"}},
	} {
		var names []string
		for _, d := range m.chosen(all) {
			names = append(names, d.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v %v: got %s, want %s", m.Only, m.Besides, got, want)
		}
	}
}

// TestKeep has a closed device whose inside is known from before, and a group of
// which one volume is inside.
func TestKeep(t *testing.T) {
	before := newLayout()
	before.Disk["d"] = &Disk{Table: "gpt"}
	before.Partition["p"] = &Partition{On: "disk.d", Number: 1}
	before.Partition["q"] = &Partition{On: "disk.d", Number: 2}
	before.LUKS["l"] = &LUKS{On: "partition.p", Mapping: "safe"}
	before.PV["1"] = &PV{On: "luks.l", VG: "vg.g"}
	before.PV["2"] = &PV{On: "partition.q", VG: "vg.g"}
	before.VG["g"] = &VG{UUID: "u"}
	before.LV["g/v"] = &LV{On: "vg.g", Size: 1}
	before.FileSystem["f"] = &FileSystem{On: []Ref{"lv.g/v"}, Type: "ext4"}
	b := &builder{Storage: &Storage{Layout: newLayout()}, refs: map[string]Ref{"sda": "disk.d", "sda1": "partition.p", "sda2": "partition.q"}}
	now := b.Layout
	now.Disk["d"], now.Partition["p"], now.Partition["q"] = before.Disk["d"], before.Partition["p"], before.Partition["q"]
	now.LUKS["l"] = &LUKS{On: "partition.p"}
	now.PV["2"] = before.PV["2"]
	now.VG["g"] = &VG{UUID: "u", Unsupported: "physical volume 1 is missing"}
	now.LV["g/v"] = &LV{On: "vg.g", Size: 1}
	b.keep(before)
	if changes := Compare(before, now); len(changes) > 0 || len(b.Findings) > 0 || len(b.Notes) == 0 {
		t.Errorf("changes %v, findings %v, notes %v", changes, b.Findings, b.Notes)
	}
	// Nothing is known of a device that was never open.
	b.Layout, b.Notes = newLayout(), nil
	b.Layout.Disk["d"], b.Layout.Partition["p"], b.Layout.LUKS["new"] = before.Disk["d"], before.Partition["p"], &LUKS{On: "partition.p"}
	b.keep(before)
	if !slices.Equal(b.Findings, []string{"luks.new is closed: what is on it is not known"}) {
		t.Errorf("findings %v", b.Findings)
	}
}

// TestWrite writes only what changed, and nothing outside.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	taken := &Taken{Name: "storage", files: map[string][]byte{"storage.toml": []byte("one\n"), "vg.a.vgcfg": []byte("text\n")}}
	if err := taken.Write(root); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(dir, Dir)
	if err := os.WriteFile(filepath.Join(place, newPrefix+"storage.toml"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := &Taken{Name: "storage", files: map[string][]byte{"storage.toml": []byte("two\n")}, gone: []string{"vg.a.vgcfg"}}
	if err := again.Write(root); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(place, "*"))
	hidden, _ := filepath.Glob(filepath.Join(place, ".*"))
	text, _ := os.ReadFile(filepath.Join(place, "storage.toml"))
	info, _ := os.Stat(filepath.Join(place, "storage.toml"))
	if len(names) != 1 || len(hidden) != 0 || string(text) != "two\n" || info.Mode() != 0o644 {
		t.Errorf("%v %v %q %v", names, hidden, text, info.Mode())
	}
	// A directory that somebody has put a link in place of leads nowhere.
	outside := t.TempDir()
	if err := os.RemoveAll(place); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, place); err != nil {
		t.Fatal(err)
	}
	if err := taken.Write(root); err == nil {
		t.Error("written through a link that leads out")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
}

func TestChangeOfSize(t *testing.T) {
	old, now := newLayout(), newLayout()
	old.LV["vg0/home"], now.LV["vg0/home"] = &LV{Size: 40 << 30}, &LV{Size: 60 << 30}
	old.LV["vg0/var"], now.LV["vg0/var"] = &LV{Size: 40 << 30}, &LV{Size: 40<<30 + 4096}
	var words []string
	for _, c := range Compare(old, now) {
		words = append(words, c.Words)
	}
	want := []string{"lvm: vg0/home 40.0 GiB -> 60.0 GiB", "lvm: vg0/var 42949672960 B -> 42949677056 B"}
	if !slices.Equal(words, want) {
		t.Errorf("got %q", words)
	}
}
