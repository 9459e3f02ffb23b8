package ignore

import (
	"strings"
	"testing"
	"time"
)

// matchCases are pattern, name, and whether svn 1.14.2 ignores the name.
var matchCases = []struct {
	pattern, name string
	want          bool
}{
	{"*", ".hidden", true},
	{"?x", ".x", true},
	{"a*a", "a", false},
	{"a*a", "aa", true},
	{"a*b*c", "aXbYc", true},
	{"a*b*c", "acb", false},
	{"*.so.[0-9]*", "libc.so.6", true},
	{"*.so.[0-9]*", "libc.so.x", false},
	{"A", "a", false},
	{"[ab]", "b", true},
	{"[!ab]", "b", false},
	{"[^ab]", "c", true},
	{"[]]", "]", true},
	{"[!]]", "]", false},
	{"[]-a]", "^", true},
	{"[a-]", "-", true},
	{"[a-c-e]", "-", true},
	{"[a-c-e]", "d", false},
	{"[c-a]", "b", false},
	{"[\\]]", "]", true},
	{"[a\\-c]", "b", false},
	{"[a-\\]]x", "b]x", false},
	{"[\\\\-a]", "]", true},
	{"[ab", "[ab", true},
	{"[ab", "a", false},
	{"[!", "[!", true},
	{"[a-", "[a-", true},
	{"[", "[", true},
	{"a[", "a[", true},
	{"*[", "x[", true},
	{"[[:digit:]]", "5", false},
	{"[[:digit:]]", "g]", true},
	{"{a,b}", "a", false},
	{"{a,b}", "{a,b}", true},
	{"\\*", "*", true},
	{"\\*", "x", false},
	{"\\a", "a", true},
	{"a\\", "a\\", true},
	{"a\\", "a", false},
	{"*\\", "x\\", true},
	{"\\\\", "\\", true},
	{"**?", "a", true},
	{"?*?", "a", false},
	{"?", "é", false},
	{"??", "é", true},
	{"[é]", "é", false},
	{"[é][é]", "é", true},
	{"!a", "a", false},
	{"# a", "# a", true},
	{"a ", "a", false},
}

func TestMatch(t *testing.T) {
	for _, test := range matchCases {
		if got := match(compile(test.pattern), test.name); got != test.want {
			t.Errorf("match(%q, %q) = %v, want %v", test.pattern, test.name, got, test.want)
		}
		if _, got := Parse(test.pattern).Match(test.name); got != test.want {
			t.Errorf("Parse(%q).Match(%q) = %v, want %v", test.pattern, test.name, got, test.want)
		}
	}
}

func TestMatchOfManyStarsIsQuick(t *testing.T) {
	list := Parse(strings.Repeat("*a", 60) + "*b\n")
	start := time.Now()
	if _, ok := list.Match(strings.Repeat("a", 255)); ok {
		t.Error("matched a name without b")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// FuzzMatch compares the list with fnmatch written down as its definition
// reads, without compiling and without cleverness.
func FuzzMatch(f *testing.F) {
	for _, test := range matchCases {
		f.Add(test.pattern, test.name)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		// The reference is exponential in the number of stars.
		if len(pattern) > 20 || len(name) > 20 || strings.Count(pattern, "*") > 5 ||
			pattern == "" || strings.ContainsAny(pattern+name, "\n\r\x00") {
			return
		}
		want := slowMatch(pattern, name)
		if got, ok := Parse(pattern).Match(name); ok != want || ok && got != pattern {
			t.Errorf("Parse(%q).Match(%q) = %q, %v, want %v", pattern, name, got, ok, want)
		}
	})
}

func slowMatch(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	if pattern[0] == '*' {
		return slowMatch(pattern[1:], name) || name != "" && slowMatch(pattern, name[1:])
	}
	if name == "" {
		return false
	}
	switch {
	case pattern[0] == '?':
		return slowMatch(pattern[1:], name[1:])
	case pattern[0] == '[':
		if in, rest, closed := slowBracket(pattern[1:], name[0]); closed {
			return in && slowMatch(rest, name[1:])
		}
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[0] == name[0] && slowMatch(pattern[1:], name[1:])
}

func slowBracket(p string, b byte) (in bool, rest string, closed bool) {
	negated := strings.HasPrefix(p, "!") || strings.HasPrefix(p, "^")
	if negated {
		p = p[1:]
	}
	next := func() (c byte) { // one character of the set, quoted or not
		if p != "" && p[0] == '\\' {
			p = p[1:]
		}
		if p != "" {
			c, p = p[0], p[1:]
		}
		return c
	}
	for first := true; first || !strings.HasPrefix(p, "]"); first = false {
		if p == "" {
			return false, "", false
		}
		lo := next()
		hi := lo
		if len(p) > 1 && p[0] == '-' && p[1] != ']' {
			p = p[1:]
			hi = next()
		}
		if signedChar {
			in = in || int8(lo) <= int8(b) && int8(b) <= int8(hi)
		} else {
			in = in || lo <= b && b <= hi
		}
	}
	return in != negated, p[1:], true
}
