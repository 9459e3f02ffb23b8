package metadata

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLoadNames(t *testing.T) {
	table := mustNames(`root:x:0:0:root:/root:/bin/bash
toor:x:0:0::/root:/bin/sh
anna:x:1000:1000:Anna,,,:/home/anna:/bin/bash
anna:x:1001:1001::/:/bin/sh
# bob:x:7:7::/:/bin/sh
+nis:x:8:8::/:/bin/sh
-nis:x:9:9::/:/bin/sh

short:x:10
neg:x:-1:1::/:
big:x:4294967295:1::/:
plus:x:+11:1::/:
two words:x:12:12::/:
 edge:x:13:13::/:
bell`+"\a"+`:x:14:14::/:
latin`+"\xe9"+`:x:15:15::/:
last:x:16:16`, "root:x:0:\nadm:x:4:anna,root\n+:::\n")
	for uid, want := range map[uint32]string{0: "root", 1000: "anna", 1001: "anna", 7: "", 8: "", 9: "", 10: "", 11: "", 12: "two words", 13: "", 14: "", 15: "", 16: "last"} {
		if got, ok := table.UserName(uid); got != want || ok != (want != "") {
			t.Errorf("uid %d is %q, want %q", uid, got, want)
		}
	}
	for name, want := range map[string]uint32{"root": 0, "toor": 0, "anna": 1000, "two words": 12} {
		if got, ok := table.UID(name); got != want || !ok {
			t.Errorf("%s is %d, %t, want %d", name, got, ok, want)
		}
	}
	if got, ok := table.GID("adm"); got != 4 || !ok {
		t.Errorf("adm is %d, %t", got, ok)
	}
	if got, ok := table.GroupName(1000); ok {
		t.Errorf("group 1000 is %q", got)
	}
}

func TestLoadNamesErrors(t *testing.T) {
	none := strings.NewReader("")
	if _, err := LoadNames(none, iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil || err.Error() != "group: unexpected EOF" {
		t.Errorf("error %v", err)
	}
	if _, err := LoadNames(strings.NewReader(strings.Repeat("x", maxLine+1)), none); err == nil || !strings.HasPrefix(err.Error(), "passwd: ") {
		t.Errorf("error %v", err)
	}
}

func TestRealm(t *testing.T) {
	u := users(testNames)
	for id, want := range map[uint32]string{0: "0 root", 1000: "1000 anna", 7: "7"} {
		if got := u.text(id); got != want {
			t.Errorf("%d is %q, want %q", id, got, want)
		}
	}
	for text, want := range map[string]struct {
		id      uint32
		unknown string
	}{
		"1000 anna":    {1000, ""},
		"7 anna":       {1000, ""}, // the name wins
		"7":            {7, ""},
		"7 ":           {7, ""}, // FSVS without a name
		" 7   anna \n": {1000, ""},
		"7 gone":       {7, "user gone"},
	} {
		id, unknown, err := u.resolve(text)
		if id != want.id || unknown != want.unknown || err != nil {
			t.Errorf("%q: %d, %q, %v; want %v", text, id, unknown, err, want)
		}
	}
	for text, want := range map[string]string{
		"":           `"" is no user or group number`,
		"anna":       `"anna" is no user or group number`,
		"-1 x":       `"-1" is no user or group number`,
		"4294967295": "number 4294967295 is out of range",
		"4294967296": "number 4294967296 is out of range",
	} {
		if _, _, err := u.resolve(text); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func FuzzLoadNames(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\n+\n", "root:x:0:\n")
	f.Fuzz(func(t *testing.T, passwd, group string) {
		table, err := LoadNames(strings.NewReader(passwd), strings.NewReader(group))
		if err != nil {
			return
		}
		u := users(table)
		for id, name := range table.users.name {
			// What is written is read back as the same user.
			back, unknown, err := u.resolve(u.text(id))
			if err != nil || unknown != "" || back != id {
				t.Fatalf("%q, named %q, came back as %d, %q, %v", u.text(id), name, back, unknown, err)
			}
		}
	})
}
