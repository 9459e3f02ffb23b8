// Package inside runs the tests of a package in a virtual machine: as root,
// with a Debian kernel, whatever the machine is on which they are started.
package inside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/run"
	"rootwc/internal/vm"
)

// Need skips a test unless virtual machines are asked for.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts a virtual machine; ROOTWC_VM=1 asks for it (make vmtest)")
	}
}

// Build links the tests of the package in the working directory statically, for
// [vm.Machine.Programs].
func Build(t testing.TB) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "inside.test")
	build := run.Command{Args: []string{"go", "test", "-c", "-o", program, "."}, Env: []string{"CGO_ENABLED=0"}}
	if _, _, err := run.Output(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	return program
}

// Tests runs the tests that a pattern matches in a machine, with its modules
// for btrfs and loop devices, but for those that its kernel is too old for.
// Another one that is skipped there is a failure.
func Tests(t *testing.T, image *vm.Image, m vm.Machine, pattern, tooOld string) {
	t.Helper()
	m.Programs = map[string]string{"inside.test": Build(t)}
	m.Command = []string{"sh", "-euc", `modprobe btrfs; modprobe loop; exec inside.test -test.v -test.run "$0" -test.skip "$1"`, pattern, tooOld}
	result, err := image.Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(result.Console) {
		switch {
		case strings.Contains(line, "--- SKIP"):
			t.Error(strings.TrimSpace(line))
		case strings.Contains(line, "--- "):
			t.Log(strings.TrimSpace(line))
		}
	}
	if result.Status != 0 {
		t.Fatalf("exit status %d\n%s", result.Status, result.Console)
	}
	t.Logf("%.0f s, the command %.0f s of them", result.Took.Seconds(), result.Command.Seconds())
}
