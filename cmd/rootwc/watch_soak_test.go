package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootwc/externals"
	"rootwc/internal/run"
	"rootwc/wc"
)

// soakWorld is a machine with a watcher, to be changed at random.
type soakWorld struct {
	t       *testing.T
	dir     string
	program string
	random  *rand.Rand
	watcher *exec.Cmd
	stopped bool
	page    string   // the description without a rule
	log     []string // what was done since the states agreed
	errs    bytes.Buffer
}

// TestWatchSoak: whatever happens to files and to the watcher, a status that
// asks the watcher tells what one tells that looks at everything. ROOTWC_SOAK
// is for how long, 30s by itself; ROOTWC_SEED the seed.
func TestWatchSoak(t *testing.T) {
	for _, program := range []string{"svn", "svnadmin"} {
		if _, ok := run.Look(program); !ok {
			t.Skipf("needs %s, to make a working copy", program)
		}
	}
	t.Parallel()
	lasts := 30 * time.Second
	if d, err := time.ParseDuration(os.Getenv("ROOTWC_SOAK")); err == nil {
		lasts = d
	}
	seed, err := strconv.ParseUint(os.Getenv("ROOTWC_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("ROOTWC_SEED=%d ROOTWC_SOAK=%s", seed, lasts)
	w := &soakWorld{t: t, dir: t.TempDir(), program: faultProgram(t), random: rand.New(rand.NewPCG(seed, 6))}
	w.build()
	w.start()
	defer w.kill()
	states, trusted := 0, 0
	for end := time.Now().Add(lasts); time.Now().Before(end); states++ {
		w.disturb()
		if w.random.IntN(8) == 0 {
			w.tidy()
		}
		for range w.random.IntN(6) {
			w.change()
		}
		got, vouched := w.fast()
		if want := w.full(); !slices.Equal(got, want) {
			t.Fatalf("state %d: the status by the watcher (vouched: %v)\n%s\nall that differs\n%s\nwhat was done\n%s\nthe watcher said\n%s",
				states, vouched, strings.Join(got, "\n"), strings.Join(want, "\n"), strings.Join(w.log, "\n"), w.errs.String())
		}
		w.log = w.log[max(0, len(w.log)-40):]
		if vouched {
			trusted++
		}
	}
	t.Logf("%d states, the watcher was trusted in %d", states, trusted)
	if trusted < states/10 {
		t.Errorf("the watcher was trusted in %d of %d states only", trusted, states)
	}
}

func (w *soakWorld) root() string { return filepath.Join(w.dir, "root") }

func (w *soakWorld) rootwc(args ...string) (stdout, stderr string) {
	w.t.Helper()
	out, errs, err := run.Output(w.t.Context(), run.Command{Args: append([]string{w.program, "--root", w.root()}, args...), Env: []string{"HOME=" + w.dir}})
	if err != nil {
		w.t.Fatalf("rootwc %s: %v\n%s\n%s", strings.Join(args, " "), err, out, strings.Join(w.log, "\n"))
	}
	return string(out), errs
}

// build makes a machine of 60 directories, with an external.
func (w *soakWorld) build() {
	script := `set -e
svnadmin create repo
svn mkdir -q -m x file://$PWD/repo/data
mkdir -p root/etc root/srv root/var/lib
printf 'root:x:0:0::/root:/bin/sh\n' >root/etc/passwd
printf 'root:x:0:\n' >root/etc/group
for a in 1 2 3; do for b in 1 2 3 4; do for c in 1 2 3; do
	mkdir -p root/etc/d$a/e$b/f$c; for n in 1 2 3; do echo "$a $b $c $n" >root/etc/d$a/e$b/f$c/n$n; done
done; done; done
svn checkout -q file://$PWD/repo/data peer
mkdir -p peer/s/u; echo x >peer/s/x; echo y >peer/s/u/y; svn add -q peer/s; svn commit -q -m s peer`
	if out, _, err := run.Output(w.t.Context(), run.Command{Args: []string{"sh", "-c", script}, Dir: w.dir, Env: []string{"HOME=" + w.dir}}); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	w.rootwc("init", "--secrets", "clear", "file://"+w.dir+"/repo/hosts/m")
	page, err := os.ReadFile(w.description())
	if err != nil {
		w.t.Fatal(err)
	}
	w.page = string(page)
	if err := w.rule(true); err != nil {
		w.t.Fatal(err)
	}
	w.rootwc("commit", "-m", "first")
	w.rootwc("externals", "add", "^/data", "srv/data")
	w.rootwc("commit", "-m", "external")
}

func (w *soakWorld) description() string {
	return filepath.Join(w.root(), filepath.FromSlash(wc.DescriptionPath))
}

// rule has the description say, or not, that other numbers in some files are no
// news.
func (w *soakWorld) rule(holds bool) error {
	text := w.page
	if holds {
		text += "\n[[noise]]\npath = \"etc/d1\"\nlines = ['^[0-9 ]*$']\n"
	}
	return os.WriteFile(w.description(), []byte(text), 0o644)
}

// start starts a watcher. Package run offers no process to signal.
func (w *soakWorld) start() {
	w.watcher = exec.Command(w.program, "--root", w.root(), "watch")
	w.watcher.Stderr = &w.errs
	w.watcher.Env = append(os.Environ(), "HOME="+w.dir)
	if err := w.watcher.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.stopped = false
}

func (w *soakWorld) kill() {
	_ = w.watcher.Process.Kill()
	_ = w.watcher.Wait() // killed is what it says
}

// disturb does something to the watcher, now and then.
func (w *soakWorld) disturb() {
	what := ""
	switch n := w.random.IntN(60); {
	case w.stopped && n < 30:
		what = "continue the watcher"
		_ = w.watcher.Process.Signal(syscall.SIGCONT)
		w.stopped = false
	case n == 0:
		what = "kill the watcher, and start another"
		w.kill()
		w.start()
	case n == 1 && !w.stopped:
		what = "stop the watcher"
		_ = w.watcher.Process.Signal(syscall.SIGSTOP)
		w.stopped = true
	}
	if what != "" {
		w.log = append(w.log, what)
	}
}

// tidy commits everything: what is not clean is looked at in any case, and
// proves nothing about the watcher.
func (w *soakWorld) tidy() {
	w.log = append(w.log, "commit everything")
	_ = w.sh(w.program + " --root root commit --add -m all") // some of it may be refused
	w.fast()
}

// pick is a random path in the tree, or one that is not there.
func (w *soakWorld) pick() string {
	r := w.random
	if r.IntN(8) == 0 {
		return filepath.Join(w.root(), "srv/data", []string{"s", "s/x", "s/u", "s/u/y", "new"}[r.IntN(5)])
	}
	path := fmt.Sprintf("%s/etc/d%d", w.root(), 1+r.IntN(4))
	for _, level := range []struct{ name, odds int }{{'e', 6}, {'f', 4}, {'n', 5}} {
		if r.IntN(level.odds) == 0 {
			break
		}
		path += fmt.Sprintf("/%c%d", level.name, 1+r.IntN(4))
	}
	return path
}

// change does something to files. That much of it fails is what chance is like.
func (w *soakWorld) change() {
	r, path := w.random, w.pick()
	what := ""
	var err error
	switch r.IntN(23) {
	case 0, 1, 2:
		what, err = "write "+path, os.WriteFile(path, fmt.Append(nil, r.IntN(3)), 0o644)
	case 3:
		what = "write by rename " + path
		if err = os.WriteFile(path+".new", fmt.Append(nil, r.IntN(3)), 0o644); err == nil {
			err = os.Rename(path+".new", path)
		}
	case 4:
		what, err = "mode of "+path, os.Chmod(path, []os.FileMode{0o644, 0o755, 0o600, 0o700}[r.IntN(4)])
	case 5, 6:
		other := w.pick()
		what, err = "rename "+path+" to "+other, os.Rename(path, other)
	case 7:
		what, err = "remove "+path, os.Remove(path)
	case 8:
		what, err = "remove all of "+path, os.RemoveAll(path)
	case 9:
		what, err = "make directories "+path, os.MkdirAll(path, 0o755)
	case 10:
		what = "make again " + path
		if err = os.RemoveAll(path); err == nil {
			err = os.MkdirAll(filepath.Join(path, "f1"), 0o755)
		}
	case 11:
		what, err = "link "+path, os.Symlink("elsewhere", path)
	case 12:
		what = "exchange " + path + " and back"
		if err = os.Rename(path, path+".away"); err == nil {
			_ = os.WriteFile(path+".away/n1", []byte("behind"), 0o644) // a file has none in it
			err = os.Rename(path+".away", path)
		}
	case 13:
		other := w.pick()
		if base := filepath.Base(path); base[0] == 'd' || base[0] == 'e' {
			return // it would grow and grow
		}
		what, err = "copy "+path+" over "+other, w.sh("rm -rf "+other+".c && cp -a "+path+" "+other+".c && rm -rf "+other+" && mv "+other+".c "+other)
	case 14:
		what, err = "sed -i "+path, w.sh("sed -i s/1/2/ "+path)
	case 15:
		other := w.pick()
		what, err = "another name "+other+" of "+path, os.Link(path, other)
	case 16:
		what, err = "times of "+path, os.Chtimes(path, time.Unix(r.Int64N(1e9), 0), time.Unix(r.Int64N(1e9), 0))
	case 17:
		what, err = "write into "+path, os.WriteFile(filepath.Join(path, "n1"), fmt.Append(nil, r.IntN(3)), 0o644)
	case 18:
		if r.IntN(3) == 0 {
			what, err = "revert", w.sh(w.program+" --root root revert root")
		}
	case 19:
		what, err = "svn propset "+path, w.sh("svn propset -q x "+fmt.Sprint(r.IntN(3))+" "+path)
	case 20:
		what, err = "append to "+path, w.sh("test -f "+path+" && echo more >>"+path)
	case 22:
		what, err = "other rules of noise", w.rule(r.IntN(2) == 0)
	case 21:
		what, err = "cut "+path, os.Truncate(path, int64(r.IntN(3)))
	}
	if what != "" {
		if err != nil {
			what += " (not done)"
		}
		w.log = append(w.log, what)
	}
}

func (w *soakWorld) sh(script string) error {
	_, _, err := run.Output(w.t.Context(), run.Command{Args: []string{"sh", "-c", script}, Dir: w.dir, Env: []string{"HOME=" + w.dir}})
	return err
}

// fast is the status that asks the watcher, a line for each path, and whether
// the watcher vouched for something.
func (w *soakWorld) fast() (lines []string, vouched bool) {
	out, errs := w.rootwc("--verbose", "status")
	out, _, _ = strings.Cut("\n"+out, "\n\n") // externals come after the paths
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, strings.Contains(errs, "the watcher vouches")
}

// full looks at everything, without an index.
func (w *soakWorld) full() (lines []string) {
	t, err := wc.Open(w.root())
	if err == nil {
		defer t.Close()
		_, err = t.Attach("")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	t.Withhold = false
	d, err := loadDescription(t)
	applyNoise(t, d, err)
	t.FileDefinitions = externals.FileDefinitions(t.Client)
	externals.Discover(t)
	entries, err := t.Status(w.t.Context(), wc.StatusOptions{Review: true, All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Letter() != ' ' {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%c %s  %s", e.Letter(), e.Path, e.Words())))
		}
	}
	return lines
}
