package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rootwc/internal/run"
	"rootwc/wc"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

// watched is a machine with a watcher.
type watched struct {
	t        *testing.T
	root     string
	interval time.Duration
	hold     chan struct{} // the watcher waits for it to be closed, when it tells

	mu       sync.Mutex
	told     []*News
	warnings []string
}

const before = `set -e
svnadmin create ../repo
svn checkout -q file://${PWD%/root}/repo .
mkdir -p etc/conf.d/deep/deeper etc/other.d var/lib/rootwc
chmod 0700 var/lib/rootwc
for f in etc/hosts etc/motd etc/conf.d/a etc/conf.d/b etc/conf.d/deep/c etc/conf.d/deep/deeper/d etc/other.d/e; do echo $f >$f; done
svn propset -q svn:ignore var .
svn add -q etc; svn commit -q -m first`

// newWatched makes a committed machine and starts a watcher, which is told to
// end when the test does.
func newWatched(t *testing.T) *watched {
	t.Helper()
	for _, program := range []string{"svn", "svnadmin"} {
		if _, ok := run.Look(program); !ok {
			t.Skipf("needs %s, to make a working copy", program)
		}
	}
	w := &watched{t: t, interval: time.Hour, root: filepath.Join(t.TempDir(), "root")}
	if err := os.Mkdir(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	w.sh(before)
	return w
}

func (w *watched) sh(script string) {
	w.t.Helper()
	if out, _, err := run.Output(w.t.Context(), run.Command{Args: []string{"sh", "-c", script}, Dir: w.root}); err != nil {
		w.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// start returns when the watcher is ready.
func (w *watched) start() {
	t := w.t
	t.Helper()
	tree, err := wc.Open(w.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.MakeState(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	watcher := &Watcher{Tree: tree, Status: w.status, Interval: w.interval,
		Ready: sync.OnceFunc(func() { close(ready) }),
		Tell: func(n *News) {
			w.mu.Lock()
			w.told = append(w.told, n)
			hold := w.hold
			w.mu.Unlock()
			if hold != nil {
				<-hold
			}
		},
		Warn: func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.warnings = append(w.warnings, fmt.Sprintf(format, args...))
		}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		tree.Close()
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal("the watcher has ended")
	}
}

// status is that of the verb, in this process.
func (w *watched) status(ctx context.Context) ([]Difference, error) {
	tree, err := wc.Open(w.root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	tree.Witness = Witness(tree)
	if _, err := tree.Attach(""); err != nil {
		return nil, err
	}
	entries, err := tree.Status(ctx, wc.StatusOptions{Review: true})
	found := []Difference{}
	for _, e := range entries {
		found = append(found, Difference{Path: e.Path, Letter: string(e.Letter())})
	}
	return found, err
}

// await waits until the list is this one, and returns how long that took.
func (w *watched) await(want ...string) time.Duration {
	w.t.Helper()
	slices.Sort(want)
	began := time.Now()
	var got []string
	for time.Since(began) < 20*time.Second {
		got = w.list()
		if slices.Equal(got, want) {
			return time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatalf("the list is %q, and not %q", short(got), short(want))
	return 0
}

func short(list []string) []string { return list[:min(len(list), 20)] }

// list is what the list of drift has: letters and paths.
func (w *watched) list() (lines []string) {
	tree, err := wc.Open(w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	defer tree.Close()
	drift, err := LoadDrift(tree)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range drift.Entries {
		lines = append(lines, e.Letter+" "+e.Path)
	}
	slices.Sort(lines)
	return lines
}

// fresh waits until each of these lines is told, and returns the news with
// something new since the last call. The list is saved before it is told.
func (w *watched) fresh(want ...string) (news []*News) {
	w.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		told := map[string]bool{}
		w.mu.Lock()
		for _, n := range w.told {
			if len(n.Fresh) > 0 {
				news = append(news, n)
			}
			for _, e := range n.Fresh {
				told[e.Letter+" "+e.Path] = true
			}
		}
		w.told = nil
		w.mu.Unlock()
		want = slices.DeleteFunc(want, func(line string) bool { return told[line] })
		if len(want) == 0 {
			return news
		}
		if time.Since(began) > 20*time.Second {
			w.t.Fatalf("%q was not told", short(want))
		}
	}
}

// TestEachKindOfChange: each is in the list, once, and is told once.
func TestEachKindOfChange(t *testing.T) {
	w := newWatched(t)
	w.start()
	for _, c := range []struct {
		name, script, back string
		want               []string
	}{
		{"edit in place", "echo new >>etc/hosts", "echo etc/hosts >etc/hosts", []string{"M etc/hosts"}},
		{"sed -i", "sed -i s/motd/tomd/ etc/motd", "sed -i s/tomd/motd/ etc/motd", []string{"M etc/motd"}},
		{"atomic rename", "echo x >etc/.x; mv etc/.x etc/conf.d/deep/c", "echo etc/conf.d/deep/c >etc/conf.d/deep/c", []string{"M etc/conf.d/deep/c"}},
		{"mode", "chmod 0600 etc/conf.d/a", "chmod 0644 etc/conf.d/a", []string{"M etc/conf.d/a"}},
		{"mode of a directory", "chmod 0700 etc/other.d", "chmod 0755 etc/other.d", []string{"M etc/other.d"}},
		{"ten levels with a file", "mkdir -p etc/1/2/3/4/5/6/7/8/9/10; echo x >etc/1/2/3/4/5/6/7/8/9/10/f", "rm -r etc/1", []string{"? etc/1"}},
		{"rename of a watched directory", "mv etc/conf.d etc/renamed.d", "mv etc/renamed.d etc/conf.d", []string{"! etc/conf.d", "? etc/renamed.d"}},
		{"a file in the renamed one, renamed back", "echo x >etc/conf.d/deep/deeper/new", "rm etc/conf.d/deep/deeper/new", []string{"? etc/conf.d/deep/deeper/new"}},
		{"delete and make again", "rm -r etc/conf.d/deep; mkdir -p etc/conf.d/deep/deeper", "echo etc/conf.d/deep/c >etc/conf.d/deep/c; echo etc/conf.d/deep/deeper/d >etc/conf.d/deep/deeper/d",
			[]string{"! etc/conf.d/deep/c", "! etc/conf.d/deep/deeper/d"}},
		{"in the one made again", "echo x >>etc/conf.d/deep/deeper/d", "echo etc/conf.d/deep/deeper/d >etc/conf.d/deep/deeper/d", []string{"M etc/conf.d/deep/deeper/d"}},
		{"two directories change places", "mv etc/conf.d etc/x; mv etc/other.d etc/conf.d; mv etc/x etc/other.d", "mv etc/conf.d etc/x; mv etc/other.d etc/conf.d; mv etc/x etc/other.d",
			[]string{"! etc/conf.d/a", "! etc/conf.d/b", "! etc/conf.d/deep", "? etc/conf.d/e", "? etc/other.d/a", "? etc/other.d/b", "? etc/other.d/deep", "! etc/other.d/e"}},
		{"and deep in one of them", "echo x >>etc/conf.d/deep/deeper/d", "echo etc/conf.d/deep/deeper/d >etc/conf.d/deep/deeper/d", []string{"M etc/conf.d/deep/deeper/d"}},
		{"a directory taken under version control", "mkdir etc/new.d; echo x >etc/new.d/f; svn add -q etc/new.d; svn commit -q -m new; echo y >etc/new.d/g", "rm etc/new.d/g", []string{"? etc/new.d/g"}},
	} {
		w.sh(c.script)
		took := w.await(c.want...)
		told := map[string]int{}
		for _, n := range w.fresh(slices.Clone(c.want)...) {
			for _, e := range n.Fresh {
				told[e.Letter+" "+e.Path]++
			}
		}
		for _, line := range c.want {
			if told[line] != 1 {
				t.Errorf("%s: %s was told %d times", c.name, line, told[line])
			}
		}
		t.Logf("%s: in the list after %v", c.name, took.Round(time.Millisecond))
		w.sh(c.back)
		w.await()
	}
}

// TestBindMount: an edit by another path is one.
func TestBindMount(t *testing.T) {
	w := newWatched(t)
	if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"unshare", "--mount", "mount", "--bind", w.root, w.root}}); err != nil {
		t.Skipf("cannot mount in a namespace: %v", err)
	}
	w.start()
	w.sh("mkdir ../elsewhere; unshare --mount sh -c 'mount --bind etc ../elsewhere && echo x >>../elsewhere/conf.d/deep/c'")
	w.await("M etc/conf.d/deep/c")
}

// TestManyChanges: ten thousand are one summary and an exact list.
func TestManyChanges(t *testing.T) {
	w := newWatched(t)
	w.start()
	var want []string
	began := time.Now()
	last, rest := began, time.Duration(0) // the longest time between two
	for i := range 10000 {
		path := fmt.Sprintf("etc/%s/n%d", []string{"conf.d", "other.d", "conf.d/deep"}[i%3], i)
		if err := os.WriteFile(filepath.Join(w.root, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		want = append(want, "? "+path)
		rest, last = max(rest, time.Since(last)), time.Now()
	}
	made := time.Since(began)
	took := w.await(want...)
	news := w.fresh(slices.Clone(want)...)
	if made < longest && rest < quiet/2 && len(news) != 1 {
		t.Errorf("%d summaries", len(news))
	}
	t.Logf("10,000 files made in %v with rests of %v at most, in the list %v later, %d summaries",
		made.Round(time.Millisecond), rest.Round(time.Millisecond), took.Round(time.Millisecond), len(news))
}

// TestOverflow: events that are lost cost a look at everything and no more.
func TestOverflow(t *testing.T) {
	w := newWatched(t)
	const limit = "/proc/sys/fs/inotify/max_queued_events"
	usual, err := os.ReadFile(limit)
	if err == nil {
		err = os.WriteFile(limit, []byte("16\n"), 0)
	}
	if err != nil {
		t.Skipf("cannot make the queue small: %v", err)
	}
	restore := sync.OnceFunc(func() { // it is that of the next to ask the kernel for one
		if err := os.WriteFile(limit, usual, 0); err != nil {
			t.Error(err)
		}
	})
	defer restore()
	w.start()
	restore()
	w.mu.Lock()
	w.hold = make(chan struct{})
	w.mu.Unlock()
	w.sh("echo x >>etc/hosts")
	w.await("M etc/hosts") // the watcher is telling it, and reads no events
	want := []string{"M etc/hosts"}
	for i := range 6000 {
		path := fmt.Sprintf("etc/conf.d/n%d", i)
		if err := os.WriteFile(filepath.Join(w.root, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			want = append(want, "? "+path)
		} else if err := os.Remove(filepath.Join(w.root, path)); err != nil {
			t.Fatal(err)
		}
	}
	w.sh("mv etc/conf.d/deep etc/deep.d; mkdir etc/conf.d/deep")
	want = append(want, "? etc/deep.d", "! etc/conf.d/deep/c", "! etc/conf.d/deep/deeper")
	w.mu.Lock()
	close(w.hold)
	w.hold = nil
	w.mu.Unlock()
	w.await(want...)
	w.mu.Lock()
	lost := slices.ContainsFunc(w.warnings, func(s string) bool { return strings.Contains(s, "overflow") })
	w.mu.Unlock()
	if !lost {
		t.Error("the queue has not run over")
	}
	w.sh("echo x >>etc/conf.d/deep/c") // in a directory that no event has told of
	want[slices.Index(want, "! etc/conf.d/deep/c")] = "M etc/conf.d/deep/c"
	w.await(want...)
}

// TestTooFewWatches: the number and what to set are told, and a status now and
// then finds the changes.
func TestTooFewWatches(t *testing.T) {
	w := newWatched(t)
	usual := watchLimit
	t.Cleanup(func() { watchLimit = usual })
	watchLimit = filepath.Join(t.TempDir(), "max_user_watches")
	if err := os.WriteFile(watchLimit, []byte("3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.status(t.Context()); err != nil { // which writes an index
		t.Fatal(err)
	}
	w.interval = 50 * time.Millisecond
	w.start()
	w.mu.Lock()
	told := strings.Join(w.warnings, "\n")
	w.mu.Unlock()
	for _, want := range []string{"7 directories are to be watched", "allows 3 watches", "sysctl fs.inotify.max_user_watches="} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in %q", want, told)
		}
	}
	w.sh("echo x >>etc/hosts")
	w.await("M etc/hosts")
}

// TestTwoWatchers: the second is refused, and does the first no harm.
func TestTwoWatchers(t *testing.T) {
	w := newWatched(t)
	w.start()
	tree, err := wc.Open(w.root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if _, _, err := listen(tree); err == nil || !strings.Contains(err.Error(), "another watcher") {
		t.Errorf("a second one: %v", err)
	}
	w.sh("echo x >>etc/hosts")
	w.await("M etc/hosts")
}
