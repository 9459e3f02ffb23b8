package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rootwc/wc"
)

// TestAnswerAfterAllEvents: a question is not answered before everything that
// has happened up to then was read, however much that is.
func TestAnswerAfterAllEvents(t *testing.T) {
	m := newWatched(t)
	if _, err := m.status(t.Context()); err != nil { // which writes an index
		t.Fatal(err)
	}
	tree, err := wc.Open(m.root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	w := &Watcher{Tree: tree, burst: burst{quiet: quiet, longest: longest}}
	if w.sight, err = newSight(tree); err != nil {
		t.Fatal(err)
	}
	defer w.sight.close()
	since := wc.Sighting{Index: w.sight.copies[""].id, Since: wc.Moment{Witness: w.sight.life, Count: w.sight.count}}
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(m.root, "etc/hosts"), fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.sh("mv etc/conf.d etc/x.d; echo x >etc/x.d/deep/c; mv etc/x.d etc/conf.d")
	first, second := &question{[]wc.Sighting{since}, make(chan *wc.Testimony, 1)}, &question{[]wc.Sighting{since}, make(chan *wc.Testimony, 1)}
	w.ask(first)
	m.sh("echo x >>etc/other.d/e")
	w.ask(second) // while the token of the first is on its way
	for _, c := range []struct {
		q    *question
		want []string
	}{
		{first, []string{"etc", "etc/conf.d", "etc/conf.d/deep", "etc/conf.d/deep/deeper"}},
		{second, []string{"etc", "etc/conf.d", "etc/conf.d/deep", "etc/conf.d/deep/deeper", "etc/other.d"}},
	} {
		read := 0
		for len(c.q.answer) == 0 {
			if err := w.event(<-w.sight.notes.Events); err != nil {
				t.Fatal(err)
			}
			read++
		}
		told := <-c.q.answer
		if got := told.Stirred[since.Index]; read == 0 || !slices.Equal(got, c.want) {
			t.Errorf("after %d events: %q", read, got)
		}
	}
	// Of nothing of before a gap is anything said.
	w.sight.lose()
	if told := w.sight.testify([]wc.Sighting{since}); len(told.Stirred) != 0 {
		t.Errorf("after a gap: %q", told.Stirred)
	}
}
