package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fsnotify/fsnotify"

	"rootwc/wc"
)

// Watcher watches a tree. It is one loop that owns all of its state.
type Watcher struct {
	Tree *wc.Tree // of the running user's; nothing needs to be attached
	// Status tells all that differs, or [ErrBusy].
	Status func(context.Context) ([]Difference, error)
	// Tell is called when the list of differences has changed, and once at the
	// beginning.
	Tell func(*News)
	// Ready is called when everything is watched and the first list is there;
	// Alive whenever its time comes, for a watchdog.
	Ready, Alive func()
	Pulse        time.Duration // of Alive; 0 for never
	Interval     time.Duration // between statuses, where the kernel allows too few watches
	Warn         func(format string, args ...any)

	sight   *sight
	drift   *Drift
	burst   burst
	asked   []*question // to be answered at the next token
	next    []*question // that came after it was touched
	results chan result
	at      int  // statuses that are under way: 0 or 1
	again   bool // another one is wanted after it
	ready   bool
}

// ErrBusy is a status that would tell of a command's half-done work.
var ErrBusy = errors.New("a rootwc command is at work")

type result struct {
	found []Difference
	err   error
	began time.Time
}

const (
	quiet    = 300 * time.Millisecond // after which a burst is over
	longest  = time.Second            // and when it does not end
	pause    = 2 * time.Second        // until one is tried again that a command was in the way of
	patience = time.Minute            // until a status that failed is tried again
)

// Run watches until the context ends. The error says why it cannot.
func (w *Watcher) Run(ctx context.Context) (err error) {
	if w.drift, err = LoadDrift(w.Tree); err != nil {
		return err
	}
	w.burst = burst{quiet: quiet, longest: longest}
	w.results = make(chan result)
	w.sight, err = newSight(w.Tree)
	var few *errTooFew
	if errors.As(err, &few) {
		w.Warn("%v; set it with: sysctl fs.inotify.max_user_watches=%d; until then, a status every %s", few, max(2*few.needed, 1<<19), w.Interval)
		return w.scan(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", w.Tree.Root, err)
	}
	defer w.sight.close()
	questions, stop, err := listen(w.Tree)
	if err != nil {
		return err
	}
	defer stop()
	return w.loop(ctx, questions)
}

// loop is the watcher's life.
func (w *Watcher) loop(ctx context.Context, questions <-chan *question) error {
	defer func() {
		for w.at > 0 { // the goroutine of a status ends with the context
			<-w.results
			w.at--
		}
	}()
	var pulse <-chan time.Time
	if w.Pulse > 0 {
		t := time.NewTicker(w.Pulse)
		defer t.Stop()
		pulse = t.C
	}
	w.review(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-pulse:
			w.Alive()
		case e, ok := <-w.sight.notes.Events:
			if !ok {
				return errors.New("cannot watch: inotify has ended")
			}
			err = w.event(e)
		case lost, ok := <-w.sight.notes.Errors:
			if !ok {
				return errors.New("cannot watch: inotify has ended")
			}
			w.Warn("some events are lost, everything is looked at again: %v", lost)
			w.sight.lose()
			w.burst.stir()
		case q := <-questions:
			w.ask(q)
		case <-w.burst.over():
			w.burst.reset()
			w.review(ctx)
		case r := <-w.results:
			w.at--
			w.take(r)
			if w.again {
				w.again = false
				w.burst.stir()
			}
		}
		if err != nil {
			return err
		}
	}
}

// event takes one up.
func (w *Watcher) event(e fsnotify.Event) error {
	if e.Name == w.sight.token.name {
		return w.answer()
	}
	switch w.sight.see(e) {
	case stirred:
		w.burst.stir()
	case indexed:
		// Once more: what it names may not have been watched.
		more, err := w.sight.settle()
		if more {
			w.burst.stir()
		}
		return w.ends(err)
	case forgotten:
		return errors.New("cannot watch: the state directory is gone")
	}
	return nil
}

// ask has a question answered when all that has happened up to now was seen.
func (w *Watcher) ask(q *question) {
	if len(w.asked) > 0 {
		w.next = append(w.next, q) // that token may have been touched before
		return
	}
	w.asked = append(w.asked, q)
	if err := w.sight.token.touch(); err != nil {
		w.asked = nil
		q.answer <- nil
	}
}

// answer is for when the token has come.
func (w *Watcher) answer() error {
	more, err := w.sight.settle()
	for _, q := range w.asked {
		if err != nil {
			q.answer <- nil
		} else {
			q.answer <- w.sight.testify(q.asked)
		}
	}
	next := w.next
	w.asked, w.next = nil, nil
	for _, q := range next {
		w.ask(q)
	}
	if more {
		w.burst.stir()
	}
	return w.ends(err)
}

// ends is the error that ends the watcher: too few watches for what has come.
// Started again it counts anew.
func (w *Watcher) ends(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot watch %s: %w", w.Tree.Root, err)
}

// review has a status taken, beside the loop: it will ask the watcher.
func (w *Watcher) review(ctx context.Context) {
	if w.at > 0 {
		w.again = true
		return
	}
	w.at++
	go func() {
		began := time.Now()
		found, err := w.Status(ctx)
		w.results <- result{found, err, began}
	}()
}

// take compares a status with the list.
func (w *Watcher) take(r result) {
	switch {
	case errors.Is(r.err, ErrBusy):
		w.burst.later(pause)
		return
	case errors.Is(r.err, context.Canceled):
		return
	case r.err != nil:
		w.Warn("%v", r.err)
		w.burst.later(patience)
		return
	}
	news := w.drift.Take(r.found, r.began)
	if err := w.drift.Save(w.Tree); err != nil {
		w.Warn("%v", err)
		w.burst.later(patience)
	}
	if !w.ready || news.Any() {
		w.Tell(news)
	}
	if !w.ready {
		w.ready = true
		w.Ready()
	}
}

// scan is for where too few watches are to be had.
func (w *Watcher) scan(ctx context.Context) error {
	var pulse <-chan time.Time
	if w.Pulse > 0 {
		t := time.NewTicker(w.Pulse)
		defer t.Stop()
		pulse = t.C
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pulse:
			w.Alive()
		case <-next.C:
			began := time.Now()
			found, err := w.Status(ctx)
			w.take(result{found, err, began})
			next.Reset(w.Interval)
		}
	}
}
