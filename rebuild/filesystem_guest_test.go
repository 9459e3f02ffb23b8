package rebuild

import (
	"testing"
	"time"

	"rootwc/internal/vm"
	"rootwc/internal/vm/inside"
)

// TestGuestFileSystems runs the tests that mount with a Debian kernel: this
// machine's may be another one, or without btrfs.
func TestGuestFileSystems(t *testing.T) {
	inside.Need(t)
	image, err := vm.Build(t.Context(), vm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := vm.Machine{Env: []string{"ROOTWC_ROUNDS=4"}, Memory: 3072, Timeout: 8 * time.Minute}
	inside.Tests(t, image, m, "^Test(RoundTripBtrfs|BtrfsSystem)$", "^$")
}
