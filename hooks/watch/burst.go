package watch

import "time"

// burst makes one of what happens in quick succession. Its zero timer never
// fires: when nothing happens, nothing wakes up.
type burst struct {
	quiet, longest time.Duration

	began time.Time // zero for none
	timer *time.Timer
}

// stir notes that something happens.
func (b *burst) stir() {
	now := time.Now()
	if b.began.IsZero() {
		b.began = now
	}
	b.set(min(b.quiet, max(b.began.Add(b.longest).Sub(now), 0)))
}

// later ends the burst after a while, whatever happens.
func (b *burst) later(wait time.Duration) {
	b.began = time.Now().Add(wait - b.longest)
	b.set(wait)
}

func (b *burst) set(wait time.Duration) {
	if b.timer == nil {
		b.timer = time.NewTimer(wait)
		return
	}
	b.timer.Reset(wait)
}

// over receives when the burst is over.
func (b *burst) over() <-chan time.Time {
	if b.timer == nil {
		return nil
	}
	return b.timer.C
}

// reset is for after that.
func (b *burst) reset() { b.began = time.Time{} }
