package wc

import (
	"fmt"
	"maps"
	"testing"
)

func TestParseProps(t *testing.T) {
	for _, c := range []struct {
		in   string
		want map[string]string
	}{
		{"", nil},
		{"()", nil},
		{"(10 svn:ignore 2 *\n)", map[string]string{"svn:ignore": "*\n"}},
		{"(14 svn:executable 1 * 3 foo 0 )", map[string]string{"svn:executable": "*", "foo": ""}},
		{"(name value)", map[string]string{"name": "value"}},
		{"(1 a 5 (b\x00) )", map[string]string{"a": "(b\x00) "}},
	} {
		got, err := parseProps(c.in)
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("parseProps(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestParsePropsRefuses(t *testing.T) {
	for _, in := range []string{"(a", "(1 a)", "(9 a b)", "((a) b)", "x y z", "(99999999999999999999 a b)", "(a b) trailing", "(-1 a b)"} {
		if got, err := parseProps(in); err == nil {
			t.Errorf("parseProps(%q) = %q, want an error", in, got)
		}
	}
}

func FuzzParseSkel(f *testing.F) {
	for _, s := range []string{"()", "(10 svn:ignore 2 *\n)", "((a b) (c (d)))", "(0  0 )", "(7 ", "(((((((((("} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		props, err := parseProps(string(b))
		if err != nil {
			return
		}
		text := "("
		for k, v := range props {
			text += fmt.Sprintf("%d %s %d %s ", len(k), k, len(v), v)
		}
		again, err := parseProps(text + ")")
		if err != nil || !maps.Equal(again, props) {
			t.Fatalf("%q read back as %q, %v", props, again, err)
		}
	})
}

func FuzzParseInherited(f *testing.F) {
	f.Add([]byte("(5 hosts (17 svn:global-ignores 4 *.o\n))"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseInherited(string(b)) })
}
