package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faultDamages is what a lost disk block or a cut write makes of a file.
var faultDamages = []struct {
	name   string
	damage func([]byte) []byte
}{
	{"empty", func([]byte) []byte { return nil }},
	{"first-byte", func(b []byte) []byte { return b[:1] }},
	{"half", func(b []byte) []byte { return b[:len(b)/2] }},
	{"last-byte", func(b []byte) []byte { return bytes.TrimRight(b, "\n")[:len(bytes.TrimRight(b, "\n"))-1] }},
	{"zeros", func(b []byte) []byte { return make([]byte, len(b)) }},
	{"garbled", func(b []byte) []byte {
		c := slices.Clone(b)
		copy(c[len(c)/3:], []byte("\x00\xff\x17\"{"))
		return c
	}},
}

// complains checks that a command names the file that is damaged, in a message
// that a person can read, and does not end well when it is one that writes.
func (w *faultWorld) complains(t *testing.T, file string, writes bool, args ...string) {
	t.Helper()
	r := w.rootwc(t, "", args...)
	if !strings.Contains(r.err+r.out, file) || strings.Contains(r.err, "<nil>") || strings.Contains(r.err, "%!") || strings.Contains(r.err, "goroutine ") {
		t.Errorf("want a clear word about %s: %v", file, r)
	}
	if writes && r.status != 2 && r.status != 3 {
		t.Errorf("want exit status 2 or 3: %v", r)
	}
}

// faultDamaged damages a file in each way, calls check, and puts it back.
func faultDamaged(t *testing.T, file string, check func(t *testing.T)) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range faultDamages {
		t.Run(d.name, func(t *testing.T) {
			if err := os.WriteFile(file, d.damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			check(t)
		})
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedJournal damages the journal of an update that was killed in the
// middle: nobody may go on as if nothing had been, and nothing may be lost.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	s := faultScenarioOf(t, "update")
	w, ref := s.build(t)
	for _, at := range []string{"fetched", "place:10", "placed"} {
		t.Run(at, func(t *testing.T) {
			w.reset(t)
			if r := w.rootwc(t, at, s.args...); !r.killed {
				t.Fatalf("not killed: %v", r)
			}
			live, stage := w.live(t), faultTree(t, w.state("stage"), nil)
			check := func(t *testing.T) {
				w.complains(t, w.state("journal"), false, "status")
				w.complains(t, w.state("journal"), true, "update")
				w.complains(t, w.state("journal"), true, "commit", "-m", "x")
				w.complains(t, w.state("journal"), false, "doctor")
				for _, p := range faultPaths(live, w.live(t)) {
					if now := w.live(t)[p]; now != live[p] {
						t.Errorf("%s was %v, now %v", p, live[p], now)
					}
				}
				for p, it := range faultTree(t, w.state("stage"), nil) {
					if it.words != stage[p].words {
						t.Errorf("in the stage, %s was %q, now %q", p, stage[p].words, it.words)
					}
				}
				if now := faultTree(t, w.state("stage"), nil); len(now) != len(stage) {
					t.Errorf("the stage held %d paths, now %d", len(stage), len(now))
				}
			}
			faultDamaged(t, w.state("journal"), check)
			t.Run("newer", func(t *testing.T) {
				whole, err := os.ReadFile(w.state("journal"))
				if err != nil {
					t.Fatal(err)
				}
				newer := bytes.Replace(whole, []byte(`"format":1`), []byte(`"format":99`), 1)
				if err := os.WriteFile(w.state("journal"), newer, 0o600); err != nil {
					t.Fatal(err)
				}
				check(t)
				if err := os.WriteFile(w.state("journal"), whole, 0o600); err != nil {
					t.Fatal(err)
				}
			})
			s.mended(t, w, ref, true, true)
		})
	}
}

// TestCutWrites leaves behind what a power cut makes of a file that was just
// being written: it never took the old one's place.
func TestCutWrites(t *testing.T) {
	t.Parallel()
	s := faultScenarioOf(t, "update")
	w, ref := s.build(t)
	for _, name := range []string{"journal.new", "withheld.json.new", "unsure-commit.new"} {
		t.Run(name, func(t *testing.T) {
			w.reset(t)
			if err := os.WriteFile(w.state(name), []byte(`{"format":1,"verb":"upd`), 0o600); err != nil {
				t.Fatal(err)
			}
			s.mended(t, w, ref, false, false)
		})
	}
}

// TestTornCheckout leaves what a power cut makes of a checkout's stage: files and
// texts of which the database knows, but whose content never reached the disk.
func TestTornCheckout(t *testing.T) {
	t.Parallel()
	s := faultScenarioOf(t, "materialize")
	w, ref := s.build(t)
	w.reset(t)
	if r := w.rootwc(t, "prepared", s.args...); !r.killed {
		t.Fatalf("not killed: %v", r)
	}
	torn := 0
	for _, p := range []string{"*/wc/etc/hostname", "*/wc/.svn/pristine/*/*"} {
		files, err := filepath.Glob(w.state("stage/" + p))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			torn++
			if err := os.Truncate(file, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if torn < 5 {
		t.Fatalf("%d files in the stage", torn)
	}
	journal, err := os.ReadFile(w.state("journal"))
	if err != nil {
		t.Fatal(err)
	}
	boot := regexp.MustCompile(`"boot":"[^"]+"`)
	if !boot.Match(journal) {
		t.Fatalf("no boot in %s", journal)
	}
	if err := os.WriteFile(w.state("journal"), boot.ReplaceAll(journal, []byte(`"boot":"an earlier one"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.mended(t, w, ref, true, true)
}

// TestDamagedRecords damages what is kept of conflicts and of withheld files.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	faultConflicts(t, w)
	w.keep(t)
	descriptions, err := filepath.Glob(w.state("conflicts/*/conflict.json"))
	if err != nil || len(descriptions) == 0 {
		t.Fatalf("no conflicts: %v", err)
	}
	t.Run("conflict", func(t *testing.T) {
		live, kept := w.live(t), w.records(t)
		faultDamaged(t, descriptions[0], func(t *testing.T) {
			w.complains(t, filepath.Dir(descriptions[0]), false, "status")
			w.complains(t, filepath.Dir(descriptions[0]), false, "resolve")
			w.complains(t, filepath.Dir(descriptions[0]), true, "commit", "-m", "x")
			w.unharmed(t, live, kept, descriptions[0])
		})
	})
	w = newFaultWorld(t)
	faultMachine(t, w, "withhold")
	t.Run("withheld", func(t *testing.T) {
		live, kept := w.live(t), w.records(t)
		faultDamaged(t, w.state("withheld.json"), func(t *testing.T) {
			w.complains(t, w.state("withheld.json"), false, "status")
			w.complains(t, w.state("withheld.json"), true, "commit", "-m", "x")
			w.unharmed(t, live, kept, w.state("withheld.json"))
		})
	})
}

// unharmed checks that the live tree and the records are as they were, but
// for the one that is damaged.
func (w *faultWorld) unharmed(t *testing.T, live map[string]faultItem, kept map[string]string, but string) {
	t.Helper()
	now := w.live(t)
	for _, p := range faultPaths(live, now) {
		if now[p] != live[p] {
			t.Errorf("%s was %v, now %v", p, live[p], now[p])
		}
	}
	records := w.records(t)
	for p, words := range kept {
		if w.state(strings.TrimSuffix(p, "/.")) != but && records[p] != words {
			t.Errorf("%s was %q, now %q", p, words, records[p])
		}
	}
}
