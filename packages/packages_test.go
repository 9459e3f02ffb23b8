package packages

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// read reads a root, and its text again, which has to be the same machine.
func read(t *testing.T, dir string) *Installed {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	in, err := Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	text, err := in.Text()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, err := back.Text()
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%v; the text becomes\n%s", err, again)
	}
	if d := Compare(back, in); d.News() != "" || d.Asides() != "" {
		t.Errorf("the text differs from what it was made of: %s %s", d.News(), d.Asides())
	}
	return in
}

// write puts files below a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func keys(in *Installed, which func(*Package) bool) string {
	var all []string
	for _, p := range in.Packages {
		if which(p) {
			all = append(all, p.Key())
		}
	}
	return strings.Join(all, " ")
}

func wanted(p *Package) bool      { return p.Wanted }
func recommended(p *Package) bool { return p.Recommended }
func held(p *Package) bool        { return p.Held }

func TestReadNothing(t *testing.T) {
	root, err := os.OpenRoot(write(t, map[string]string{"var/lib/dpkg/status": ""}))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := Read(t.Context(), root); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
}

// A status file that leads out of the root is not followed.
func TestReadLink(t *testing.T) {
	dir := write(t, map[string]string{"var/lib/dpkg/arch": ""})
	if err := os.Symlink("/var/lib/dpkg/status", filepath.Join(dir, "var/lib/dpkg/status")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if in, err := Read(t.Context(), root); err == nil {
		t.Errorf("%d packages", len(in.Packages))
	}
}

func TestUnits(t *testing.T) {
	dir := write(t, map[string]string{"var/lib/dpkg/status": oneStatus, "etc/systemd/system/own.service": "[Unit]\n", "etc/systemd/system/multi-user.target.wants/x": ""})
	for name, to := range map[string]string{"multi-user.target.wants/cron.service": "/usr/lib/systemd/system/cron.service", "a.service.requires/b.socket": "/x", "bad.service": "/dev/null", "alias.service": "/x"} {
		path := filepath.Join(dir, "etc/systemd/system", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	in := read(t, dir)
	if !slices.Equal(in.Enabled, []string{"b.socket", "cron.service"}) || !slices.Equal(in.Masked, []string{"bad.service"}) {
		t.Errorf("%q, %q", in.Enabled, in.Masked)
	}
}

func TestBundles(t *testing.T) {
	dir := write(t, map[string]string{
		"var/lib/dpkg/status": oneStatus,
		"var/lib/flatpak/repo/refs/remotes/hub/app/org.gimp.GIMP/x86_64/stable": "0123",
		"var/lib/flatpak/repo/refs/remotes/hub/app/org.gone/x86_64/stable":      "0123",
		"var/lib/flatpak/repo/refs/remotes/hub/runtime/org.runtime/x86_64/1":    "0123",
		"var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable/active/metadata":       "",
		"snap/core/1/x": "",
	})
	if err := os.Symlink("1", filepath.Join(dir, "snap/core/current")); err != nil {
		t.Fatal(err)
	}
	in := read(t, dir)
	if len(in.Flatpak) != 1 || in.Flatpak["app/org.gimp.GIMP/x86_64/stable"] != "hub" || len(in.Snap) != 1 || in.Snap["core"] != "1" {
		t.Errorf("%v, %v", in.Flatpak, in.Snap)
	}
}

// What no package manager has written must not get near one.
func TestParseHostile(t *testing.T) {
	const head = "format = \"1.0.0\"\nmanager = \"apt\"\narchitectures = [\"amd64\"]\n"
	for _, text := range []string{
		"format = \"2.0.0\"\nmanager = \"apt\"\n",
		"format = \"1.0.0\"\nmanager = \"sh\"\n",
		head + "[wanted]\n\"-o\" = \"1\"\n",
		head + "[wanted]\n\"bash-\" = \"1\"\n",
		head + "[wanted]\n\"a b\" = \"1\"\n",
		head + "[wanted]\n\"a*\" = \"1\"\n",
		head + "[wanted]\n\"a=1\" = \"1\"\n",
		head + "[wanted]\n\"../x.deb\" = \"1\"\n",
		head + "[wanted]\nbash = \"1;x\"\n",
		head + "[wanted]\nbash = \"\"\n",
		head + "[recommended]\n\"a/b\" = \"1\"\n",
		head + "held = [\"-y\"]\n",
		"format = \"1.0.0\"\nmanager = \"apt\"\narchitectures = [\"--force-all\"]\n",
		head + "[conffiles.bash]\n\"../etc/passwd\" = \"md5:00000000000000000000000000000000\"\n",
		head + "[conffiles.bash]\n\"etc/passwd\" = \"md5:0\"\n",
		head + "[flatpak]\n\"app/-y/x/y\" = \"hub\"\n",
		head + "[snap]\n\"--classic\" = \"1\"\n",
		head + "nonsense = 1\n",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("taken: %s", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("format = \"1.0.0\"\nmanager = \"apt\"\n[wanted]\nbash = \"1 2\"\n[conffiles.bash]\n\"etc/bash.bashrc\" = \"md5:00000000000000000000000000000000\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := Parse(text)
		if err != nil {
			return
		}
		first, err := in.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second, _ := again.Text(); !bytes.Equal(first, second) {
			t.Fatalf("%s\nbecomes\n%s", first, second)
		}
	})
}
