package metadata

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

func fromBase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseACL(t *testing.T) {
	// What the kernel returned for setfacl -m u:1000:rw on a file with 0644.
	raw := fromBase64(t, "AgAAAAEABgD/////AgAGAOgDAAAEAAQA/////xAABgD/////IAAEAP////8=")
	a, err := ParseACL(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := "user::rw-\nuser:1000 anna:rw-\ngroup::r--\nmask::rw-\nother::r--\n"
	if got := FormatACL(a, nil, testNames); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if !bytes.Equal(a.Xattr(), raw) {
		t.Errorf("Xattr() = %x, want %x", a.Xattr(), raw)
	}
	if got := a.statBits(); got != 0o664 {
		t.Errorf("stat bits %#o, want 0664", got)
	}
	if got := a.plainBits(); got != 0o644 {
		t.Errorf("plain bits %#o, want 0644", got)
	}
}

func TestParseACLNormalises(t *testing.T) {
	minimal := &ACL{Entries: []ACLEntry{{Tag: TagUserObj, Perm: 6}, {Tag: TagGroupObj, Perm: 4}, {Tag: TagOther, Perm: 4}}}
	if a, err := ParseACL(minimal.Xattr()); a != nil || err != nil {
		t.Errorf("minimal access ACL: %v, %v; want nil", a, err)
	}
	if a, err := ParseDefaultACL(minimal.Xattr()); !a.Equal(minimal) || err != nil {
		t.Errorf("minimal default ACL: %v, %v; want it back", a, err)
	}
	if a, err := ParseACL((&ACL{}).Xattr()); a != nil || err != nil {
		t.Errorf("empty ACL: %v, %v; want nil", a, err)
	}
}

func TestParseACLErrors(t *testing.T) {
	good := (&ACL{Entries: []ACLEntry{{Tag: TagUserObj}, {Tag: TagUser, ID: 7}, {Tag: TagGroupObj}, {Tag: TagMask}, {Tag: TagOther}}}).Xattr()
	with := func(at int, b byte) []byte { c := bytes.Clone(good); c[at] = b; return c }
	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "ACL of 0 bytes is too short"},
		{"version", with(0, 3), "ACL has version 3, only 2 is known"},
		{"cut", good[:len(good)-1], "ACL of 43 bytes ends within an entry"},
		{"tag", with(4, 0x40), "ACL entry has unknown tag 0x40"},
		{"perm", with(6, 8), "ACL entry has permissions 010"},
		{"twice", with(4, 0x20), "ACL repeats a other:: entry"},
		{"no mask", append(bytes.Clone(good[:28]), good[36:]...), "ACL names users or groups and has no mask:: entry"},
		{"no owner", append(bytes.Clone(good[:4]), good[12:]...), "ACL has no user:: entry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseACL(test.raw); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	unmapped := bytes.Clone(good)
	copy(unmapped[16:], "\xff\xff\xff\xff")
	if _, err := ParseACL(unmapped); err == nil {
		t.Error("an unmapped user is accepted")
	}
}

func TestParseACLText(t *testing.T) {
	text := "other::---\ndefault:mask::rwx\nuser:9 anna:rw-\nuser::rw-\n\ngroup::r--\ngroup:staff:r-x\ngroup:77 gone:--x\nmask::rwx\n" +
		"default:user::rwx\ndefault:user:5:r--\ndefault:group::---\ndefault:other::---"
	access, deflt, unknown, err := ParseACLText(text, testNames)
	if err != nil {
		t.Fatal(err)
	}
	want := "user::rw-\nuser:1000 anna:rw-\ngroup::r--\ngroup:50 staff:r-x\ngroup:77:--x\nmask::rwx\nother::---\n" +
		"default:user::rwx\ndefault:user:5:r--\ndefault:group::---\ndefault:mask::rwx\ndefault:other::---\n"
	if got := FormatACL(access, deflt, testNames); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := strings.Join(unknown, ";"); got != "group gone" {
		t.Errorf("unknown %q, want group gone", got)
	}
}

func TestParseACLTextErrors(t *testing.T) {
	base := "user::rw-\ngroup::r--\nother::r--\n"
	for text, want := range map[string]string{
		"user::rw":                   `line 1: permissions "rw" are not of the form rwx`,
		base + "mask::wr-":           `line 4: permissions "wr-" are not of the form rwx`,
		base + "user:nobody:rw-":     `line 4: user "nobody" is not known here and has no number`,
		base + "user:4294967295:r--": "line 4: number 4294967295 is out of range",
		base + "mask:1000:rw-":       `line 4: "mask:1000:rw-" is no ACL entry such as user::rw- or user:1000 anna:rw-`,
		base + "# file: x":           `line 4: "# file: x" is no ACL entry such as user::rw- or user:1000 anna:rw-`,
		base + "user:1000:rw-":       "ACL names users or groups and has no mask:: entry",
		"default:user::rwx":          "default ACL has no group:: entry",
		base + "mask::r--\nuser:1000:r--\nuser:3 anna:r--": "ACL repeats a user entry",
	} {
		if _, _, _, err := ParseACLText(text, testNames); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// TestACLAgainstSetfacl lets setfacl write and us read, then the other way.
func TestACLAgainstSetfacl(t *testing.T) {
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			f := file(t, dir, "f", 0o644)
			sub := dir + "/sub"
			if err := os.Mkdir(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			tool(t, "setfacl", "-m", "u:1000:rwx,g:50:r--,u:54321:---", f)
			tool(t, "setfacl", "-m", "u:1000:rx,d:u:1000:rw,d:g:50:r", sub)
			for _, path := range []string{f, sub} {
				v := read(t, path)
				if v.ACL == nil {
					t.Fatalf("%s has no ACL", path)
				}
				want := tool(t, "getfacl", "-n", "-p", "-c", "--no-effective", path)
				if got := FormatACL(v.ACL, v.DefaultACL, &Table{}); got != strings.TrimRight(want, "\n")+"\n" {
					t.Errorf("%s: got\n%swant\n%s", path, got, want)
				}
				if v.Mode&permBits != v.ACL.statBits() {
					t.Errorf("mode %#o, ACL says %#o", v.Mode, v.ACL.statBits())
				}
			}
			v := read(t, f)
			g := file(t, dir, "g", 0o600)
			if err := ApplyAt(openDir(t, dir), "g", v, Options{}); err != nil {
				t.Fatal(err)
			}
			if got, want := tool(t, "getfacl", "-p", "-c", g), tool(t, "getfacl", "-p", "-c", f); got != want {
				t.Errorf("applied\n%swant\n%s", got, want)
			}
		})
	}
}

func FuzzParseACL(f *testing.F) {
	f.Add((&ACL{Entries: []ACLEntry{{Tag: TagUserObj}, {Tag: TagUser, ID: 7}, {Tag: TagGroupObj}, {Tag: TagMask}, {Tag: TagOther}}}).Xattr())
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseDefaultACL(raw)
		if err != nil || a == nil {
			return
		}
		if err := a.Valid(); err != nil {
			t.Fatalf("parsed ACL is not valid: %v", err)
		}
		b, err := ParseDefaultACL(a.Xattr())
		if err != nil || !a.Equal(b) {
			t.Fatalf("%v came back as %v, %v", a, b, err)
		}
	})
}

func FuzzParseACLText(f *testing.F) {
	f.Add("user::rw-\nuser:1000 anna:rw-\ngroup::r--\nmask::rw-\nother::r--\n")
	f.Add("default:user::rwx\ndefault:group::---\ndefault:other::---\n")
	f.Add("user:0 anna bell:r--\ngroup:\xff:r--")
	f.Fuzz(func(t *testing.T, text string) {
		access, deflt, _, err := ParseACLText(text, testNames)
		if err != nil {
			return
		}
		a, d, unknown, err := ParseACLText(FormatACL(access, deflt, testNames), testNames)
		if err != nil || !a.Equal(access) || !d.Equal(deflt) || len(unknown) > 0 {
			t.Fatalf("%q came back otherwise: %v", text, err)
		}
	})
}
