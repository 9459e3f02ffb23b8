package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// leaveRoom fills the file system of the root until so many bytes are free.
func (w *faultWorld) leaveRoom(t *testing.T, bytes int64) {
	t.Helper()
	f, err := os.OpenFile(w.filler(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if take := int64(st.Bavail)*st.Bsize - bytes; take > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, take); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *faultWorld) filler() string { return w.path("srv/filler") }

func (w *faultWorld) makeRoom(t *testing.T) {
	t.Helper()
	if err := os.Remove(w.filler()); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk lets each verb run out of space, at as many amounts of space as
// there are until it has enough.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const enough = 4 << 20
	step := int64(max(4096, 1<<20/faultRuns(11)&^4095))
	said := regexp.MustCompile(`(?i)no space left|disk is full|disk full`)
	for _, name := range []string{"commit", "update", "materialize", "revert", "add"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			faultMount(t, w.path(), 12<<20)
			s := faultScenarioOf(t, name)
			s.bulky()
			w, ref := s.buildIn(t, w)
			ref.anyMoment = true
			failures := 0
			for room := int64(0); ; room += step {
				w.reset(t)
				before := w.live(t)
				w.leaveRoom(t, room)
				r := w.rootwc(t, "", s.args...)
				full := w.rootwc(t, "", "status") // must do no harm
				w.makeRoom(t)
				t.Run(fmt.Sprintf("%dK", room>>10), func(t *testing.T) {
					switch r.status {
					case ref.exit:
					case 2, 3, 4:
						if !said.MatchString(r.err) {
							t.Errorf("want a word about the space: %v", r)
						}
					default:
						t.Errorf("want exit status 2, 3 or 4: %v", r)
					}
					if strings.Contains(full.err, "goroutine ") || full.status < 0 {
						t.Errorf("on a full disk: %v", full)
					}
					ref.interrupted(t, w, before)
					s.mended(t, w, ref, room/step%2 == 0, room/step%4 == 0)
				})
				if r.status == ref.exit && !said.MatchString(r.err) {
					break
				}
				if failures++; room > enough {
					t.Fatalf("%d bytes are not enough: %v", room, r)
				}
			}
			t.Logf("ran out of space %d times", failures)
			if failures < 3 {
				t.Error("hardly ever out of space: this proves nothing")
			}
		})
	}
}

// faultMount mounts a small file system of its own.
func faultMount(t *testing.T, dir string, size int) {
	t.Helper()
	if err := unix.Mount("rootwc-fault", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", size)); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
}

// bulky makes some of the files so large that space runs out while they are
// written.
func (s *faultScenario) bulky() {
	world := s.world
	s.want = nil
	s.world = func(t *testing.T, w *faultWorld) {
		t.Helper()
		world(t, w)
		if s.name != "update" && s.name != "materialize" {
			w.sh(t, `for f in etc/hostname etc/new.d/file srv/data/sheet home/anna/notes; do
	if [ -f root/$f ]; then head -c 60000 /dev/urandom | base64 >> root/$f; fi
done`)
			return
		}
		w.sh(t, `
svn checkout -q --ignore-externals $S/repo/hosts/m peer
head -c 100000 /dev/urandom | base64 > peer/etc/sudoers
head -c 100000 /dev/urandom | base64 > peer/etc/bulky; svn add -q peer/etc/bulky
svn commit -q -m bulky peer
rm -rf peer
`)
	}
}

// faultWire is a TCP proxy in front of svnserve that can be cut.
type faultWire struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	passed int64 // bytes from the server to clients
	limit  int64 // cut when so many have passed; negative for never
	ends   map[net.Conn]bool
}

// newFaultWire serves the repositories in dir; the URLs begin with "svn://".
func newFaultWire(t *testing.T, dir string) *faultWire {
	t.Helper()
	if _, found := run.Look("svnserve"); !found {
		t.Skip("needs the program svnserve")
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Skipf("cannot listen: %v", err)
		}
		return l
	}
	free := listen()
	p := &faultWire{listener: listen(), server: free.Addr().String(), limit: -1, ends: map[net.Conn]bool{}}
	free.Close()
	_, port, _ := net.SplitHostPort(p.server)
	ctx, stop := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() {
		run.Output(ctx, run.Command{Args: []string{"svnserve", "--daemon", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", port, "--root", dir}})
	})
	both.Go(p.accept)
	t.Cleanup(func() {
		stop()
		p.listener.Close()
		p.cut(0)
		both.Wait()
	})
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", p.server); err == nil {
			c.Close()
			return p
		}
	}
	t.Fatal("svnserve does not answer")
	return nil
}

func (p *faultWire) url() string { return "svn://" + p.listener.Addr().String() }

// cut cuts the wire after so many bytes from the server, and keeps it cut;
// negative is never. It returns what has passed since the last call.
func (p *faultWire) cut(after int64) (passed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed, p.passed, p.limit = p.passed, 0, after
	if after == 0 {
		p.drop()
	}
	return passed
}

func (p *faultWire) drop() {
	for c := range p.ends {
		c.Close()
	}
	clear(p.ends)
}

func (p *faultWire) accept() {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.hold(client, server) {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		all.Go(func() { io.Copy(server, client); server.(*net.TCPConn).CloseWrite() })
		all.Go(func() { p.answer(client, server); client.Close(); server.Close() })
	}
}

// hold takes the two ends of a connection, unless the wire is cut.
func (p *faultWire) hold(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit >= 0 && p.passed >= p.limit {
		return false
	}
	for _, c := range ends {
		p.ends[c] = true
	}
	return true
}

// answer hands on what the server says. When that reaches the limit the
// client gets the part up to it, and the server what the client said so far.
func (p *faultWire) answer(client, server net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := server.Read(buf)
		p.mu.Lock()
		cut := p.limit >= 0 && p.passed+int64(n) >= p.limit
		if cut {
			n = max(0, int(p.limit-p.passed))
		}
		p.passed += int64(n)
		p.mu.Unlock()
		if _, werr := client.Write(buf[:n]); werr != nil || err != nil {
			return
		}
		if cut {
			p.mu.Lock()
			p.drop()
			p.mu.Unlock()
			return
		}
	}
}

// TestServerGoesAway cuts the connection to the server after every so many
// bytes of what it says.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"commit", "update", "materialize"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			p := newFaultWire(t, w.dir)
			w.server = p.url()
			s := faultScenarioOf(t, name)
			w, ref := s.buildIn(t, w)
			w.reset(t)
			p.cut(-1)
			w.rootwc(t, "", s.args...)
			total := p.cut(-1)
			for i, after := range faultCuts(total, faultRuns(14)) {
				w.reset(t)
				before := w.live(t)
				p.cut(after)
				r := w.rootwc(t, "", s.args...)
				p.cut(-1)
				t.Run(strconv.FormatInt(after, 10), func(t *testing.T) {
					switch r.status {
					case ref.exit, 2, 4:
					default:
						t.Errorf("want exit status 2 or 4: %v", r)
					}
					if r.status != 0 && !strings.Contains(r.err, "rootwc: error: ") {
						t.Errorf("want an error message: %v", r)
					}
					ref.interrupted(t, w, before)
					w.idleButUnsure(t)
					if name == "commit" && i%2 == 0 {
						w.updatedAfterCut(t, ref)
					}
					s.mended(t, w, ref, i%3 == 0, true)
					if t.Failed() {
						t.Logf("the first attempt: %v", r)
					}
				})
			}
		})
	}
}

// faultCuts chooses the bytes after which to cut: evenly over all of them, and
// closer together at the end, where a commit is answered.
func faultCuts(total int64, n int) []int64 {
	var cuts []int64
	for i := range n - n/3 {
		cuts = append(cuts, total*int64(i+1)/int64(n-n/3+1))
	}
	for i := range n / 3 {
		cuts = append(cuts, total-1-int64(i)*int64(i)*8)
	}
	return cuts
}

// updatedAfterCut runs an update after a commit whose answer may be lost. What
// the repository took is news no more.
func (w *faultWorld) updatedAfterCut(t *testing.T, ref *faultReference) {
	t.Helper()
	r := w.rootwc(t, "", "update")
	if r.status != 0 {
		t.Errorf("want the update to find the revision: %v", r)
	}
	if w.youngest(t) == ref.youngest {
		faultSame(t, "rootwc status after an update that found the commit", w.rootwc(t, "", "status"), ref.says, ref.complaints)
	}
	if strings.Contains(r.out, "\nC ") || strings.HasPrefix(r.out, "C ") {
		t.Errorf("a false conflict: %v", r)
	}
	if _, err := os.Lstat(filepath.Join(w.state("conflicts"))); err == nil && len(w.records(t)) > len(ref.records) {
		t.Errorf("conflicts were stored: %q", w.records(t))
	}
}
