package conffiles

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rootwc/internal/run"
)

// below writes files below a new directory and opens it.
func below(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// TestFromArchives packs two versions of a package with dpkg-deb itself.
func TestFromArchives(t *testing.T) {
	if _, found := run.Look("dpkg-deb"); !found {
		t.Skip("needs dpkg-deb")
	}
	root := below(t, map[string]string{
		"var/cache/apt/archives/tool_0_all.deb": "no archive at all", "var/cache/apt/archives/lock": "",
	})
	for _, version := range []string{"1", "2"} {
		tree := below(t, map[string]string{
			"etc/tool.conf":   "version " + version + "\n",
			"usr/share/large": string(bytes.Repeat([]byte("x"), 1<<20)),
			"DEBIAN/control":  "Package: tool\nVersion: " + version + "\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a test\n",
		})
		archive := filepath.Join(root.Name(), archives, "tool_"+version+"_all.deb")
		if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"dpkg-deb", "--root-owner-group", "--build", tree.Name(), archive}}); err != nil {
			t.Fatal(err)
		}
	}
	for want, old := range map[string]Digest{"version 1\n": md5Of("version 1\n"), "version 2\n": md5Of("version 2\n"), "": md5Of("version 3\n")} {
		got, err := FromArchives(t.Context(), root, "tool", "etc/tool.conf", []Digest{old})
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if got, err := FromArchives(t.Context(), below(t, nil), "tool", "etc/tool.conf", nil); err != nil || got != nil {
		t.Errorf("without archives: %q, %v", got, err)
	}
}

func TestFromUcf(t *testing.T) {
	root := below(t, map[string]string{"var/lib/ucf/cache/:etc:ssh:sshd_config": "Port 22\n"})
	if got, err := FromUcf(root, "etc/ssh/sshd_config", []Digest{md5Of("Port 22\n")}); err != nil || string(got) != "Port 22\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, path := range []string{"etc/ssh/sshd_config", "etc/other"} {
		if got, err := FromUcf(root, path, []Digest{md5Of("another")}); err != nil || got != nil {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}

func TestStatusBackups(t *testing.T) {
	status := func(digest Digest) string {
		return "Package: tool\nConffiles:\n /etc/tool.conf.d 00000000000000000000000000000000\n /etc/tool.conf " + string(digest[4:]) + "\n\n"
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(status(md5Of("older")))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	root := below(t, map[string]string{
		"var/backups/dpkg.status.0": status(md5Of("old")), "var/backups/dpkg.status.1.gz": zipped.String(),
		"var/backups/dpkg.status.2.gz": "no gzip", "var/backups/dpkg.status.3": "\x00",
	})
	got, err := statusBackups(root, "etc/tool.conf")
	if want := []Digest{md5Of("old"), md5Of("older")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
