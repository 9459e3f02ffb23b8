package main

import (
	"testing"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"etc/ü b": "etc/ü b", "a\nb": `a\nb`, "a\x1b[31m": `a\x1b[31m`, "a\xff": `a\xff`, "": "", `a\b`: `a\b`,
	} {
		if got := safe(in); got != want {
			t.Errorf("safe(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("a\x1b\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := safe(s)
		if !utf8.ValidString(got) {
			t.Fatalf("safe(%q) = %q is no UTF-8", s, got)
		}
		if safe(got) != got {
			t.Fatalf("safe(%q) = %q, which is not safe", s, got)
		}
	})
}
