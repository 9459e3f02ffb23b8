package main

import (
	"errors"
	"path"
	"slices"
	"strings"

	"rootwc/externals"
	"rootwc/wc"
)

// gatherer brings externals up. They are fetched side by side, and placed one
// after the other by the caller's goroutine, to which journal, tree and output
// belong. One that lies in another, or needs the names that another brings,
// comes after it.
type gatherer struct {
	app  *app
	tree *wc.Tree
	work *wc.Work

	wanted func(externals.External) bool
	took   func(externals.External, *wc.Result)
	failed func(externals.External, error)

	tried   map[string]bool      // externals by path, found so far
	waiting []externals.External // sorted by path
	open    map[string]bool      // paths that wait or are being fetched
	running map[string]int       // fetches by server
	fetches int
	done    chan fetched
	shown   *gathering
}

// fetched is an external whose fetching has ended.
type fetched struct {
	external externals.External
	checkout *wc.Checkout
	err      error
}

// mostFetches bounds processes, memory and open files, whatever the number of
// externals and servers.
const mostFetches = 8

// run brings up what is wanted, and what that brings along. Only cancelling
// is an error; everything else costs one external and is told by failed.
func (g *gatherer) run() error {
	g.tried, g.open, g.running = map[string]bool{}, map[string]bool{}, map[string]int{}
	g.done, g.shown = make(chan fetched), newGathering(g.app.progress)
	g.find()
	for {
		if g.app.ctx.Err() == nil {
			g.start()
		}
		if g.fetches == 0 {
			break
		}
		g.finish(<-g.done)
	}
	g.app.externals = externals.Discover(g.tree)
	return g.app.ctx.Err()
}

// find adds the externals that are not here yet.
func (g *gatherer) find() {
	for _, e := range externals.Discover(g.tree) {
		if g.tried[e.Path] || e.State != externals.Missing && e.State != externals.Obstructed || !g.wanted(e) {
			continue
		}
		g.tried[e.Path], g.open[e.Path] = true, true
		g.waiting = append(g.waiting, e)
	}
	slices.SortFunc(g.waiting, func(a, b externals.External) int { return strings.Compare(a.Path, b.Path) })
	g.shown.expect(len(g.tried))
}

// start begins as many fetches as may run now.
func (g *gatherer) start() {
	for i := 0; i < len(g.waiting) && g.fetches < mostFetches; {
		e := g.waiting[i]
		server := wc.ServerOf(e.URL)
		if g.blocked(e.Path) || g.running[server] >= wc.Connections {
			i++
			continue
		}
		g.waiting = slices.Delete(g.waiting, i, i+1)
		checkout, err := g.work.Prepare(g.app.deciding(checkoutOptions(e)))
		if err != nil {
			g.end(e, nil, err)
			i = 0 // something may have waited for it
			continue
		}
		g.fetches++
		g.running[server]++
		go func() {
			g.done <- fetched{e, checkout, checkout.Fetch(g.app.ctx, g.shown.of(e.Path))}
		}()
	}
}

// blocked says whether an external has to wait for another one.
func (g *gatherer) blocked(at string) bool {
	for above := path.Dir(at); above != "."; above = path.Dir(above) {
		if g.open[above] {
			return true
		}
	}
	for other := range g.open {
		if other != at && wc.BringsNames(other) && !wc.BringsNames(at) {
			return true
		}
	}
	return false
}

// finish places what was fetched.
func (g *gatherer) finish(f fetched) {
	g.fetches--
	g.running[wc.ServerOf(f.external.URL)]--
	r, err := f.checkout.Place(g.app.ctx, f.err)
	if wc.IsFile(f.err) {
		r, err = g.file(f.external)
	}
	g.end(f.external, r, err)
}

// file brings up a file external: a node of the working copy that defines it,
// which comes with an update of that.
func (g *gatherer) file(e externals.External) (*wc.Result, error) {
	owner, err := g.tree.Attach(e.Owner)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(e.URL, owner.RepositoryRoot()+"/") {
		return nil, wc.Refuse("cannot bring up %q: svn takes a file external only from the repository that defines it, and %s is in another", e.Path, e.URL)
	}
	r, err := g.work.Update(g.app.ctx, owner, wc.UpdateOptions{Files: true})
	if err == nil && !owner.FileExternal(e.Definition.Path()) {
		err = wc.Refuse("cannot bring up %q: svn puts a file external only into a versioned directory", e.Path)
	}
	return r, err
}

// end tells what became of an external, and looks for those that it brings.
func (g *gatherer) end(e externals.External, r *wc.Result, err error) {
	delete(g.open, e.Path)
	g.shown.end(e.Path)
	if err != nil {
		if g.app.ctx.Err() == nil {
			g.failed(e, err)
		}
		return
	}
	g.took(e, r)
	_ = g.app.out.Flush() // a log shows how far it is
	if wc.BringsNames(e.Path) {
		g.tree.ReloadNames()
	}
	c, err := g.tree.Attach(e.Path)
	if err != nil && !errors.Is(err, wc.ErrNotWorkingCopy) { // a file external
		g.failed(e, err)
	}
	if err == nil && len(c.Definitions()) > 0 {
		g.find()
	}
}
