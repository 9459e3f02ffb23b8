package wc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rootwc/internal/fault"
)

// Delivered is what became of a queued commit.
type Delivered struct {
	Intent   *Intent
	Revision int64    // 0 when it is not made, or had nothing left to send
	Notes    []string // what a person should know of what was sent
	Err      error    // why it still waits
	Offline  bool     // the server is out of reach
}

// errBehind is why a commit is queued although nobody asked the server.
var errBehind = errors.New("earlier commits to the repository still wait")

// reachIn is how long a server may take to say that it is there, before
// anything is sent: nobody waits for minutes because a network swallows packets.
const reachIn = 5 * time.Second

// Deliver makes the queued commits in their order. One that cannot be made
// keeps those of its repository after it waiting, and no others.
//
// Unless it is to be now, a server that was out of reach some minutes ago is
// not waited for again.
func (w *Work) Deliver(ctx context.Context, now bool) ([]Delivered, error) {
	queue, err := w.tree.State.Queue()
	if err != nil || len(queue) == 0 || !now && w.tree.State.triedLately() {
		return nil, err
	}
	var done []Delivered
	blocked, reached := map[string]bool{}, map[asker]error{}
	for i, in := range queue {
		if blocked[in.UUID] {
			continue
		}
		d := Delivered{Intent: in}
		d.Err = w.deliver(ctx, in, queue[i+1:], &d, reached)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		d.Offline = offline(d.Err)
		blocked[in.UUID] = d.Err != nil
		done = append(done, d)
	}
	return done, w.tree.State.tried(slices.ContainsFunc(done, func(d Delivered) bool { return d.Offline }))
}

// triedFile says by its time when a server was last out of reach.
const triedFile = "tried"

// triedLately says whether a server was out of reach a short while ago.
func (s *State) triedLately() bool {
	const pause = 5 * time.Minute
	info, err := os.Lstat(s.path(queueState, triedFile))
	return err == nil && time.Since(info.ModTime()) < pause
}

// tried notes whether one was.
func (s *State) tried(away bool) error {
	name := s.path(queueState, triedFile)
	if away {
		return s.writeDurable(filepath.Join(queueState, triedFile), nil)
	}
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// deliver makes one; behind are those after it.
func (w *Work) deliver(ctx context.Context, in *Intent, behind []*Intent, d *Delivered, reached map[asker]error) error {
	copies, err := w.copiesOf(in)
	if err != nil {
		return err
	}
	at := copies[0].asker()
	if _, asked := reached[at]; !asked {
		reached[at] = w.reach(ctx, copies[0])
	}
	if err := reached[at]; err != nil {
		return err
	}
	sent := int64(0)
	if in.Sent {
		if sent, err = w.findMark(ctx, copies[0], in.ID); err != nil {
			return err
		}
	}
	if d.Revision, err = w.make(ctx, in, copies, d, sent); err != nil {
		return err
	}
	fault.At("delivered")
	if err := w.tellBehind(in, behind); err != nil {
		return err
	}
	return w.tree.State.Drop(in.Number)
}

// copiesOf are the working copies that an intent was queued for.
func (w *Work) copiesOf(in *Intent) ([]*Copy, error) {
	var copies []*Copy
	for _, p := range in.Parts {
		c, _ := w.tree.CopyOf(p.Path)
		if c == nil || c.Path != p.Path || c.UUID() != in.UUID {
			return nil, Hint(fmt.Errorf("%q is no working copy of %s any more", w.tree.abs(p.Path), in.Repository),
				"what it was to send lies in %s; rootwc commit --drop %d gives it up", in.dir, in.Number)
		}
		copies = append(copies, c)
	}
	if len(copies) == 0 {
		return nil, fmt.Errorf("internal error: %s names no working copy", in.dir)
	}
	return copies, nil
}

// reach asks whether the server is there. No answer in time is none.
func (w *Work) reach(ctx context.Context, c *Copy) error {
	bound, cancel := context.WithTimeout(ctx, reachIn)
	defer cancel()
	_, err := w.tree.Client.Info(bound, c.user, c.URL(), "")
	if bound.Err() != nil && ctx.Err() == nil {
		return &silentError{c.RepositoryRoot()}
	}
	return err
}

// offline says whether a server could not be asked at all: there is no network,
// no route, no name, nobody listens or answers. One that was reached and did
// not let the user in is another matter.
func offline(err error) bool {
	return errors.As(err, new(*silentError)) || Unreachable(err) && !denied(err)
}

// silentError says that a server does not answer.
type silentError struct{ url string }

func (e *silentError) Error() string {
	return fmt.Sprintf("%s is out of reach: no answer in %s", e.url, reachIn)
}
