package vm

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// console collects what a guest writes to its serial line, and acts when a
// text comes. Its methods may be called from several goroutines.
type console struct {
	copy io.Writer // nil is nowhere
	send io.Writer // the guest's keyboard

	mu       sync.Mutex
	raw      bytes.Buffer // since the last line feed, as it came
	text     bytes.Buffer
	watch    []*watched
	dialogue []Turn
	from     int // where in text the current turn begins
}

// watched is a text to wait for, and what to do once when it has come.
type watched struct {
	text *regexp.Regexp
	act  func()
	done bool
}

// escapes are the sequences with which firmware and boot loaders paint.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>c78])|\r`)

// Write takes what qemu writes. It never fails, or qemu would stop.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copy != nil {
		_, _ = c.copy.Write(p)
	}
	// A sequence may be cut in two: the last line is made anew each time.
	settled := c.text.Len() - len(escapes.ReplaceAll(c.raw.Bytes(), nil))
	c.raw.Write(p)
	c.text.Truncate(settled)
	c.text.Write(escapes.ReplaceAll(c.raw.Bytes(), nil))
	if i := bytes.LastIndexByte(c.raw.Bytes(), '\n'); i >= 0 {
		c.raw.Next(i + 1)
	}
	c.look()
	return len(p), nil
}

// look compares what has come with what is waited for.
func (c *console) look() {
	for _, w := range c.watch {
		if !w.done && w.text.Match(c.text.Bytes()) {
			w.done = true
			w.act()
		}
	}
	for len(c.dialogue) > 0 {
		at := c.dialogue[0].Wait.FindIndex(c.text.Bytes()[min(c.from, c.text.Len()):])
		if at == nil {
			return
		}
		c.from += at[1]
		_, _ = io.WriteString(c.send, c.dialogue[0].Send) // a guest that is gone ends the run by itself
		c.dialogue = c.dialogue[1:]
	}
}

// on adds a text to wait for; nil is none.
func (c *console) on(text *regexp.Regexp, act func()) {
	if text != nil {
		c.watch = append(c.watch, &watched{text: text, act: act})
	}
}

// String is everything that came.
func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// open tells whether the dialogue waits for a text.
func (c *console) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.dialogue) > 0
}
