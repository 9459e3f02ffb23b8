package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// gathering is the progress of externals that are fetched side by side, for a
// terminal: all of them, and each that is under way. It is safe for concurrent
// use.
type gathering struct {
	out *progress

	mu          sync.Mutex
	done, total int
	paths       map[string]int // fetched, by external
}

func newGathering(out *progress) *gathering {
	return &gathering{out: out, paths: map[string]int{}}
}

// expect sets how many externals are known of.
func (g *gathering) expect(total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total = total
}

// of returns what counts the paths of one external.
func (g *gathering) of(external string) func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paths[external] = 0
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.paths[external]++
		g.out.line(g.text)
	}
}

// end takes one external off the list.
func (g *gathering) end(external string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.paths, external)
	g.done++
	g.out.line(g.text)
}

// text is "externals: 12 of 50 done; fetching home/anna 210, opt/tools 33".
func (g *gathering) text() string {
	text := fmt.Sprintf("externals: %d of %d done", g.done, g.total)
	var under []string
	for _, external := range slices.Sorted(maps.Keys(g.paths)) {
		under = append(under, fmt.Sprintf("%s %d", safe(external), g.paths[external]))
	}
	if len(under) > 0 {
		text += "; fetching " + strings.Join(under, ", ")
	}
	return text
}
