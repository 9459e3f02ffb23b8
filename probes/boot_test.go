package probes

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// bootLayout is the layout of the disks of testdata/boot.sh.
func bootLayout() *Layout {
	return &Layout{
		Format: Format,
		Partition: map[ID]*Partition{
			"5eed0000-0000-4000-8000-00000000000a": {Number: 1, FirstLBA: 2048, LastLBA: 22527},
			"5eed0000-0000-4000-8000-00000000000b": {Number: 2, FirstLBA: 22528, LastLBA: 43007},
			"5eed0001-01":                          {Number: 1, FirstLBA: 2048, LastLBA: 22527},
		},
	}
}

// bootText is the page of a boot, after it has been read again.
func bootText(t testing.TB, b *Boot) string {
	t.Helper()
	var text strings.Builder
	if err := b.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ParseBoot([]byte(text.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, &text)
	}
	if changes := CompareBoot(b, again); len(changes) > 0 {
		t.Fatalf("%v in\n%s", changes, &text)
	}
	return text.String()
}

// TestRecordedEntries reads the entries that efibootmgr made in OVMF.
func TestRecordedEntries(t *testing.T) { testEntries(t, filepath.Join("testdata", "boot")) }

func testEntries(t *testing.T, dir string) {
	l := bootLayout()
	b, findings, err := ReadBoot(fstest.MapFS{}, os.DirFS(dir), nil, l)
	if err != nil || len(findings) > 0 {
		t.Fatalf("%v, %q", err, findings)
	}
	golden := filepath.Join("testdata", "boot", "boot.toml")
	if os.Getenv("ROOTWC_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(bootText(t, b)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := bootText(t, b); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// each entry comes out as it went in
	vars := filepath.Join(dir, "firmware/efi/efivars")
	for id, e := range b.Entry {
		raw, err := os.ReadFile(filepath.Join(vars, string(id)+"-"+EFIGlobal))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := l.Option(e); err != nil || !bytes.Equal(again, raw[4:]) {
			t.Errorf("%s: %v\ngot  %x\nwant %x", id, err, again, raw[4:])
		}
	}

	// efibootmgr says the same
	said, err := os.ReadFile(filepath.Join(dir, "efibootmgr.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(b.Entry)) {
		e := b.Entry[id]
		mark := "*"
		if slices.Contains(e.Attributes, "inactive") {
			mark = " "
		}
		want := string(id) + mark + " " + e.Label + "\tHD("
		line := ""
		for l := range strings.Lines(string(said)) {
			if strings.HasPrefix(l, string(id)) {
				line = l
			}
		}
		if !strings.HasPrefix(line, want) || !strings.Contains(line, `/File(`+e.Loader[:min(len(e.Loader), 6)]) ||
			!strings.Contains(line, strings.TrimSuffix(string(e.Partition.ID()), "-01")) || !strings.Contains(line, e.ASCII) {
			t.Errorf("efibootmgr has %q, want %q, %+v", line, want, e)
		}
	}
}

// loadOption is one made by hand.
func loadOption(label string, list, data string) []byte {
	b := []byte{1, 0, 0, 0, byte(len(list)), byte(len(list) >> 8)}
	return slices.Concat(b, units(label), []byte{0, 0}, []byte(list), []byte(data))
}

const (
	endNode  = "\x7f\xff\x04\x00"
	pciNodes = "\x02\x01\x0c\x00\xd0\x41\x03\x0a\x00\x00\x00\x00" + "\x01\x01\x06\x00\x02\x1f" + "\x03\x12\x0a\x00\x00\x00\xff\xff\x00\x00"
	gptNode  = "\x04\x01\x2a\x00" + "\x01\x00\x00\x00" + "\x00\x08\x00\x00\x00\x00\x00\x00" + "\x00\x50\x00\x00\x00\x00\x00\x00" +
		"\x00\x00\xed\x5e\x00\x00\x00\x40\x80\x00\x00\x00\x00\x00\x00\x0a" + "\x02\x02"
	fileNode = "\x04\x04\x0a\x00\\\x00x\x00\x00\x00"
)

func TestLoadOption(t *testing.T) {
	const part = "5eed0000-0000-4000-8000-00000000000a"
	for _, c := range []struct {
		name string
		b    []byte
		want EFIEntry
		same bool // it comes out as it went in
	}{
		{"short", loadOption("a", gptNode+fileNode+endNode, ""), EFIEntry{Label: "a", PARTUUID: part, Loader: `\x`}, true},
		{"whole path", loadOption("a", pciNodes+gptNode+fileNode+endNode, ""), EFIEntry{Label: "a", PARTUUID: part, Loader: `\x`}, false},
		{"no end", loadOption("a", gptNode+fileNode, ""), EFIEntry{Label: "a", PARTUUID: part, Loader: `\x`}, false},
		{"no file", loadOption("", gptNode+endNode, ""), EFIEntry{PARTUUID: part}, true},
		{"two files", loadOption("a", gptNode+fileNode+fileNode+endNode, ""), EFIEntry{Label: "a", PARTUUID: part,
			Path: []string{"media/4:5c0078000000", "media/4:5c0078000000"}}, true},
		{"file without end", loadOption("a", gptNode+"\x04\x04\x08\x00\\\x00x\x00"+endNode, ""), EFIEntry{Label: "a", PARTUUID: part,
			Path: []string{"media/4:5c007800"}}, true},
		{"half a pair", loadOption("a", gptNode+"\x04\x04\x0a\x00\\\x00\x00\xd8\x00\x00"+endNode, ""), EFIEntry{Label: "a", PARTUUID: part,
			Path: []string{"media/4:5c0000d80000"}}, true},
		{"two paths", loadOption("a", gptNode+fileNode+endNode+"\x55\x01\x05\x00!"+endNode, ""), EFIEntry{Label: "a", PARTUUID: part,
			Path: []string{"media/4:5c0078000000", "end/255:", "85/1:21"}}, true},
		{"ascii", loadOption("a", gptNode+endNode, "initrd=x"), EFIEntry{Label: "a", PARTUUID: part, ASCII: "initrd=x"}, true},
		{"wide", loadOption("a", gptNode+endNode, "i\x00 \x00\xfc\x00\x00\x00"), EFIEntry{Label: "a", PARTUUID: part, Arguments: "i ü\x00"}, true},
		{"binary", loadOption("a", gptNode+endNode, "i\x00\x01"), EFIEntry{Label: "a", PARTUUID: part, Data: "690001"}, true},
		{"firmware's", loadOption("PXE", pciNodes+"\x03\x0b\x05\x00x"+endNode, ""), EFIEntry{Label: "PXE"}, false},
		{"partition in a second path", loadOption("a", pciNodes+endNode+gptNode+endNode, ""), EFIEntry{Label: "a"}, false},
		{"nothing", loadOption("a", "", ""), EFIEntry{Label: "a"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := ParseLoadOption(c.b)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprintf("%+v", o.Entry), fmt.Sprintf("%+v", c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			b, err := o.Entry.Encode(o.Entry.PARTUUID, o.Place)
			if same := err == nil && bytes.Equal(b, c.b); same != c.same {
				t.Errorf("%v\ngot  %x\nwant %x", err, b, c.b)
			}
		})
	}
	odd := loadOption("a", gptNode+endNode, "")
	odd[0], odd[1] = 0x0a, 0x81
	o, err := ParseLoadOption(odd)
	want := []string{"inactive", "force-reconnect", "hidden", "app", "bit-15"}
	if err != nil || !slices.Equal(o.Entry.Attributes, want) {
		t.Fatalf("%v, %+v", err, o)
	}
	if b, err := o.Entry.Encode(part, o.Place); err != nil || !bytes.Equal(b, odd) {
		t.Errorf("%v, %x", err, b)
	}
}

// TestBrokenOptions: what is cut short is an error.
func TestBrokenOptions(t *testing.T) {
	for _, c := range []struct {
		b    string
		want string
	}{
		{"", "0 bytes are no load option"},
		{"\x01\x00\x00\x00\x00", "5 bytes are no load option"},
		{"\x01\x00\x00\x00\x00\x00a\x00", "its label does not end"},
		{"\x01\x00\x00\x00\x00\x00a\x00\x00", "its label does not end"},
		{"\x01\x00\x00\x00\x05\x00\x00\x00" + endNode, "its device path of 5 bytes does not end"},
		{"\x01\x00\x00\x00\x03\x00\x00\x00" + endNode, "device path: 3 bytes are no node"},
		{"\x01\x00\x00\x00\x04\x00\x00\x00\x7f\xff\x03\x00", "device path: a node of 3 bytes, where 4 are left"},
		{"\x01\x00\x00\x00\x04\x00\x00\x00\x04\x01\xff\xff", "device path: a node of 65535 bytes, where 4 are left"},
	} {
		if _, err := ParseLoadOption([]byte(c.b)); err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.b, err, c.want)
		}
	}
	place := EFIPlace{Number: 1}
	for _, e := range []EFIEntry{
		{Label: "a\x00b"}, {LabelUTF16: "zz"}, {LabelUTF16: "00"}, {LabelUTF16: "0000"}, {Data: "0"}, {Attributes: []string{"active"}},
		{Attributes: []string{"bit-32"}}, {Path: []string{"media"}}, {Path: []string{"media/999:"}}, {Path: []string{"x/1:"}}, {Path: []string{"media/4:0"}},
		{ASCII: strings.Repeat("a", maxVariable)}, {Path: slices.Repeat([]string{"media/4:" + strings.Repeat("00", 4096)}, 3)},
	} {
		if b, err := e.Encode("5eed0001-01", place); err == nil {
			t.Errorf("%+v: got %x", e, b)
		}
	}
	for _, partuuid := range []string{"", "5eed0001-02", "5eed0001", "5EED0001-01", "x", "5eed0000-0000-4000-8000-00000000000g"} {
		if b, err := (&EFIEntry{}).Encode(partuuid, place); err == nil {
			t.Errorf("%s: got %x", partuuid, b)
		}
	}
}

// FuzzLoadOption reads any bytes as an entry. What is read is written and read
// to the same again, through the page as well.
func FuzzLoadOption(f *testing.F) {
	paths, err := filepath.Glob("testdata/boot/firmware/efi/efivars/Boot*")
	if err != nil || len(paths) < 9 {
		f.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:])
	}
	f.Add(loadOption("a", pciNodes+gptNode+fileNode+fileNode+endNode, "\x00\xd8"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseLoadOption(b)
		if err != nil || o.Entry.PARTUUID == "" {
			return
		}
		bootText(t, &Boot{Format: Format, Entry: map[ID]*EFIEntry{"Boot0000": &o.Entry}})
		written, err := o.Entry.Encode(o.Entry.PARTUUID, o.Place)
		if err != nil {
			if o.Place.Number < 0 || o.Place.Number > 255 || len(b) > 8192 || o.Place.sign > efiGPT {
				return
			}
			t.Fatal(err)
		}
		again, err := ParseLoadOption(written)
		if err != nil || fmt.Sprintf("%+v", again.Entry) != fmt.Sprintf("%+v", o.Entry) {
			t.Fatalf("%v\n%x\n%s\n%s", err, written, fmt.Sprintf("%+v", o.Entry), fmt.Sprintf("%+v", again.Entry))
		}
	})
}

// variables is an efivarfs with these entries.
func variables(order string, entries map[string][]byte) fstest.MapFS {
	const dir = "firmware/efi/efivars/"
	vars := fstest.MapFS{"firmware/efi": {Mode: fs.ModeDir | 0o755}, dir[:len(dir)-1]: {Mode: fs.ModeDir | 0o755}}
	for name, b := range entries {
		vars[dir+name+"-"+EFIGlobal] = &fstest.MapFile{Data: append([]byte{7, 0, 0, 0}, b...)}
	}
	if order != "" {
		vars[dir+"BootOrder-"+EFIGlobal] = &fstest.MapFile{Data: []byte("\x07\x00\x00\x00" + order)}
	}
	return vars
}

func TestHostileVariables(t *testing.T) {
	good := loadOption("ours", gptNode+fileNode+endNode, "")
	moved := bytes.Clone(good)
	moved[bytes.IndexByte(moved, 0x08)] = 0x10
	vars := variables("\x03\x00\x01\x00\x03\x00\x09\x00\x02", map[string][]byte{
		"Boot0001": good, "Boot0002": nil, "Boot0003": moved, "Boot0004": make([]byte, maxVariable),
		"Boot000a": good, "BootNext": {1, 0}, "Boot0005": loadOption("gone", strings.Replace(gptNode, "\x0a\x02\x02", "\x0f\x02\x02", 1)+endNode, ""),
	})
	vars["firmware/efi/efivars/Boot0006-"+EFIGlobal] = &fstest.MapFile{Data: []byte("ab")}
	b, findings, err := ReadBoot(fstest.MapFS{}, vars, nil, bootLayout())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"boot entry Boot0002: 0 bytes are no load option",
		"boot entry Boot0004: more than 64.0 KiB",
		"boot entry Boot0006: 2 bytes are no variable",
		"boot order: 9 bytes",
		`boot entry Boot0003 "ours" has another place for partition.5eed0000-0000-4000-8000-00000000000a than the partition table`,
		`boot entry Boot0005 "gone" starts from partition 5eed0000-0000-4000-8000-00000000000f, which is not in the layout`,
	}
	if !slices.Equal(findings, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(findings, "\n     "), strings.Join(want, "\n     "))
	}
	if !slices.Equal(b.Order, []string{"Boot0003", "Boot0001"}) || len(b.Entry) != 3 || b.Firmware != "uefi" {
		t.Errorf("got\n%s", bootText(t, b))
	}

	for name, c := range map[string]struct {
		sys  fs.FS
		want string
	}{
		"bios":         {fstest.MapFS{}, "bios"},
		"no efivarfs":  {fstest.MapFS{"firmware/efi": {Mode: fs.ModeDir | 0o755}}, "uefi"},
		"not running":  {nil, ""},
		"no variables": {variables("", nil), "uefi"},
	} {
		b, findings, err := ReadBoot(fstest.MapFS{}, c.sys, nil, &Layout{})
		if err != nil || b.Firmware != c.want || (len(findings) > 0) != (name == "no efivarfs") {
			t.Errorf("%s: %+v, %q, %v", name, b, findings, err)
		}
	}
}
