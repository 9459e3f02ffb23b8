package vm

import (
	"context"
	"strings"
	"testing"
	"time"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// TestAnotherKernel mounts what the small kernel does not know, and sees a
// removable disk.
func TestAnotherKernel(t *testing.T) {
	image(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	other, err := Build(ctx, Options{Kernel: "linux-image-amd64"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := other.Run(ctx, script(`
		mkfs.f2fs -q /dev/vda
		mount -t f2fs /dev/vda /mnt
		findmnt --noheadings --output FSTYPE /mnt
		echo "removable $(cat /sys/block/sda/removable)"
	`, blank(t, 128*mib, Disk{}), blank(t, 16*mib, Disk{Bus: USB, Serial: "STICK"})))
	if err != nil || r.Status != 0 {
		t.Fatalf("status %d, %v\n%s", r.Status, err, r.Console)
	}
	contains(t, r.Console, "f2fs\n", "removable 1\n")
	t.Logf("%.1f s, %.1f s of them until the command", r.Took.Seconds(), r.Up.Seconds())
}

// contains looks for texts in a console.
func contains(t *testing.T, console string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(console, w) {
			t.Errorf("no %q in:\n%s", w, console)
		}
	}
}
