package metadata

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	text := "owner 1000 anna\ngroup 50 staff\nfile-mode 0640\ndir-mode 02750\n"
	d, unknown, err := ParseDefaults(text, StandardDefaults, testNames)
	if want := (Defaults{UID: 1000, GID: 50, FileMode: 0o640, DirMode: 0o2750}); d != want || err != nil || unknown != nil {
		t.Fatalf("got %v, %v, %v; want %v", d, unknown, err, want)
	}
	if got := FormatDefaults(d, StandardDefaults, testNames); got != text {
		t.Errorf("came back as\n%s", got)
	}
	below, unknown, err := ParseDefaults("\n  owner 5 gone \ndir-mode 755", d, testNames)
	if want := (Defaults{UID: 5, GID: 50, FileMode: 0o640, DirMode: 0o755}); below != want || err != nil {
		t.Errorf("got %v, %v; want %v", below, err, want)
	}
	if got := strings.Join(unknown, ";"); got != "user gone" {
		t.Errorf("unknown %q", got)
	}
	if got, want := FormatDefaults(below, d, testNames), "owner 5\ndir-mode 0755\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseDefaultsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"owner anna":       `line 1: "anna" is no user or group number`,
		"owner 1\nowner 2": "line 2: owner is given twice",
		"file-mode 04755":  "line 1: file-mode 04755: setuid, setgid and sticky cannot be a default",
		"\ndir-mode 04755": "line 2: dir-mode 04755: setuid cannot be a default",
		"dir-mode rwx":     `line 1: "rwx" is no octal mode such as 0640 or 04755`,
		"owner":            `line 1: "" is no user or group number`,
		"mode 0644":        `line 1: unknown key "mode", known are owner, group, file-mode and dir-mode`,
	} {
		d, _, err := ParseDefaults(text, StandardDefaults, testNames)
		if err == nil || err.Error() != want || d != StandardDefaults {
			t.Errorf("%q: %v, error %v, want %s", text, d, err, want)
		}
	}
}

func FuzzParseDefaults(f *testing.F) {
	f.Add("owner 1000 anna\ngroup 50 staff\nfile-mode 0640\ndir-mode 02750\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, _, err := ParseDefaults(text, StandardDefaults, testNames)
		if err != nil {
			return
		}
		back, _, err := ParseDefaults(FormatDefaults(d, StandardDefaults, testNames), StandardDefaults, testNames)
		if back != d || err != nil {
			t.Fatalf("%v came back as %v, %v", d, back, err)
		}
	})
}
