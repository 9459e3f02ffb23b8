package metadata

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFormatXattrs(t *testing.T) {
	list := []Xattr{
		{"user.z", []byte("plain text")},
		{"security.capability", []byte("\x01\x00\x00\x02")},
		{"user.a", []byte(`he said "hi" \ there`)},
		{"user.empty", []byte{}},
		{"user.grüße", []byte("grüße")},
		{"user.lines", []byte("a\nb")},
		{"user.bidi", []byte("a\u202eb")},
		{"user.nul", []byte("ab\x00")},
		{"user.x=y\n\\\xff\x7f", []byte("v")},
	}
	want := `security.capability=0sAQAAAg==
user.a="he said \"hi\" \\ there"
user.bidi=0sYeKArmI=
user.empty=""
user.grüße="grüße"
user.lines=0sYQpi
user.nul=0sYWIA
user.x\075y\012\134\377\177="v"
user.z="plain text"
`
	got := FormatXattrs(list)
	if got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	back, err := ParseXattrs(got)
	if err != nil {
		t.Fatal(err)
	}
	if again := FormatXattrs(back); again != want || len(back) != len(list) {
		t.Errorf("came back as\n%s", again)
	}
	if list[0].Name != "user.z" {
		t.Error("the caller's list was sorted")
	}
}

func TestParseXattrs(t *testing.T) {
	list, err := ParseXattrs("user.b=0x00fF\nuser.a=\"a\\012\\\"\"\n\nuser.\\141b=0s")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := FormatXattrs(list), "user.a=0sYQoi\nuser.ab=\"\"\nuser.b=0sAP8=\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestParseXattrsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"user.a":                   `line 1: "user.a" has no =`,
		"user.a=\"\"\nuser.a=x":    `line 2: attribute user.a: value is neither "text" nor 0s… nor 0x…`,
		"user.a=\"a\"b\"":          `line 1: attribute user.a: " inside the quotes needs a backslash`,
		`user.a="a\"`:              `line 1: attribute user.a: backslash is not followed by three octal digits`,
		`user.a="\400"`:            `line 1: attribute user.a: backslash is not followed by three octal digits`,
		`user.\a=""`:               `line 1: attribute name "user.\\a": backslash is not followed by three octal digits`,
		`user.=""`:                 `line 1: "user." is no attribute name`,
		`user.a\000b=""`:           `line 1: "user.a\x00b" is no attribute name`,
		`security.selinux="x"`:     `line 1: attribute security.selinux is not versioned, only user.*, trusted.* and security.capability are`,
		"user.a=\"\"\nuser.a=\"\"": `attribute user.a is given twice`,
		"user.a=0sA":               `line 1: attribute user.a: illegal base64 data at input byte 0`,
		"user." + strings.Repeat("x", 251) + `=""`:    "line 1: attribute name of 256 bytes is too long",
		`user.a="` + strings.Repeat("x", 65537) + `"`: "line 1: attribute user.a: value of 65537 bytes is too long",
	} {
		if _, err := ParseXattrs(text); err == nil || err.Error() != want {
			t.Errorf("%.60q: error %v, want %s", text, err, want)
		}
	}
	var many strings.Builder
	for i := range 20 {
		many.WriteString("user." + string(rune('a'+i)) + `="` + strings.Repeat("x", 60000) + "\"\n")
	}
	if _, err := ParseXattrs(many.String()); err == nil || err.Error() != "line 18: extended attributes exceed 1 MiB" {
		t.Errorf("too many: %v", err)
	}
}

// TestXattrsAgainstGetfattr lets setfattr and getfattr judge names and values.
func TestXattrsAgainstGetfattr(t *testing.T) {
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			f := file(t, dir, "f", 0o644)
			for name, value := range map[string]string{
				"user.a":                `he said "hi" \ there`,
				"user.we ird=x\ny\\z\"": "1",
				"user.empty":            "",
				"user.binary":           "\x00\x01\xff",
				"user.ctrl":             "tab\tand\nline",
			} {
				if err := unix.Setxattr(f, name, []byte(value), 0); err != nil {
					t.Skipf("cannot set %q here: %v", name, err)
				}
			}
			want := tool(t, "getfattr", "-d", "--absolute-names", f)
			_, want, _ = strings.Cut(strings.TrimRight(want, "\n"), "\n")
			v := read(t, f)
			got := FormatXattrs(v.Xattrs)
			// getfattr leaves a few control characters in place.
			want = strings.Replace(want, "user.ctrl=\"tab\tand\\012line\"", "user.ctrl=0sdGFiCWFuZApsaW5l", 1)
			if got != want+"\n" {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			// setfattr --restore reads our lines.
			g := file(t, dir, "g", 0o644)
			dump := file(t, dir, "dump", 0o600)
			if err := os.WriteFile(dump, []byte("# file: "+g+"\n"+got), 0o600); err != nil {
				t.Fatal(err)
			}
			tool(t, "setfattr", "--restore="+dump)
			if changes := Compare(v, read(t, g), testNames); changes != nil {
				t.Errorf("restored differently: %s", Words(changes))
			}
		})
	}
}

func FuzzParseXattrs(f *testing.F) {
	f.Add("user.a=\"b\"\nuser.\\012=0sAAA=\n")
	f.Add("trusted.x=0xff\nsecurity.capability=0s")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseXattrs(text)
		if err != nil {
			return
		}
		once := FormatXattrs(list)
		back, err := ParseXattrs(once)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		if len(compareXattrs(list, back)) > 0 || FormatXattrs(back) != once {
			t.Fatalf("%q came back as %q", once, FormatXattrs(back))
		}
	})
}

func FuzzFormatXattrs(f *testing.F) {
	f.Add("a=\n", []byte{0})
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		name = "user." + name
		if len(name) == 5 || len(name) > maxXattrName || strings.Contains(name, "\x00") || len(value) > maxXattrValue {
			return
		}
		text := FormatXattrs([]Xattr{{name, value}})
		if strings.Count(text, "\n") != 1 || !printable(strings.TrimRight(text, "\n")) {
			t.Fatalf("%q is not one printable line", text)
		}
		back, err := ParseXattrs(text)
		if err != nil || len(back) != 1 || back[0].Name != name || string(back[0].Value) != string(value) {
			t.Fatalf("%q came back as %v, %v", text, back, err)
		}
	})
}
