package watch

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/wc"
)

// TestBlind: after what no event tells, nothing of before is sworn to; what
// happens elsewhere does no harm. The suspension is one by the watcher's books.
func TestBlind(t *testing.T) {
	m := newWatched(t)
	elsewhere := t.TempDir()
	if _, err := m.status(t.Context()); err != nil { // which writes an index
		t.Fatal(err)
	}
	tree, err := wc.Open(m.root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	s, err := newSight(tree)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	mount := func(dir string) {
		if err := unix.Mount("rootwc-test", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Skipf("cannot mount a tmpfs: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
	unmount := func(dir string) {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	covered := filepath.Join(m.root, "etc/conf.d")
	for _, c := range []struct {
		what  string
		do    func()
		sworn bool
	}{
		{"nothing", func() {}, true},
		{"a mount elsewhere", func() { mount(elsewhere) }, true},
		{"its end", func() { unmount(elsewhere) }, true},
		{"a mount over a watched directory", func() { mount(covered) }, false},
		{"its end", func() { unmount(covered) }, false},
		{"nothing again", func() {}, true},
		{"a suspension", func() { s.slept.total -= time.Second }, false},
		{"nothing at last", func() {}, true},
	} {
		since := wc.Sighting{Index: s.copies[""].id, Since: wc.Moment{Witness: s.life, Count: s.count}}
		c.do()
		if _, err := s.settle(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if _, sworn := s.testify([]wc.Sighting{since}).Stirred[since.Index]; sworn != c.sworn {
			t.Errorf("%s: sworn %v", c.what, sworn)
		}
	}
}
