package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
	"rootwc/probes"
)

// fitLab is where a machine with one disk is made, read and made again. The
// disk is an image, its partitions are loop devices.
type fitLab struct {
	*lab
	loops []string
	open  []*os.File
}

func newFitLab(t *testing.T) *fitLab {
	l := newLab(t, "sfdisk", "losetup", "wipefs", "lvm", "mke2fs", "tune2fs", "mkfs.xfs", "xfs_db", "mkfs.fat", "mkfs.btrfs", "mkswap")
	if os.Getuid() != 0 {
		l.Skip("needs root for loop devices")
	}
	l.insert = []string{"--driverloaded", "n"}
	f := &fitLab{lab: l}
	l.Cleanup(f.detach)
	return f
}

// detach ends the devices: tools look at all that there are.
func (l *fitLab) detach() {
	for _, f := range l.open {
		f.Close()
	}
	for _, d := range l.loops {
		l.tool("", "losetup", "--detach", d)
	}
	l.loops, l.open = nil, nil
}

// medium opens a device until the next detach.
func (l *fitLab) medium(path string) probes.Medium {
	l.Helper()
	f, err := os.Open(path)
	if err != nil {
		l.Fatal(err)
	}
	l.open = append(l.open, f)
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		l.Fatal(err)
	}
	return probes.Medium{ReaderAt: f, Size: uint64(size)}
}

// parts are devices of all partitions but extended ones.
func (l *fitLab) parts(image string, layout *probes.Layout) map[probes.ID]string {
	l.Helper()
	devices := map[probes.ID]string{}
	for id, p := range layout.Partition {
		if isExtended(layout, p) {
			continue
		}
		out, err := l.try("", "losetup", "--find", "--show", "--offset", fmt.Sprint(p.FirstLBA*512), "--sizelimit", fmt.Sprint((p.LastLBA-p.FirstLBA+1)*512), image)
		if err != nil {
			l.Skipf("needs loop devices: %v", err)
		}
		devices[id] = strings.TrimSpace(out)
		l.loops = append(l.loops, devices[id])
	}
	return devices
}

// table is the layout of an image that has nothing but a table.
func (l *fitLab) table(image string) *probes.Layout {
	l.Helper()
	t, err := probes.ReadTable(l.medium(image), 512)
	if err != nil {
		l.Fatal(err)
	}
	layout := &probes.Layout{Format: probes.Format, Disk: map[probes.ID]*probes.Disk{t.ID: &t.Disk}, Partition: map[probes.ID]*probes.Partition{},
		PV: map[probes.ID]*probes.PV{}, VG: map[probes.ID]*probes.VG{}, LV: map[probes.ID]*probes.LV{},
		FileSystem: map[probes.ID]*probes.FileSystem{}, Swap: map[probes.ID]*probes.Swap{}}
	for _, p := range t.Partitions {
		layout.Partition[p.ID] = &p.Partition
	}
	return layout
}

// read is the layout of an image and the texts of its groups, without what is
// another one each time.
func (l *fitLab) read(image string) (*probes.Layout, map[string][]byte) {
	l.Helper()
	layout, texts := l.table(image), map[string][]byte{}
	defer l.detach()
	devices := l.parts(image, layout)
	var volumes []probes.Medium
	for _, part := range sorted(devices) {
		ref := probes.Ref("partition." + part)
		m := l.medium(devices[part])
		if pv, err := probes.ReadPV(m); err == nil {
			layout.PV[pv] = &probes.PV{On: ref}
			volumes = append(volumes, m)
			continue
		}
		id, node := identify(l, devices[part])
		switch n := node.(type) {
		case *probes.FileSystem:
			n.On = []probes.Ref{ref}
			layout.FileSystem[id] = n
		case *probes.Swap:
			n.On = ref
			layout.Swap[id] = n
		}
	}
	if len(volumes) == 0 {
		return layout, texts
	}
	g, err := probes.ReadVG(volumes...)
	if err != nil {
		l.Fatal(err)
	}
	for id, pv := range g.PVs {
		pv.On, pv.VG = layout.PV[id].On, probes.Ref("vg."+g.ID)
		if pv.MetadataCopies > 1 {
			pv.MetadataSize = 0 // of the second one, it goes with what is left at the end
		}
		layout.PV[id] = pv
	}
	g.VG.Script = "vg.vgcfg"
	layout.VG[g.ID], layout.LV, texts["vg.vgcfg"] = &g.VG, g.LVs, []byte(g.Text.String())
	return layout, texts
}

// make makes a layout on a blank image.
func (l *fitLab) make(layout *probes.Layout, texts map[string][]byte, image string) {
	l.Helper()
	for id := range layout.Disk {
		t, err := layout.Table(id)
		if err != nil {
			l.Fatal(err)
		}
		l.layer(Table(t, image))
	}
	defer l.detach()
	devices := l.parts(image, layout)
	device := func(ref probes.Ref) string {
		_, id := split(ref)
		return devices[id]
	}
	for id, fs := range layout.FileSystem {
		l.layer(FileSystem(l.Context(), id, fs, []string{device(fs.On[0])}, 0, l.TempDir()))
	}
	for id, s := range layout.Swap {
		l.layer(Swap(l.Context(), id, s, device(s.On)))
	}
	for id, g := range layout.VG {
		text, err := probes.ParseVGText(string(texts[g.Script]))
		if err != nil {
			l.Fatal(err)
		}
		pvs := map[probes.ID]PhysicalVolume{}
		for id, pv := range layout.PV {
			pvs[id] = PhysicalVolume{pv, device(pv.On)}
		}
		l.layer(VG(id, g, text, pvs, l.TempDir()))
	}
}

func (l *fitLab) layer(layer Layer, err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
	if len(layer.Notes) > 0 {
		l.Log(layer.Notes)
	}
	l.do(inactive(layer.Make))
}

// text is a layout as it is written.
func (l *fitLab) text(layout *probes.Layout, texts map[string][]byte) string {
	l.Helper()
	var b bytes.Buffer
	if err := layout.Write(&b); err != nil {
		l.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		b.Write(texts[name])
	}
	return b.String()
}

// fitTableScript is a random table with a few partitions of some size, with room
// left between and behind.
func fitTableScript(r *rand.Rand) (script string, size uint64) {
	var b strings.Builder
	at, kind := uint64(1), odds.Pick(r, "gpt", "dos", "logical")
	part := func(number int, mib uint64, more string) {
		start := at << 11
		if r.IntN(6) == 0 {
			start += uint64(r.IntN(2000))
		}
		length := mib << 11
		if r.IntN(4) == 0 {
			length -= uint64(r.IntN(3000))
		}
		fmt.Fprintf(&b, "%d : start=%d, size=%d%s\n", number, start, length, more)
		at += mib + 2 + uint64(r.IntN(2)*r.IntN(40))
	}
	label := kind
	if kind == "logical" {
		label = "dos"
	}
	fmt.Fprintf(&b, "label: %s\n", label)
	n := 1 + r.IntN(4)
	for i := range n {
		if kind == "logical" && i == n-1 {
			outer := at << 11
			var inner strings.Builder
			inner, b = b, strings.Builder{}
			at++
			for j := range 1 + r.IntN(3) {
				part(5+j, uint64(20+r.IntN(150)), "")
			}
			logical := b.String()
			b = strings.Builder{}
			fmt.Fprintf(&b, "%s%d : start=%d, size=%d, type=5\n%s", inner.String(), i+1, outer, at<<11-outer, logical)
			break
		}
		part(i+1, uint64(20+r.IntN(180)), "")
	}
	return b.String(), (at + 1 + uint64(r.IntN(2)*r.IntN(60))) << 20
}

// fill puts random contents on partitions, as far as the tools take them.
func (l *fitLab) fill(r *rand.Rand, devices map[probes.ID]string) {
	l.Helper()
	defer l.detach()
	var pvs []string
	for _, id := range sorted(devices) {
		d := devices[id]
		made := odds.Pick(r,
			[]string{"mke2fs", "-q", "-F", "-t", odds.Pick(r, "ext2", "ext4"), "-b", odds.Pick(r, "1024", "4096"), "-m", odds.Pick(r, "0", "5", "7.3"), d},
			[]string{"mke2fs", "-q", "-F", "-t", "ext4", "-O", odds.Pick(r, "^64bit", "bigalloc", "^resize_inode", "sparse_super2", "^flex_bg"), "-i", odds.Pick(r, "4096", "20000"), d},
			[]string{"mkfs.xfs", "-q", "-f", "-d", "agcount=" + odds.Pick(r, "1", "3", "4"), d},
			[]string{"mkfs.btrfs", "-q", "-f", d},
			[]string{"mkfs.fat", "-F", odds.Pick(r, "16", "32"), d},
			[]string{"mkswap", "-q", d},
			nil, nil, nil)
		if made == nil {
			pvs = append(pvs, d)
		} else if _, _, err := run.Output(l.Context(), run.Command{Args: made, Env: xfsSmall}); err != nil {
			l.Log(err)
			l.tool("", "wipefs", "--all", d)
		}
	}
	if len(pvs) == 0 {
		return
	}
	lvm := vg{name: "group", config: lvmConfig(pvs, "")}
	for _, d := range pvs {
		l.do([]Action{lvm.lvm("pvcreate", append(odds.PV(r)[1:], d)...)})
	}
	l.do([]Action{lvm.lvm("vgcreate", append(odds.VG(r, "group")[1:], pvs...)...)})
	for n := range r.IntN(5) {
		l.tryDo([]Action{lvm.lvm("lvcreate", odds.LV(r, "group", n)[1:]...)})
	}
}

// fitRules are random rules.
func fitRules(r *rand.Rand, layout *probes.Layout) Sizes {
	sizes := Sizes{}
	choose := func(all []probes.Ref) {
		if len(all) == 0 {
			return
		}
		minimum := func() uint64 { return odds.Pick[uint64](r, 0, 1, 10<<20, 60<<20) }
		if r.IntN(2) == 0 {
			sizes[odds.Pick(r, all...)] = Rule{Grow, minimum()}
			return
		}
		for _, ref := range all {
			sizes[ref] = Rule{odds.Pick(r, Share, Share, Keep), minimum()}
		}
	}
	var parts, volumes []probes.Ref
	for _, id := range sorted(layout.Partition) {
		if !isExtended(layout, layout.Partition[id]) {
			parts = append(parts, probes.Ref("partition."+id))
		}
	}
	for _, id := range sorted(layout.LV) {
		volumes = append(volumes, probes.Ref("lv."+id))
	}
	choose(parts)
	choose(volumes)
	return sizes
}

// TestFit makes random machines, and each again on a disk of another size.
func TestFit(t *testing.T) {
	var counts [3]int
	for round := range odds.Rounds(45) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			l, r := newFitLab(t), odds.Dice(round)
			script, size := fitTableScript(r)
			old := l.blank(size)
			l.tool(script, "sfdisk", "--quiet", old)
			l.fill(r, l.parts(old, l.table(old)))
			layout, texts := l.read(old)
			before := l.text(layout, texts)

			rules := fitRules(r, layout)
			other := size + uint64(r.IntN(900))<<20 + uint64(r.IntN(5000))*512
			if r.IntN(2) == 0 {
				other = size - min(size/2, uint64(r.IntN(200))<<20+uint64(r.IntN(5000))*512)
			}
			disks := map[probes.ID]uint64{}
			for id := range layout.Disk {
				disks[id] = other
			}
			fitted, fittedTexts, words, err := Fit(layout, texts, disks, rules)
			if l.text(layout, texts) != before {
				t.Fatal("what is given has changed")
			}
			for tries := 0; err != nil; tries++ {
				t.Log(err)
				var small *TooSmall
				if !errors.As(err, &small) || tries > 20 {
					counts[2]++
					return
				}
				counts[1]++
				for id := range disks {
					disks[id] += small.Missing
				}
				fitted, fittedTexts, words, err = Fit(layout, texts, disks, rules)
			}
			counts[0]++
			t.Logf("%d to %v bytes, %v: %q", size, disks, rules, words)
			image := l.blank(slices.Collect(maps.Values(disks))[0])
			l.make(fitted, fittedTexts, image)
			got, gotTexts := l.read(image)
			if g, w := l.text(got, gotTexts), l.text(fitted, fittedTexts); g != w {
				t.Errorf("(- is what was to be, + what is)\n%s", difference(w, g))
			}
			l.unchanged(layout, fitted, rules)
		})
	}
	t.Logf("%d made, %d times too small, %d refused", counts[0], counts[1], counts[2])
}

// unchanged checks that what is kept is, and that nothing shrinks below its
// least.
func (l *fitLab) unchanged(old, now *probes.Layout, rules Sizes) {
	l.Helper()
	check := func(ref probes.Ref, was, is uint64) {
		rule := rules[ref]
		if !rule.elastic() && was != is || is < rule.least(was) {
			l.Errorf("%s: %v, from %d to %d", ref, rule, was, is)
		}
	}
	for id, p := range now.Partition {
		if !isExtended(now, p) {
			was := old.Partition[id]
			check(probes.Ref("partition."+id), (was.LastLBA-was.FirstLBA+1)*512, (p.LastLBA-p.FirstLBA+1)*512)
		}
	}
	for id, lv := range now.LV {
		check(probes.Ref("lv."+id), old.LV[id].Size, lv.Size)
	}
}

// difference is that of two texts, a line each.
func difference(a, b string) string {
	var out strings.Builder
	was, is := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(was) > 0 && len(is) > 0 && was[0] == is[0]:
			if strings.HasSuffix(was[0], "]") || strings.HasSuffix(was[0], "{") {
				out.WriteString(was[0] + "\n") // where it is
			}
			was, is = was[1:], is[1:]
		case len(is) == 0 || len(was) > 0 && !slices.Contains(is, was[0]):
			out.WriteString("- " + was[0] + "\n")
			was = was[1:]
		default:
			out.WriteString("+ " + is[0] + "\n")
			is = is[1:]
		}
	}
	return out.String()
}
