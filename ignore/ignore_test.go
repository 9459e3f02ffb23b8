package ignore

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSplitsAtLineBreaksOnly(t *testing.T) {
	for _, test := range []struct {
		prop string
		want []string
	}{
		{"", nil},
		{"\n\r\n", nil},
		{"a", []string{"a"}},
		{"a\nb\n", []string{"a", "b"}},
		{"a\r\nb\rc", []string{"a", "b", "c"}},
		{" a \n\tb\n \n", []string{" a ", "\tb", " "}},
		{"# a\n!b\na b\n", []string{"# a", "!b", "a b"}},
		{"a\n\x00b\n", []string{"a"}},
	} {
		if got := Parse(test.prop).Patterns(); !slices.Equal(got, test.want) {
			t.Errorf("Parse(%q).Patterns() = %q, want %q", test.prop, got, test.want)
		}
	}
}

func TestMatchReturnsTheFirstPatternOfTheProperty(t *testing.T) {
	list := Parse("b*\nab?\nabc\n*c\nabc\nx*y\n\\*\n")
	for _, test := range []struct{ name, want string }{
		{"abc", "ab?"},
		{"abd", "ab?"},
		{"bc", "b*"},
		{"xc", "*c"},
		{"xy", "x*y"},
		{"x", ""},
		{"*", "\\*"},
		{"ABC", ""},
		{"", ""},
	} {
		got, ok := list.Match(test.name)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("Match(%q) = %q, %v, want %q", test.name, got, ok, test.want)
		}
	}
	if got, _ := Parse("abc\nab?\n").Match("abc"); got != "abc" {
		t.Errorf("exact name first in the property, but %q decided", got)
	}
	if got, ok := (List{}).Match("a"); ok {
		t.Errorf("the zero List matches by %q", got)
	}
}

func BenchmarkMatch(b *testing.B) {
	policy := Policy(Unknown)
	for _, bench := range []struct{ name, prop, file string }{
		{"etc/miss", policy.Ignore["etc"], "nsswitch.conf"},
		{"etc/hit", policy.Ignore["etc"], "ld.so.cache"},
		{"global/miss", policy.GlobalIgnores[""], "nsswitch.conf"},
		{"global/hit", policy.GlobalIgnores[""], "nsswitch.conf.dpkg-old"},
		{"stars", strings.Repeat("*a", 20) + "*b", strings.Repeat("a", 255)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			list := Parse(bench.prop)
			b.ReportAllocs()
			for b.Loop() {
				list.Match(bench.file)
			}
		})
	}
}
