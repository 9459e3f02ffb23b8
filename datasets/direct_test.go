package datasets

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"rootwc/system"
)

// TestDirect has a dataset that is its repository.
func TestDirect(t *testing.T) {
	w := newWorld(t)
	w.write(w.path("server/music"), "a=1")
	d := system.Dataset{Path: "music", Type: system.Direct, Repository: "vfs:" + w.path("server/music")}
	link := w.path("root/music")
	if report, status := w.do(Checkout, d, Options{DryRun: true}); status != 0 || len(report.Changes) != 1 {
		t.Errorf("status %d, report %v", status, report)
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("a dry run makes the link")
	}
	for range 2 {
		if _, status := w.do(Checkout, d, Options{}); status != 0 {
			t.Errorf("status %d", status)
		}
		if to, err := os.Readlink(link); to != w.path("server/music") {
			t.Errorf("link to %q, %v", to, err)
		}
	}
	w.must(os.Remove(link))
	w.must(os.Mkdir(link, 0o755))
	if _, status := w.do(Update, d, Options{}); status != 3 {
		t.Errorf("another directory: status %d", status)
	}
	w.must(os.Remove(link))
	w.must(os.RemoveAll(w.path("server/music")))
	if _, status := w.do(Update, d, Options{}); status != 4 {
		t.Errorf("away: status %d", status)
	}
}

// TestLeaseBreaks has somebody open a file for writing that is about to be
// removed: the signal that tells of it must not end the process.
func TestLeaseBreaks(t *testing.T) {
	w := newWorld(t)
	w.write(w.dir, "a=1")
	f, err := os.Open(w.path("a"))
	w.must(err)
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		t.Skipf("the file system has no leases: %v", err)
	}
	if fd, err := unix.Open(w.path("a"), unix.O_WRONLY|unix.O_NONBLOCK, 0); err != unix.EAGAIN {
		_ = unix.Close(fd)
		t.Errorf("opened for writing in spite of the lease: %v", err)
	}
	if kind, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0); kind == unix.F_RDLCK {
		t.Errorf("the lease is as before: %v", err)
	}
}
