package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/coreos/go-systemd/v22/journal"

	"rootwc/externals"
	"rootwc/hooks/watch"
	"rootwc/internal/run"
	"rootwc/wc"
)

type watchCmd struct {
	Exec     string        `help:"Program to run when something differs that did not before; it gets the list as JSON on standard input." placeholder:"PROGRAM"`
	Interval time.Duration `help:"Time between looks at everything, where the system allows too few watches." default:"10m"`
}

// Run watches until it is told to end.
func (c *watchCmd) Run(a *app) error {
	t, err := c.open(a)
	if err != nil {
		return err
	}
	defer t.Close()
	debug.SetGCPercent(20) // it lives long and does little
	pulse, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("cannot watch: the watchdog of systemd: %w", err)
	}
	var mu sync.Mutex
	warn := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		a.warn(format, args...)
	}
	news := make(chan *watch.News, 64)
	teller := &watch.Teller{Root: t.Root, Program: c.Exec, Warn: warn}
	if journaled, _ := journal.StdoutIsJournalStream(); !journaled { // or it would have each of them twice
		teller.Say = func(sentence string) {
			fmt.Fprintln(a.out, sentence)
			_ = a.out.Flush() // a failure shows again at the last flush
		}
	}
	var telling sync.WaitGroup
	telling.Go(func() { teller.Run(a.ctx, news) })
	defer telling.Wait()
	defer close(news)
	w := &watch.Watcher{
		Tree:     t,
		Status:   func(ctx context.Context) ([]watch.Difference, error) { return takeDifferences(ctx, t) },
		Tell:     func(n *watch.News) { news <- n },
		Ready:    func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }, // an error is that nobody wants to know
		Alive:    func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) },
		Pulse:    pulse / 2,
		Interval: c.Interval,
		Warn:     warn,
	}
	return w.Run(a.ctx)
}

// open opens the root by its real name, which is that of mounts, and without
// its working copies, after a look at whether there is one.
func (c *watchCmd) open(a *app) (*wc.Tree, error) {
	root, err := filepath.EvalSymlinks(a.global.Root)
	if err != nil {
		return nil, fmt.Errorf("cannot watch: %w", err)
	}
	a.global.Root = root
	t, err := a.look()
	if err != nil {
		return nil, fmt.Errorf("cannot watch: %w", err)
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if t, err = a.openRoot(); err != nil {
		return nil, err
	}
	a.tree = nil // a description that cannot be read is the status's to tell
	if err := t.MakeState(); err != nil {
		t.Close()
		return nil, fmt.Errorf("cannot watch: %w", err)
	}
	return t, nil
}

// takeDifferences has another process take the status: what it needs of memory
// goes with it.
func takeDifferences(ctx context.Context, t *wc.Tree) ([]watch.Difference, error) {
	busy, before := t.State.AtWork()
	if busy || packagesAtWork(t) {
		return nil, watch.ErrBusy
	}
	self, _ := run.Look(os.Args[0])
	out, _, err := run.Output(ctx, run.Command{Args: []string{self, "--root", t.Root, "status", "--json", "--bare"}})
	if err != nil {
		return nil, err
	}
	if busy, after := t.State.AtWork(); busy || before != after {
		return nil, watch.ErrBusy
	}
	var doc statusDoc
	if err := json.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the status: %w", err)
	}
	return doc.differences(), nil
}

// differences are what a status tells of files and externals.
func (doc *statusDoc) differences() []watch.Difference {
	found := []watch.Difference{}
	for _, e := range doc.Entries {
		if e.Status == string(wc.Normal) && len(e.Metadata)+len(e.Properties) == 0 {
			continue // switched, or locked
		}
		d := watch.Difference{Path: e.Path, Letter: string(wc.Status(e.Status).Letter()), Words: e.Note}
		for _, m := range e.Metadata {
			if d.Words != "" {
				d.Words += ", "
			}
			d.Words += m.Name + " " + m.Base + " -> " + m.Working
		}
		found = append(found, d)
	}
	for _, e := range doc.Externals {
		if e.State != string(externals.OK) {
			found = append(found, watch.Difference{Path: e.Path, Letter: string(externalLetter(externals.State(e.State))), Words: e.State})
		}
	}
	return found
}
