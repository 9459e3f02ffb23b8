package externals

import (
	"errors"
	"strings"
	"testing"
)

// mustParse reads a value that has no errors.
func mustParse(t *testing.T, value string) Definitions {
	t.Helper()
	d, err := Parse("etc", value)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAdd(t *testing.T) {
	for _, c := range []struct {
		def  Definition
		want string
	}{
		{Definition{Target: "x", URL: "^/a"}, "^/a x"},
		{Definition{Target: "x", URL: "^/a", Format: Old}, "^/a x"},
		{Definition{Target: "./x//y/", URL: "^/a"}, "^/a x/y"},
		{Definition{Target: "x", URL: "^/a", Peg: Number(7)}, "^/a@7 x"},
		{Definition{Target: "x", URL: "^/a", Revision: Number(5), Peg: Number(7)}, "-r5 ^/a@7 x"},
		{Definition{Target: "x", URL: "^/a@b"}, "^/a@b@ x"},
		{Definition{Target: "x", URL: "^/a@b/c"}, "^/a@b/c x"},
		{Definition{Target: "x", URL: "svn+ssh://u@h"}, "svn+ssh://u@h@ x"},
		{Definition{Target: "x@3", URL: "^/a"}, "^/a x@3"},
		{Definition{Target: "a b", URL: "^/c d"}, `"^/c d" "a b"`},
		{Definition{Target: " ", URL: "^/a"}, `^/a " "`},
		{Definition{Target: `a"b'c`, URL: "^/a"}, `^/a "a\"b\'c"`},
		{Definition{Target: `a\ b`, URL: "^/a"}, `^/a "a\\ b"`},
		{Definition{Target: `a\`, URL: `^/b\`}, `"^/b\\@" "a\\/"`},
		{Definition{Target: "#x", URL: "^/a"}, `^/a "#x"`},
		{Definition{Target: "-rx", URL: "^/a"}, "^/a ./-rx"},
		{Definition{Target: "-x", URL: "^/a"}, "^/a -x"},
		{Definition{Target: "x", URL: "^/a", Revision: Revision{"{2026-01-02 10:00}"}}, `"-r{2026-01-02 10:00}" ^/a x`},
		{Definition{Target: "x", URL: "^/a", Peg: Revision{"{2026-01-02 10:00}"}}, `"^/a@{2026-01-02 10:00}" x`},
	} {
		d, err := Definitions{}.Add(c.def)
		if err != nil || d.String() != c.want+"\n" {
			t.Errorf("Add(%+v) = %q, %v, want %q", c.def, d, err, c.want)
		}
	}
	d := mustParse(t, "# kept\r\n  ^/a   x\t")
	next, err := d.Add(Definition{Dir: "etc", Target: "y", URL: "^/b"})
	if want := "# kept\r\n  ^/a   x\t\n^/b y\n"; err != nil || next.String() != want {
		t.Errorf("Add = %q, %v, want %q", next, err, want)
	}
	if y, _ := next.Lookup("y"); y.Line != 3 || y.Path() != "etc/y" || d.String() != "# kept\r\n  ^/a   x\t" {
		t.Errorf("added %+v, receiver now %q", y, d)
	}
}

func TestAddRefuses(t *testing.T) {
	d := mustParse(t, "^/a x\n")
	for _, c := range []struct {
		def  Definition
		want error
	}{
		{Definition{Target: "./x", URL: "^/b"}, ErrDuplicateTarget},
		{Definition{Target: "../x", URL: "^/b"}, ErrUnsafeTarget},
		{Definition{Target: "y\n^/b z", URL: "^/b"}, ErrUnsafeTarget},
		{Definition{Target: "\xff", URL: "^/b"}, ErrUnsafeTarget},
		{Definition{Target: "y", URL: "b"}, ErrBadURL},
		{Definition{Target: "y", URL: ""}, ErrBadURL},
		{Definition{Target: "y", URL: "^/b\nz"}, ErrBadURL},
	} {
		next, err := d.Add(c.def)
		if !errors.Is(err, c.want) || next.String() != d.String() {
			t.Errorf("Add(%+v) = %q, %v, want %v", c.def, next, err, c.want)
		}
	}
	if _, err := d.Add(Definition{Dir: "usr", Target: "y", URL: "^/b"}); err == nil {
		t.Error("Add took a definition of another directory")
	}
}

func TestRemove(t *testing.T) {
	d, _ := Parse("", "# one\n^/a x\n\nbroken\n^/b x\n^/c y")
	next, err := d.Remove("x/")
	if want := "# one\n\nbroken\n^/c y"; err != nil || next.String() != want {
		t.Errorf("Remove = %q, %v, want %q", next, err, want)
	}
	if y, _ := next.Lookup("y"); y.Line != 4 {
		t.Errorf("y is in line %d", y.Line)
	}
	if _, err := d.Remove("z"); !errors.Is(err, ErrNotDefined) {
		t.Errorf("Remove(z): %v", err)
	}
}

func TestPin(t *testing.T) {
	for _, c := range []struct{ line, pinned, unpinned string }{
		// As svn copy --pin-externals writes them.
		{"^/a   x", "^/a@7 x", "^/a   x"},
		{"^/a@HEAD x", "^/a@7 x", "^/a@HEAD x"},
		{"-r5 ^/a x", "-r5 ^/a@7 x", "^/a x"},
		{"-r{2026-01-02} ^/a x", "-r{2026-01-02} ^/a@7 x", "^/a x"},
		{"^/a@b@ x", "^/a@b@7 x", "^/a@b@ x"},
		{"x http://h/a@b", "x -r7 http://h/a@b", "x http://h/a@b"},
		// Subversion leaves these alone.
		{"^/a@5 x", "^/a@7 x", "^/a x"},
		{"-r4 ^/a@5 x", "^/a@7 x", "^/a x"},
		{"x -r5 http://h/a", "x -r7 http://h/a", "x http://h/a"},
		{"x -r5 ^/a", "x -r7 ^/a", "^/a x"},
		{"x  -r 7  ^/a", "x  -r 7  ^/a", "^/a x"},
	} {
		const before, after = "# pinned by hand\n\n", "\r\nbroken\n ^/z  z"
		d, _ := Parse("", before+c.line+after)
		pinned, err := d.Pin("x", Number(7))
		if err != nil || pinned.String() != before+c.pinned+after {
			t.Errorf("Pin(%q) = %q, %v, want %q", c.line, pinned, err, c.pinned)
		}
		unpinned, err := d.Unpin("x")
		if err != nil || unpinned.String() != before+c.unpinned+after {
			t.Errorf("Unpin(%q) = %q, %v, want %q", c.line, unpinned, err, c.unpinned)
		}
	}
	d := mustParse(t, "^/a x")
	if _, err := d.Pin("x", Revision{}); err == nil {
		t.Error("Pin took HEAD")
	}
	if _, err := d.Pin("y", Number(1)); !errors.Is(err, ErrNotDefined) {
		t.Errorf("Pin(y): %v", err)
	}
	if _, err := d.Unpin("y"); !errors.Is(err, ErrNotDefined) {
		t.Errorf("Unpin(y): %v", err)
	}
}

func TestDefinitionString(t *testing.T) {
	d := mustParse(t, " x\t-r 5   'http://h/a b' ")
	x, _ := d.Lookup("x")
	if got := x.String(); got != " x\t-r 5   'http://h/a b' " {
		t.Errorf("untouched: %q", got)
	}
	x.Target = "y"
	if got := x.String(); got != `y -r5 "http://h/a b"` {
		t.Errorf("changed: %q", got)
	}
	x.Peg = Number(6) // more than the old format can say
	if got := x.String(); got != `-r5 "http://h/a b@6" y` {
		t.Errorf("with another peg: %q", got)
	}
}

func TestDiff(t *testing.T) {
	old := mustParse(t, "# old\n^/a a\n^/b b\n^/c@3 c\n^/d d\nf -r4 ^/f\n")
	now := mustParse(t, "f -r 4 ^/f\n^/e e\n^/d d\n^/c@4 c\n-rr003 ^/g@7 g\n^/b@HEAD 'b'")
	added, removed, changed := Diff(old, now)
	if describe(added) != `new "e" "^/e"; new "g" "^/g" -r3 @7` || describe(removed) != `new "a" "^/a"` ||
		describe(changed) != `new "c" "^/c" @4` {
		t.Errorf("added %s\nremoved %s\nchanged %s", describe(added), describe(removed), describe(changed))
	}
	same, _ := now.Unpin("b")
	if a, r, c := Diff(now, same); len(a)+len(r)+len(c) != 0 || !strings.HasSuffix(same.String(), "'b'") {
		t.Errorf("a value differs from itself: %v %v %v", a, r, c)
	}
}
