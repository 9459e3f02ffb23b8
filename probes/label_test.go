package probes

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"rootwc/internal/odds"
)

// TestHostileLabels has the tools write labels that want to be something else.
func TestHostileLabels(t *testing.T) {
	hostile := []string{`"quoted"`, "two\nlines", "$(reboot)", "-n", "`id`", `back\slash`, "a'b;c|d", "ärger", "日本", "\u202ertl", "\x7f\x1b[2J",
		"Gr\xf6\xdfe", "\xff\xfe", "a\xc3", "\ufffd", "[x]\nk=\"v\""}
	for _, c := range []struct {
		size uint64
		make []string
		max  int // bytes
	}{
		{1 << 20, []string{"mkfs.ext4", "-q", "-F", "-L"}, 16},
		{64 << 20, []string{"mkfs.xfs", "-q", "-f", "-L"}, 12},
		{1 << 20, []string{"mkswap", "-q", "-L"}, 15},
	} {
		t.Run(c.make[0], func(t *testing.T) {
			fsTools(t, c.make[0])
			image := blank(t, c.size)
			for _, text := range hostile {
				text = text[:min(len(text), c.max)]
				renew(t, image, c.size)
				if _, err := fsRun(odds.XFSSmall, append(c.make, text, image)...); err != nil {
					t.Fatal(err)
				}
				one := identifyImage(t, image)
				checkLabel(t, one, text)
			}
		})
	}
}

// checkLabel sees that a label comes out as it is, by the text or the bytes.
func checkLabel(t *testing.T, one *found, want string) {
	t.Helper()
	var text, hexadecimal string
	switch n := one.node.(type) {
	case *FileSystem:
		text, hexadecimal = n.Label, n.LabelBytes
	case *Swap:
		text, hexadecimal = n.Label, n.LabelBytes
	}
	got := text
	if hexadecimal != "" {
		raw, err := hex.DecodeString(hexadecimal)
		if err != nil {
			t.Fatal(err)
		}
		got = string(raw)
		if !strings.Contains(text, "\ufffd") {
			t.Errorf("label %q has bytes %s", text, hexadecimal)
		}
	}
	if got != want {
		t.Errorf("label is %q %s, made with %q", text, hexadecimal, want)
	}
}

func TestFATLabels(t *testing.T) {
	fsTools(t, "mkfs.vfat")
	for _, bits := range []string{"12", "16", "32"} {
		image := blank(t, map[string]uint64{"12": 1 << 20, "16": 20 << 20, "32": 64 << 20}[bits])
		mustRun(t, nil, "mkfs.vfat", "-F", bits, "-n", "LABEL", image)
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		boot := bytes.Index(b, []byte("LABEL      FAT"))
		root := boot + 20 + bytes.Index(b[boot+20:], []byte("LABEL      \x08"))
		read := func() *found {
			t.Helper()
			one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
			if err != nil {
				t.Fatal(err)
			}
			layoutText(t, one)
			return one
		}
		checkLabel(t, read(), "LABEL")
		copy(b[root:], "\x05\xe1\x8e`$()\"\n  ") // the first stands for 0xe5
		checkLabel(t, read(), "\xe5\xe1\x8e`$()\"\n")
		copy(b[root:], "klein      ")
		checkLabel(t, read(), "klein")
		b[root] = 0xe5 // deleted: the boot sector's is left
		checkLabel(t, read(), "LABEL")
		copy(b[boot:], "NO NAME    ")
		checkLabel(t, read(), "")
		// a long name before the label, and a directory of that name
		entry := bytes.Clone(b[root : root+32])
		copy(b[root:], "Ax\x00x\x00x\x00x\x00x\x00\x0f")
		copy(b[root+32:], "NODIR      \x18")
		copy(entry, "THIRD      ")
		copy(b[root+64:], entry)
		checkLabel(t, read(), "THIRD")
	}
}

func TestUTF16Labels(t *testing.T) {
	for _, c := range []struct {
		make []string
		max  int // units
	}{
		{[]string{"mkfs.exfat", "-L", "ELEVENUNITS"}, 11},
		{[]string{"mkfs.f2fs", "-l", "ELEVENUNITS"}, 512},
	} {
		t.Run(c.make[0], func(t *testing.T) {
			fsTools(t, c.make[0])
			image := blank(t, 64<<20)
			mustRun(t, nil, append(c.make, image)...)
			b, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			encode := func(units []uint16) (raw []byte) {
				for _, u := range units {
					raw = binary.LittleEndian.AppendUint16(raw, u)
				}
				return raw
			}
			at := bytes.Index(b, encode(utf16.Encode([]rune("ELEVENUNITS"))))
			surrogates := []uint16{'a', 0xd800, 'b', 0xdc00, 0xd83d, 0xde00, '"', '\n', 0xfffd, 0xdbff, 'c'}
			copy(b[at:], encode(surrogates))
			one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
			if err != nil {
				t.Fatal(err)
			}
			layoutText(t, one)
			checkLabel(t, one, string(encode(surrogates)))
			if text := one.node.(*FileSystem).Label; text != "a\ufffdb\ufffd😀\"\n\ufffd\ufffdc" {
				t.Errorf("label reads %q", text)
			}
			if c.max == 512 { // as long as can be, with no zero at its end
				long := encode(utf16.Encode([]rune(strings.Repeat("\u202e\"", 256))))
				copy(b[at:], long)
				one, err := identify(medium{bytes.NewReader(b), uint64(len(b))})
				if err != nil {
					t.Fatal(err)
				}
				layoutText(t, one)
				checkLabel(t, one, strings.Repeat("\u202e\"", 256))
			}
		})
	}
}
