package wc

import (
	"bytes"
	"testing"
)

func TestNormalForm(t *testing.T) {
	for _, c := range []struct{ eol, keywords, in, want string }{
		{"native", "", "a\r\nb\rc\n", "a\nb\nc\n"},
		{"CRLF", "", "a\nb\r\n", "a\r\nb\r\n"},
		{"CR", "", "a\r\nb", "a\rb"},
		{"", "Id", "x $Id: f 1 $ y", "x $Id$ y"},
		{"", "Id", "x $Rev: 1 $ y", "x $Rev: 1 $ y"},
		{"", "rev author", "$Rev: 1 $ $Author: me $ $LastChangedBy: me $", "$Rev$ $Author$ $LastChangedBy$"},
		{"", "Rev", "$Rev:: 12  $", "$Rev::     $"},
		{"", "Rev", "$Rev:12$ $Rev: 12$ $Rev:", "$Rev:12$ $Rev: 12$ $Rev:"},
		{"", "My=%r", "$My: 1 $", "$My$"},
		{"", "Id", "$Id: broken\n$Id: ok $", "$Id: broken\n$Id$"},
		{"", "", "$Id: f $\r\n", "$Id: f $\r\n"},
	} {
		if got := normalForm([]byte(c.in), c.eol, c.keywords); string(got) != c.want {
			t.Errorf("normalForm(%q, %q, %q) = %q, want %q", c.in, c.eol, c.keywords, got, c.want)
		}
	}
}

// Contracting twice is contracting once: what is stored is in normal form.
func FuzzNormalForm(f *testing.F) {
	f.Add([]byte("x $Id: f 1 $ y\r\n"), "native", "Id Rev")
	f.Add([]byte("$Rev:: 1 $$Id$"), "CRLF", "rev")
	f.Fuzz(func(t *testing.T, text []byte, eol, keywords string) {
		once := normalForm(text, eol, keywords)
		if twice := normalForm(once, eol, keywords); !bytes.Equal(once, twice) {
			t.Fatalf("%q becomes %q and then %q", text, once, twice)
		}
	})
}
