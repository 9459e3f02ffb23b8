package probes

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

func TestSwapOptions(t *testing.T) {
	fsTools(t, "mkswap", "swaplabel", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := odds.NewSwap(rng)
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		one := identifyImage(t, image)
		s := one.node.(*Swap)
		if one.id != ID(o.UUID) || s.Label != o.Label || s.LabelBytes != "" || s.Page != o.Page || s.Size != o.Used/s.Page*s.Page || s.Unsupported != "" || s.Endianness != "" {
			t.Errorf("%q: got %s %+v", o.Make, one.id, s)
		}
		if listing := mustRun(t, nil, "swaplabel", image); o.Page == 4096 && !strings.Contains(listing, o.UUID) {
			t.Errorf("%s: swaplabel says %s", o.UUID, listing)
		}
		return true
	})
}

func TestSwapStates(t *testing.T) {
	fsTools(t, "mkswap")
	image := blank(t, 1<<20)
	mustRun(t, nil, "mkswap", "-q", "-L", "swap", image)
	fresh := identifyImage(t, image)
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range swapMarks { // a machine sleeps
		copy(b[4086:4096], mark)
		one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
		if err != nil || one.id != fresh.id || *one.node.(*Swap) != *fresh.node.(*Swap) {
			t.Errorf("%q: got %v, %v", mark, one, err)
		}
	}
	copy(b[4086:4096], "SWAP-SPACE")
	if one, err := identify(medium{bytes.NewReader(b), uint64(len(b))}); err != nil || one.node.(*Swap).Unsupported == "" {
		t.Errorf("version 0: got %v, %v", one, err)
	}
	copy(b[4086:4096], "SWAPSPACE2")
	for i := 1024; i < 1036; i += 4 { // made on a machine of the other byte order
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
	if err != nil || one.node.(*Swap).Endianness != "big" || one.node.(*Swap).Size != 1<<20 {
		t.Errorf("big-endian: got %v, %v", one, err)
	}
	if _, err := identify(medium{bytes.NewReader(b[:65536]), 65536}); err == nil || !strings.HasSuffix(err.Error(), "do not fit on a device of 65536 bytes") {
		t.Errorf("cut off: %v", err)
	}
	b[1024] = 7
	if _, err := identify(medium{bytes.NewReader(b), uint64(len(b))}); err == nil || err.Error() != "swap header: version 16777223" {
		t.Errorf("bad version: %v", err)
	}
}

// compareSwap holds what was read against what blkid prints.
func compareSwap(t *testing.T, one *found, listing string) {
	t.Helper()
	s := one.node.(*Swap)
	text := "\n" + listing
	if !strings.Contains(text, "\nUUID="+string(one.id)+"\n") || strings.Contains(text, "\nLABEL=") && !strings.Contains(text, "\nLABEL="+s.Label+"\n") {
		t.Errorf("got %s %+v, blkid says %s", one.id, s, listing)
	}
}
