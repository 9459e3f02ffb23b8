package probes

import (
	_ "embed"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"rootwc/internal/vm"
)

//go:embed testdata/boot.sh
var bootScript []byte

// TestGuestBoot has efibootmgr make entries in a guest with OVMF, and
// compares. With ROOTWC_UPDATE=1 it writes testdata/boot.
func TestGuestBoot(t *testing.T) {
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts a virtual machine; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	image, err := theGuest()
	if err != nil {
		t.Fatal(err)
	}
	result, err := image.Run(t.Context(), vm.Machine{
		Command:  []string{"sh", "script"},
		Files:    fstest.MapFS{"script": {Data: bootScript}},
		Disks:    []vm.Disk{{Path: blankImage(t, 64<<20)}, {Path: blankImage(t, 64<<20)}},
		Firmware: vm.UEFI,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 {
		t.Fatalf("exit status %d\n%s", result.Status, result.Console)
	}
	dir := filepath.Join("testdata", "boot")
	if os.Getenv("ROOTWC_UPDATE") == "" {
		dir = t.TempDir()
	}
	for name, file := range result.Files {
		path := filepath.Join(dir, name)
		if file.Mode.IsDir() {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	testEntries(t, dir)
	if t.Failed() {
		t.Log(result.Console)
	}
}
