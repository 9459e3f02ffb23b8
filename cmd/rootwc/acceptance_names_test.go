package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// storableNames are names that Subversion can keep, however odd.
var storableNames = map[string]string{
	"blank":                        "with blank",
	"blanks":                       "two  blanks",
	"leading blank":                " leading",
	"trailing blank":               "trailing ",
	"leading and trailing blank":   "  both  ",
	"single quote":                 "it's",
	"double quote":                 `say "hi"`,
	"backslash":                    `back\slash`,
	"trailing backslash":           `back\`,
	"backslash n":                  `a\nb`,
	"at inside":                    "a@b",
	"at trailing":                  "a@",
	"at several":                   "@a@@b@@",
	"at alone":                     "@",
	"at revision":                  "a@1",
	"at HEAD":                      "a@HEAD",
	"percent":                      "100%",
	"percent 41":                   "%41",
	"percent slash":                "a%2Fb",
	"percent dots":                 "%2e%2e",
	"leading dash":                 "-dash",
	"leading dashes":               "--root",
	"dashes":                       "--",
	"hash":                         "#hash",
	"hash inside":                  "a#b",
	"semicolon":                    "a;b",
	"command":                      "$(touch pwned)",
	"command in backquotes":        "`touch pwned`",
	"variable":                     "$HOME",
	"pipe":                         "a|b&c",
	"redirection":                  "a>b<c",
	"star":                         "*",
	"pattern":                      "[a-c]?*",
	"braces":                       "{a,b}",
	"exclamation":                  "!a",
	"caret":                        "^a",
	"tilde":                        "~a",
	"colon":                        "a:b",
	"equals":                       "a=b",
	"plus":                         "a+b",
	"comma":                        "a,b",
	"question mark":                "a?b=c",
	"dots":                         "...",
	"trailing dot":                 "a.",
	"keyword":                      "$Id$",
	"NFC":                          "caf\u00e9",
	"NFD":                          "cafe\u0301",
	"other script":                 "файл 日本語 🙂",
	"right to left":                "a\u202eb",
	"zero width":                   "a\u200bb\ufeff",
	"C1 control character":         "a\u0085b",
	"line separator":               "a\u2028b",
	"no character of XML":          "a\uffffb",
	"255 bytes":                    strings.Repeat("x", 255),
	"255 bytes in UTF-8":           strings.Repeat("é", 127) + "x",
	"255 bytes of percents":        strings.Repeat("%", 255),
	"looks like a conflict marker": "<<<<<<< .mine",
	"looks like svn's own files":   "a.r1",
}

// unstorableNames are names that Subversion cannot keep.
var unstorableNames = map[string]string{
	"newline":            "new\nline",
	"trailing newline":   "newline\n",
	"carriage return":    "car\rriage",
	"tab":                "ta\tb",
	"bell":               "bell\a",
	"escape":             "\x1b[31mred",
	"delete":             "del\x7f",
	"latin-1":            "caf\xe9",
	"bytes":              "\xff\xfe",
	"overlong":           "a\xc0\xafb",
	"surrogate":          "a\xed\xa0\x80b",
	"cut off":            "a\xe2\x82",
	"quoted and unclean": "\"';\n$(touch pwned)",
}

// surroundings are the environments in which rootwc is started.
var surroundings = []struct {
	name string
	wrap []string
}{
	{"as usual", nil},
	{"in the C locale", []string{"env", "LC_ALL=C", "LANG=C"}},
	{"with an empty environment", []string{"env", "-i"}},
	{"with an empty environment but PATH", []string{"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
	{"with standard input closed", []string{"/bin/sh", "-c", `exec "$@" <&-`, "sh"}},
	{"with all standard files closed but two", []string{"/bin/sh", "-c", `exec "$@" <&- 3<&- 4<&-`, "sh"}},
}

// TestOddNamesRoundTrip sends every name through every verb, a handful at a time.
func TestOddNamesRoundTrip(t *testing.T) {
	needs(t)
	t.Parallel()
	const handful = 7
	labels := slices.Sorted(maps.Keys(storableNames))
	for i := 0; i < len(labels); i += handful {
		some := labels[i:min(i+handful, len(labels))]
		t.Run(strings.Join(some, ", "), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			if slices.Contains(some, "command") {
				s.serve()
			}
			var names []string
			for _, label := range some {
				names = append(names, storableNames[label])
			}
			roundTrip(t, s, names)
		})
	}
}

// TestOddNamesInOddSurroundings repeats that where locale, environment and
// standard input are not what a terminal gives.
func TestOddNamesInOddSurroundings(t *testing.T) {
	needs(t)
	t.Parallel()
	var names []string
	for _, label := range []string{"NFC", "NFD", "at several"} {
		names = append(names, storableNames[label])
	}
	for _, around := range surroundings[1:] {
		t.Run(around.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.m1.wrap, s.m2.wrap = around.wrap, around.wrap
			roundTrip(t, s, names)
		})
	}
}

// TestLongSymlinkNames: svn makes a symlink under its name with ".tmp" first, so
// the longest names are a finding, before they break an update elsewhere.
func TestLongSymlinkNames(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	s.pair("echo rest >rest")
	s.m1.write("srv/rest", "second\n")
	long := "srv/" + strings.Repeat("x", 255)
	must(t, "", "ln", "-s", "target", s.m1.path(long))
	must(t, "", "ln", "-s", "target", s.m1.path("srv/"+strings.Repeat("y", longestLink)))
	a := s.m1.run("commit", "--add", "-m", "long names")
	if a.status != 0 && a.status != 4 || !strings.Contains(a.stderr, long) {
		t.Errorf("commit: %v", a)
	}
	s.m1.one(long)
	s.m2.quiet("update")
	must(t, "", "rm", s.m1.path(long))
	s.same("after the update")
	s.m2.clean("after the update")
}

// odd are the paths that one name is used for.
type odd struct{ name, file, dir, inDir, link string }

func oddPaths(name string) odd {
	return odd{name, "srv/files/" + name, "srv/dirs/" + name, "srv/dirs/" + name + "/" + name, "srv/links/" + name}
}

// all are the operands for what was planted; symlinks of the longest names are
// a test of their own.
func (o odd) all() []string {
	if len(o.name) > longestLink {
		return []string{o.file, o.dir}
	}
	return []string{o.file, o.dir, o.link}
}

const longestLink = 251

// plant puts a file, a directory with a child, and a symlink of the name into srv.
func (o odd) plant(m *machine) {
	m.t.Helper()
	m.write(o.file, "first\n")
	m.write(o.inDir, "first\n")
	m.write("srv/links/rest", "first\n")
	if len(o.name) <= longestLink {
		must(m.t, "", "ln", "-s", "--", "to "+o.name, m.path(o.link))
	}
}

// change changes what plant made.
func (o odd) change(m *machine) {
	m.t.Helper()
	m.write(o.file, "second\n")
	m.write(o.inDir, "second\n")
	must(m.t, "", "chmod", "0700", m.path(o.dir))
	if len(o.name) <= longestLink {
		must(m.t, "", "ln", "-sfnT", "--", "other "+o.name+" ", m.path(o.link))
	}
}

func roundTrip(t *testing.T, s *sandbox, names []string) {
	s.pair("mkdir links; echo rest >links/rest; mkdir files dirs")
	var all []odd
	var operands []string
	for _, name := range names {
		o := oddPaths(name)
		all = append(all, o)
		operands = append(operands, o.all()...)
		o.plant(s.m1)
	}
	with := func(m *machine, args ...string) string {
		t.Helper()
		return m.quiet(append(append(args, "--"), operands...)...)
	}
	s.m1.write("srv/links/rest", "rest\n")
	with(s.m1, "add")
	with(s.m1, "revert")
	with(s.m1, "add")
	added := s.m1.quiet("status")
	for _, o := range all {
		for _, path := range append(o.all(), o.inDir) {
			if !strings.Contains(added, "A "+safe(path)+"\n") {
				t.Errorf("status lacks %q:\n%s", path, added)
			}
		}
	}
	with(s.m1, "commit", "-m", "first")
	s.m1.clean("after the commit")
	s.m2.quiet("update")
	s.same("after the update")
	s.m2.clean("after the update")

	for _, o := range all {
		o.change(s.m1)
		o.review(t, s.m1)
	}
	if out := s.m1.quiet("diff", "--json"); !json.Valid([]byte(out)) {
		t.Errorf("diff --json is no JSON:\n%s", out)
	}
	with(s.m1, "commit", "-m", "second")
	s.m1.clean("after the second commit")
	for _, o := range all {
		o.history(t, s.m1)
	}
	s.m2.quiet("update")
	s.same("after the second update")

	before := s.m1.tree("srv")
	for _, o := range all {
		s.m1.write(o.file, "third\n")
		must(t, s.m1.root, append([]string{"rm", "-r"}, o.all()[1:]...)...)
	}
	with(s.m1, "revert")
	sameTrees(t, "after the revert", before, s.m1.tree("srv"))
	s.m1.clean("after the revert")
	for _, o := range all {
		o.restore(t, s.m1)
	}
	with(s.m1, "revert")
	s.m1.clean("after the second revert")
	for _, o := range all {
		ignoreOdd(t, s, o.name)
	}
	s.m1.clean("after the patterns are gone")

	m3 := newMachine(t, filepath.Join(s.dir, "m3"), annaOn1, staff1)
	m3.wrap = s.m1.wrap
	m3.ok("materialize", s.host())
	sameTrees(t, "after the materialize", s.m1.tree("srv"), m3.tree("srv"))
	m3.clean("after the materialize")

	must(t, s.m1.root, append([]string{"rm", "-r", "--"}, operands...)...)
	with(s.m1, "commit", "-m", "away")
	s.m2.quiet("update", "--emptying")
	s.same("after all of it was removed")
	if found := must(t, s.dir, "find", ".", "-name", "pwned"); found != "" {
		t.Errorf("something was executed: %s", found)
	}
}

// review looks at local changes.
func (o odd) review(t *testing.T, m *machine) {
	t.Helper()
	if out := m.quiet("diff", "--", o.file); !strings.Contains(out, "Index: "+safe(o.file)+"\n") || !strings.Contains(out, "+second") {
		t.Errorf("diff of the file:\n%s", out)
	}
	if out := m.quiet("diff", "--", o.dir); !strings.Contains(out, safe(o.inDir)) || !strings.Contains(out, "0755 -> 0700") {
		t.Errorf("diff of the directory:\n%s", out)
	}
	var status statusDoc
	out := m.quiet("status", "--json", "--", o.dir)
	if err := json.Unmarshal([]byte(out), &status); err != nil || len(status.Entries) != 2 || status.Entries[0].Path != o.dir || status.Entries[1].Path != o.inDir {
		t.Errorf("status --json of the directory: %v\n%s", err, out)
	}
}

// history asks for the revisions of what was committed as 3 and 4. svn's XML
// cannot tell characters that XML does not have.
func (o odd) history(t *testing.T, m *machine) {
	t.Helper()
	told := strings.ReplaceAll(hostPath+"/"+safe(o.inDir), "\uffff", "\ufffd")
	out := m.quiet("log", "--changed", "--", o.inDir)
	for _, want := range []string{"\nsecond\n", "\nfirst\n", "M " + told + "\n", "A " + told + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("log of %q lacks %q:\n%s", o.inDir, want, out)
		}
	}
	if out := m.quiet("diff", "-r", "3:4", "--", o.file); !strings.Contains(out, "+second") {
		t.Errorf("diff of revisions of %q:\n%s", o.file, out)
	}
}

// restore brings revision 3 back.
func (o odd) restore(t *testing.T, m *machine) {
	t.Helper()
	for _, path := range o.all() {
		m.ok("restore", "--at", "3", "--", path)
	}
	if m.read(o.file) != "first\n" || m.read(o.inDir) != "first\n" || m.mode(o.dir) != 0o755 {
		t.Errorf("after restore: %q, %q, %04o", m.read(o.file), m.read(o.inDir), m.mode(o.dir))
	}
	if len(o.name) > longestLink {
		return
	}
	if to, _ := os.Readlink(m.path(o.link)); to != "to "+o.name {
		t.Errorf("after restore %q leads to %q", o.link, to)
	}
}

// ignoreOdd hides an unversioned path of the name, and nothing else.
func ignoreOdd(t *testing.T, s *sandbox, name string) {
	t.Helper()
	dir := "srv/ignored"
	if !s.m1.exists(dir) {
		s.m1.shell("mkdir srv/ignored")
		s.m1.ok("commit", "--add", "-m", "ignored", dir)
	}
	path := dir + "/" + name
	s.m1.write(path, "noise\n")
	s.m1.write(dir+"/ac", "news\n") // a careless pattern matches it as well
	s.m1.ok("ignore", "--", path)
	if out := s.m1.ok("status", dir); strings.Contains(out, "? "+safe(path)+"\n") || !strings.Contains(out, "? srv/ignored/ac\n") {
		t.Errorf("after ignore:\n%s", out)
	}
	if why := s.m1.ok("ignore", "--why", "--", path); !strings.Contains(why, "ignored by pattern") {
		t.Errorf("why: %s", why)
	}
	if plain := s.svn(s.m1.path(dir), "status", "--config-option", "config:miscellany:global-ignores="); strings.Count(plain, "?       ") != 1 || !strings.Contains(plain, "?       ac\n") {
		t.Errorf("plain svn does not read the pattern for %q the same way:\n%s", name, plain)
	}
	s.m1.ok("ignore", "--remove", "--", path)
	if out := s.m1.ok("status", dir); !strings.Contains(out, "? "+safe(path)+"\n") {
		t.Errorf("after ignore --remove:\n%s", out)
	}
	s.m1.ok("revert", ".")
	must(t, s.m1.root, "rm", "--", "./"+path, dir+"/ac")
}

// TestSymlinksThatLeadNowhere: svn looks at what a symlink leads to now and then.
func TestSymlinksThatLeadNowhere(t *testing.T) {
	needs(t)
	t.Parallel()
	for name, make := range map[string]string{
		"to itself":                        "ln -s x x",
		"to one that leads back":           "ln -s y x; ln -s x y",
		"below a file":                     "ln -s rest/below x",
		"to nothing":                       "ln -s nothing x",
		"to itself by an absolute path":    "ln -s $PWD/x x",
		"to the directory that holds it":   "ln -s . x",
		"to the directory above":           "ln -s .. x",
		"to the root":                      "ln -s / x",
		"to svn's own directory":           "ln -s ../.svn x",
		"to the state directory":           "ln -s ../var/lib/rootwc x",
		"to a directory that is versioned": "ln -s dir x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.pair("echo rest >rest; mkdir dir; echo child >dir/child")
			s.m1.shell("cd srv; " + make)
			s.m1.quiet("add", "srv/x")
			s.m1.quiet("commit", "--add", "-m", "x")
			s.m1.clean("after the commit")
			s.m2.quiet("update")
			s.same("after the update")
			s.m1.shell("ln -sfnT nowhere srv/x")
			s.m1.one("srv/x")
			s.m1.quiet("revert", "srv/x")
			s.m1.clean("after the revert")
			s.same("after the revert")
			s.m1.shell("rm srv/x")
			s.m1.quiet("commit", "-m", "away")
			s.m2.quiet("update")
			s.same("after its removal")
			s.m2.clean("after its removal")
		})
	}
}

// TestSymlinkTargetsThatAreNoText: svn keeps targets as UTF-8 text; one that is
// not must not stop the rest.
func TestSymlinkTargetsThatAreNoText(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	s.pair("echo rest >rest; ln -s target x")
	must(t, "", "ln", "-sfnT", "caf\xe9", s.m1.path("srv/x"))
	s.m1.one("srv/x")
	must(t, "", "ln", "-s", "caf\xe9", s.m1.path("srv/y"))
	s.m1.write("srv/rest", "second\n")
	a := s.m1.run("commit", "--add", "-m", "the rest")
	if a.status != 0 && a.status != 4 || !strings.Contains(a.stderr, "srv/x") || !strings.Contains(a.stderr, "srv/y") {
		t.Errorf("commit: %v", a)
	}
	if lines := s.m1.run("status").lines(); len(lines) != 2 {
		t.Errorf("after the commit: %q", lines)
	}
	s.m2.quiet("update")
	if s.m2.read("srv/rest") != "second\n" {
		t.Error("the rest did not arrive")
	}
}

// TestSymlinkTargetsOnTwoLines: svn reads the first line of what it has stored.
// Such a target arrives as it is, or is a finding.
func TestSymlinkTargetsOnTwoLines(t *testing.T) {
	needs(t)
	t.Parallel()
	for name, target := range map[string]string{"newline": "new\nline", "trailing newline": "newline\n", "carriage return": "car\rriage", "controls": "\x1b\t\a", "blanks": "  x  "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.pair("echo rest >rest")
			must(t, "", "ln", "-s", target, s.m1.path("srv/x"))
			s.m1.write("srv/rest", "second\n")
			a := s.m1.run("commit", "--add", "-m", "x")
			if a.status != 0 && a.status != 4 {
				t.Errorf("commit: %v", a)
			}
			s.m2.quiet("update")
			to, err := os.Readlink(s.m2.path("srv/x"))
			if s.m2.read("srv/rest") != "second\n" || to != target && (err == nil || !strings.Contains(a.stderr, "srv/x")) {
				t.Errorf("the target arrived as %q, %v; the commit said: %v", to, err, a)
			}
			s.m2.clean("after the update")
		})
	}
}

// TestBothFormsOfAWord: NFC and NFD of one word are two files.
func TestBothFormsOfAWord(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	s.pair("echo rest >rest")
	nfc, nfd := "srv/caf\u00e9", "srv/cafe\u0301"
	s.m1.write(nfc, "one\n")
	s.m1.write(nfd, "two\n")
	s.m1.quiet("commit", "--add", "-m", "both")
	s.m1.clean("after the commit")
	s.m2.quiet("update")
	s.same("after the update")
	s.m1.write(nfd, "three\n")
	s.m1.one(nfd)
	s.m1.quiet("revert", nfc)
	s.m1.one(nfd)
	s.m1.quiet("commit", "-m", "one of them", nfd)
	s.m2.quiet("update")
	s.same("after the second update")
	must(t, "", "rm", s.m1.path(nfc))
	s.m1.one(nfc)
	s.m1.quiet("revert", nfc)
	s.m1.clean("after the revert")
}

// TestOperandsThatLookLikeOptions names paths at the top of the root.
func TestOperandsThatLookLikeOptions(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	s.pair("echo rest >rest")
	for _, name := range []string{"-m", "--help", "-", "@", " ", "%41"} {
		s.m1.write("./"+name, "first\n")
		s.m1.quiet("add", "--", name)
		s.m1.one(name)
		s.m1.quiet("commit", "-m", "x", "--", name)
		s.m1.write("./"+name, "second\n")
		s.m1.quiet("revert", s.m1.path(name))
		s.m1.clean("after reverting " + name)
		s.m2.quiet("update")
		if s.m2.read("./"+name) != "first\n" {
			t.Errorf("%q did not arrive", name)
		}
	}
}

// TestUnstorableNames: one finding each, and the rest is committed.
func TestUnstorableNames(t *testing.T) {
	needs(t)
	t.Parallel()
	for _, around := range surroundings {
		t.Run(around.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.m1.wrap, s.m2.wrap = around.wrap, around.wrap
			s.pair("echo rest >rest; mkdir files dirs links fifos; echo rest >dirs/rest")
			for _, name := range unstorableNames {
				s.m1.write("srv/files/"+name, "x")
				s.m1.write("srv/dirs/"+name+"/child", "x")
				must(t, "", "ln", "-s", "--", "target", s.m1.path("srv/links/"+name))
				must(t, "", "mkfifo", s.m1.path("srv/fifos/"+name))
			}
			s.m1.write("srv/rest", "second\n")
			s.m1.write("srv/files/new", "new\n")
			want := 4*len(unstorableNames) + 2
			if lines := s.m1.run("status").lines(); len(lines) != want {
				t.Errorf("%d lines, want %d:\n%s", len(lines), want, strings.Join(lines, "\n"))
			}
			checkUnstorable(t, s)
			a := s.m1.run("commit", "--add", "-m", "the rest")
			if a.status != 0 && a.status != 4 {
				t.Errorf("commit: %v", a)
			}
			if named := strings.Count(a.stderr, "which Subversion cannot store"); named != 4*len(unstorableNames) || strings.Count(a.stderr, "\n") >= named+3 {
				t.Errorf("commit names %d of %d: %v", named, 4*len(unstorableNames), a)
			}
			if lines := s.m1.run("status").lines(); len(lines) != want-2 {
				t.Errorf("after the commit: %s", strings.Join(lines, "\n"))
			}
			s.m2.quiet("update")
			if s.m2.read("srv/rest") != "second\n" || s.m2.read("srv/files/new") != "new\n" {
				t.Error("the rest did not arrive")
			}
			for _, verb := range [][]string{{"diff"}, {"diff", "--json"}, {"revert", "."}, {"repair"}, {"update"}, {"ignore"}, {"status", "--no-ignore"}, {"doctor", "--offline"}} {
				if a := s.m1.run(verb...); a.status != 0 && a.status != 4 {
					t.Errorf("%v", a)
				}
			}
			name := unstorableNames["newline"]
			if a := s.m1.run("add", "--", "srv/files/"+name); !strings.Contains(a.stderr, `new\nline`) || a.status == 2 {
				t.Errorf("add of one: %v", a)
			}
			s.m2.clean("on the second machine")
		})
	}
}

// checkUnstorable looks at the JSON.
func checkUnstorable(t *testing.T, s *sandbox) {
	t.Helper()
	var doc statusDoc
	out := s.m1.quiet("status", "--json")
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("status --json: %v\n%s", err, out)
	}
	found := map[string]int{}
	for _, e := range doc.Entries {
		if e.Status == "unstorable" {
			found[string(e.PathBytes)]++
		}
	}
	for _, name := range unstorableNames {
		for _, dir := range []string{"files", "dirs", "links", "fifos"} {
			if path := "srv/" + dir + "/" + name; found[path] != 1 {
				t.Errorf("%q is found %d times", path, found[path])
			}
		}
	}
	if len(found) != 4*len(unstorableNames) {
		t.Errorf("%d findings, want %d: %v", len(found), 4*len(unstorableNames), fmt.Sprint(found))
	}
}
