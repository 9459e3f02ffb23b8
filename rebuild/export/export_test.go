package export

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/probes"
)

var update = flag.Bool("update", false, "rewrite testdata/want with what is exported")

// example is a layout by hand, with the disks that it is for.
type example struct {
	name  string
	disks map[probes.ID]string
	group string // file with the text of its volume group
}

var examples = []example{
	{name: "laptop", disks: map[probes.ID]string{"2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a01": "/dev/disk/by-id/nvme-KXG60ZNV256G"}},
	{name: "server", disks: map[probes.ID]string{"5e0f0001": "/dev/sda", "5e0f0002": "/dev/sdb", "5e0f0003": "/dev/sdc",
		"5e0f0004-1111-4222-8333-444455556666": "/dev/nvme0n1"}},
	{name: "pool", group: "tank.vgcfg"},
}

func (e example) layout(t testing.TB) *probes.Layout {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", e.name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := probes.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (e example) groups(t testing.TB) (all []*probes.VGText) {
	t.Helper()
	if e.group == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join("testdata", e.group))
	if err != nil {
		t.Fatal(err)
	}
	group, err := probes.ParseVGText(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return append(all, group)
}

func (e example) export(t testing.TB, format string) string {
	t.Helper()
	text, notes, err := Export(format, e.layout(t), e.disks, e.groups(t)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		if !strings.Contains(text, "# note: "+n+"\n") {
			t.Errorf("not in the text: %s", n)
		}
	}
	return text
}

func TestWant(t *testing.T) {
	for _, e := range examples {
		for _, format := range Formats() {
			t.Run(e.name+"."+format, func(t *testing.T) {
				got := e.export(t, format)
				if again := e.export(t, format); again != got {
					t.Error("another text the second time")
				}
				file := filepath.Join("testdata", "want", e.name+"."+format)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("not as %s, see go test -update:\n%s", file, got)
				}
			})
		}
	}
}

// TestLeftOut exports an array of a level that FAI has no word for, below
// another: what stands on it is left out, and nothing else takes its name.
func TestLeftOut(t *testing.T) {
	e := examples[1]
	l := e.layout(t)
	l.RAID["5e0f0101:11111111:22222222:33333333"].Level = "raid4"
	l.LUKS = map[probes.ID]*probes.LUKS{"5e0f0401-1111-4222-8333-444455556666": {
		On: "raid.5e0f0101:11111111:22222222:33333333", Version: 1, Cipher: "aes-xts-plain64", KeyBits: 512, Hash: "sha256", Offset: 2 << 20}}
	l.FileSystem["5e0f0201-1111-4222-8333-444455556666"].On = []probes.Ref{"luks.5e0f0401-1111-4222-8333-444455556666"}
	text, notes, err := Export("fai", l, e.disks)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "/boot") || strings.Contains(text, "luks /") || strings.Contains(text, "md1") || !strings.Contains(text, "raid5 / /dev/sda5") {
		t.Error(text)
	}
	for _, want := range []string{
		`raid.5e0f0101:11111111:22222222:33333333: its level "raid4" is unknown here, the array is left out`,
		"luks.5e0f0401-1111-4222-8333-444455556666: what it stands on is left out, and it is as well",
	} {
		if !slices.Contains(notes, want) {
			t.Errorf("no note %q in %q", want, notes)
		}
	}
	if text, _, err = Export("kickstart", l, e.disks); err != nil || !strings.Contains(text, "raid /boot --device=boot --level=RAID4") {
		t.Error(text, err)
	}
}
