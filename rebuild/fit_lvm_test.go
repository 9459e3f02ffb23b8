package rebuild

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/probes"
)

// TestFitVolumes grows volumes of every type and shrinks them again, in texts
// that a guest has written, and has LVM take the results.
func TestFitVolumes(t *testing.T) {
	kept := map[string]string{
		"by-hand": "not all physical volumes that its parts are on have room for it to grow", // contiguous
		"sound":   "raid with integrity", "before": "a snapshot's content is what its origin once was", "written": "its cache may hold what the volume does not",
		"second": "of type thin is its own", "third": "of type thin is its own", "yesterday": "of type thin is its own", "inner": "of type thin is its own",
		"slow": "of type cache is its own", "slower": "of type cache is its own", "alone": "of type cache-pool is its own",
	}
	for _, group := range []string{"raids", "pools"} {
		content, err := os.ReadFile(filepath.Join("..", "probes", "testdata", "lvm", group+".vgcfg"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := probes.ParseVGText(string(content))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range text.Volumes() {
			t.Run(group+"/"+name, func(t *testing.T) {
				l, texts := fitGroupLayout(group, text, name), map[string][]byte{"text": []byte(text.String())}
				for _, size := range []uint64{700 << 20, 420 << 20} {
					sizes, disks := Sizes{probes.Ref("lv." + group + "/" + name): {Grow, 4 << 20}}, map[probes.ID]uint64{}
					for id := range l.Disk {
						sizes["disk."+probes.Ref(id)], disks[id] = Rule{Grow, 1}, size
					}
					fitted, fittedTexts, words, err := Fit(l, texts, disks, sizes)
					if err != nil || kept[name] != "" {
						if err == nil || kept[name] == "" || !strings.Contains(err.Error(), name+": ") || !strings.HasSuffix(err.Error(), kept[name]) {
							t.Errorf("%v, should be %s", err, kept[name])
						}
						return
					}
					t.Logf("%q", words)
					lv := probes.ID(group + "/" + name)
					if was, is := l.LV[lv].Size, fitted.LV[lv].Size; (is > was) != (size > 420<<20) {
						t.Errorf("from %d to %d", was, is)
					}
					l, texts = fitted, fittedTexts
					makeFitted(t, group, l, texts, size)
				}
			})
		}
	}
}

// fitGroupLayout is one with a group on disks without partitions.
func fitGroupLayout(group string, text *probes.VGText, volume string) *probes.Layout {
	vg := probes.Ref("vg." + group)
	l := &probes.Layout{
		Format: probes.Format, Disk: map[probes.ID]*probes.Disk{}, PV: map[probes.ID]*probes.PV{},
		VG: map[probes.ID]*probes.VG{probes.ID(group): {Script: "text"}},
		LV: map[probes.ID]*probes.LV{probes.ID(group + "/" + volume): {On: vg, Size: text.Size(volume) * text.ExtentSize()}},
	}
	for i, pv := range text.PVs() {
		l.Disk["of-"+pv] = &probes.Disk{Sector: 512, Need: 400 << 20}
		l.PV[pv] = &probes.PV{On: "disk.of-" + probes.Ref(pv), VG: vg, MetadataCopies: 1 + i%2}
	}
	return l
}

// makeFitted has LVM take the text of a group.
func makeFitted(t *testing.T, group string, l *probes.Layout, texts map[string][]byte, size uint64) {
	t.Helper()
	text, err := probes.ParseVGText(string(texts["text"]))
	if err != nil {
		t.Fatal(err)
	}
	lab, loops := newLVMLab(t, slices.Repeat([]uint64{size}, len(l.Disk))...)
	pvs := map[probes.ID]PhysicalVolume{}
	for i, pv := range text.PVs() {
		pvs[pv] = PhysicalVolume{l.PV[pv], loops[i]}
	}
	layer, err := VG(probes.ID(group), l.VG[probes.ID(group)], text, pvs, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lab.do(inactive(layer.Make))
	got, _ := lab.readVG(loops...)
	want, _, err := text.Restorable()
	if err != nil {
		t.Fatal(err)
	}
	if got.Text.String() != want.String() {
		t.Error(difference(want.String(), got.Text.String()))
	}
}
