package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

func TestGathering(t *testing.T) {
	var out bytes.Buffer
	g := newGathering(&progress{w: &out, terminal: true})
	g.expect(3)
	tools, anna := g.of("opt/tools"), g.of("home/anna")
	g.of("opt/\x1b[m")
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(tools)
		wait.Go(anna)
	}
	wait.Wait()
	if got, want := g.text(), `externals: 0 of 3 done; fetching home/anna 5, opt/\x1b[m 0, opt/tools 5`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	g.end("home/anna")
	g.end("opt/\x1b[m")
	if got, want := g.text(), "externals: 2 of 3 done; fetching opt/tools 5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.HasPrefix(out.String(), "\r\x1b[Kexternals: 0 of 3 done; fetching ") {
		t.Errorf("the line is %q", out.String())
	}
}
