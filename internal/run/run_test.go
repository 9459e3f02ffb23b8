package run

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	out, warn, err := Output(t.Context(), Command{Args: []string{"sh", "-c", "echo out; echo err >&2; cat"}, Stdin: strings.NewReader("in")})
	if err != nil || string(out) != "out\nin" || warn != "err" {
		t.Fatalf("got %q, %q, %v", out, warn, err)
	}
}

func TestErrorTellsStatusAndStderr(t *testing.T) {
	_, _, err := Output(t.Context(), Command{Args: []string{"sh", "-c", "echo 'svn: E155007: no' >&2; exit 3"}})
	var e *Error
	if !errors.As(err, &e) || e.Status != 3 || e.Error() != "sh: E155007: no" {
		t.Fatalf("got %v", err)
	}
	_, _, err = Output(t.Context(), Command{Args: []string{"no-such-program-here"}})
	if !errors.As(err, &e) || e.Status != -1 {
		t.Fatalf("got %v", err)
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("SECRET_OF_CALLER", "x")
	t.Setenv("LC_ALL", "C")
	out, _, err := Output(t.Context(), Command{Args: []string{"env"}})
	if err != nil || strings.Contains(string(out), "SECRET_OF_CALLER") || !strings.Contains(string(out), "LC_ALL=C.UTF-8\n") {
		t.Fatalf("got %s, %v", out, err)
	}
}

func TestCancelInterrupts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, _, err := Output(ctx, Command{Args: []string{"sleep", "60"}})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 30*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(begin))
	}
}

func TestLines(t *testing.T) {
	var got []string
	_, _, err := Output(t.Context(), Command{Args: []string{"printf", `a\nb`}, Line: func(s string) { got = append(got, s) }})
	if err != nil || strings.Join(got, "|") != "a|b" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestKillDoesNotAsk(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got strings.Builder
	begin := time.Now()
	out, _, err := Output(ctx, Command{
		Args:   []string{"sh", "-c", "trap '' INT; echo up; exec sleep 60"},
		Line:   func(string) { cancel() },
		Stdout: &got,
		Kill:   true,
	})
	if !errors.Is(err, context.Canceled) || time.Since(begin) > grace {
		t.Fatalf("got %v after %v", err, time.Since(begin))
	}
	if got.String() != "up\n" || len(out) != 0 {
		t.Fatalf("got %q, returned %q", got.String(), out)
	}
}

func TestQuote(t *testing.T) {
	if got := Quote([]string{"svn", "a b", "it's", "x@1"}); got != `svn 'a b' 'it'\''s' x@1` {
		t.Fatal(got)
	}
}

func TestSecrets(t *testing.T) {
	out, _, err := Output(t.Context(), Command{
		Args: []string{"cat", "/dev/stdin", "/dev/fd/3", "/dev/fd/4"}, Stdin: strings.NewReader("a"), Secrets: [][]byte{[]byte("b\x00"), bytes.Repeat([]byte("c"), 1<<20)},
	})
	if err != nil || len(out) != 3+1<<20 || string(out[:4]) != "ab\x00c" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
