package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

// lvmTool runs lvm on loop devices, without device-mapper: no volume is ever
// active.
type lvmTool struct {
	t       *testing.T
	devices []string
}

// newLVM makes loop devices. It skips where that is not possible.
func newLVM(t *testing.T, sizes ...uint64) *lvmTool {
	t.Helper()
	need(t, "lvm", "losetup")
	if os.Getuid() != 0 {
		t.Skip("needs root for loop devices")
	}
	l := &lvmTool{t: t}
	for _, size := range sizes {
		device, err := tryTool("", "losetup", "--find", "--show", blankImage(t, size))
		if err != nil {
			t.Skipf("needs loop devices: %v", err)
		}
		device = strings.TrimSpace(device)
		l.devices = append(l.devices, device)
		t.Cleanup(func() { tool(t, "", "losetup", "--detach", device) })
	}
	return l
}

// run runs a command of LVM that sees these devices alone.
func (l *lvmTool) run(args ...string) string {
	l.t.Helper()
	var accept strings.Builder
	for _, d := range l.devices {
		fmt.Fprintf(&accept, `"a|^%s$|", `, d)
	}
	config := `devices { filter = [` + accept.String() + `"r|.*|"] use_devicesfile = 0 obtain_device_list_from_udev = 0 } activation { udev_sync = 0 udev_rules = 0 monitoring = 0 } ` +
		`backup { backup = 0 archive = 0 } global { use_lvmpolld = 0 }`
	return tool(l.t, "", slices.Concat([]string{"lvm", args[0], "--yes", "--driverloaded", "n", "--config", config}, args[1:])...)
}

// read reads the devices.
func (l *lvmTool) read() (*lvmGroup, []*lvmPV) {
	l.t.Helper()
	var pvs []*lvmPV
	for _, d := range l.devices {
		f, err := os.Open(d)
		if err != nil {
			l.t.Fatal(err)
		}
		defer f.Close()
		size, err := f.Seek(0, 2)
		if err != nil {
			l.t.Fatal(err)
		}
		pv, err := readPV(f, uint64(size))
		if err != nil {
			l.t.Fatal(err)
		}
		pvs = append(pvs, pv)
	}
	g, err := assembleVG(pvs)
	if err != nil {
		l.t.Fatal(err)
	}
	return g, pvs
}

// compare compares what is read with what lvm says.
func (l *lvmTool) compare(g *lvmGroup, pvs []*lvmPV) {
	l.t.Helper()
	backup := filepath.Join(l.t.TempDir(), "backup")
	l.run("vgcfgbackup", "-f", backup, string(g.ID))
	text, err := os.ReadFile(backup)
	if err != nil {
		l.t.Fatal(err)
	}
	compareVGText(l.t, g, string(text))
	compareReport(l.t, g, pvs, []byte(l.run("fullreport", "--reportformat", "json", "--units", "b", string(g.ID))))
}

// TestLVMHere makes random groups with the lvm of this machine.
func TestLVMHere(t *testing.T) {
	for round := range odds.Rounds(5) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			r := odds.Dice(round)
			l := newLVM(t, 200<<20, 300<<20, 250<<20)
			group := odds.Pick(r, odds.Groups...)
			for _, d := range l.devices {
				l.run(append(odds.PV(r), d)...)
			}
			l.run(append(odds.VG(r, group), l.devices...)...)
			for n := range 1 + r.IntN(6) {
				l.run(odds.LV(r, group, n)...)
			}
			if r.IntN(2) == 0 {
				l.run("vgchange", "--addtag", "tag."+fmt.Sprint(round), "--addtag", "a/b=c!d:e#f&g-h", group)
			}
			l.compare(l.read())
		})
	}
}

// TestVGTextRestores makes the groups of testdata again from their text alone:
// what is read then is the same.
func TestVGTextRestores(t *testing.T) {
	texts, err := filepath.Glob(filepath.Join("testdata", "lvm", "*.vgcfg"))
	if err != nil || len(texts) < 3 {
		t.Fatalf("%q, %v", texts, err)
	}
	for _, path := range texts {
		base := strings.TrimSuffix(path, ".vgcfg")
		t.Run(filepath.Base(base), func(t *testing.T) {
			want, pvs := readGroup(t, base)
			if want.VG.Unsupported != "" {
				t.Skip(want.VG.Unsupported)
			}
			var sizes []uint64
			for _, pv := range pvs {
				sizes = append(sizes, pv.Size)
			}
			l := newLVM(t, sizes...)
			text := filepath.Join(t.TempDir(), "text")
			if err := os.WriteFile(text, []byte(want.Text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			for i, pv := range pvs {
				args := []string{"pvcreate", "--uuid", string(pv.ID), "--restorefile", text, "--pvmetadatacopies", fmt.Sprint(pv.PV.MetadataCopies)}
				l.run(append(args, l.devices[i])...)
			}
			l.run("vgcfgrestore", "--force", "-f", text, string(want.ID))
			got, again := l.read()
			if got.Text.String() != want.Text.String() {
				t.Errorf("got\n%s\nwant\n%s", got.Text, want.Text)
			}
			for i, pv := range again {
				if pv.PV != pvs[i].PV || pv.ID != pvs[i].ID {
					t.Errorf("volume %+v, was %+v", pv.PV, pvs[i].PV)
				}
			}
		})
	}
}

// TestLVMRing changes a group until its text has gone round the metadata area,
// and spoils the newest of two copies.
func TestLVMRing(t *testing.T) {
	l := newLVM(t, 64<<20)
	l.run("pvcreate", "--pvmetadatacopies", "2", "--metadatasize", "16k", "--dataalignment", "64k", l.devices[0])
	l.run("vgcreate", "ring", l.devices[0])
	wrapped := false
	for n := range 24 {
		l.run("vgchange", "--addtag", strings.Repeat("x", 100)+strconv.Itoa(n), "ring")
		g, pvs := l.read()
		if seq := pvs[0].Text.group().number("seqno"); seq != uint64(n+2) || len(g.VG.Tags) != n+1 {
			t.Fatalf("change %d: seqno %d, %d tags", n, seq, len(g.VG.Tags))
		}
		wrapped = wrapped || len(lvmParts(device(t, l.devices[0]), 64<<20)) > 5
	}
	if !wrapped {
		t.Error("the text has not gone round")
	}
	f := device(t, l.devices[0])
	at := int64(lvmParts(f, 64<<20)[2].at)
	if _, err := f.WriteAt([]byte("spoilt"), at); err != nil {
		t.Fatal(err)
	}
	_, pvs := l.read()
	if len(pvs[0].Findings) != 1 || !strings.HasPrefix(pvs[0].Findings[0], "LVM metadata at 4096: checksum of the text is ") {
		t.Errorf("%q", pvs[0].Findings)
	}
}

func device(t *testing.T, path string) *os.File {
	f, _ := open(t, path)
	return f
}
