package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// debianPrograms are those that apt and dpkg of this machine need to work in a
// root of their own, with what their libraries do not name.
var debianPrograms = []string{
	"apt-get", "apt-cache", "apt-mark", "dpkg", "dpkg-deb", "dpkg-split", "dpkg-query", "tar", "rm", "sh", "stat", "cat", "ldconfig", "start-stop-daemon", "diff",
	"/usr/lib/apt/methods/file", "/usr/lib/apt/methods/copy", "/usr/lib/apt/methods/store",
}

// cmdDebian: debian DIR makes a root in which the apt and dpkg of this machine
// work, with nothing installed but dpkg; $ARCH and $FOREIGN become its
// architecture and another one. Its packages come from /srv/packages.
func cmdDebian(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: debian dir")
	}
	root := ts.MkAbs(args[0])
	cmdMachine(ts, args)
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		ts.Check(errors.Join(os.MkdirAll(filepath.Join(root, "usr", dir), 0o755), os.Symlink("usr/"+dir, filepath.Join(root, dir))))
	}
	for _, dir := range []string{
		"tmp", "root", "proc", "sys", "dev", "srv/packages", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/dpkg/dpkg.cfg.d",
		"var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log/apt",
	} {
		ts.Check(os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, name := range debianPrograms {
		copyProgram(ts, root, name)
	}
	for _, name := range []string{"cputable", "ostable", "tupletable"} {
		text, err := os.ReadFile("/usr/share/dpkg/" + name)
		ts.Check(errors.Join(err, os.MkdirAll(filepath.Join(root, "usr/share/dpkg"), 0o755)))
		ts.Check(os.WriteFile(filepath.Join(root, "usr/share/dpkg", name), text, 0o644))
	}
	ts.Check(ts.Exec("dpkg", "--print-architecture"))
	architecture := strings.TrimSpace(ts.ReadFile("stdout"))
	ts.Setenv("ARCH", architecture)
	ts.Setenv("FOREIGN", map[bool]string{true: "arm64", false: "i386"}[architecture == "i386"])
	for name, text := range map[string]string{
		"var/lib/dpkg/status":            "Package: dpkg\nStatus: install ok installed\nSection: admin\nArchitecture: " + architecture + "\nVersion: 1\nMaintainer: Nobody <nobody@example.org>\nDescription: installs packages\n\n",
		"etc/apt/sources.list.d/l.list":  "deb [trusted=yes] file:/srv/packages ./\n",
		"etc/apt/apt.conf.d/10container": "APT::Sandbox::User \"root\";\n",
	} {
		ts.Check(os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
}

// library is a line of ldd(1): "libz.so.1 => /lib/…/libz.so.1 (0x…)".
var library = regexp.MustCompile(`(/\S+) \(0x`)

// copyProgram copies a program to the same place below a root, with its
// libraries.
func copyProgram(ts *testscript.TestScript, root, name string) {
	if !filepath.IsAbs(name) {
		ts.Check(ts.Exec("which", name))
		name = strings.TrimSpace(ts.ReadFile("stdout"))
	}
	ts.Check(ts.Exec("ldd", name))
	files := []string{name}
	for _, found := range library.FindAllStringSubmatch(ts.ReadFile("stdout"), -1) {
		files = append(files, found[1])
	}
	for _, file := range files {
		to := filepath.Join(root, file)
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		text, err := os.ReadFile(file)
		ts.Check(err)
		ts.Check(errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o755)))
	}
}

// cmdDeb: deb ROOT CONTROL [FILES] makes a package of a control file, in which
// ARCH and FOREIGN stand for architectures, and of a directory, and puts it into
// the root's /srv/packages.
func cmdDeb(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: deb root control [files]")
	}
	repository := filepath.Join(ts.MkAbs(args[0]), "srv/packages")
	tree, err := os.MkdirTemp(ts.MkAbs("."), "deb")
	ts.Check(err)
	defer os.RemoveAll(tree)
	ts.Check(os.Chmod(tree, 0o755))
	if len(args) == 3 {
		ts.Check(os.CopyFS(tree, os.DirFS(ts.MkAbs(args[2]))))
	}
	ts.Check(os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755))
	control := strings.NewReplacer("FOREIGN", ts.Getenv("FOREIGN"), "ARCH", ts.Getenv("ARCH")).Replace(ts.ReadFile(args[1]))
	control = strings.TrimSpace(control) + "\nMaintainer: Nobody <nobody@example.org>\nDescription: a test\n"
	ts.Check(os.WriteFile(filepath.Join(tree, "DEBIAN/control"), []byte(control), 0o644))
	ts.Check(filepath.WalkDir(filepath.Join(tree, "DEBIAN"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "inst") {
			return os.Chmod(path, 0o755)
		}
		return err
	}))
	ts.Check(ts.Exec("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, repository))
	index := ""
	debs, err := filepath.Glob(filepath.Join(repository, "*.deb"))
	ts.Check(err)
	for _, deb := range debs {
		text, err := os.ReadFile(deb)
		ts.Check(err)
		ts.Check(ts.Exec("dpkg-deb", "--field", deb))
		index += fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", ts.ReadFile("stdout"), filepath.Base(deb), len(text), sha256.Sum256(text))
	}
	ts.Check(os.WriteFile(filepath.Join(repository, "Packages"), []byte(index), 0o644))
}
