package ignore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAdd(t *testing.T) {
	for _, test := range []struct{ prop, pattern, want string }{
		{"", "a", "a\n"},
		{"a", "a", "a\n"},
		{"a", "b", "a\nb\n"},
		{"b\na\n", "a", "b\na\n"},
		{"a\n\nb\n", "c", "a\n\nb\nc\n"},
		{"a\r\nb\r\n", "b", "a\r\nb\r\n"},
		{"a\n", " a", "a\n a\n"},
		{"ab\n", "a", "ab\na\n"},
		{"", "[/a]", "[/a]\n"},
	} {
		got, err := Add(test.prop, test.pattern)
		if got != test.want || err != nil {
			t.Errorf("Add(%q, %q) = %q, %v, want %q", test.prop, test.pattern, got, err, test.want)
		}
		if again, _ := Add(got, test.pattern); again != got {
			t.Errorf("Add(%q, %q) again gives %q", got, test.pattern, again)
		}
	}
	_, err := Add("a\n", "lvm/cache")
	const want = `cannot add pattern "lvm/cache": it has a slash, and Subversion compares base names: ` +
		`write "cache" into svn:ignore of "lvm"`
	if err == nil || err.Error() != want {
		t.Errorf("Add of a path: error %v, want %s", err, want)
	}
}

func TestRemove(t *testing.T) {
	for _, test := range []struct {
		prop, pattern, want string
		found               bool
	}{
		{"", "a", "", false},
		{"a\nb\n", "c", "a\nb\n", false},
		{"a\nb\n", "", "a\nb\n", false},
		{"a\nb\nc\n", "b", "a\nc\n", true},
		{"a\nb\na", "a", "b\n", true},
		{"a\n\n", "a", "", true},
		{"a b\n", "a", "a b\n", false},
		{"\n\na\nb", "a", "\n\nb", true},
		{"a\r\nb\r\n", "a", "\nb\r\n", true},
	} {
		got, found := Remove(test.prop, test.pattern)
		if got != test.want || found != test.found {
			t.Errorf("Remove(%q, %q) = %q, %v, want %q, %v", test.prop, test.pattern, got, found, test.want, test.found)
		}
	}
}

func TestUseless(t *testing.T) {
	for _, test := range []struct {
		pattern string
		reason  string // a part of it; "" for none at all
		bad     bool
	}{
		{"*~", "", false},
		{"#*#", "", false},
		{"\\!a", "", false},
		{"[/a]", "", false},
		{"[!/]", "", false},
		{strings.Repeat("?", 255), "", false},
		{strings.Repeat("[ab]", 255), "", false},

		{"", "is empty", true},
		{"a\nb", "line break", true},
		{"a\r", "line break", true},
		{"a\x00", "NUL", true},
		{"a\xff", "UTF-8", true},
		{"..", "directory itself", true},
		{"dir/", `write "dir"`, true},
		{"./x", `write "x"`, true},
		{"/x", `write "x"`, true},
		{"a/b/c", `write "c" into svn:ignore of "a/b"`, true},
		{"/a/b", `write "b" into svn:ignore of "a"`, true},
		{"**/b", `write "b" into svn:global-ignores`, true},
		{"/", "has a slash", true},
		{"a\\/b", "has a slash", true},
		{"[z-a]", "no character satisfies", true},
		{"[/]", "no character satisfies", true},
		{strings.Repeat("?", 256), "longer than any file name", true},

		{" a", "blank", false},
		{"a\t", "blank", false},
		{"!a", "negation", false},
		{"# note", "comment", false},
		{"{a,b}", "braces", false},
		{"[[:digit:]]", "character class", false},
	} {
		reason, bad := Useless(test.pattern)
		if bad != test.bad || (reason == "") != (test.reason == "") || !strings.Contains(reason, test.reason) {
			t.Errorf("Useless(%q) = %q, %v, want %q, %v", test.pattern, reason, bad, test.reason, test.bad)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"mtab", "mtab"},
		{"a*b?c[d]e\\", "a\\*b\\?c\\[d]e\\\\"},
		{"é !#", "é !#"},
		{"a\nb\r", "a?b?"},
		{"\xff\xc3", "??"},
	} {
		if got := Quote(test.name); got != test.want {
			t.Errorf("Quote(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

// FuzzQuote checks what callers rely on: the pattern can be added, matches the
// name, and matches no other as long as a property can hold the name.
func FuzzQuote(f *testing.F) {
	f.Add("a*b?c[d]e\\", "axb")
	f.Add("\xff\n", "\xfe")
	f.Fuzz(func(t *testing.T, name, other string) {
		if name == "" || name == "." || name == ".." || len(name) > nameMax || strings.ContainsAny(name, "/\x00") {
			return
		}
		prop, err := Add("", Quote(name))
		if err != nil {
			t.Fatal(err)
		}
		list := Parse(prop)
		if _, ok := list.Match(name); !ok {
			t.Errorf("%q does not match %q", prop, name)
		}
		_, ok := list.Match(other)
		if ok && other != name && utf8.ValidString(name) && !strings.ContainsAny(name, "\r\n") {
			t.Errorf("%q, for %q, matches %q", prop, name, other)
		}
		if rest, found := Remove(prop, Quote(name)); rest != "" || !found {
			t.Errorf("Remove leaves %q, %v", rest, found)
		}
	})
}
