package externals

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parseCase is one value of the table that the parser, the fuzzer and the
// comparison with the real svn share. $REPO stands for the URL of a
// repository, $PATH for that URL without scheme and host, $HOST for it
// without the scheme.
type parseCase struct {
	value string
	want  string // definitions as describe writes them
	err   string // part of the error; empty for none
	svn   string // error number of "svn propset"; empty if it succeeds
}

var parseCases = []parseCase{
	// The six orders.
	{value: "$REPO/lib x", want: `new "x" "$REPO/lib"`},
	{value: "-r1 $REPO/lib x", want: `new "x" "$REPO/lib" -r1`},
	{value: "-r 1 $REPO/lib@2 x", want: `new "x" "$REPO/lib" -r1 @2`},
	{value: "x $REPO/lib", want: `old "x" "$REPO/lib"`},
	{value: "x -r1 $REPO/lib", want: `old "x" "$REPO/lib" -r1 @1`},
	{value: "x -r 1 ^/lib", want: `old "x" "^/lib" -r1 @1`},
	// Relative URLs.
	{value: "^/lib x", want: `new "x" "^/lib"`},
	{value: "^/../two/lib x", want: `new "x" "^/../two/lib"`},
	{value: "../../lib x", want: `new "x" "../../lib"`},
	{value: "./..//.././lib/ x", want: `new "x" "./..//.././lib/"`},
	{value: "$PATH/lib x", want: `new "x" "$PATH/lib"`},
	{value: "$HOST/lib x", want: `new "x" "$HOST/lib"`},
	{value: "^/lib/../a%20b x", want: `new "x" "^/lib/../a%20b"`},
	{value: "^//lib/./sub x", want: `new "x" "^//lib/./sub"`},
	// Revisions.
	{value: "^/lib@HEAD x", want: `new "x" "^/lib"`},
	{value: "^/lib@head x", want: `new "x" "^/lib"`},
	{value: "^/lib@r2 x", want: `new "x" "^/lib" @2`},
	{value: "-rr002 ^/lib x", want: `new "x" "^/lib" -r2`},
	{value: "-r{2099-01-02} ^/lib x", want: `new "x" "^/lib" -r{2099-01-02}`},
	{value: `-r "{2099-01-02 10:00}" ^/lib x`, want: `new "x" "^/lib" -r{2099-01-02 10:00}`},
	{value: "^/lib@{2099-01-02T03:04Z} x", want: `new "x" "^/lib" @{2099-01-02T03:04Z}`},
	{value: "$REPO/lib@%7b2099-01-02%7D x", want: `new "x" "$REPO/lib" @{2099-01-02}`},
	{value: "-rHEAD ^/lib x", err: "HEAD is not possible", svn: "E195005"},
	{value: "-rBASE ^/lib x", err: "keyword", svn: "E195005"},
	{value: "-r1:2 ^/lib x", err: "no revision", svn: "E195005"},
	{value: "-r-1 ^/lib x", err: "no revision", svn: "E195005"},
	{value: "-r{2026-02-29} ^/lib x", err: "no date", svn: "E195005"},
	{value: "-r{2026-01-02 ^/lib x", err: "brace", svn: "E195005"},
	{value: "^/lib@BASE x", err: "keyword"},
	{value: "^/lib@b x", err: "peg revision", svn: "E205000"},
	{value: "^/lib@1:2 x", err: "peg revision", svn: "E205000"},
	{value: "-r99999999999999999999 ^/lib x", err: "too large"},
	// The at sign.
	{value: "^/a@b@ x", want: `new "x" "^/a@b"`},
	{value: "^/a%40b x", want: `new "x" "^/a%40b"`},
	{value: "^/a@b@2 x", want: `new "x" "^/a@b" @2`},
	{value: "x $REPO/a@b", want: `old "x" "$REPO/a@b"`},
	{value: "^/lib a@3", want: `new "a@3" "^/lib"`},
	{value: "svn+ssh://u@h x", err: "peg revision", svn: "E205000"},
	// Quoting.
	{value: `^/lib "a b"`, want: `new "a b" "^/lib"`},
	{value: `'^/a b' 'a b'`, want: `new "a b" "^/a b"`},
	{value: `^/lib a\ b`, want: `new "a b" "^/lib"`},
	{value: `^/lib "a\"b"`, want: `new "a\"b" "^/lib"`},
	{value: `^/lib "it's"`, want: `new "it's" "^/lib"`},
	{value: `"^/lib"x`, want: `new "x" "^/lib"`},
	{value: `^/lib "a b`, want: `new "a b" "^/lib"`},
	{value: `^/lib a\b\`, want: `new "ab" "^/lib"`},
	{value: `^/lib a\\`, want: `new "a\\" "^/lib"`},
	{value: `^/lib "a\\/"`, want: `new "a\\" "^/lib"`},
	{value: `^/lib "a\\"`, want: `new "a\\\"" "^/lib"`},
	{value: `^/lib "a"b`, err: "words", svn: "E195005"},
	{value: `'#x' $REPO/lib`, want: `old "#x" "$REPO/lib"`},
	{value: `^/lib #x`, want: `new "#x" "^/lib"`},
	{value: "\v ^/lib\t x \f", want: `new "x" "^/lib"`},
	// Targets.
	{value: "^/lib a//b/./c/", want: `new "a/b/c" "^/lib"`},
	{value: "^/lib ...", want: `new "..." "^/lib"`},
	{value: "^/lib ./-rx", want: `new "-rx" "^/lib"`},
	{value: "-r2 ^/lib -rx", want: `new "-rx" "^/lib" -r2`},
	{value: "^/lib ^/x", want: `new "^/x" "^/lib"`},
	{value: "^/lib ärger", want: `new "ärger" "^/lib"`},
	{value: "^/lib .", err: "unsafe target", svn: "E195005"},
	{value: `^/lib ""`, err: "unsafe target", svn: "E195005"},
	{value: "^/lib ..", err: "unsafe target", svn: "E195005"},
	{value: "^/lib a/../b", err: "unsafe target", svn: "E195005"},
	{value: "^/lib /etc", err: "unsafe target", svn: "E195005"},
	{value: "x/../../y $REPO/lib", err: "unsafe target", svn: "E195005"},
	{value: "^/lib .svn", err: "unsafe target"},
	{value: "^/lib a/.SVN/b", err: "unsafe target"},
	{value: "^/lib a\x01b", err: "unsafe target"},
	{value: "^/lib \"a\tb\"", err: "unsafe target"},
	// Lines.
	{value: ""},
	{value: "  # comment\n\n \t\n"},
	{value: "^/lib x\r\n# c\n\n^/lib y\r^/lib z", want: `new "x" "^/lib"; new "y" "^/lib"; new "z" "^/lib"`, svn: "E135000"},
	{value: "^/lib x\r\n\r\n^/lib y\r\n", want: `new "x" "^/lib"; new "y" "^/lib"`},
	{value: "^/lib x\r^/lib y", want: `new "x" "^/lib"; new "y" "^/lib"`},
	{value: "^/lib x\n^/lib@2 ./x/\n", want: `new "x" "^/lib"`, err: "defined in line 1", svn: "E155041"},
	{value: "^/lib x\n^/lib\n^/lib y\n", want: `new "x" "^/lib"; new "y" "^/lib"`, err: `line 2: "^/lib": definition has 1 words`, svn: "E195005"},
	// Wrong or strange words.
	{value: "^/lib a b", err: "words", svn: "E195005"},
	{value: "-r1 ^/lib", err: "words", svn: "E195005"},
	{value: "-r 1", err: "words", svn: "E195005"},
	{value: "x -r", err: "words", svn: "E195005"},
	{value: "^/lib x -r1", err: "words", svn: "E195005"},
	{value: "http://a/b http://c/d", err: "both URLs", svn: "E195005"},
	{value: "-r1 x http://c/d", err: "stands where the target belongs", svn: "E195005"},
	{value: "http://c/d -r1 x", err: "stands where the target belongs", svn: "E195005"},
	{value: "x ^/lib", err: `the URL comes first: "^/lib x"`},
	{value: "^/lib -r1 x", err: "neither absolute nor relative"},
	{value: "lib x", err: "neither absolute nor relative"},
	{value: "^/ x", err: "does not take the repository root alone"},
	{value: "../ x", err: `does not take ".." alone`},
	{value: "$PATH/../lib x", err: "is possible only after"},
	{value: "#a://h/b x"},
	{value: `"#a://h/b" x`, err: "is no scheme"},
	{value: "\"^/l\tib\" x", err: "control character"},
}

// describe writes definitions the way the table does.
func describe(defs []Definition) string {
	var list []string
	for _, d := range defs {
		s := fmt.Sprintf("%s %q %q", [...]string{"new", "old"}[d.Format], d.Target, d.URL)
		if !d.Revision.IsHead() {
			s += " -r" + d.Revision.String()
		}
		if !d.Peg.IsHead() {
			s += " @" + d.Peg.String()
		}
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

// fill puts the place of a repository into text of the table.
func fill(text, repo string) string {
	_, rest, _ := strings.Cut(repo, "://")
	_, path, _ := strings.Cut(rest, "/")
	host := "//" + rest
	return strings.NewReplacer("$REPO", repo, "$PATH", "/"+path, "$HOST", host).Replace(text)
}

func TestParse(t *testing.T) {
	const repo = "svn://host/one"
	for _, c := range parseCases {
		value, want := fill(c.value, repo), fill(c.want, repo)
		d, err := Parse("etc", value)
		if got := describe(d.All()); got != want {
			t.Errorf("Parse(%q)\n got %s\nwant %s", value, got, want)
		}
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("Parse(%q) error %v, want %q", value, err, c.err)
		}
		if d.String() != value {
			t.Errorf("Parse(%q) prints %q", value, d)
		}
	}
}

func TestParseErrors(t *testing.T) {
	d, err := Parse("etc/x", "^/a ../../passwd\n# fine\n^/b b\n^/c b\n^/d .svn/hooks\n^/e e")
	if got := describe(d.All()); got != `new "b" "^/b"; new "e" "^/e"` {
		t.Errorf("definitions %s", got)
	}
	if e, _ := d.Lookup("e"); e.Path() != "etc/x/e" || e.Line != 6 || d.Dir() != "etc/x" {
		t.Errorf("Path %q, Line %d, Dir %q", e.Path(), e.Line, d.Dir())
	}
	if !errors.Is(err, ErrUnsafeTarget) || !errors.Is(err, ErrDuplicateTarget) || errors.Is(err, ErrBadURL) {
		t.Errorf("causes of %v", err)
	}
	want := `svn:externals of "etc/x", line 1: "^/a ../../passwd": unsafe target: "../../passwd" holds a ".." part: ` +
		"name a path below the directory that carries the property\n" +
		`svn:externals of "etc/x", line 4: "^/c b": target appears more than once: "b" is defined in line 3: remove one of them` + "\n" +
		`svn:externals of "etc/x", line 5: "^/d .svn/hooks": unsafe target: ".svn/hooks" leads into an administrative area: ` +
		"name a path below the directory that carries the property"
	if err.Error() != want {
		t.Errorf("error\n%v\nwant\n%v", err, want)
	}
	var line *ParseError
	if !errors.As(err, &line) || line.Line != 1 || line.Dir != "etc/x" || line.Remedy == "" {
		t.Errorf("ParseError %+v", line)
	}
	if _, err := Parse("../out", ""); err == nil {
		t.Error("Parse took a directory outside the working copy")
	}
}

func TestRevisions(t *testing.T) {
	for _, c := range []struct{ value, peg, operative string }{
		{"^/a x", "HEAD", "HEAD"},
		{"^/a@7 x", "7", "7"},
		{"-r5 ^/a x", "HEAD", "5"},
		{"-r5 ^/a@7 x", "7", "5"},
		{"x -r{2026-01-02} ^/a", "{2026-01-02}", "{2026-01-02}"},
	} {
		d, _ := Parse("", c.value)
		peg, operative := d.All()[0].Revisions()
		if peg.String() != c.peg || operative.String() != c.operative {
			t.Errorf("%q: peg %v, operative %v", c.value, peg, operative)
		}
	}
	if n, ok := Number(12).Number(); n != 12 || !ok || Number(-1) != (Revision{}) {
		t.Error("Number does not give the number back")
	}
}

func BenchmarkParse(b *testing.B) {
	var value strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&value, "-r%d ^/home/branches/host%d@%d \"home/user %d/projects\"\n", i, i, i+1, i)
	}
	b.SetBytes(int64(value.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("", value.String()); err != nil {
			b.Fatal(err)
		}
	}
}
