package rebuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/run"
	"rootwc/internal/vm"
)

// TestGuestFileSystems runs the tests that mount with a Debian kernel: this
// machine's may be another one, or without btrfs.
func TestGuestFileSystems(t *testing.T) {
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts a virtual machine; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	program := filepath.Join(t.TempDir(), "rebuild.test")
	build := run.Command{Args: []string{"go", "test", "-c", "-o", program, "."}, Env: []string{"CGO_ENABLED=0"}}
	if _, _, err := run.Output(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	image, err := vm.Build(t.Context(), vm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const script = `
		modprobe btrfs
		modprobe loop
		cd /in
		exec rebuild.test -test.v -test.run '^Test(RoundTripBtrfs|BtrfsSystem)$'
	`
	result, err := image.Run(t.Context(), vm.Machine{
		Command:  []string{"sh", "-eu", "script"},
		Files:    fstest.MapFS{"script": {Data: []byte(script)}},
		Programs: map[string]string{"rebuild.test": program},
		Env:      []string{"ROOTWC_ROUNDS=4"},
		Memory:   3072,
		Timeout:  8 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 {
		t.Fatalf("exit status %d\n%s", result.Status, result.Console)
	}
	for line := range strings.Lines(result.Console) {
		if strings.Contains(line, "--- SKIP") {
			t.Error(strings.TrimSpace(line))
		}
		if strings.Contains(line, "--- ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	t.Logf("%.1f s, the command %.1f s of them", result.Took.Seconds(), result.Command.Seconds())
}
