package conffiles

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rootwc/internal/run"
)

func needsDiff3(t *testing.T) {
	t.Helper()
	if _, found := run.Look("diff3"); !found {
		t.Skip("needs diff3")
	}
}

// numbered is a text of n lines.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestMerge(t *testing.T) {
	needsDiff3(t)
	base := numbered(10)
	change := func(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
	for name, c := range map[string]struct {
		base, mine, theirs, want string
		err                      error
	}{
		"both, apart":              {base, change(base, "line 1\n", "mine\n"), change(base, "line 8\n", "theirs\n"), change(base, "line 1\n", "mine\n", "line 8\n", "theirs\n"), nil},
		"both, the same line":      {base, change(base, "line 1\n", "mine\n"), change(base, "line 1\n", "theirs\n"), "", ErrOverlap},
		"both, lines that touch":   {base, change(base, "line 1\n", "mine\n"), change(base, "line 2\n", "theirs\n"), "", ErrOverlap},
		"both, alike":              {base, change(base, "line 1\n", "x\n"), change(base, "line 1\n", "x\n", "line 8\n", "theirs\n"), change(base, "line 1\n", "x\n", "line 8\n", "theirs\n"), nil},
		"only theirs":              {base, base, change(base, "line 1\n", ""), change(base, "line 1\n", ""), nil},
		"a line added at each end": {base, "mine\n" + base, base + "theirs\n", "mine\n" + base + "theirs\n", nil},
		"no newline at my end":     {base, strings.TrimSuffix(base, "\n"), "theirs\n" + base, "theirs\n" + strings.TrimSuffix(base, "\n"), nil},
		"no newline at any end":    {"a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC", nil},
		"CRLF stays":               {change(base, "\n", "\r\n"), change(base, "line 1\n", "mine\r\n", "\n", "\r\n"), change(base, "line 8\n", "theirs\r\n", "\n", "\r\n"), change(base, "line 1\n", "mine\r\n", "line 8\n", "theirs\r\n", "\n", "\r\n"), nil},
		"CRLF on one side":         {base, change(base, "\n", "\r\n"), change(base, "line 8\n", "theirs\n"), "", ErrOverlap},
		"marks in the text":        {base, "<<<<<<< mine\n" + base, base + ">>>>>>> theirs\n", "<<<<<<< mine\n" + base + ">>>>>>> theirs\n", nil},
		"no UTF-8":                 {base + "\xff\n", "mine\n" + base + "\xff\n", base + "\xff\n\xfe\n", "mine\n" + base + "\xff\n\xfe\n", nil},
		"everything went":          {base, "", base, "", nil},
		"both, one emptied":        {base, "", base + "theirs\n", "", ErrOverlap},
		"binary":                   {base, base + "\x00\n", "theirs\n" + base, "", ErrNoText},
	} {
		got, err := Merge(t.Context(), []byte(c.base), []byte(c.mine), []byte(c.theirs))
		if !errors.Is(err, c.err) || string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q, %v", name, got, err, c.want, c.err)
		}
	}
}

func TestMergeHugeLines(t *testing.T) {
	needsDiff3(t)
	long := bytes.Repeat([]byte("x"), 4<<20)
	base := append(append([]byte("first\n"), long...), "\nmiddle\nlast\n"...)
	mine := bytes.Replace(base, []byte("last"), []byte("mine"), 1)
	theirs := append([]byte("theirs\n"), base...)
	got, err := Merge(t.Context(), base, mine, theirs)
	if want := append([]byte("theirs\n"), mine...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	if _, err := Merge(t.Context(), base, mine, make([]byte, MaxSize+1)); !errors.Is(err, ErrNoText) {
		t.Errorf("got %v for what is too large", err)
	}
}

func TestMarked(t *testing.T) {
	needsDiff3(t)
	got, err := Marked(t.Context(), []byte("a\nb"), []byte("a\nmine"), []byte("a\ntheirs"))
	if want := "a\n<<<<<<< mine\nmine\n=======\ntheirs\n>>>>>>> theirs\n"; err != nil || string(got) != want {
		t.Fatalf("got %q, %v", got, err)
	}
	if !HasMarks(got) || HasMarks([]byte("a <<<<<<< mine\n=======\n")) {
		t.Error("marks are not told from text")
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\nd")
	f.Fuzz(func(t *testing.T, base, mine, theirs string) {
		needsDiff3(t)
		got, err := Merge(t.Context(), []byte(base), []byte(mine), []byte(theirs))
		if errors.Is(err, ErrOverlap) || errors.Is(err, ErrNoText) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if mine == base && string(got) != theirs || theirs == base && string(got) != mine {
			t.Fatalf("one side alone has changed, and the merge is %q", got)
		}
	})
}
