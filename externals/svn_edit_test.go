package externals

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusalsAgainstSVN shows that what Parse alone refuses is nothing that
// "svn update" could bring up.
func TestRefusalsAgainstSVN(t *testing.T) {
	s := newSandbox(t)
	root, wc := s.repo("file://", "one"), filepath.Join(s.dir, "wc")
	s.must("svn", "checkout", "-q", root+"/trunk", wc)
	for _, value := range []string{
		"^/lib@BASE x", "x ^/lib", "^/lib -r1 x", "lib x", "^/ x", "^ x", "../ x", ".. x",
		root + "/trunk/../lib x", "/a/../b x", `"#a://h/b" x`, "^/%2e%2e/two/lib x", "file://elsewhere/x x",
	} {
		if out, err := s.propset(wc, value); err != nil {
			t.Errorf("svn propset of %q: %s", value, out)
		}
		d, err := Parse("", value)
		for _, def := range d.All() {
			_, err = Resolve(def, root, root+"/trunk")
		}
		if err == nil {
			t.Errorf("%q is not refused", value)
		}
		if out, err := s.run("svn", "update", wc); err == nil || !strings.Contains(out, "E205011") {
			t.Errorf("svn update with %q: %v\n%s", value, err, out)
		}
	}
}

// TestAddAgainstSVN checks that names which need quoting come up under that
// very name.
func TestAddAgainstSVN(t *testing.T) {
	s := newSandbox(t)
	root, wc := s.repo("file://", "one"), filepath.Join(s.dir, "wc")
	s.must("svn", "checkout", "-q", root+"/trunk", wc)
	var d Definitions
	var paths []string
	for _, target := range []string{
		"plain", "with blank", " ", `quote"`, "quote'", `back\slash`, `at the end\`, `\`, "#hash", "-r5", "-x",
		"at@sign", "at@7", "^", "a/b c/d", "ümlaut", "$HOME", "%20", "http:", `mixed "'\ `,
	} {
		var err error
		if d, err = d.Add(Definition{Target: target, URL: "^/a@b"}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(wc, target))
	}
	if out, err := s.propset(wc, d.String()); err != nil {
		t.Fatalf("svn propset: %s", out)
	}
	s.must("svn", "update", "-q", wc)
	for i, entry := range s.info(paths...) {
		if entry.URL != root+"/a@b" || entry.Path != paths[i] {
			t.Errorf("%q came up as %q from %s", paths[i], entry.Path, entry.URL)
		}
	}
	if got := strings.TrimSuffix(s.must("svn", "propget", "svn:externals", wc), "\n"); got != d.String() {
		t.Errorf("svn propget %q, want %q", got, d)
	}
}

// TestPinAgainstSVN compares Pin with "svn copy --pin-externals", which
// rewrites every line and drops comments: only the definitions are compared.
func TestPinAgainstSVN(t *testing.T) {
	s := newSandbox(t)
	root, wc := s.repo("file://", "one"), filepath.Join(s.dir, "wc")
	s.must("svn", "checkout", "-q", root+"/trunk", wc)
	value := "# comment\n^/lib a\n^/lib@HEAD  b\n-r2 ^/lib c\n^/lib@2 d\n-r2 ^/lib@1 e\n'^/a b' 'f f'\n^/a@b@ g\n" +
		"-r{2099-01-02} ^/lib h\n^/lib@{2099-01-02} i\nj -r2 ^/lib\nk " + root + "/a@b\n'l l' " + root + "/lib\n"
	if out, err := s.propset(wc, value); err != nil {
		t.Fatalf("svn propset: %s", out)
	}
	s.must("svn", "commit", "-q", "-m", "define", wc)
	s.must("svn", "copy", "-q", "-m", "pin", "--pin-externals", root+"/trunk", root+"/pinned")
	want := strings.Fields(s.must("svn", "propget", "svn:externals", root+"/pinned"))

	d := mustParse(t, value)
	for _, def := range d.All() {
		if !def.Peg.IsHead() {
			continue // svn leaves it alone
		}
		var err error
		if d, err = d.Pin(def.Target, Number(3)); err != nil {
			t.Fatal(err)
		}
	}
	_, got, _ := strings.Cut(d.String(), "\n")
	if strings.Join(strings.Fields(strings.ReplaceAll(got, "'", `"`)), " ") != strings.Join(want, " ") {
		t.Errorf("Pin\n%s\nsvn\n%s", got, strings.Join(want, " "))
	}
}
