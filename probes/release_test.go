package probes

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

// TestReleases reads what the tools of other Debian releases made, and compares
// with what they said of it. With ROOTWC_TOOLS and ROOTWC_UPDATE=NAME it makes
// testdata/releases/NAME with those tools; ROOTWC_TOOLS alone runs all tests of
// this package with them.
func TestReleases(t *testing.T) {
	base := filepath.Join("testdata", "releases")
	if name := os.Getenv("ROOTWC_UPDATE"); name != "" && os.Getenv("ROOTWC_TOOLS") != "" {
		makeRelease(t, filepath.Join(base, name))
	}
	dirs, err := os.ReadDir(base)
	if err != nil || len(dirs) < 2 {
		t.Fatalf("%d releases, %v", len(dirs), err)
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) { testRelease(t, filepath.Join(base, d.Name())) })
	}
}

func testRelease(t *testing.T, dir string) {
	said := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, name := range []string{"gpt", "dos", "luks1", "luks2"} {
		e, err := loadExtract(filepath.Join(dir, name+".img.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "luks") {
			id, l, findings, err := readLUKS(e, e.size)
			if err != nil || len(findings) > 0 {
				t.Fatal(err, findings)
			}
			compareLUKSDump(t, said(name+".dump"), id, l)
			continue
		}
		table, err := readTable(e, e.size, 512)
		if err != nil || len(table.Findings) > 0 || len(table.Partitions) < 4 {
			t.Fatal(err, table)
		}
		compareSfdiskJSON(t, table, "disk", said(name+".json"))
	}
	g, pvs := readGroup(t, filepath.Join(dir, "group"))
	compareVGText(t, g, said("group.vgcfg"))
	compareReport(t, g, pvs, []byte(said("group.json")))
}

// makeRelease makes one of each.
func makeRelease(t *testing.T, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	keep := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	extract := func(name, path string, size uint64, parts ...diskArea) {
		f, _ := open(t, path)
		e, err := takeExtract(f, size, parts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.save(filepath.Join(dir, name+".img.gz")); err != nil {
			t.Fatal(err)
		}
	}
	const size = 256 << 20
	for name, random := range map[string]func(*rand.Rand, uint64) *Table{"gpt": randomGPT, "dos": randomDOS} {
		table := random(odds.Dice(0), size)
		for round := 1; len(table.Partitions) < 6; round++ {
			table = random(odds.Dice(round), size)
		}
		table.Boot = nil
		script, patch, err := table.Script()
		if err != nil {
			t.Fatal(err)
		}
		path := blankImage(t, size)
		tool(t, script, "sfdisk", "--quiet", path)
		if f, _ := open(t, path); patch {
			if err := table.Patch(f, size); err != nil {
				t.Fatal(err)
			}
		}
		extract(name, path, size, diskArea{0, size})
		keep(name+".json", strings.ReplaceAll(tool(t, "", "sfdisk", "--json", path), path, "disk"))
	}
	for name, format := range map[string]func(*testing.T, *rand.Rand, string, ID) *LUKS{"luks1": formatLUKS1, "luks2": formatLUKS2} {
		path := blankImage(t, 40<<20)
		l := format(t, odds.Dice(1), path, ID(odds.UUID(odds.Dice(1))))
		extract(name, path, 40<<20, diskArea{0, max(592, 2*l.Metadata)})
		keep(name+".dump", tool(t, "", "cryptsetup", "luksDump", path))
	}
	l := newLVM(t, 128<<20, 128<<20)
	for _, d := range l.devices {
		l.run("pvcreate", d)
	}
	l.run(append([]string{"vgcreate", "--addtag", "release", "group"}, l.devices...)...)
	for n := range 4 {
		l.run(odds.LV(odds.Dice(n), "group", n)...)
	}
	for i, d := range l.devices {
		extract(fmt.Sprintf("group-%d", i), d, 128<<20, lvmParts(device(t, d), 128<<20)...)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	l.run("vgcfgbackup", "-f", backup, "group")
	text, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	keep("group.vgcfg", string(text))
	keep("group.json", l.run("fullreport", "--reportformat", "json", "--units", "b", "group"))
}
