package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// full has every key, written as a person would.
// testRecipient is the public key of nobody: its secret one was thrown away.
const testRecipient = "age17pmtn4yc665xmakzg7t8zppj70wf4xtczy0yyfvdr20vwjjqf5ysmwc7ue"

const full = `format = "1.0.0"
[system]
hostname = "laptop"
os = "debian"
release = "12"
[packages]
manager = "apt"
dirty = "refuse"
[secrets]
policy = "withhold"            # withhold | encrypt | clear
recipients = []                # age public keys, for encrypt
[hooks]
timeout = 90
[[noise]]                      # changes that are no news
path = "etc/cups/printers.conf"
lines = ['^StateTime ', '^UUID ']
revert = true                  # put back
[[noise]]
path = "**"
defaults = false
[commit]
auto = ["home/anna/notes"]     # commit --auto takes them
[[dataset]]
path = "home/anna/audio-selection"
type = "selection"
repository = "vfs:/net/server/audio"
include = ["albums/**"]
exclude = ["*.part"]
newest = 50
budget = "20 GiB"
limit = 1048576
[[rebuild]]
node = "lv.vg0/home"
size = "grow"                  # keep | grow | share
minimum = "10 GiB"
[[rebuild]]
node = "partition.29a3ec04-3075-b44f-aa2e-927f2ee3a610"
size = "share"
minimum = 1048576
`

func fullDescription() *Description {
	d := New("laptop", "debian", "12", "apt")
	d.Packages.Dirty = RefuseDirty
	d.Secrets.Recipients = []string{}
	d.Hooks.Timeout = 90
	d.Noise = []Noise{
		{Path: "etc/cups/printers.conf", Lines: []string{"^StateTime ", "^UUID "}, Revert: true, Line: 14},
		{Path: "**", Defaults: new(bool), Line: 18},
	}
	d.Commit.Auto = []string{"home/anna/notes"}
	d.Datasets = []Dataset{{Path: "home/anna/audio-selection", Type: Selection, Repository: "vfs:/net/server/audio", Include: []string{"albums/**"},
		Exclude: []string{"*.part"}, Newest: 50, Budget: "20 GiB", Limit: "1048576"}}
	d.Rebuild = []Node{{Node: "lv.vg0/home", Size: GrowSize, Minimum: "10 GiB"}, {Node: "partition.29a3ec04-3075-b44f-aa2e-927f2ee3a610", Size: ShareSize, Minimum: "1048576"}}
	return d
}

func TestLoad(t *testing.T) {
	got, err := Load(strings.NewReader(full), Path)
	if err != nil {
		t.Fatal(err)
	}
	if want := fullDescription(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i, want := range []uint64{10 << 30, 1 << 20} {
		if n, err := got.Rebuild[i].Minimum.Bytes(); n != want || err != nil {
			t.Errorf("minimum %d, %v", n, err)
		}
	}
}

func TestLoadShortForms(t *testing.T) {
	got, err := Load(strings.NewReader(`format = '1.9.7'
system.hostname = "laptop"
system = {os = "debian"}
`), Path)
	if err == nil {
		t.Errorf("a table in two places is accepted: %+v", got)
	}
	got, err = Load(strings.NewReader(`format = '1.9.7'
system = {hostname = "laptop", os = "debian"}
packages.manager = 'apt'
secrets.policy = "clear"
noise = [
  {path = "etc/x", lines = ["a"]}, # one
  {path = "etc/y", lines = ["b"]},
]
`), Path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Format != "1.9.7" || got.System.OS != "debian" || got.Packages.Manager != "apt" || got.Secrets.Policy != Clear || len(got.Noise) != 2 {
		t.Errorf("got %+v", got)
	}
	got, err = Load(strings.NewReader(`format = "1.0.0"`), Path)
	if err != nil || got.Secrets.Policy != Withhold {
		t.Errorf("the least: %+v, %v", got, err)
	}
}

func TestLoadErrors(t *testing.T) {
	const f = "format = \"1.0.0\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", `: format is missing; begin the file with format = "1.0.0"`},
		{"no format", "[system]\nhostname = \"x\"\n", `: format is missing; begin the file with format = "1.0.0"`},
		{"newer", "# x\nformat = \"2.0.0\"\n[new]\nkey = 1\n", `:2: format 2.0.0 is newer than this rootwc, which knows 1.x; update rootwc`},
		{"older", "format = \"0.9.0\"\n", `:1: format 0.9.0 is not known; write "1.0.0"`},
		{"prerelease", "format = \"1.0.0-rc.1\"\n", `:1: format 1.0.0-rc.1 is not known; write "1.0.0"`},
		{"short format", "format = \"1\"\n", `:1: format "1" is no version of three numbers, as "1.0.0"`},
		{"number format", "format = 1\n", `:1: format must be a string in quotes, as "1.0.0"`},
		{"syntax", f + "[system\n", `:2: expected ']' to close table name`},
		{"twice", f + f, `:2: key format is already defined`},
		{"unknown key", f + "[system]\nhostname = \"x\"\nhostnam = \"y\"\n", `:4: unknown key "hostnam" in [system]; known are hostname, os, release`},
		{"unknown table", f + "[sytem]\nhostname = \"x\"\n", `:2: unknown key "sytem"; known are commit, dataset, format, hooks, noise, packages, rebuild, secrets, system`},
		{"unknown below", f + "[system.foo]\nx = 1\n", `:2: unknown key "foo" in [system]; known are hostname, os, release`},
		{"unknown in list", f + "[[noise]]\npath = \"a\"\nlines = [\"b\"]\n\n[[noise]]\npaht = \"a\"\n", `:7: unknown key "paht" in [[noise]]; known are defaults, lines, path, revert`},
		{"unknown inline", f + "system = {hostname = \"x\", foo = 1}\n", `:2: unknown key "foo" in [system]; known are hostname, os, release`},
		{"case", f + "[System]\n", `:2: unknown key "System"; known are commit, dataset, format, hooks, noise, packages, rebuild, secrets, system`},
		{"dot in key", f + "\"system.hostname\" = \"x\"\n", `:2: unknown key "\"system.hostname\""; known are commit, dataset, format, hooks, noise, packages, rebuild, secrets, system`},
		{"newer minor", "format = \"1.1.0\"\n[system]\nserial = \"x\"\n", `:3: unknown key "serial" in [system]; known are hostname, os, release; the file has format 1.1.0, this rootwc knows 1.0.0: update rootwc, or remove the key`},
		{"type", f + "[system]\nrelease = 12\n", `:3: system.release must be a string in quotes`},
		{"single table", f + "[noise]\npath = \"a\"\n", `:2: noise must be tables, each under a [[ ]] header`},
		{"table twice", f + "[[system]]\n", `:2: system must be a table, as [system]`},
		{"list", f + "[[noise]]\npath = \"a\"\nlines = \"b\"\n", `:4: noise.lines must be a list of strings, as ["a", "b"]`},
		{"mixed list", f + "[[noise]]\npath = \"a\"\nlines = [\"b\",\n 3]\n", `:4: noise.lines must be a list of strings, as ["a", "b"]`},
		{"hostname", f + "[system]\nhostname = \"a b\"\n", `:3: hostname "a b" has other characters than letters, digits, dots and hyphens`},
		{"option", f + "[packages]\nmanager = \"--now\"\n", `:3: "--now" has other characters than letters, digits and . _ + ~ -`},
		{"dirty", f + "[packages]\ndirty = \"ignore\"\n", `:3: dirty "ignore" is not known; write commit or refuse`},
		{"timeout", f + "[hooks]\ntimeout = -1\n", `:3: -1 is no time to wait; write seconds, up to 86400`},
		{"policy", f + "[secrets]\npolicy = \"none\"\n", `:3: policy "none" is not known; write withhold, encrypt or clear`},
		{"recipient", f + "[secrets]\nrecipients = [\n  \"" + testRecipient + "\",\n  \"\",\n]\n", `:5: recipient "" is no public key of age (age1…) or SSH (ssh-ed25519 …, ssh-rsa …)`},
		{"nobody", f + "[secrets]\npolicy = \"encrypt\"\n", `:3: policy encrypt needs recipients; write the public keys of those who may read the secrets`},
		{"pattern", f + "[[noise]]\npath = \"a\"\nlines = ['^a',\n  'b(']\n", ":5: line pattern \"b(\" does not compile: missing closing ): `b(`"},
		{"empty pattern", f + "[[noise]]\npath = \"a\"\nlines = ['']\n", ":4: an empty line pattern matches every line"},
		{"revert without lines", f + "\n[[noise]]\npath = \"a\"\nrevert = true\n", `:3: revert needs lines: whatever else changes is a person's`},
		{"defaults with lines", f + "[[noise]]\npath = \"a\"\ndefaults = false\nlines = ['a']\n", `:2: defaults = false goes without lines and revert; write two tables`},
		{"defaults", f + "[[noise]]\npath = \"a\"\ndefaults = true\n", `:2: defaults hold unless it is false; leave it out`},
		{"revert type", f + "[[noise]]\npath = \"a\"\nrevert = \"yes\"\n", `:4: noise.revert must be true or false`},
		{"path pattern", f + "[[noise]]\npath = \"a[\"\n", `:3: path "a[" is a malformed pattern`},
		{"many alternatives", f + "[[noise]]\npath = \"{a,b}{a,b}{a,b}{a,b}{a,b}\"\n", `:3: path "{a,b}{a,b}{a,b}{a,b}{a,b}" is longer than 1000 bytes, or has more than 4 alternatives in braces`},
		{"large patterns", f + strings.Repeat("[[noise]]\npath = \"a\"\nlines = ['(ab){500}']\n", 21), `:2: more than 1000 tables, or line patterns that are too large together; repeat less in them`},
		{"many rules", f + strings.Repeat("[[noise]]\npath = \"a\"\n", 1001), `:2: more than 1000 tables, or line patterns that are too large together; repeat less in them`},
		{"auto", f + "[commit]\nauto = [\"a\", \"../b\"]\n", `:3: path "../b" goes through .. and may leave the root`},
		{"no path", f + "[[noise]]\nlines = ['a']\n", ":2: path is missing"},
		{"absolute", f + "[[noise]]\npath = \"/etc\"\nlines = ['a']\n", `:3: path "/etc" must be relative to the root; leave out the leading slash`},
		{"outside", f + "[[noise]]\npath = \"etc/../../x\"\nlines = ['a']\n", `:3: path "etc/../../x" goes through .. and may leave the root`},
		{"unclean", f + "[[noise]]\npath = \"etc//x\"\nlines = ['a']\n", `:3: path "etc//x" must name one place below the root, without . and double or trailing slashes`},
		{"root", f + "[[noise]]\npath = \".\"\nlines = ['a']\n", `:3: path "." must name one place below the root, without . and double or trailing slashes`},
		{"control", f + "[[noise]]\npath = \"a\\u001bb\"\nlines = ['a']\n", `:3: path "a\x1bb" has characters that Subversion cannot store or nobody can read`},
		{"second noise", f + "[[noise]]\npath = \"a\"\nlines = ['a']\n[[noise]]\npath = \"/a\"\nlines = ['a']\n", `:6: path "/a" must be relative to the root; leave out the leading slash`},
		{"type missing", f + "[[dataset]]\npath = \"a\"\n", `:2: type is missing; write blob, buffer, cache, copy, direct, extension or selection`},
		{"type unknown", f + "[[dataset]]\npath = \"a\"\ntype = \"tape\"\n", `:4: type "tape" is not known; write blob, buffer, cache, copy, direct, extension or selection`},
		{"repository", f + "[[dataset]]\npath = \"a\"\ntype = \"blob\"\n", `:2: repository is missing`},
		{"repository option", f + "[[dataset]]\npath = \"a\"\ntype = \"blob\"\nrepository = \"--rsh=x\"\n", `:5: repository "--rsh=x" could be misread: it begins with - or has control characters`},
		{"include", f + "[[dataset]]\npath = \"a\"\ntype = \"blob\"\nrepository = \"vfs:/b\"\ninclude = [\"a\", \"../b\"]\n", `:6: include pattern "../b" must be relative to the repository and stay in it`},
		{"include malformed", f + "[[dataset]]\npath = \"a\"\ntype = \"selection\"\nrepository = \"vfs:/b\"\ninclude = [\"a[\"]\n", `:6: include pattern "a[" is malformed`},
		{"include of a copy", f + "[[dataset]]\npath = \"a\"\ntype = \"copy\"\nrepository = \"vfs:/b\"\ninclude = [\"a\"]\n", `:2: include, newest and budget are for a selection, not for a copy`},
		{"exclude of svn", f + "[[dataset]]\npath = \"a\"\ntype = \"copy\"\nrepository = \"svn:file:///b\"\nexclude = [\"a\"]\n", `:2: exclude is for a vfs repository`},
		{"budget", f + "[[dataset]]\npath = \"a\"\ntype = \"selection\"\nrepository = \"vfs:/b\"\nbudget = \"much\"\n", `:6: budget "much" is no size; write bytes, or a whole number of KiB, MiB, GiB or TiB, as "10 GiB"`},
		{"limit", f + "[[dataset]]\npath = \"a\"\ntype = \"copy\"\nrepository = \"vfs:/b\"\nlimit = 12\n", `:6: limit "12" is less than 1 KiB in a second`},
		{"no node", f + "[[rebuild]]\nsize = \"grow\"\n", `:2: node is missing`},
		{"node", f + "[[rebuild]]\nnode = \"lv.vg0\"\nsize = \"grow\"\n", `:3: node "lv.vg0" has no size to choose; write partition. and its PARTUUID, lv. with group and volume, or disk.of- and what is on it`},
		{"node option", f + "[[rebuild]]\nnode = \"lv.-v/home\"\nsize = \"grow\"\n", `:3: node "lv.-v/home" has no size to choose; write partition. and its PARTUUID, lv. with group and volume, or disk.of- and what is on it`},
		{"node lines", f + "[[rebuild]]\nnode = \"partition.cafe1234-05\\n\"\nsize = \"grow\"\n", `:3: node "partition.cafe1234-05\n" has no size to choose; write partition. and its PARTUUID, lv. with group and volume, or disk.of- and what is on it`},
		{"two sizes", f + strings.Repeat("[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"keep\"\n", 2), `:6: two sizes are for the node "lv.a/b"`},
		{"no size", f + "[[rebuild]]\nnode = \"lv.a/b\"\n", `:2: size is missing; write grow, keep or share`},
		{"size", f + "[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"all\"\n", `:4: size "all" is not known; write grow, keep or share`},
		{"minimum", f + "[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"grow\"\nminimum = \"10 GB\"\n", `:5: minimum "10 GB" is no size; write bytes, or a whole number of KiB, MiB, GiB or TiB, as "10 GiB"`},
		{"minimum beyond", f + "[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"grow\"\nminimum = \"9999999 TiB\"\n", `:5: minimum "9999999 TiB" is no size; write bytes, or a whole number of KiB, MiB, GiB or TiB, as "10 GiB"`},
		{"minimum below", f + "[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"grow\"\nminimum = -1\n", `:5: minimum "-1" is no size; write bytes, or a whole number of KiB, MiB, GiB or TiB, as "10 GiB"`},
		{"minimum type", f + "[[rebuild]]\nnode = \"lv.a/b\"\nsize = \"grow\"\nminimum = 1.5\n", `:5: rebuild.minimum must be a number of bytes, or a string as "10 GiB"`},
		{"two datasets", f + strings.Repeat("[[dataset]]\npath = \"a\"\ntype = \"blob\"\nrepository = \"vfs:/b\"\n", 2), `:7: two datasets have the path "a"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(strings.NewReader(test.text), Path)
			if err == nil || err.Error() != Path+test.want {
				t.Errorf("error\n%v\nwant\n%s%s", err, Path, test.want)
			}
			var fault *Error
			if !errors.As(err, &fault) || fault.File != Path {
				t.Errorf("error is a %T", err)
			}
		})
	}
	if _, err := Load(iotest.ErrReader(io.ErrUnexpectedEOF), Path); err == nil || err.Error() != Path+": unexpected EOF" {
		t.Errorf("read error: %v", err)
	}
	if _, err := Load(strings.NewReader(strings.Repeat("#", maxSize+1)), Path); err == nil || err.Error() != Path+": is larger than 1 MiB" {
		t.Errorf("large file: %v", err)
	}
}

// TestLoadHostile has files as large as may be and built to take long.
func TestLoadHostile(t *testing.T) {
	fill := func(f func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxSize/4; i++ {
			b.WriteString(f(i))
		}
		return b.String()
	}
	const f = "format = \"1.0.0\"\n"
	for name, text := range map[string]string{
		"unknown keys":  f + fill(func(i int) string { return fmt.Sprintf("k%d = 1\n", i) }),
		"dotted key":    f + fill(func(int) string { return "a." }) + "a = 1\n",
		"dotted header": f + "[" + fill(func(int) string { return "a." }) + "a]\n",
		"nested lists":  f + "a = " + fill(func(int) string { return "[" }),
		"nested tables": f + "a = " + fill(func(int) string { return "{a=" }),
		"tables":        f + fill(func(i int) string { return fmt.Sprintf("[a%d]\n", i) }),
		"noise":         f + fill(func(int) string { return "[[noise]]\npath='a'\nlines=['(']\n" }),
		"patterns":      f + "[[noise]]\npath='a'\nlines=['a'" + fill(func(int) string { return ",'a'" }) + ",'(']\n",
		"lines":         f + fill(func(int) string { return "\n" }) + "x=1\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(strings.NewReader(text), Path); err == nil || len(err.Error()) > 300 {
				t.Errorf("error %.1000v", err)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	want := `# How this machine looks, beyond what Subversion itself holds.
# rootwc reads this page; edit it, and commit it like any other file.

format = "1.0.0"

[system]
hostname = "laptop"
# ID and VERSION_ID of os-release(5)
os = "debian"
release = "12"

[packages]
manager = "apt"
dirty = "refuse"

[secrets]
# What happens to content that others may not read on this machine:
#   withhold  it stays out of the repository
#   encrypt   it is committed encrypted, for the recipients (public keys of age or SSH)
#   clear     it is committed as it is
policy = "withhold"
recipients = []

[hooks]
# Seconds that each program in /etc/rootwc/hooks.d may take.
timeout = 90

# Changes that are no news: every line that differs matches one of the regular
# expressions; without lines, all changes of the content. Patterns of paths know
# * ? ** [abc] {a,b}, and cover what is below a directory.
#   [[noise]]
#   path = "etc/cups/printers.conf"
#   lines = ['^StateTime ']
#   revert = true             # commit and update put such a change back
#   [[noise]]
#   path = "etc/mail"
#   defaults = false          # the rules that rootwc has by itself do not hold there

[[noise]]
path = "etc/cups/printers.conf"
lines = ["^StateTime ", "^UUID "]
revert = true

[[noise]]
path = "**"
defaults = false

# Paths that rootwc commit --auto, run by a timer, may commit without a person.
#   [commit]
#   auto = ["home/anna/notes"]

[commit]
auto = ["home/anna/notes"]

# Directories that a transfer tool fills, never svn.
# Types: blob, buffer, cache, copy, direct, extension, selection.
# Repositories: vfs:/path, vfs:host:path (by ssh), svn:URL, git-annex:URL, ddm:
#   [[dataset]]
#   path = "home/anna/audio-selection"
#   type = "selection"
#   repository = "vfs:/net/server/audio"
#   include = ["albums/**"]   # a selection's files: everything without it,
#   newest = 50               # the newest of that,
#   budget = "20 GiB"         # as far as the budget goes
#   exclude = ["*.part"]      # never transferred (vfs)
#   limit = "2 MiB"           # in a second (vfs)

[[dataset]]
path = "home/anna/audio-selection"
type = "selection"
repository = "vfs:/net/server/audio"
include = ["albums/**"]
exclude = ["*.part"]
newest = 50
budget = "20 GiB"
limit = "1048576"

# What may have another size when the storage is set up again on other disks.
# Size is grow (takes all that is left), share (divides it with others that
# share) or keep; minimum is how small it may become on smaller disks.
#   [[rebuild]]
#   node = "lv.vg0/home"
#   size = "grow"
#   minimum = "10 GiB"

[[rebuild]]
node = "lv.vg0/home"
size = "grow"
minimum = "10 GiB"

[[rebuild]]
node = "partition.29a3ec04-3075-b44f-aa2e-927f2ee3a610"
size = "share"
minimum = "1048576"
`
	var b bytes.Buffer
	if err := fullDescription().Encode(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s", &b)
	}
}

// roundTrip encodes, loads and encodes again.
func roundTrip(t *testing.T, d *Description) {
	t.Helper()
	var once, twice bytes.Buffer
	if err := d.Encode(&once); err != nil {
		t.Fatal(err)
	}
	back, err := Load(bytes.NewReader(once.Bytes()), Path)
	if err != nil {
		t.Fatalf("%v in\n%s", err, &once)
	}
	if err := back.Encode(&twice); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once.Bytes(), twice.Bytes()) {
		t.Errorf("first\n%s\nthen\n%s", &once, &twice)
	}
	if len(d.Secrets.Recipients) == 0 {
		d.Secrets.Recipients, back.Secrets.Recipients = nil, nil
	}
	for i := range d.Datasets {
		if len(d.Datasets[i].Include) == 0 {
			d.Datasets[i].Include = nil
		}
	}
	if len(d.Noise) == 0 {
		d.Noise = nil
	}
	if len(d.Commit.Auto) == 0 {
		d.Commit.Auto = nil
	}
	for i := range d.Noise { // which the comments of the page move
		d.Noise[i].Line, back.Noise[i].Line = 0, 0
		if len(d.Noise[i].Lines) == 0 {
			d.Noise[i].Lines = nil
		}
	}
	if len(d.Datasets) == 0 {
		d.Datasets = nil
	}
	if len(d.Rebuild) == 0 {
		d.Rebuild = nil
	}
	if !reflect.DeepEqual(d, back) {
		t.Errorf("wrote %+v\nread  %+v", d, back)
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, fullDescription())
	roundTrip(t, New("", "", "", ""))
	odd := fullDescription()
	odd.Secrets = Secrets{Policy: Clear, Recipients: []string{testRecipient, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIabLqac+dGQXi+i1BWebgLS/w+j67rSP68ouJnplAtd anna@laptop"}}
	odd.Noise = []Noise{{Path: `ütc/it's "x"\y`, Lines: []string{`^\s+"a"`, `it's\d`, "tab\there", `'`, "\u202e", "\\Qx"}}}
	odd.Rebuild = []Node{{Node: "lv.a.b+c_d/_x-y", Size: KeepSize}, {Node: "partition.cafe1234-05", Size: GrowSize}, {Node: "disk.of-2LQ0cW-FP4e-AgDe-qoao-d2DR-7PB0-BD0ASO", Size: ShareSize, Minimum: "0"}}
	odd.Datasets = append(odd.Datasets, Dataset{Path: "b", Type: Blob, Repository: "vfs:host:/a b"})
	roundTrip(t, odd)
}

func TestEncodeRefuses(t *testing.T) {
	for want, change := range map[string]func(*Description){
		`format is missing; begin the file with format = "1.0.0"`: func(*Description) {},
		`noise[0].path: path "../x" goes through .. and may leave the root`: func(d *Description) {
			*d = *fullDescription()
			d.Noise[0].Path = "../x"
		},
		`dataset[0]: type is missing`: func(d *Description) {
			*d = *fullDescription()
			d.Datasets[0].Type = ""
		},
		`noise[0].lines[0]: line pattern "\xff" does not compile: invalid UTF-8`: func(d *Description) {
			*d = *fullDescription()
			d.Noise[0].Lines[0] = "\xff"
		},
	} {
		d := &Description{}
		change(d)
		var b bytes.Buffer
		if err := d.Encode(&b); err == nil || !strings.HasPrefix(err.Error(), want) || b.Len() > 0 {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(full)
	f.Add("format = '1.0.0'\nnoise = [{path = 'a', lines = ['b']}]\n")
	f.Add("format = '1.0.0'\n[[noise.x]]\n[a.\"b.c\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Load(strings.NewReader(text), Path)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) {
				t.Fatalf("%v is a %T", err, err)
			}
			return
		}
		roundTrip(t, d)
	})
}

// TestRepository has addresses that could make a program do something else.
func TestRepository(t *testing.T) {
	for _, good := range []string{
		"vfs:/net/audio", "vfs:/net/audio/", "vfs:host:audio", "vfs:anna@host.example:/srv/a b", "ddm:",
		"svn:https://host/svn", "svn:file:///srv/svn", "svn:svn+ssh://anna@host/x", "git-annex:/srv/git", "git-annex:host:git", "git-annex:https://host/git",
	} {
		if err := checkRepository(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"/net/audio", "vfs:", "vfs:/", "vfs:audio", "vfs:/net/../etc", "vfs:-oProxyCommand=x:y", "vfs:-x@host:y", "vfs:host::module", "vfs:host:", "vfs:host:-y",
		"svn:host", "svn:svn+x://host/y", "svn:https://-x/y", "svn:https://-x@host/y", "git-annex:ext::sh -c x", "git-annex:--upload-pack=x", "ddm:x", "tape:/x",
	} {
		if checkRepository(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
