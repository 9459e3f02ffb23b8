package hooks

import (
	"os"
	"path/filepath"
	"testing"

	"rootwc/internal/run"
)

// TestAutoCommitUnits has systemd read the units.
func TestAutoCommitUnits(t *testing.T) {
	if _, ok := run.Look("systemd-analyze"); !ok {
		t.Skip("needs systemd-analyze")
	}
	service, timer := AutoCommitUnits("/bin/true")
	dir := t.TempDir()
	var files []string
	for name, text := range map[string]string{"rootwc-commit.service": service, "rootwc-commit.timer": timer} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	out, warnings, err := run.Output(t.Context(), run.Command{Args: append([]string{"systemd-analyze", "verify", "--man=no"}, files...)})
	if err != nil || len(out)+len(warnings) > 0 {
		t.Errorf("%v\n%s%s", err, out, warnings)
	}
}
