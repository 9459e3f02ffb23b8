package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rootwc/internal/run"
)

// TestMain lets the test program stand in for the bench program, which starts
// itself as a child and as a walk.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "-child" || os.Args[1] == "-walk") {
		main()
	}
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

// TestBench is a whole run in a tiny tree, and what it leaves behind.
func TestBench(t *testing.T) {
	for _, program := range []string{"svn", "svnadmin", "svnmucc", "svnserve"} {
		if _, found := run.Look(program); !found {
			t.Skip("needs " + program)
		}
	}
	dir := t.TempDir()
	rootwc := filepath.Join(dir, "rootwc")
	build := run.Command{Args: []string{"go", "build", "-buildvcs=false", "-o", rootwc, "../../cmd/rootwc"}, Env: os.Environ()}
	if _, _, err := run.Output(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	scratch := filepath.Join(dir, "scratch")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", os.Getenv("PATH"))
	var out, log bytes.Buffer
	args := []string{"-rootwc", rootwc, "-dir", scratch, "-json", filepath.Join(dir, "bench.json"),
		"-files", "60", "-rounds", "1", "-settle", "50ms", "-peers", "svn,walk", "-scenes", "clean,touched,commit"}
	if status := bench(t.Context(), args, &out, &log); status != 0 {
		t.Fatalf("bench exits with %d\n%s", status, &log)
	}
	for _, words := range []string{"clean: 60 files in 7 directories, rounds: 1", rootwcStatus, svnStatus, bareWalk, rootwcCommit, svnCommit, "of at most"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("no %q in\n%s", words, &out)
		}
	}
	left, err := os.ReadDir(scratch)
	if err != nil || len(left) > 0 {
		t.Errorf("the scratch directory holds %v, %v", left, err)
	}
}

// TestInterrupted ends a run early: nothing may stay behind.
func TestInterrupted(t *testing.T) {
	if _, found := run.Look("svnmucc"); !found {
		t.Skip("needs svnmucc")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	scratch := t.TempDir()
	t.Setenv("PATH", os.Getenv("PATH"))
	var out, log bytes.Buffer
	if status := bench(ctx, []string{"-rootwc", "true", "-dir", scratch, "-files", "60"}, &out, &log); status != 2 {
		t.Errorf("bench exits with %d\n%s", status, &log)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 || out.Len() > 0 {
		t.Errorf("the scratch directory holds %v, %v; output %q", left, err, &out)
	}
}

// TestWrongAnswer times a program that gives another answer than it should.
func TestWrongAnswer(t *testing.T) {
	l := &lab{scratch: t.TempDir(), self: os.Args[0]}
	c := &command{name: "a peer", args: []string{"sh", "-c", "echo '? file'"}, good: silent(0)}
	if _, err := l.time(t.Context(), c); err == nil || !strings.Contains(err.Error(), `exit status 0, "? file\n"`) {
		t.Errorf("the error is %v", err)
	}
}

// TestPeak asks for the memory of a program that takes some.
func TestPeak(t *testing.T) {
	l := &lab{scratch: t.TempDir(), self: os.Args[0]}
	c := &command{name: "dd", args: []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none"}, good: silent(0)}
	u, err := l.time(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if u.PeakBytes < 64<<20 || u.PeakBytes > 128<<20 || u.Seconds <= 0 {
		t.Errorf("dd with a block of 64 MiB takes %+v", u)
	}
}

// TestWalk counts a tree that holds everybody's own directories as well.
func TestWalk(t *testing.T) {
	dir := t.TempDir()
	f := newForest(100)
	if err := f.write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".svn/pristine", "var/lib/rootwc"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if files, dirs, err := walk(dir); files != 100 || dirs != 12 || err != nil {
		t.Errorf("%d files, %d directories, %v", files, dirs, err)
	}
	if _, _, err := walk(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there can be walked")
	}
}
