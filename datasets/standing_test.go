package datasets

import (
	"fmt"
	"os"
	"testing"

	"rootwc/system"
)

// TestStanding tells what there is to say of a dataset.
func TestStanding(t *testing.T) {
	w := newWorld(t)
	w.write(w.path("server/music"), "a=1")
	d := system.Dataset{Path: "music", Type: system.Copy, Repository: "vfs:" + w.path("server/music")}
	want := func(state string) {
		t.Helper()
		if s, err := w.room.Standing(d); err != nil || s.State != state {
			t.Errorf("%+v, %v, want %s", s, err, state)
		}
	}
	want(Absent)
	w.must(os.Mkdir(w.path("root/music"), 0o755))
	want(Stale)
	w.do(Checkout, d, Options{})
	want(OK)
	d.Exclude = []string{"*.part"}
	want(Stale)
	w.do(Update, d, Options{})
	want(OK)
	w.must(os.Rename(w.path("server/music"), w.path("server/away")))
	w.do(Update, d, Options{})
	want(Incomplete)
}

// TestStandingIsBounded has a buffer with more files than are counted at once.
func TestStandingIsBounded(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("", "")
	const many = countFiles + 50
	for i := range many {
		w.must(os.WriteFile(w.path("root/photos", fmt.Sprint(i)), []byte("x"), 0o644))
	}
	s, err := w.room.Standing(d)
	if err != nil || s.State != Unflushed || s.Files > countFiles || s.Words != "or more" {
		t.Errorf("%+v, %v", s, err)
	}
	j, err := w.room.begin(d, Flush, Options{})
	w.must(err)
	w.must(j.recount())
	w.must(j.state.save())
	j.end()
	s, err = w.room.Standing(d)
	if err != nil || s.State != Unflushed || s.Files != many || s.Bytes != many || s.Counted.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}
