package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"rootwc/wc"
)

// Standard error has three shapes: error, hint and warning. All of them are
// made here.

// complain prints an error and its hint.
func (a *app) complain(err error) {
	a.turn()
	fmt.Fprintf(a.err, "rootwc: error: %s\n", safe(err.Error()))
	if hint := wc.HintOf(err); hint != "" {
		fmt.Fprintf(a.err, "rootwc: hint: %s\n", safe(hint))
	}
}

func (a *app) warn(format string, args ...any) {
	a.turn()
	fmt.Fprintf(a.err, "rootwc: warning: %s\n", safe(fmt.Sprintf(format, args...)))
}

func (a *app) hint(format string, args ...any) {
	a.turn()
	fmt.Fprintf(a.err, "rootwc: hint: %s\n", safe(fmt.Sprintf(format, args...)))
}

// joined is several failures as one sentence, with the hint that all of them have.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	words := make([]string, len(errs))
	hint := wc.HintOf(errs[0])
	for i, err := range errs {
		words[i] = err.Error()
		if wc.HintOf(err) != hint {
			hint = ""
		}
	}
	all := errors.New(strings.Join(words, "; "))
	if hint == "" {
		return all
	}
	return wc.Hint(all, "%s", hint)
}

// turn makes way for a message: what was answered so far comes before it.
func (a *app) turn() {
	a.progress.clear()
	_ = a.out.Flush() // a failure shows again at the last flush
}

// safe writes control characters and what is no UTF-8 as escapes: a file name
// must not drive a terminal, nor break a line.
func safe(s string) string {
	clean := utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// shown is a path as it is printed; the root is ".".
func shown(path string) string {
	if path == "" {
		return "."
	}
	return safe(path)
}

// progress shows on a terminal what long work is at, and nothing elsewhere. It
// is safe for concurrent use.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	shown bool
	last  time.Time
}

// newProgress writes to w when that is a terminal.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && isTerminal(f)}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// show replaces the line by "what 3 of 7", or "what 3" for an unknown total.
func (p *progress) show(what string, done, total int) {
	p.line(func() string {
		if total > 0 {
			return fmt.Sprintf("%s %d of %d", what, done, total)
		}
		return fmt.Sprintf("%s %d", what, done)
	})
}

// line replaces the line, ten times a second at most. What is longer than the
// terminal is wide is cut, or it could not be taken away again.
func (p *progress) line(text func() string) {
	const pause = 100 * time.Millisecond
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal || time.Since(p.last) < pause {
		return
	}
	p.last, p.shown = time.Now(), true
	words := []rune(text())
	if f, ok := p.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && len(words) >= width {
			words = words[:width-1]
		}
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(words))
}

// clear takes the line away before anything else is printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
