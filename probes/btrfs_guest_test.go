package probes

import (
	"testing"
	"time"

	"rootwc/internal/vm"
	"rootwc/internal/vm/inside"
)

// TestGuestBtrfs runs the tests that mount with a Debian kernel: this
// machine's may be another one, or without btrfs.
func TestGuestBtrfs(t *testing.T) {
	inside.Need(t)
	image, err := theGuest()
	if err != nil {
		t.Fatal(err)
	}
	m := vm.Machine{Env: []string{"ROOTWC_ROUNDS=3"}, Memory: 3072, Timeout: 8 * time.Minute}
	inside.Tests(t, image, m, "^TestBtrfs(Mounted|States|Quota)$", "/simple_quota")
}
