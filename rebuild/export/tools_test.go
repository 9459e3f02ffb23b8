package export

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/probes"
)

// need skips a test where a tool is missing.
func need(t testing.TB, tool, pkg string) {
	t.Helper()
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("needs %s, of the package %s", tool, pkg)
	}
}

func try(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := c.CombinedOutput()
	return string(out), err
}

// setupStorage checks the syntax of a text as FAI does.
func setupStorage(t testing.TB, text string) {
	t.Helper()
	need(t, "setup-storage", "fai-setup-storage")
	dir := t.TempDir()
	file := filepath.Join(dir, "disk_config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := try(t, "setup-storage", "-s", "-f", file, "-D", "sda sdb sdc sdd", "-L", dir)
	if err != nil || !strings.Contains(out, "Syntax ok") {
		t.Errorf("setup-storage: %v\n%.2000s\n%s", err, out, text)
	}
}

// files are those that a text for systemd-repart holds, by name.
func files(text string) map[string]string {
	all := map[string]string{}
	for _, part := range strings.Split(text, "\n# FILE ")[1:] {
		name, content, _ := strings.Cut(part, "\n")
		all[name] = content
	}
	return all
}

// repart makes an image as the files of a disk say, and reads its table.
// formatted makes file systems as well.
func repart(t testing.TB, text, dir string, size int64, sector uint64, formatted bool) *probes.Table {
	t.Helper()
	work := t.TempDir()
	for name, content := range files(text) {
		if filepath.Dir(name) != dir {
			continue
		}
		var kept []string
		for line := range strings.SplitSeq(content, "\n") {
			if formatted || !strings.HasPrefix(line, "Format=") && !strings.HasPrefix(line, "Encrypt=") {
				kept = append(kept, line)
			}
		}
		if err := os.WriteFile(filepath.Join(work, filepath.Base(name)), []byte(strings.Join(kept, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	out, err := try(t, "systemd-repart", "--dry-run=no", "--empty=force", "--discard=no", "--definitions="+work, image)
	if err != nil {
		t.Fatalf("systemd-repart: %v\n%s\n%s", err, out, text)
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	table, err := probes.ReadTable(probes.Medium{ReaderAt: f, Size: uint64(size)}, sector)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestRepart makes the tables of the examples. Numbers follow the places, and
// those without a name get one; what else differs is in the notes as well.
func TestRepart(t *testing.T) {
	need(t, "systemd-repart", "systemd-repart or systemd")
	for _, c := range []struct {
		example int
		disk    probes.ID
		dir     string
	}{
		{0, "2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a01", "disk1.d"},
		{1, "5e0f0004-1111-4222-8333-444455556666", "disk4.d"},
	} {
		e := examples[c.example]
		t.Run(e.name, func(t *testing.T) {
			l := e.layout(t)
			want, err := l.Table(c.disk)
			if err != nil {
				t.Fatal(err)
			}
			got := repart(t, e.export(t, "repart"), c.dir, int64(want.Disk.Need)+64<<20, 512, false)
			byPlace := func(a, b probes.TableEntry) int { return int(int64(a.FirstLBA) - int64(b.FirstLBA)) }
			slices.SortFunc(want.Partitions, byPlace)
			if len(got.Partitions) != len(want.Partitions) {
				t.Fatalf("%d partitions, not %d", len(got.Partitions), len(want.Partitions))
			}
			for i, p := range want.Partitions {
				g := got.Partitions[i]
				if p.Name == "" {
					g.Name = ""
				}
				p.Attributes = slices.DeleteFunc(p.Attributes, func(word string) bool { return word == "LegacyBIOSBootable" })
				if p.Name == "srv" {
					p.Attributes = []string{"GUID:59"}
				}
				p.Number, p.On = g.Number, g.On
				if g.ID != p.ID || g.FirstLBA != p.FirstLBA || g.LastLBA != p.LastLBA || g.Type != p.Type || g.Name != p.Name || !slices.Equal(g.Attributes, p.Attributes) {
					t.Errorf("partition\n%+v, not\n%+v", g, p)
				}
			}
		})
	}
}
