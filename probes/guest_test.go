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
			if err := extractOf(t, disks, device).save(filepath.Join(dir, member+".img.gz")); err != nil {
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

// extractOf takes the ends of a disk or a partition of a guest: "vdb", "vda7".
func extractOf(t *testing.T, disks []string, device string) *extract {
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
	e, err := takeExtract(io.NewSectionReader(f, int64(part.at), int64(part.size)), part.size, ends(part.size)...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
