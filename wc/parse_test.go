package wc

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	text := `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:20 / /srv/m/proc rw - proc proc rw
24 22 0:20 / /srv/m/etc/a\040b rw master:1 - tmpfs tmpfs rw
25 22 0:20 / /srv/mm rw - tmpfs tmpfs rw
`
	got, err := parseMounts(strings.NewReader(text), "/srv/m")
	if want := (Mounts{"proc": true, "etc/a b": true}); err != nil || !maps.Equal(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	if point, crosses := got.Crosses("", "proc/1/fd"); !crosses || point != "proc" {
		t.Fatalf("got %q, %v", point, crosses)
	}
	if _, crosses := got.Crosses("proc", "proc/1"); crosses {
		t.Fatal("a working copy at the mount point itself crosses nothing")
	}
	if _, err := parseMounts(strings.NewReader("1 2 3\n"), "/"); err == nil {
		t.Fatal("a short line was taken")
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(`24 22 0:20 / /srv/m/etc/a\040b rw master:1 - tmpfs tmpfs rw`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseMounts(strings.NewReader(text), "/srv") })
}

func TestParseInfo(t *testing.T) {
	got, err := parseInfo(strings.NewReader(`<?xml version="1.0"?><info><entry kind="dir" path="one" revision="7">
<url>svn://h/r/a%20b</url><repository><root>svn://h/r</root><uuid>u</uuid></repository><commit revision="5"/></entry></info>`))
	want := Info{URL: "svn://h/r/a%20b", Root: "svn://h/r", UUID: "u", Kind: "dir", Revision: 7, LastChanged: 5}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := parseInfo(strings.NewReader("<info/>")); err == nil {
		t.Fatal("an empty answer was taken")
	}
}

func TestParseLog(t *testing.T) {
	got, err := parseLog(strings.NewReader(`<log><logentry revision="5"><author>a</author><date>2026-01-02T03:04:05.000006Z</date>
<paths><path action="R" copyfrom-path="/x" kind="file">/h/b c</path></paths><msg>m
n</msg><revprops><property name="rootwc:commit">abc</property></revprops></logentry></log>`))
	if err != nil || len(got) != 1 || got[0].Paths[0] != (LogPath{"/h/b c", "R", "/x"}) || got[0].Properties["rootwc:commit"] != "abc" || got[0].Message != "m\nn" {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestParseSurvey(t *testing.T) {
	nodes, err := parseList(strings.NewReader(`<lists><list path="u"><entry kind="file"><name>etc/z</name><size>3</size></entry><entry kind="dir"><name>etc</name></entry></list></lists>`))
	if err != nil || len(nodes) != 2 || nodes[1] != (SurveyNode{"etc/z", false, 3}) {
		t.Fatalf("got %v, %v", nodes, err)
	}
	props, err := parsePropList(strings.NewReader(`<properties><target path="svn://h/r/etc/a%20b"><property name="svn:owner">0 root</property>
<property name="bin" encoding="base64">AAE=
</property></target><target path="svn://h/r"><property name="x">y</property></target></properties>`), "svn://h/r")
	if err != nil || props["etc/a b"]["bin"] != "\x00\x01" || props[""]["x"] != "y" {
		t.Fatalf("got %q, %v", props, err)
	}
}

func FuzzParseSvnXML(f *testing.F) {
	f.Add(`<info><entry kind="dir" revision="7"><url>u</url></entry></info>`)
	f.Add(`<log><logentry revision="5"/></log>`)
	f.Add(`<properties><target path="u"><property name="b" encoding="base64">!</property></target></properties>`)
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = parseInfo(strings.NewReader(text))
		_, _ = parseLog(strings.NewReader(text))
		_, _ = parseList(strings.NewReader(text))
		_, _ = parsePropList(strings.NewReader(text), "u")
	})
}

func TestWithheldList(t *testing.T) {
	files := map[string]*withheldFile{
		"etc/shadow":  {Path: "etc/shadow", Properties: map[string]string{"svn:unix-mode": "0640", "svn:group": "42 shadow"}},
		"etc/gshadow": {Path: "etc/gshadow"},
	}
	text, err := formatWithheld(files)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseWithheld(text)
	if err != nil || len(again) != 2 || again["etc/shadow"].Properties["svn:group"] != "42 shadow" {
		t.Fatalf("got %v, %v from\n%s", again, err, text)
	}
	for _, path := range []string{"../etc/shadow", "/etc/shadow", "", ".", "etc//shadow"} {
		if _, err := parseWithheld([]byte("format = \"1.0.0\"\n[[file]]\npath = \"" + path + "\"\n")); err == nil {
			t.Errorf("the path %q was taken", path)
		}
	}
}

func FuzzParseWithheld(f *testing.F) {
	f.Add([]byte("format = \"1.0.0\"\n[[file]]\npath = \"etc/shadow\"\nproperties = { a = \"b\" }\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = parseWithheld(text) })
}

func TestHomes(t *testing.T) {
	got := homes("root:x:0:0:root:/root:/bin/sh\nbad\nanna:x:1000:1001::/home/anna/:/bin/sh\nx:y:z:0::/:\n")
	if len(got) != 2 || got[1] != (home{"anna", 1000, 1001, "/home/anna"}) {
		t.Fatalf("got %v", got)
	}
}

func TestMemberships(t *testing.T) {
	got := memberships("root:x:0:\nadm:x:4:anna,ben\nbad:x:y:anna\nstaff:x:50: anna ,\n")
	if len(got) != 2 || !slices.Equal(got["anna"], []uint32{4, 50}) || !slices.Equal(got["ben"], []uint32{4}) {
		t.Fatalf("got %v", got)
	}
}

func FuzzHomes(f *testing.F) {
	f.Add("anna:x:1000:1000::/home/anna:/bin/sh\n")
	f.Fuzz(func(_ *testing.T, text string) { _ = homes(text) })
}

func TestTarget(t *testing.T) {
	for in, want := range map[string]string{"": ".", "-a": "./-a@", "a@b": "./a@b@", " a ": "./ a @"} {
		if got := target(in); got != want {
			t.Errorf("target(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEscapeURL(t *testing.T) {
	const path = "a b/ü%#?@(x)/[y]"
	escaped := EscapeURL(path)
	if strings.ContainsAny(escaped, " #?[]") || UnescapeURL(escaped) != path {
		t.Fatalf("got %q, which reads back as %q", escaped, UnescapeURL(escaped))
	}
}

func TestRevisionWord(t *testing.T) {
	for in, want := range map[string]string{"12": "12", "r12": "12", "head": "HEAD", "2026-05-01": "{2026-05-01}", "{2026-05-01}": "{2026-05-01}"} {
		if got := RevisionWord(in); got != want {
			t.Errorf("RevisionWord(%q) = %q, want %q", in, got, want)
		}
	}
}
