package wc_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rootwc/internal/run"
	"rootwc/noise"
	"rootwc/wc"
)

// TestNoiseAtRandom edits files at random, commits and updates in between, and
// compares each status with what the rules mean: what is equal without the
// lines that do not count is never told, everything else always is. The index
// that each status leaves must not make a difference.
//
// ROOTWC_SEED is the seed.
func TestNoiseAtRandom(t *testing.T) {
	for _, program := range []string{"svn", "svnadmin"} {
		if _, ok := run.Look(program); !ok {
			t.Skipf("needs %s", program)
		}
	}
	seed := uint64(number("ROOTWC_SEED", int(time.Now().UnixNano()%1e9)))
	t.Logf("ROOTWC_SEED=%d", seed)
	w := &noiseWorld{lab: newLab(t, t.TempDir()), r: rand.New(rand.NewPCG(seed, 3)), base: map[string]string{}, live: map[string]string{}}
	w.make()
	for range 150 {
		for range 1 + w.r.IntN(3) {
			w.change()
		}
		w.check("with what the status before has learned")
		if w.r.IntN(5) == 0 {
			if err := os.RemoveAll(w.path("var/lib/rootwc/index")); err != nil {
				t.Fatal(err)
			}
			w.check("without an index")
		}
		if t.Failed() {
			t.Fatalf("changes:\n%s", strings.Join(w.log, "\n"))
		}
	}
}

// noiseWorld is a working copy, and what should be known of it.
type noiseWorld struct {
	*lab
	r          *rand.Rand
	base, live map[string]string // texts by path
	other      bool              // other rules hold
}

func (w *noiseWorld) make() {
	if err := os.MkdirAll(w.root(), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(w.path(wc.StatePath), 0o700); err != nil { // without it there is no index
		w.t.Fatal(err)
	}
	if err := wc.WriteConfig(w.dir + "/config"); err != nil {
		w.t.Fatal(err)
	}
	w.sh(true, `svnadmin create ../repo && svn mkdir -q -m x $R/host && svn checkout -q $R/host . && mkdir a b && svn add -q a b`)
	for _, dir := range []string{"a/", "b/"} {
		for i := range 4 {
			w.write(fmt.Sprint(dir, i), w.text())
		}
	}
	w.sh(true, `svn add -q --force a b && svn commit -q -m first && svn update -q`)
	w.base = maps.Clone(w.live)
}

func (w *noiseWorld) write(path, text string) {
	w.live[path] = text
	w.log = append(w.log, fmt.Sprintf("%s = %q", path, text))
	if err := os.WriteFile(w.path(path), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// text has lines of all kinds; the last may have no end.
func (w *noiseWorld) text() string {
	var b strings.Builder
	for range w.r.IntN(6) {
		fmt.Fprintf(&b, "%s %d\n", []string{"Time", "Seen", "Name", "Port"}[w.r.IntN(4)], w.r.IntN(3))
	}
	text := b.String()
	if w.r.IntN(4) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// change does one thing that a person, a program or svn does.
func (w *noiseWorld) change() {
	paths := []string{"a/0", "a/1", "a/2", "a/3", "b/0", "b/1", "b/2", "b/3"}
	path := paths[w.r.IntN(len(paths))]
	switch n := w.r.IntN(22); {
	case n < 8: // only lines that may not count
		lines := strings.SplitAfter(w.live[path], "\n")
		for i := range lines {
			if strings.HasPrefix(lines[i], "Time") {
				lines[i] = strings.Replace(lines[i], "Time", "Time 9", 1)
			}
		}
		w.write(path, strings.Join(lines, ""))
	case n < 12:
		w.write(path, w.text())
	case n < 15:
		w.write(path, w.base[path])
	case n < 17:
		w.sh(true, "svn commit -q -m one "+path)
		w.base[path] = w.live[path]
	case n < 18:
		w.sh(true, "svn commit -q -m all && svn update -q")
		w.base = maps.Clone(w.live)
	case n < 19:
		w.sh(true, "svn revert -q "+path)
		w.live[path] = w.base[path]
	case n < 20: // what is no news stays
		told, _ := w.news()
		w.rootwcCommit()
		for _, path := range told {
			w.base[path] = w.live[path]
		}
	case n < 21:
		w.rootwcCommit(path)
		w.base[path] = w.live[path]
	default:
		w.other = !w.other
		w.log = append(w.log, "other rules")
	}
}

// rootwcCommit commits these paths, or everything.
func (w *noiseWorld) rootwcCommit(paths ...string) {
	w.log = append(w.log, fmt.Sprint("rootwc commit ", paths))
	t := w.open()
	defer t.Close()
	work, err := t.Begin("commit")
	if err != nil {
		w.t.Fatal(err)
	}
	defer work.End()
	w.attach(t)
	_, t.Noise = w.rules()
	plan, err := work.PlanCommit(w.t.Context(), wc.CommitOptions{Paths: paths})
	if err == nil {
		_, err = plan.Run(w.t.Context(), "message")
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// rules: Time does not count, or Seen does not, and of b/3 nothing does.
func (w *noiseWorld) rules() (word string, rules *noise.Rules) {
	word = "Time"
	if w.other {
		word = "Seen"
	}
	return word, noise.New([]*noise.Rule{{Path: "**", Lines: []string{"^" + word + " "}}, {Path: "b/3"}}, nil, nil)
}

// news says what a status has to tell.
func (w *noiseWorld) news() (told, hidden []string) {
	word, _ := w.rules()
	for path, live := range w.live {
		switch base := w.base[path]; {
		case live == base:
		case path == "b/3" || counts(live, word) == counts(base, word):
			hidden = append(hidden, path)
		default:
			told = append(told, path)
		}
	}
	slices.Sort(told)
	slices.Sort(hidden)
	return told, hidden
}

// counts is a text without the lines that do not.
func counts(text, word string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, word+" ") }), "")
}

func (w *noiseWorld) check(how string) {
	w.t.Helper()
	told, hidden := w.news()
	got, quiet := w.status(false)
	if !slices.Equal(got, told) || len(quiet) > 0 {
		w.t.Errorf("%s: status tells %q, want %q", how, got, told)
	}
	got, quiet = w.status(true)
	if !slices.Equal(got, told) || !slices.Equal(quiet, hidden) {
		w.t.Errorf("%s: status tells %q and hides %q, want %q and %q", how, got, quiet, told, hidden)
	}
}

func (w *noiseWorld) status(ask bool) (told, quiet []string) {
	w.t.Helper()
	tree := w.open()
	defer tree.Close()
	w.attach(tree)
	_, tree.Noise = w.rules()
	entries, err := tree.Status(w.t.Context(), wc.StatusOptions{Noise: ask})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.Status == wc.Unversioned: // rootwc's own state
		case e.Quiet():
			if quiet = append(quiet, e.Path); len(e.Noise.Rules) == 0 {
				w.t.Errorf("no rule hides %s", e.Path)
			}
		default:
			told = append(told, e.Path)
		}
	}
	return told, quiet
}
