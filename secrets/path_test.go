package secrets

import (
	"strings"
	"testing"
)

func TestSealedPath(t *testing.T) {
	for path, want := range map[string]string{
		"etc/shadow":          "etc/shadow.age",
		"a":                   "a.age",
		"a/b":                 "a/b.age",
		"a.age":               "a.age.age",
		"a.age/b":             "a.age.dir/b.age",
		"a.age.dir":           "a.age.dir.age",
		"a.age.dir/b":         "a.age.dir.dir/b.age",
		"a.dir/b":             "a.dir/b.age",
		"etc/Schlüssel/ä.age": "etc/Schlüssel/ä.age.age",
		"x/.age/y":            "x/.age.dir/y.age",
	} {
		got, err := SealedPath(path)
		if err != nil || got != Dir+"/"+want {
			t.Errorf("SealedPath(%q) = %q, %v; want %q", path, got, err, want)
		}
		if back, ok := PathOf(got); !ok || back != path {
			t.Errorf("PathOf(%q) = %q, %v; want %q", got, back, ok, path)
		}
	}
	if got, err := SealedPath("etc/" + strings.Repeat("n", maxName-len(Extension)+1)); err == nil {
		t.Errorf("a name that is too long becomes %q", got)
	}
	for _, other := range []string{Dir, Dir + "/.age", Dir + "/etc/.age", Dir + "/a.age/b.age", Dir + "/etc/shadow", "etc/shadow.age"} {
		if path, ok := PathOf(other); ok {
			t.Errorf("PathOf(%q) = %q, want none", other, path)
		}
	}
}

// FuzzSealedPath: no two paths have one sealed path, and none needs a
// directory where another has a file.
func FuzzSealedPath(f *testing.F) {
	f.Add("a", "a.age/b")
	f.Add("a.age/b", "a.age.dir/b")
	f.Add("a.age.dir/b", "a")
	f.Fuzz(func(t *testing.T, one, other string) {
		if one == other || !cleanPath(one) || !cleanPath(other) {
			return
		}
		a, aerr := SealedPath(one)
		b, berr := SealedPath(other)
		if aerr != nil || berr != nil {
			return
		}
		if a == b || strings.HasPrefix(b, a+"/") || strings.HasPrefix(a, b+"/") {
			t.Errorf("%q and %q get in each other's way: %q, %q", one, other, a, b)
		}
		if back, ok := PathOf(a); !ok || back != one {
			t.Errorf("PathOf(%q) = %q, want %q", a, back, one)
		}
	})
}

func cleanPath(p string) bool {
	for _, name := range strings.Split(p, "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}
