package hooks

import (
	"os"
	"path/filepath"
	"testing"

	"rootwc/internal/run"
)

// TestQueueUnits lets systemd itself read the units.
func TestQueueUnits(t *testing.T) {
	if _, found := run.Look("systemd-analyze"); !found {
		t.Skip("needs systemd-analyze")
	}
	dir := t.TempDir()
	for name, text := range QueueUnits("/bin/true") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, warnings, err := run.Output(t.Context(), run.Command{Args: []string{"systemd-analyze", "verify", "--man=no", filepath.Join(dir, QueueService), filepath.Join(dir, QueueTimer)}})
	if err != nil || warnings != "" {
		t.Errorf("%v\n%s", err, warnings)
	}
}
