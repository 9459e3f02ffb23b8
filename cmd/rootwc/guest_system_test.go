package main

import (
	"testing"
	"time"
	"regexp"

	"rootwc/internal/vm"
)

func TestGuestSystem(t *testing.T) {
	l := newLab(t)
	image, err := vm.Build(t.Context(), vm.Options{Programs: []string{"chroot"}})
	if err != nil {
		t.Fatal(err)
	}
	l.image = image
	begin := time.Now()
	old := installDebian(t, l.image)
	t.Logf("installed: %v", time.Since(begin))
	r, err := l.image.Run(t.Context(), vm.Machine{FromDisk: true, Firmware: vm.BIOS, Disks: []vm.Disk{{Path: old.disk}}, Until: regexp.MustCompile(`proof ends`), Timeout: 3*time.Minute})
	t.Logf("%v %v\n%s", err, r.Took, r.Console)
}
