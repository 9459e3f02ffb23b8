package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// acl reads an access ACL for a test.
func acl(t testing.TB, entries ...string) *ACL {
	t.Helper()
	a, _, _, err := ParseACLText(strings.Join(entries, "\n"), testNames)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProperties(t *testing.T) {
	anna := acl(t, "user::rw-", "user:1000:rw-", "group::r--", "mask::rw-", "other::r--")
	deflt := &ACL{Entries: []ACLEntry{{Tag: TagUserObj, Perm: 7}, {Tag: TagGroupObj}, {Tag: TagOther}}}
	home := Defaults{UID: 1000, GID: 1000, FileMode: 0o640, DirMode: 0o750}
	type props = map[string]string
	for name, test := range map[string]struct {
		v    Values
		def  Defaults
		want props
	}{
		"file":           {Values{Kind: File, Mode: 0o644}, StandardDefaults, nil},
		"dir":            {Values{Kind: Dir, Mode: 0o755}, StandardDefaults, nil},
		"symlink":        {Values{Kind: Symlink, Mode: 0o777}, StandardDefaults, nil},
		"own symlink":    {Values{Kind: Symlink, Mode: 0o777, UID: 1000}, StandardDefaults, props{PropOwner: "1000 anna"}},
		"executable":     {Values{Kind: File, Mode: 0o755}, StandardDefaults, props{PropExecutable: "*"}},
		"private script": {Values{Kind: File, Mode: 0o700}, StandardDefaults, props{PropExecutable: "*", PropMode: "0700"}},
		"others execute": {Values{Kind: File, Mode: 0o655}, StandardDefaults, props{PropMode: "0655"}},
		"shadow":         {Values{Kind: File, Mode: 0o640, GID: 42}, StandardDefaults, props{PropMode: "0640", PropGroup: "42 shadow"}},
		"setuid":         {Values{Kind: File, Mode: 0o4755, UID: 7}, StandardDefaults, props{PropMode: "04755", PropOwner: "7", PropExecutable: "*"}},
		"tmp":            {Values{Kind: Dir, Mode: 0o1777}, StandardDefaults, props{PropMode: "01777"}},
		"nothing":        {Values{Kind: File}, StandardDefaults, props{PropMode: "0000"}},
		"fifo":           {Values{Kind: Fifo, Mode: 0o644}, StandardDefaults, props{PropSpecial: "fifo"}},
		"device":         {Values{Kind: Device, Mode: 0o600, UID: 5}, StandardDefaults, nil},
		"home file":      {Values{Kind: File, Mode: 0o640, UID: 1000, GID: 1000}, home, nil},
		"home script":    {Values{Kind: File, Mode: 0o750, UID: 1000, GID: 1000}, home, props{PropExecutable: "*"}},
		"home of root":   {Values{Kind: Dir, Mode: 0o755, GID: 1000}, home, props{PropOwner: "0 root", PropMode: "0755"}},
		"acl":            {Values{Kind: File, Mode: 0o664, ACL: anna}, StandardDefaults, props{PropACL: "user::rw-\nuser:1000 anna:rw-\ngroup::r--\nmask::rw-\nother::r--\n"}},
		"default acl":    {Values{Kind: Dir, Mode: 0o755, DefaultACL: deflt}, StandardDefaults, props{PropACL: "default:user::rwx\ndefault:group::---\ndefault:other::---\n"}},
		"xattr":          {Values{Kind: File, Mode: 0o644, Xattrs: []Xattr{{"user.a", []byte("b")}}}, StandardDefaults, props{PropXattr: "user.a=\"b\"\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Properties(test.v, test.def, testNames)
			if !maps.Equal(got, test.want) || (got == nil) != (test.want == nil) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if test.v.Kind == Device {
				return
			}
			kind := test.v.Kind
			if kind == Fifo {
				kind = File
			}
			back, unknown, problems := Wanted(lookup(got), kind, test.def, testNames)
			if changes := Compare(test.v, back, testNames); changes != nil || unknown != nil || problems != nil {
				t.Errorf("came back with %s, %v, %v", Words(changes), unknown, problems)
			}
			if set, remove := Edits(lookup(got), kind, test.v, test.def, testNames); set != nil || remove != nil {
				t.Errorf("edits %v, %v", set, remove)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	type props = map[string]string
	aclText := "user::rw-\nuser:1000 anna:rw-\ngroup::r--\nmask::rw-\nother::r--\n"
	for name, test := range map[string]struct {
		props    props
		kind     Kind
		want     string // as Properties writes it
		mode     uint32
		unknown  string
		problems string
	}{
		"plain svn":       {props{"svn:mime-type": "text/plain", PropExecutable: "*"}, File, "svn:executable=*", 0o755, "", ""},
		"fsvs":            {props{PropOwner: "0 root", PropGroup: "0 ", PropMode: "0644"}, File, "", 0o644, "", ""},
		"fsvs three":      {props{PropMode: "644"}, File, "", 0o644, "", ""},
		"mode wins":       {props{PropMode: "0640", PropExecutable: "*"}, File, "svn:unix-mode=0640", 0o640, "", ""},
		"dir executable":  {props{PropExecutable: "*"}, Dir, "", 0o755, "", ""},
		"symlink":         {props{PropMode: "0600", PropACL: "x", PropXattr: "x"}, Symlink, "", 0o777, "", ""},
		"names":           {props{PropOwner: "5 anna", PropGroup: "5 gone"}, File, "svn:group=5 svn:owner=1000 anna", 0o644, "group gone", ""},
		"bad owner":       {props{PropOwner: "anna"}, File, "", 0o644, "", `svn:owner: "anna" is no user or group number`},
		"bad mode":        {props{PropMode: "rw-r--r--"}, File, "svn:unix-mode=0600", 0o600, "", `svn:unix-mode: "rw-r--r--" is no octal mode such as 0640 or 04755`},
		"bad mode of dir": {props{PropMode: "0888"}, Dir, "", 0o755, "", `svn:unix-mode: "0888" is no octal mode such as 0640 or 04755`},
		"long mode":       {props{PropMode: "100644"}, Dir, "", 0o755, "", `svn:unix-mode: "100644" is no octal mode such as 0640 or 04755`},
		"signed mode":     {props{PropMode: "+644"}, Dir, "", 0o755, "", `svn:unix-mode: "+644" is no octal mode such as 0640 or 04755`},
		"special":         {props{PropSpecial: "socket"}, File, "", 0o644, "", `rootwc:special: "socket" is not known for a file, only fifo on a file is`},
		"fifo dir":        {props{PropSpecial: "fifo"}, Dir, "", 0o755, "", `rootwc:special: "fifo" is not known for a dir, only fifo on a file is`},
		"acl":             {props{PropACL: aclText, PropMode: "04644"}, File, "rootwc:acl=" + aclText + " svn:unix-mode=04644", 0o4664, "", ""},
		"tighter mode": {props{PropACL: aclText, PropMode: "0600"}, File,
			"rootwc:acl=user::rw-\nuser:1000 anna:rw-\ngroup::---\nmask::rw-\nother::---\n svn:unix-mode=0600", 0o660, "",
			"rootwc:acl: grants 0644 what the mode 0600 does not; the tighter of both counts"},
		"default acl": {props{PropACL: "default:user::rwx\ndefault:group::---\ndefault:other::---"}, File, "", 0o644, "", "rootwc:acl: a file has no default ACL"},
		"bad acl":     {props{PropACL: "rwx"}, File, "", 0o644, "", `rootwc:acl: line 1: "rwx" is no ACL entry such as user::rw- or user:1000 anna:rw-`},
		"dir caps":    {props{PropXattr: "security.capability=0s"}, Dir, "", 0o755, "", "rootwc:xattr: a dir has no capabilities"},
		"bad xattr":   {props{PropXattr: "foo"}, File, "", 0o644, "", `rootwc:xattr: line 1: "foo" has no =`},
	} {
		t.Run(name, func(t *testing.T) {
			v, unknown, problems := Wanted(lookup(test.props), test.kind, StandardDefaults, testNames)
			var words []string
			for name, value := range Properties(v, StandardDefaults, testNames) {
				words = append(words, name+"="+value)
			}
			slices.Sort(words)
			if got := strings.Join(words, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if v.Mode != test.mode {
				t.Errorf("mode %#o, want %#o", v.Mode, test.mode)
			}
			if got := strings.Join(unknown, ";"); got != test.unknown {
				t.Errorf("unknown %q, want %q", got, test.unknown)
			}
			words = nil
			for _, p := range problems {
				words = append(words, p.Error())
			}
			if got := strings.Join(words, ";"); got != test.problems {
				t.Errorf("problems %q, want %q", got, test.problems)
			}
		})
	}
}

func TestEdits(t *testing.T) {
	type props = map[string]string
	for name, test := range map[string]struct {
		props  props
		v      Values
		set    props
		remove string
	}{
		"other number, same name": {props{PropOwner: "5 anna"}, Values{Kind: File, Mode: 0o644, UID: 1000}, nil, ""},
		"default of fsvs":         {props{PropOwner: "0 root", PropMode: "0755"}, Values{Kind: File, Mode: 0o755}, nil, ""},
		"no longer executable":    {props{PropExecutable: "*"}, Values{Kind: File, Mode: 0o644}, nil, PropExecutable},
		"now executable":          {props{PropMode: "0600"}, Values{Kind: File, Mode: 0o700}, props{PropMode: "0700", PropExecutable: "*"}, ""},
		"back to default":         {props{PropMode: "0600", PropGroup: "42"}, Values{Kind: File, Mode: 0o644}, nil, PropGroup + " " + PropMode},
		"unusable":                {props{PropOwner: "root"}, Values{Kind: File, Mode: 0o644}, nil, PropOwner},
		"xattr":                   {props{PropXattr: "user.a=0sYg=="}, Values{Kind: File, Mode: 0o644, Xattrs: []Xattr{{"user.a", []byte("b")}}}, nil, ""},
		"other svn":               {props{"svn:ignore": "*"}, Values{Kind: Dir, Mode: 0o700}, props{PropMode: "0700"}, ""},
		"file to fifo":            {props{PropExecutable: "*"}, Values{Kind: Fifo, Mode: 0o755}, props{PropSpecial: "fifo", PropMode: "0755"}, PropExecutable},
	} {
		t.Run(name, func(t *testing.T) {
			kind := test.v.Kind
			if kind == Fifo {
				kind = File
			}
			set, remove := Edits(lookup(test.props), kind, test.v, StandardDefaults, testNames)
			slices.Sort(remove)
			if !maps.Equal(set, test.set) || strings.Join(remove, " ") != test.remove {
				t.Errorf("set %q remove %q, want %q and %q", set, remove, test.set, test.remove)
			}
			for name, value := range set {
				test.props[name] = value
			}
			for _, name := range remove {
				delete(test.props, name)
			}
			v, _, problems := Wanted(lookup(test.props), kind, StandardDefaults, testNames)
			if changes := Compare(v, test.v, testNames); changes != nil || problems != nil {
				t.Errorf("afterwards %s, %v", Words(changes), problems)
			}
		})
	}
}

func TestTextTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2008-08-07T07:38:51.008782Z": time.Date(2008, 8, 7, 7, 38, 51, 8782000, time.UTC),
		"2008-08-07T07:38:51Z\n":      time.Date(2008, 8, 7, 7, 38, 51, 0, time.UTC),
	} {
		if got, err := ParseTextTime(text); !got.Equal(want) || err != nil {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	if got := FormatTextTime(time.Date(2008, 8, 7, 9, 38, 51, 8782999, time.FixedZone("", 7200))); got != "2008-08-07T07:38:51.008782Z" {
		t.Errorf("got %s", got)
	}
	if _, err := ParseTextTime("Thu Aug 7"); err == nil || err.Error() != `"Thu Aug 7" is no time such as 2008-08-07T07:38:51.008782Z` {
		t.Errorf("error %v", err)
	}
}

func FuzzWanted(f *testing.F) {
	f.Add(uint8(File), "0 root", "42 shadow", "0640", "user::rw-\nuser:1000 anna:rw-\ngroup::r--\nmask::rw-\nother::r--\n", "user.a=\"b\"\n", "fifo")
	f.Add(uint8(Dir), "", "x", "7", "default:user::rwx\ndefault:group::---\ndefault:other::---", "user.a", "")
	f.Fuzz(func(t *testing.T, k uint8, owner, group, mode, acl, xattr, special string) {
		kind := File + Kind(k%3)
		props := map[string]string{PropOwner: owner, PropGroup: group, PropMode: mode, PropACL: acl, PropXattr: xattr, PropSpecial: special}
		v, _, _ := Wanted(lookup(props), kind, StandardDefaults, testNames)
		if v.ACL != nil && v.Mode&permBits != v.ACL.statBits() {
			t.Fatalf("mode %#o does not fit the ACL", v.Mode)
		}
		written := Properties(v, StandardDefaults, testNames)
		back, unknown, problems := Wanted(lookup(written), kind, StandardDefaults, testNames)
		if changes := Compare(v, back, testNames); changes != nil || len(unknown)+len(problems) > 0 {
			t.Fatalf("%q came back with %s, %v, %v", written, Words(changes), unknown, problems)
		}
	})
}

func FuzzParseTextTime(f *testing.F) {
	f.Add("2008-08-07T07:38:51.008782Z")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseTextTime(text)
		if err != nil {
			return
		}
		if back, err := ParseTextTime(FormatTextTime(at)); err != nil || !back.Equal(at.Truncate(time.Microsecond)) {
			t.Fatalf("%v came back as %v, %v", at, back, err)
		}
	})
}

// Nearly every file is a default one; it must cost nothing.
func BenchmarkPropertiesDefault(b *testing.B) {
	v := Values{Kind: File, Mode: 0o644}
	b.ReportAllocs()
	for b.Loop() {
		if Properties(v, StandardDefaults, testNames) != nil {
			b.Fatal("not default")
		}
	}
}

func BenchmarkWantedDefault(b *testing.B) {
	none := func(string) (string, bool) { return "", false }
	b.ReportAllocs()
	for b.Loop() {
		if v, _, _ := Wanted(none, File, StandardDefaults, testNames); v.Mode != 0o644 {
			b.Fatal("not default")
		}
	}
}

func BenchmarkCompareEqual(b *testing.B) {
	v := Values{Kind: File, Mode: 0o644}
	b.ReportAllocs()
	for b.Loop() {
		if Compare(v, v, testNames) != nil {
			b.Fatal("differs")
		}
	}
}

func TestDefaultsDoNotAllocate(t *testing.T) {
	v := Values{Kind: File, Mode: 0o644}
	none := func(string) (string, bool) { return "", false }
	for name, f := range map[string]func(){
		"Properties": func() { Properties(v, StandardDefaults, testNames) },
		"Wanted":     func() { Wanted(none, File, StandardDefaults, testNames) },
		"Compare":    func() { Compare(v, v, testNames) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func ExampleProperties() {
	shadow := Values{Kind: File, Mode: 0o640, GID: 42}
	props := Properties(shadow, StandardDefaults, testNames)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		fmt.Println(name, props[name])
	}
	// Output:
	// svn:group 42 shadow
	// svn:unix-mode 0640
}
