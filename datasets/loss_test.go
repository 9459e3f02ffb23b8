package datasets

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/system"
)

// buffer makes a buffer with files, and its repository.
func (w *world) buffer(spec, there string) system.Dataset {
	w.t.Helper()
	w.must(os.MkdirAll(w.path("root/photos"), 0o755))
	w.must(os.MkdirAll(w.path("server/photos"), 0o755))
	w.write(w.path("root/photos"), spec)
	w.write(w.path("server/photos"), there)
	return system.Dataset{Path: "photos", Type: system.Buffer, Repository: "vfs:" + w.path("server/photos")}
}

func (w *world) wantTrees(here, there string) {
	w.t.Helper()
	if got := w.tree(w.path("root/photos")); got != here {
		w.t.Errorf("here: %s\nwant %s", got, here)
	}
	if got := w.tree(w.path("server/photos")); got != there {
		w.t.Errorf("there: %s\nwant %s", got, there)
	}
}

// TestFlushKeepsWhatDiffers has files that are there with another content, of
// the same size and time even, and one that is there already.
func TestFlushKeepsWhatDiffers(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("a=1 b/c=22 same=s new=n", "a=2 b/c=333 same=s")
	when := time.Now().Add(-time.Hour)
	w.must(os.Chtimes(w.path("root/photos/a"), when, when))
	w.must(os.Chtimes(w.path("server/photos/a"), when, when))
	report, status := w.do(Flush, d, Options{})
	if conflicts, failed := report.left(); status != 4 || conflicts != 2 || failed != 0 {
		t.Errorf("status %d, report %v", status, report)
	}
	w.wantTrees("a=1 b/c=22", "a=2 b/c=333 new=n same=s")
}

// TestFlushKeepsOpenFiles has a file that somebody is writing.
func TestFlushKeepsOpenFiles(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("growing=g done=d", "")
	f, err := os.OpenFile(w.path("root/photos/growing"), os.O_WRONLY|os.O_APPEND, 0)
	w.must(err)
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK); err != nil {
		t.Skipf("the file system has no leases: %v", err)
	}
	report, status := w.do(Flush, d, Options{})
	if status != 4 {
		t.Errorf("status %d, report %v", status, report)
	}
	w.wantTrees("growing=g", "done=d growing=g")
	_, err = f.WriteString("!")
	w.must(err)
	f.Close()
	if _, status := w.do(Flush, d, Options{}); status != 4 { // what is there is older: a conflict
		t.Errorf("status %d", status)
	}
	w.wantTrees("growing=g!", "done=d growing=g")
}

// TestRemoveKeepsWhatChanged changes each file between the proof and its
// removal, in every way that leaves the name.
func TestRemoveKeepsWhatChanged(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("edited=e replaced=r touched=t left=l", "")
	j, err := w.room.begin(d, Flush, Options{})
	w.must(err)
	defer j.end()
	j.report = &Report{}
	was, err := j.walk()
	w.must(err)
	edited := w.path("root/photos/edited")
	info, err := os.Stat(edited)
	w.must(err)
	w.must(os.WriteFile(edited, []byte("E"), 0o644)) // same size, and the time put back
	w.must(os.Chtimes(edited, info.ModTime(), info.ModTime()))
	w.must(os.Remove(w.path("root/photos/replaced")))
	w.write(w.path("root/photos"), "replaced=R")
	w.must(os.Chmod(w.path("root/photos/touched"), 0o600))
	gone, err := j.remove(was.paths(), was)
	w.must(err)
	if strings.Join(gone, " ") != "left" {
		t.Errorf("removed %v", gone)
	}
	w.wantTrees("edited=E replaced=R touched=t", "")
}

// TestFlushHardLinks has two names of one file: removing one changes the other.
func TestFlushHardLinks(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("a=1", "")
	w.must(os.Link(w.path("root/photos/a"), w.path("root/photos/b")))
	w.must(os.Symlink("a", w.path("root/photos/l")))
	if report, status := w.do(Flush, d, Options{}); status != 0 {
		t.Errorf("status %d, report %v", status, report)
	}
	w.wantTrees("", "a=1 b=1 l=->a")
}

// TestHeldFilesComeBack finds a file that a killed flush had put aside.
func TestHeldFilesComeBack(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("a/b=new", "")
	w.write(w.path("root/photos", heldDir), "a/b=held a/c=held")
	w.must(os.Mkdir(w.path("root/photos", tempDir), 0o755))
	j, err := w.room.begin(d, Flush, Options{})
	w.must(err)
	j.end()
	w.wantTrees("a/b=new a/b.kept=held a/c=held", "")
	if _, err := os.Lstat(w.path("root/photos", heldDir)); err == nil {
		t.Error("the place for held files is still there")
	}
}

// TestOddNames flushes names that need care on their way.
func TestOddNames(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("", "")
	names := []string{"a b", "-n", "new\nline", `\#012`, "tab\t", "ümlaut", "\xff", "*", "'\"$(x)`", "x:y", " lead"}
	for _, n := range names {
		w.must(os.WriteFile(w.path("root/photos", n), []byte("x"), 0o644))
	}
	if report, status := w.do(Flush, d, Options{}); status != 0 || len(report.Changes) != len(names) {
		t.Errorf("status %d, report %q", status, report)
	}
	for _, n := range names {
		if text, err := os.ReadFile(filepath.Join(w.path("server/photos"), n)); string(text) != "x" {
			t.Errorf("%q: %v", n, err)
		}
	}
	w.wantTrees("", w.tree(w.path("server/photos")))
}

// TestFullDisk flushes into, and commits to, a repository on a full disk.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a small file system, for which it has to be root")
	}
	w := newWorld(t)
	d := w.buffer("small=s", "")
	big := bytes.Repeat([]byte("x"), 3<<20)
	w.must(os.WriteFile(w.path("root/photos/big"), big, 0o644))
	if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"mount", "-t", "tmpfs", "-o", "size=2m", "none", w.path("server/photos")}}); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if _, _, err := run.Output(context.Background(), run.Command{Args: []string{"umount", w.path("server/photos")}}); err != nil {
			t.Error(err)
		}
	})
	report, status := w.do(Flush, d, Options{})
	if _, failed := report.left(); status != 4 || failed == 0 {
		t.Errorf("flush: status %d, report %v", status, report)
	}
	got, err := os.ReadFile(w.path("root/photos/big"))
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("the file that did not fit: %d bytes, %v", len(got), err)
	}
	d.Type = system.Copy
	if _, status := w.do(Commit, d, Options{}); status != 4 {
		t.Errorf("commit: status %d", status)
	}
	if got, err := os.ReadFile(w.path("root/photos/big")); err != nil || !bytes.Equal(got, big) {
		t.Fatalf("the file that did not fit: %d bytes, %v", len(got), err)
	}
}

// TestEmptyRepository has repositories that look empty and are away.
func TestEmptyRepository(t *testing.T) {
	w := newWorld(t)
	w.must(os.MkdirAll(w.path("root/photos"), 0o755))
	w.write(w.path("server/photos"), "a=1 b=2 c=3 d=4 e=5 f=6")
	d := system.Dataset{Path: "photos", Type: system.Copy, Repository: "vfs:" + w.path("server/photos")}
	if _, status := w.do(Checkout, d, Options{}); status != 0 {
		t.Fatalf("status %d", status)
	}
	full := "a=1 b=2 c=3 d=4 e=5 f=6"
	w.must(os.Rename(w.path("server/photos"), w.path("server/away")))
	for _, empty := range []bool{false, true} {
		if empty {
			w.must(os.Mkdir(w.path("server/photos"), 0o755))
		}
		for _, action := range []Action{Update, Commit, Restore, Backup} {
			if _, status := w.do(action, d, Options{}); status != 4 {
				t.Errorf("%s: status %d", action, status)
			}
		}
		selection := d
		selection.Type, selection.Include = system.Selection, []string{"a"}
		if _, status := w.do(Update, selection, Options{}); status != 4 {
			t.Errorf("selection: status %d", status)
		}
		w.wantTrees(full, "")
	}
	// most of it gone is as suspicious as all of it
	w.write(w.path("server/photos"), "a=1")
	if _, status := w.do(Update, d, Options{}); status != 3 {
		t.Errorf("status %d", status)
	}
	w.wantTrees(full, "a=1")
	if _, status := w.do(Update, d, Options{Emptying: true}); status != 0 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1", "a=1")
}

// TestEmptyHere has a directory whose own disk is not mounted.
func TestEmptyHere(t *testing.T) {
	w := newWorld(t)
	w.must(os.MkdirAll(w.path("root/photos"), 0o755))
	full := "a=1 b=2 c=3 d=4 e/f=5 e/g=6"
	w.write(w.path("server/photos"), full)
	d := system.Dataset{Path: "photos", Type: system.Copy, Repository: "vfs:" + w.path("server/photos")}
	if _, status := w.do(Checkout, d, Options{}); status != 0 {
		t.Fatalf("status %d", status)
	}
	w.must(os.RemoveAll(w.path("root/photos")))
	w.must(os.Mkdir(w.path("root/photos"), 0o755))
	if _, status := w.do(Commit, d, Options{}); status != 3 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("", full)
	if _, status := w.do(Update, d, Options{}); status != 0 {
		t.Errorf("status %d", status)
	}
	w.wantTrees(full, full)
	// a few that are gone here go there, with their directories
	w.must(os.RemoveAll(w.path("root/photos/e")))
	if _, status := w.do(Commit, d, Options{}); status != 0 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1 b=2 c=3 d=4", "a=1 b=2 c=3 d=4")
	if _, err := os.Lstat(w.path("server/photos/e")); err == nil {
		t.Error("an empty directory is left in the repository")
	}
}

// TestForgottenState loses what is remembered: nothing may be removed or
// replaced then.
func TestForgottenState(t *testing.T) {
	w := newWorld(t)
	w.must(os.MkdirAll(w.path("root/photos"), 0o755))
	w.write(w.path("server/photos"), "a=1 b=2")
	d := system.Dataset{Path: "photos", Type: system.Copy, Repository: "vfs:" + w.path("server/photos")}
	w.do(Checkout, d, Options{})
	w.must(os.RemoveAll(w.room.State))
	w.must(os.Mkdir(w.room.State, 0o700))
	w.must(os.Remove(w.path("server/photos/a")))
	w.write(w.path("server/photos"), "b=22")
	if report, status := w.do(Update, d, Options{}); status != 4 {
		t.Errorf("status %d, report %v", status, report)
	}
	w.wantTrees("a=1 b=2", "b=22")
	if _, status := w.do(Commit, d, Options{}); status != 4 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1 b=2", "a=1 b=22")
	// a person decides: what was here is kept aside
	if _, status := w.do(Restore, d, Options{}); status != 0 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1 b=22", "a=1 b=22")
	kept, _ := filepath.Glob(w.path("root/photos", replacedDir, "*", "b"))
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	if text, err := os.ReadFile(kept[0]); string(text) != "2" {
		t.Errorf("kept: %q, %v", text, err)
	}
}

// TestRestoreKeepsAside takes back what changed in a working copy of svn.
func TestRestoreKeepsAside(t *testing.T) {
	need(t, "svn", "svnadmin")
	w := newWorld(t)
	w.exec("svnadmin", "create", "repo")
	w.write(w.path("server"), "a=1")
	w.exec("svn", "import", "-q", "-m", "first import", w.path("server"), "file://"+w.path("repo"))
	w.must(os.Mkdir(w.path("root/photos"), 0o755))
	d := system.Dataset{Path: "photos", Type: system.Copy, Repository: "svn:file://" + w.path("repo")}
	if _, status := w.do(Checkout, d, Options{}); status != 0 {
		t.Fatalf("status %d", status)
	}
	w.must(os.WriteFile(w.path("root/photos/a"), []byte("mine"), 0o644))
	if _, status := w.do(Restore, d, Options{}); status != 0 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1", "")
	kept, _ := filepath.Glob(w.path("root/photos", replacedDir, "*", "a"))
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	if text, err := os.ReadFile(kept[0]); string(text) != "mine" {
		t.Errorf("kept: %q, %v", text, err)
	}
}

// TestSymlinkInTheWay has a user who puts a symlink where the dataset was.
func TestSymlinkInTheWay(t *testing.T) {
	w := newWorld(t)
	w.write(w.path("root/etc"), "passwd=p")
	w.write(w.path("server/photos"), "passwd=evil")
	w.must(os.Mkdir(w.path("root/home"), 0o755))
	w.must(os.Symlink("../etc", w.path("root/home/photos")))
	for _, at := range []string{"home/photos", "home/photos/deep"} {
		d := system.Dataset{Path: at, Type: system.Copy, Repository: "vfs:" + w.path("server/photos")}
		if _, status := w.do(Update, d, Options{}); status != 3 {
			t.Errorf("%s: status %d", at, status)
		}
	}
	if got := w.tree(w.path("root/etc")); got != "passwd=p" {
		t.Errorf("etc holds %s", got)
	}
}

// TestLocked has two at work on one dataset.
func TestLocked(t *testing.T) {
	w := newWorld(t)
	d := w.buffer("a=1", "")
	j, err := w.room.begin(d, Flush, Options{})
	w.must(err)
	defer j.end()
	if _, status := w.do(Flush, d, Options{}); status != 3 {
		t.Errorf("status %d", status)
	}
	w.wantTrees("a=1", "")
}
