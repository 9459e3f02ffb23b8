package main

import (
	"net"
	"strings"
	"testing"
)

// TestQueueOfSilentServer: nobody listens, a commit is queued; somebody listens
// and says nothing, and nobody waits for that; the server is back, and it is made.
func TestQueueOfSilentServer(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	p := newFaultWire(t, w.dir)
	w.server = p.url()
	faultMachine(t, w, "withhold")
	addr := p.listener.Addr().String()
	p.listener.Close()
	w.sh(t, "echo host2 > root/etc/hostname")
	r := w.rootwc(t, "", "commit", "-m", "nobody listens")
	if r.status != 4 || !strings.Contains(r.out, "Queued commit 1 for svn://"+addr) {
		t.Fatalf("want a queued commit: %v", r)
	}
	silent, err := net.Listen("tcp", addr) // the kernel takes connections, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	r = w.rootwc(t, "", "commit", "--queued")
	if r.status != 4 || !strings.Contains(r.err, "out of reach: no answer in 5s") {
		t.Errorf("want that it still waits: %v", r)
	}
	r = w.rootwc(t, "", "add", "srv/unrelated") // tried lately
	if r.status != 0 || r.err != "" {
		t.Errorf("want that nobody waits again: %v", r)
	}
	silent.Close()
	if p.listener, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	go p.accept() // until the listener is closed with the wire
	if out := w.do(t, "commit", "--queued"); !strings.Contains(out, "Committed revision ") {
		t.Errorf("it is not made: %s", out)
	}
	if got := w.sh(t, "svn cat $S/repo/hosts/m/etc/hostname"); got != "host2\n" {
		t.Errorf("the repository has %q", got)
	}
}
