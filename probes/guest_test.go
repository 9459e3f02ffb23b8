package probes

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/vm"
)

// theGuest is built once for the tests of this package.
var theGuest = sync.OnceValues(func() (*vm.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return vm.Build(ctx, vm.Options{})
})

// runGuest runs a shell script in a virtual machine with blank disks and
// returns what it left in /out, and the disks.
func runGuest(t *testing.T, script []byte, sizes ...int64) (*vm.Result, []string) {
	t.Helper()
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts a virtual machine; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	image, err := theGuest()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	var disks []vm.Disk
	for n, size := range sizes {
		paths = append(paths, blankImage(t, uint64(size)))
		disks = append(disks, vm.Disk{Path: paths[n], Serial: fmt.Sprintf("LAYERS%d", n)})
	}
	result, err := image.Run(t.Context(), vm.Machine{
		Command: []string{"sh", "script"},
		Files:   fstest.MapFS{"script": {Data: script}},
		Disks:   disks,
		Timeout: 8 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 {
		t.Fatalf("exit status %d\n%s", result.Status, result.Console)
	}
	return result, paths
}

//go:embed testdata/raid.sh
var raidScript []byte

// TestGuestRAID makes arrays with the mdadm and the kernel of a guest, and
// compares. With ROOTWC_UPDATE=1 it writes testdata/raid.
func TestGuestRAID(t *testing.T) {
	result, disks := runGuest(t, raidScript, 3<<30, 64<<20, 64<<20, 64<<20, 64<<20)
	dir := filepath.Join("testdata", "raid")
	if os.Getenv("ROOTWC_UPDATE") == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	keep := func(name, from string) {
		if data, err := fs.ReadFile(result.Files, from); err == nil {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, file := range result.Files {
		array, ok := strings.CutSuffix(name, ".members")
		if !ok {
			continue
		}
		keep(array+".detail", array+".text")
		for i, device := range strings.Fields(string(file.Data)) {
			member := fmt.Sprintf("%s-%d", array, i)
			if err := extractOf(t, disks, device, ends).save(filepath.Join(dir, member+".img.gz")); err != nil {
				t.Fatal(err)
			}
			keep(member+".examine", device+".examine")
			keep(member+".bitmap", device+".bitmap")
		}
	}
	if t.Failed() {
		t.Log(result.Console)
	}
	testRAID(t, dir)
}

// extractOf takes parts of a disk or a partition of a guest: "vdb", "vda7".
func extractOf(t *testing.T, disks []string, device string, parts func(io.ReaderAt, uint64) []diskArea) *extract {
	t.Helper()
	f, size := open(t, disks[device[2]-'a'])
	part := diskArea{0, size}
	if number := device[3:]; number != "" {
		table, err := readTable(f, size, 512)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(table.Partitions, func(p TableEntry) bool { return fmt.Sprint(p.Number) == number })
		if i < 0 {
			t.Fatalf("no partition %s", device)
		}
		p := table.Partitions[i]
		part = diskArea{p.FirstLBA * 512, (p.LastLBA - p.FirstLBA + 1) * 512}
	}
	r := io.NewSectionReader(f, int64(part.at), int64(part.size))
	e, err := takeExtract(r, part.size, parts(r, part.size)...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

//go:embed testdata/layers.sh
var layersScript []byte

// TestGuestLayers makes volume groups and LUKS headers in a guest, and
// compares. With ROOTWC_UPDATE=1 it writes testdata/lvm and testdata/luks.
func TestGuestLayers(t *testing.T) {
	result, disks := runGuest(t, layersScript, 7<<30)
	t.Log(result.Console)
	base := "testdata"
	if os.Getenv("ROOTWC_UPDATE") == "" {
		base = t.TempDir()
	}
	for _, dir := range []string{"lvm", "luks"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range result.Files {
		name, devices := strings.CutSuffix(name, ".devices")
		if !devices {
			continue
		}
		dir, parts := filepath.Join(base, "lvm"), lvmParts
		if _, luks := result.Files[name+".dump"]; luks {
			dir, parts = filepath.Join(base, "luks"), luksParts
		}
		for i, device := range strings.Fields(string(file.Data)) {
			e := extractOf(t, disks, strings.TrimPrefix(device, "/dev/"), parts)
			if err := e.save(filepath.Join(dir, fmt.Sprintf("%s-%d.img.gz", name, i))); err != nil {
				t.Fatal(err)
			}
		}
		for _, listing := range []string{".vgcfg", ".json", ".dump"} {
			if data, err := fs.ReadFile(result.Files, name+listing); err == nil && len(data) > 0 {
				if err := os.WriteFile(filepath.Join(dir, name+listing), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	testLVM(t, filepath.Join(base, "lvm"))
	testLUKS(t, filepath.Join(base, "luks"))
}
