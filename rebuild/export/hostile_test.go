package export

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"rootwc/probes"
)

// hostile are texts that mean something in one of the languages, or in the
// shells behind them.
var hostile = []string{
	`"; rm -rf /; "`, `'; reboot; '`, "$(reboot)", "`reboot`", "${builtins.readFile /etc/passwd}", "''${x}", "\\", "end\\", "a\nb = c;", "a\r# b",
	"-rf", "--help", "%m %%", "# no comment", "/* c */", " spaces ", "\x00", "é ü", "\u2028", "\ufffd", "a,b=c:d", "[Partition]\nType=swap", "*", "~root",
	strings.Repeat("x", 300), "!!", "<(id)", "a|b", "a&b", "(a)", "{ }", "%include /etc/passwd", "", "..", "../../etc/x", "/etc//x/./y",
}

// slots are places in a layout for a text: all its strings apart from
// references, and the names that are no identities.
func slots(l *probes.Layout) (all []func(text string)) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range sortedKeys(v) {
				walk(v.MapIndex(key))
			}
		case reflect.String:
			if v.Type() != reflect.TypeFor[probes.Ref]() {
				all = append(all, v.SetString)
			}
		}
	}
	walk(reflect.ValueOf(l).Elem())
	for _, path := range sorted(l.Mount) {
		all = append(all, func(text string) { move(l.Mount, path, "/"+probes.ID(text)) })
	}
	for _, fs := range sorted(l.FileSystem) {
		if b := l.FileSystem[fs].Btrfs; b != nil {
			for _, sub := range sorted(b.Subvolume) {
				all = append(all, func(text string) { move(b.Subvolume, sub, probes.ID(text)) })
			}
		}
	}
	return all
}

func move[Node any](nodes map[probes.ID]*Node, from, to probes.ID) {
	node := nodes[from]
	delete(nodes, from)
	nodes[to] = node
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	for i := range keys {
		for k := i; k > 0 && keys[k].String() < keys[k-1].String(); k-- {
			keys[k], keys[k-1] = keys[k-1], keys[k]
		}
	}
	return keys
}

// checkText reads a text again: nothing in it must be more than it was meant.
func checkText(t testing.TB, format, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if onOneLine(line) != line {
			t.Errorf("%s: a line with unprintable characters: %q", format, line)
		}
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if !lineForms[format].MatchString(trimmed) {
			t.Errorf("%s: a line that is none of the language: %s", format, trimmed)
		}
	}
	if format == "disko" {
		opened, closed := strings.Count(nixBare(text), "{"), strings.Count(nixBare(text), "}")
		if opened != closed {
			t.Errorf("disko: %d braces open, %d close\n%s", opened, closed, text)
		}
	}
}

// nixBare is a text without comments and strings.
func nixBare(text string) string {
	text = regexp.MustCompile(`(?m)^ *#.*$`).ReplaceAllString(text, "")
	return regexp.MustCompile(nixStringForm).ReplaceAllString(text, "")
}

const (
	nixStringForm = `"([^"\\$]|\\["\\$nrt])*"`
	// a word for a shell, or several: nothing that it expands
	shellForm  = `([\pL\pN_.+:@%/=, -]|'[^'"$` + "`" + `\\]*')*`
	optionForm = ` (pvcreateopts|vgcreateopts|lvcreateopts|mdcreateopts|lukscreateopts|createopts|tuneopts)="` + shellForm + `"`
)

// lineForms are what lines look like in the subset of each language that is
// written.
var lineForms = map[string]*regexp.Regexp{
	"fai": regexp.MustCompile(`^(disk_config [^\s$;"'` + "`" + `]+( [a-z-]+:[a-zA-Z0-9-]+)*` +
		`|(primary|logical|raw-disk|p=[\w.+-]+|luks|raid\d+|btrfs [a-z0-9]+|vg [\w.+]+|[\w.+]+-[\w.+]+)( [\pL\pN/_.+:@=,%-]+)*(` + optionForm + `)*)$`),
	"kickstart": regexp.MustCompile(`^(ignoredisk|zerombr|clearpart|bootloader|part|raid|volgroup|logvol|btrfs)` +
		`( [\pL\pN/_.+@:,=-]+| --[a-z-]+=[\pL\pN/_.+:@%,=()-]*| (--[a-z-]+|LABEL)="[\pL\pN_.+:@%/=,^ -]*")*$`),
	"disko": regexp.MustCompile(`^([{}]|};|\];|[\w-]+(\.\w+)? = [{\[]|` + nixStringForm + ` = \{` +
		`|[\w.-]+ = (\d+|true|` + nixStringForm + `|\[ (` + nixStringForm + ` )*\]);)$`),
	"repart": regexp.MustCompile(`^(\[Partition\]|Label=.*[^\\]|(Type|UUID|SizeMinBytes|SizeMaxBytes|PaddingMinBytes|PaddingMaxBytes|Flags|ReadOnly|GrowFileSystem|Format|Encrypt)=[\w-]+` +
		`|EncryptedVolume=[\w.+-]+:none:luks|MountPoint="[\pL\pN_.+@=,/-]+"(:"[\pL\pN_.+:@%/=,-]+")?|(MakeDirectories|DefaultSubvolume)=/[\pL\pN_.+@=/-]+|Subvolumes=/[\pL\pN_.+@=/-]+(:ro)?)$`),
}

// checkHostile exports an example with a text in one of its slots.
func checkHostile(t testing.TB, e example, slot uint, text string) {
	t.Helper()
	l := e.layout(t)
	all := slots(l)
	all[slot%uint(len(all))](text)
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	l, err := probes.Read(b.Bytes())
	if err != nil {
		return // it is refused earlier
	}
	for _, format := range Formats() {
		exported, _, err := Export(format, l, e.disks, e.groups(t)...)
		if err != nil {
			continue
		}
		checkText(t, format, exported)
	}
}

// TestHostile puts some of the texts in each slot, others in the next: all take
// a minute.
func TestHostile(t *testing.T) {
	for _, e := range examples {
		for slot := range slots(e.layout(t)) {
			for k := range 2 {
				text := hostile[(slot*2+k)%len(hostile)]
				checkHostile(t, e, uint(slot), text)
				if t.Failed() {
					t.Fatalf("%s: %q in slot %d", e.name, text, slot)
				}
			}
		}
	}
}

// TestPathsUp has paths that lead out of the new system.
func TestPathsUp(t *testing.T) {
	e := examples[2]
	for _, up := range []string{"/../x", "/a/../../x", "/a//x", "/a/./x"} {
		for _, format := range Formats() {
			l := e.layout(t)
			move(l.Mount, "/home", probes.ID(up))
			l.Mount["/"].Subvolume = strings.TrimPrefix(up, "/")
			text, _, err := Export(format, l, e.disks, e.groups(t)...)
			if err != nil {
				t.Fatal(err)
			}
			if bare := regexp.MustCompile(`(?m)^ *#.*$`).ReplaceAllString(text, ""); strings.Contains(bare, up) || strings.Contains(bare, up[1:]) {
				t.Errorf("%s: %s leads up\n%s", format, up, text)
			}
		}
	}
}

func FuzzExport(f *testing.F) {
	for i, text := range hostile {
		f.Add(uint(i), uint(i*7), text)
	}
	f.Fuzz(func(t *testing.T, e, slot uint, text string) {
		checkHostile(t, examples[e%uint(len(examples))], slot, text)
	})
}

// names puts a text wherever a person chooses one.
func names(l *probes.Layout, text string) {
	for _, p := range l.Partition {
		p.Name = text
	}
	for _, fs := range l.FileSystem {
		fs.Label = text
	}
	for _, s := range l.Swap {
		s.Label = text
	}
	for _, x := range l.LUKS {
		x.Label, x.Subsystem, x.Mapping = text, text, text
	}
	for _, r := range l.RAID {
		r.Name = text
	}
	for _, v := range l.LV {
		v.Tags = []string{text}
	}
	for i, path := range sorted(l.Mount) {
		l.Mount[path].Options, l.Mount[path].Subvolume = text, text
		move(l.Mount, path, probes.ID(fmt.Sprintf("/%d%s", i, text)))
	}
}

// readHostile has a program itself read texts with such names.
func readHostile(t *testing.T, format string, read func(testing.TB, string)) {
	for i, text := range hostile {
		e := examples[i%len(examples)]
		if e.name == "laptop" { // setup-storage looks whether the other path is there
			e.disks = map[probes.ID]string{"2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a01": "/dev/sdd"}
		}
		l := e.layout(t)
		names(l, text)
		exported, _, err := Export(format, l, e.disks, e.groups(t)...)
		if err != nil {
			t.Fatal(err)
		}
		read(t, exported)
	}
	for _, e := range examples {
		if e.name != "laptop" {
			read(t, e.export(t, format))
		}
	}
}

func TestReadFAI(t *testing.T)       { readHostile(t, "fai", setupStorage) }
func TestReadDisko(t *testing.T)     { readHostile(t, "disko", nix) }
func TestReadKickstart(t *testing.T) { readHostile(t, "kickstart", ksvalidator) }

// nix parses a text, and looks whether it comes to a value.
func nix(t testing.TB, text string) {
	t.Helper()
	need(t, "nix-instantiate", "nix-bin")
	file := filepath.Join(t.TempDir(), "disko.nix")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "nix-instantiate", "--eval", "--strict", "--json", file); err != nil {
		t.Errorf("nix-instantiate: %v\n%s\n%s", err, out, text)
	}
}

func ksvalidator(t testing.TB, text string) {
	t.Helper()
	if _, err := exec.LookPath("ksvalidator"); err != nil {
		t.Skip("there is no ksvalidator, nor does Debian have one")
	}
	file := filepath.Join(t.TempDir(), "ks.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "ksvalidator", "--version", "F40", file); err != nil {
		t.Errorf("ksvalidator: %v\n%s\n%s", err, out, text)
	}
}
