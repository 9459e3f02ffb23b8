package packages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pacmanPackage makes a package of files, as makepkg lays it out.
func pacmanPackage(t *testing.T, name, info string) string {
	t.Helper()
	dir := t.TempDir()
	info = "pkgname = " + name + "\npkgver = 1:1.5-2\npkgdesc = a test\nurl = none\nbuilddate = 1700000000\npackager = nobody\nsize = 5\narch = any\n" + info
	err := errors.Join(os.Mkdir(filepath.Join(dir, "etc"), 0o755),
		os.WriteFile(filepath.Join(dir, "etc", name+".conf"), []byte("tabs\n"), 0o644),
		os.WriteFile(filepath.Join(dir, ".PKGINFO"), []byte(info), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+"-1:1.5-2-any.pkg.tar.gz")
	do(t, "tar", "--create", "--gzip", "--owner=0", "--group=0", "--file="+file, "--force-local", "--directory="+dir, ".PKGINFO", "etc")
	return file
}

func TestPacman(t *testing.T) {
	needs(t, "pacman", "tar")
	root := write(t, map[string]string{
		"etc/pacman.conf": "[options]\nSigLevel = Never\nIgnorePkg = libtext other\n[core]\nSigLevel = Required\nInclude = /etc/pacman.d/mirrorlist\n[own]\nSigLevel = Never\nServer = https://anna:secret@example.org/$repo\n",
	})
	database := filepath.Join(root, "var/lib/pacman")
	if err := os.MkdirAll(database, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "pacman.conf")
	if err := os.WriteFile(conf, []byte("[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pacman := []string{"pacman", "--config", conf, "--root", root, "--dbpath", database, "--cachedir", t.TempDir(), "--noconfirm", "--upgrade"}
	do(t, append(pacman, "--asdeps", "--", pacmanPackage(t, "libtext", "backup = etc/libtext.conf\n"), pacmanPackage(t, "spell", ""))...)
	do(t, append(pacman, "--", pacmanPackage(t, "editor", "backup = etc/editor.conf\ndepend = libtext>=1\noptdepend = spell: words\n"))...)
	in := read(t, root)
	if in.Manager != Pacman || keys(in, wanted) != "editor" || keys(in, recommended) != "spell" || keys(in, held) != "libtext" || len(in.Packages) != 3 {
		t.Errorf("%s: wanted %s, recommended %s, held %s of %d", in.Manager, keys(in, wanted), keys(in, recommended), keys(in, held), len(in.Packages))
	}
	editor := in.Owner("etc/editor.conf")
	if editor == nil || editor.Version != "1:1.5-2" || editor.Conffiles["etc/editor.conf"] != "md5:2c5bf7ee8f3e091f95add434bd19c9cf" {
		t.Errorf("%+v", editor)
	}
	own := in.Repositories["own"]
	if own == nil || !own.Unsigned || in.Repositories["core"].Unsigned || strings.Contains(strings.Join(own.URIs, " "), "secret") {
		t.Errorf("%+v", own)
	}
}

func FuzzPacman(f *testing.F) {
	f.Add("%NAME%\na\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n%REASON%\n1\n", "%BACKUP%\netc/x\t11111111111111111111111111111111\n")
	f.Fuzz(func(t *testing.T, desc, files string) {
		sections, err := parseSections(strings.NewReader(desc))
		if err != nil {
			return
		}
		p := &Package{}
		if p.describe(sections) == nil && (!validKey(p.Key()) || !validVersion(p.Version)) {
			t.Fatalf("%+v", p)
		}
		backups, err := parseSections(strings.NewReader(files))
		if err != nil {
			return
		}
		conffiles, _ := parseBackups(backups["BACKUP"])
		for name, digest := range conffiles {
			if !validPath(name) || !validDigest(digest) {
				t.Fatalf("%q %q", name, digest)
			}
		}
	})
}
