package rebuild

import (
	"testing"

	"rootwc/probes"
)

// TestNoted has names that are part of other names.
func TestNoted(t *testing.T) {
	p := Plan{Notes: []string{"logical volume vg-0/home-old is left out: it is a snapshot", "luks.0b1c: token 3 is not made", "filesystem.AB-CD (vfat) grows"}}
	for node, want := range map[probes.Ref]bool{
		"lv.vg-0/home-old": true, "vg.vg-0": true, "luks.0b1c": true, "filesystem.AB-CD": true,
		"lv.vg-0/home": false, "vg.vg": false, "vg.0": false, "lv.0/home-old": false, "vg.home": false, "vg.g": false, "filesystem.AB": false, "filesystem.CD": false,
	} {
		if got := p.Noted(node); got != want {
			t.Errorf("%s: %v", node, got)
		}
	}
}
