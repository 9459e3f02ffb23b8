package watch

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBurst: a burst is over when it is quiet, and at last in any case; then
// nothing wakes up any more.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := burst{quiet: 300 * time.Millisecond, longest: time.Second}
		if b.over() != nil {
			t.Error("it is over before it began")
		}
		for _, c := range []struct {
			events int
			apart  time.Duration
			want   time.Duration // after the first event
		}{
			{1, 0, 300 * time.Millisecond},
			{3, 100 * time.Millisecond, 500 * time.Millisecond},
			{9, 100 * time.Millisecond, time.Second},
		} {
			began := time.Now()
			for i := range c.events {
				if i > 0 {
					time.Sleep(c.apart)
				}
				b.stir()
			}
			<-b.over()
			if got := time.Since(began); got != c.want {
				t.Errorf("%d events: over after %v, not %v", c.events, got, c.want)
			}
			b.reset()
			select {
			case <-b.over():
				t.Error("it is over twice")
			case <-time.After(time.Hour):
			}
		}
		began := time.Now()
		b.later(time.Minute)
		<-b.over()
		if got := time.Since(began); got != time.Minute {
			t.Errorf("later is %v", got)
		}
	})
}
