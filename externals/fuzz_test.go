package externals

import (
	"slices"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add(fill(c.value, "svn://host/one"))
	}
	f.Fuzz(func(t *testing.T, value string) {
		d, _ := Parse("etc", value)
		if d.String() != value {
			t.Fatalf("%q prints %q", value, d)
		}
		lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' })
		for _, def := range d.All() {
			if err := checkPath(def.Path()); err != nil {
				t.Fatalf("%q: %v", value, err)
			}
			if text := def.String(); !slices.Contains(lines, text) {
				t.Fatalf("%q: definition prints %q, which is none of its lines", value, text)
			}
			for _, format := range []Format{New, Old} {
				again := def
				again.Format, again.text = format, ""
				back, err := Parse("etc", again.String())
				got, found := back.Lookup(def.Target)
				if err != nil || !found || !got.Equal(def) {
					t.Fatalf("%q: %q reads back as %q: %v", value, again, got, err)
				}
			}
			if url, err := Resolve(def, "http://h/one", "http://h/one/etc"); err == nil && canonicalURL(url) != url {
				t.Fatalf("%q resolves to %q, which is not canonical", def, url)
			}
		}
	})
}

// FuzzEdit adds a definition to any value, pins and removes it again.
func FuzzEdit(f *testing.F) {
	for _, c := range parseCases {
		f.Add(fill(c.value, "svn://host/one"), "a b", "^/c@d", int64(7))
	}
	f.Add("", "-rx", `^/a\`, int64(-1))
	f.Add("broken", `#'"\`, "svn+ssh://u@h", int64(0))
	f.Fuzz(func(t *testing.T, value, target, url string, peg int64) {
		before, _ := Parse("", value)
		d, err := before.Add(Definition{Target: target, URL: url, Peg: Number(peg)})
		if err != nil {
			if strings.Contains(err.Error(), "internal error") || d.String() != value {
				t.Fatalf("%v, value now %q", err, d)
			}
			return
		}
		if !strings.HasPrefix(d.String(), value) {
			t.Fatalf("%q became %q", value, d)
		}
		pinned, err := d.Pin(target, Number(3))
		if err != nil {
			t.Fatal(err)
		}
		if unpinned, err := pinned.Unpin(target); err != nil || !strings.HasPrefix(unpinned.String(), value) {
			t.Fatalf("unpinned: %q, %v", unpinned, err)
		}
		if back, err := pinned.Remove(target); err != nil || strings.TrimSuffix(back.String(), "\n") != strings.TrimSuffix(value, "\n") {
			t.Fatalf("removed: %q, %v, began as %q", back, err, value)
		}
	})
}
