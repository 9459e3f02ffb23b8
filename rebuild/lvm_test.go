package rebuild

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

// newLVMLab makes loop devices. LVM has no device-mapper there: no volume is
// ever active.
func newLVMLab(t *testing.T, sizes ...uint64) (*lab, []string) {
	l := newLab(t, "lvm", "losetup", "wipefs")
	l.insert = []string{"--driverloaded", "n"}
	var devices []string
	for _, size := range sizes {
		devices = append(devices, l.loop(size))
	}
	return l, devices
}

// readVG reads a group and where its volumes are.
func (l *lab) readVG(devices ...string) (*probes.Group, map[probes.ID]PhysicalVolume) {
	l.Helper()
	var media []probes.Medium
	for _, d := range devices {
		media = append(media, l.medium(d))
	}
	g, err := probes.ReadVG(media...)
	if err != nil {
		l.Fatal(err)
	}
	volumes := map[probes.ID]PhysicalVolume{}
	for i, m := range media {
		one, _ := probes.ReadPV(m)
		volumes[one] = PhysicalVolume{g.PVs[one], devices[i]}
	}
	return g, volumes
}

// compareVG compares all of two groups.
func (l *lab) compareVG(got, want *probes.Group) {
	l.Helper()
	if got.Text.String() != want.Text.String() {
		l.Errorf("text: got\n%s\nwant\n%s", got.Text, want.Text)
	}
	got.Text, want.Text = nil, nil
	if !reflect.DeepEqual(got, want) {
		l.Errorf("got  %s\nwant %s", show(got), show(want))
	}
}

// inactive leaves out what needs device-mapper.
func inactive(actions []Action) []Action {
	return slices.DeleteFunc(slices.Clone(actions), func(a Action) bool {
		return len(a.Args) > 1 && (a.Args[0] == "dmsetup" || a.Args[1] == "lvchange")
	})
}

// TestVG has lvm make random groups, and makes them again on other devices,
// over what an attempt has left that ended anywhere.
func TestVG(t *testing.T) {
	for round := range odds.Rounds(15) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			r := odds.Dice(round)
			l, devices := newLVMLab(t, 200<<20, 300<<20, 250<<20, 210<<20, 300<<20, 290<<20)
			old, disks := devices[:3], devices[3:]
			group := odds.Pick(r, odds.Groups...)
			host := odds.Pick(r, "", "", "old-host") // only that machine may have it
			lvm := vg{name: probes.ID(group), config: lvmConfig(old, host)}
			make := func(args []string, more ...string) {
				l.do([]Action{lvm.lvm(args[0], append(args[1:], more...)...)})
			}
			for _, d := range old {
				make(odds.PV(r), d)
			}
			make(odds.VG(r, group), slices.Concat(old, []string{"--systemid", host})...)
			for n := range 1 + r.IntN(6) {
				make(odds.LV(r, group, n))
			}
			want, volumes := l.readVG(old...)
			if want.Text.SystemID() != host {
				t.Errorf("system ID %q, should be %q", want.Text.SystemID(), host)
			}
			for id, v := range volumes {
				v.Device = disks[slices.Index(old, v.Device)]
				volumes[id] = v
			}
			layer, err := VG(want.ID, &want.VG, want.Text, volumes, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			l.do(layer.Make[:r.IntN(len(layer.Make))], layer.Make)
			got, _ := l.readVG(disks...)
			l.compareVG(got, want)
			if len(layer.Notes) > 0 {
				t.Errorf("%q", layer.Notes)
			}
		})
	}
}

// TestVGTexts makes groups with volumes of every type from texts that a guest
// has written, without those that are recorded only.
func TestVGTexts(t *testing.T) {
	for name, left := range map[string]int{"raids": 1, "pools": 2, "a-b--c.d+_e": 0} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("..", "probes", "testdata", "lvm", name+".vgcfg"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := probes.ParseVGText(string(content))
			if err != nil {
				t.Fatal(err)
			}
			l, disks := newLVMLab(t, slices.Repeat([]uint64{400 << 20}, len(text.PVs()))...)
			volumes := map[probes.ID]PhysicalVolume{}
			for i, id := range text.PVs() {
				volumes[id] = PhysicalVolume{&probes.PV{MetadataCopies: 1 + i%2}, disks[i]}
			}
			layer, err := VG(probes.ID(name), &probes.VG{}, text, volumes, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			// what was there before must not be taken for metadata
			areas, err := text.MetadataAreas()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range areas {
				scribble(t, volumes[a.PV].Device, a)
			}
			l.do(inactive(layer.Make), inactive(layer.Make))
			got, _ := l.readVG(disks...)
			want, _, err := text.Restorable()
			if err != nil {
				t.Fatal(err)
			}
			if got.Text.String() != want.String() {
				t.Errorf("got\n%s\nwant\n%s", got.Text, want)
			}
			if len(layer.Notes) != left {
				t.Errorf("%q", layer.Notes)
			}
			areas, _ = want.MetadataAreas()
			for _, a := range areas {
				b := make([]byte, a.Size)
				if _, err := l.medium(volumes[a.PV].Device).ReadAt(b, int64(a.At)); err != nil || strings.Trim(string(b), "\x00") != "" {
					t.Errorf("%+v is not clear, %v", a, err)
				}
			}
		})
	}
}

func scribble(t *testing.T, device string, a probes.PVArea) {
	t.Helper()
	err := onDevice(device, func(f *os.File, _ uint64) error {
		_, err := f.WriteAt([]byte(strings.Repeat("old", 2000)), int64(a.At))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostileVG gives LVM no name or place that no text of its own has.
func TestHostileVG(t *testing.T) {
	const pv = "1OCz4I-2nUe-mfPb-1wvP-2oR0-GZ8i-0bLfyq"
	plain := `contents = "Text Format Volume Group" version = 1 main { id = "x" seqno = 1 extent_size = 8192
		physical_volumes { pv0 { id = "` + pv + `" pe_start = 2048 pe_count = 40 } }
		logical_volumes { root { id = "y" status = ["READ", "WRITE", "VISIBLE"] segment1 {
			type = "raid1" start_extent = 0 extent_count = 8 raids = ["meta", "data"] } }
		meta { id = "z" status = ["READ"] segment1 { type = "striped" stripe_count = 1 extent_count = 1 stripes = ["pv0", 3] } } } }`
	change := func(old, new string) string { return strings.Replace(plain, old, new, 1) }
	volume := map[probes.ID]PhysicalVolume{pv: {&probes.PV{MetadataCopies: 1, MetadataSize: 1 << 20}, "/dev/sdx1"}}
	tests := []struct {
		name, text string
		volumes    map[probes.ID]PhysicalVolume
		good       bool
	}{
		{"as it should be", plain, volume, true},
		{"another group", change("main {", "other {"), volume, false},
		{"group", change("main {", `"--config" {`), volume, false},
		{"group that is a path", change("main {", `"../main" {`), volume, false},
		{"volume", change("root {", `"a b" {`), volume, false},
		{"volume that is an option", change("root {", `"--force" {`), volume, false},
		{"physical volume", change(pv, "--help"), map[probes.ID]PhysicalVolume{"--help": volume[pv]}, false},
		{"system", change("seqno", `system_id = "x\" }" seqno`), volume, false},
		{"no segment", change("segment1 {", "part {"), volume, false},
		{"extent", change("extent_size = 8192", "extent_size = 18446744073709551615"), volume, false},
		{"overflow", change("extent_size = 8192", "extent_size = 2147483648"), volume, true}, // 3 of 1 TiB: behind the device
		{"far", change(`["pv0", 3]`, `["pv0", 2147483648]`), volume, true},
		{"farther", change(`["pv0", 3]`, `["pv0", 4611686018427387904]`), volume, false},
		{"backwards", change(`["pv0", 3]`, `["pv0", -3]`), volume, false},
		{"start", change("pe_start = 2048", "pe_start = 9223372036854775808"), volume, false},
		{"no device", plain, nil, false},
		{"one more device", plain, map[probes.ID]PhysicalVolume{pv: volume[pv], "x": volume[pv]}, false},
		{"device", plain, map[probes.ID]PhysicalVolume{pv: {volume[pv].PV, "/dev/sd|.*"}}, false},
		{"copies", plain, map[probes.ID]PhysicalVolume{pv: {&probes.PV{MetadataCopies: 3}, "/dev/sdx1"}}, false},
		{"metadata", plain, map[probes.ID]PhysicalVolume{pv: {&probes.PV{MetadataSize: 1 << 63}, "/dev/sdx1"}}, false},
	}
	for _, test := range tests {
		text, err := probes.ParseVGText(test.text)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		layer, err := VG("main", &probes.VG{}, text, test.volumes, "/run/rootwc")
		if (err == nil) != test.good || (len(layer.Make) > 0) != test.good {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	text, _ := probes.ParseVGText(plain)
	if _, err := VG("main", &probes.VG{Unsupported: "the group is EXPORTED"}, text, volume, "/run/rootwc"); err == nil {
		t.Error("an exported group is taken")
	}
	// What lies behind the device is not written to it.
	l := newLab(t)
	image := l.blank(1 << 20)
	for _, a := range []probes.PVArea{{At: 1 << 20, Size: 512}, {At: 0, Size: 2 << 20}, {At: 1<<64 - 512, Size: 1024}} {
		if err := l.tryDo([]Action{clearArea(image, a)}); err == nil {
			t.Errorf("%+v is cleared", a)
		}
	}
	if l.medium(image).Size != 1<<20 {
		t.Error("the image has grown")
	}
}

func TestLVDevice(t *testing.T) {
	if got := LVDevice("a-b--c", "x-y"); got != "/dev/mapper/a--b----c-x--y" {
		t.Error(got)
	}
}
