package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hookedPackages makes three packages with configuration files in debs: editor 1
// and 2, and speller, on which the editor's second version depends.
const hookedPackages = `
mkdir debs
package() {
	mkdir -p tree/DEBIAN tree/etc/$1.d
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a test\n%s' $1 $2 "$3" >tree/DEBIAN/control
	printf '/etc/%s.conf\n/etc/%s.d/%s\n' $1 $1 $2 >tree/DEBIAN/conffiles
	echo "tabs = $2" >tree/etc/$1.conf
	echo "$2" >tree/etc/$1.d/$2
	dpkg-deb --root-owner-group --build tree debs
	rm -r tree
}
package editor 1 ''
package editor 2 'Depends: speller
'
package speller 1:3.0-4 ''
`

// TestRealHooks has the apt of a freshly installed Debian install, upgrade and
// purge packages with configuration files. Subversion tells what came of it.
// What it needs is told at [TestRealMachine].
func TestRealHooks(t *testing.T) {
	if os.Getenv("ROOTWC_REAL") == "" {
		t.Skip("takes minutes; ROOTWC_REAL=1 asks for it (make realtest)")
	}
	needs(t, "debootstrap", "dpkg-deb", "unshare")
	s := realSandbox(t, "one", "two")
	root := s.m1.root
	debootstrap(t, realSuite, root, debianMirror(t), "--variant=minbase", "--include=subversion")
	must(t, "", "install", "-D", staticRootwc(t), filepath.Join(root, "usr/local/bin/rootwc"))
	shell(t, root+"/srv", hookedPackages)
	in := func(args ...string) string {
		t.Helper()
		environment := []string{"env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "SUDO_USER=anna"}
		return must(t, "", slices.Concat([]string{"sh", "-c", inRoot, "-", root}, environment, args)...)
	}
	log := func(revision string) (message string, paths string) {
		t.Helper()
		return in("svn", "propget", "--strict", "--revprop", "-r", revision, "svn:log", "file:///srv/repo"),
			in("svn", "diff", "--summarize", "-c", revision, "file:///srv/repo/one")
	}
	in("svnadmin", "create", "/srv/repo")
	in("rootwc", "init", "file:///srv/repo/one")
	in("rootwc", "hooks", "install", "apt")
	in("rootwc", "commit", "--add", "-m", "first state")
	clean := func() {
		t.Helper()
		if out := in("rootwc", "status"); out != "" {
			t.Errorf("status:\n%s", out)
		}
	}
	clean()

	in("apt-get", "-qy", "install", "/srv/debs/editor_1_all.deb")
	message, paths := log("3")
	wantIn(t, message, "packages: apt-get -qy install /srv/debs/editor_1_all.deb\n", "run by anna with sudo", "installed editor 1\n")
	wantIn(t, paths, "etc/editor.conf\n", "etc/editor.d/1\n", "packages.toml\n")
	clean()

	shell(t, root, "echo 'colour = on' >>etc/editor.conf; chmod 0600 etc/hostname; chmod 0640 etc/fstab")
	in("apt-get", "-qy", "-o", "Dpkg::Options::=--force-confold", "install", "/srv/debs/editor_2_all.deb", "/srv/debs/speller_3.0-4_all.deb")
	message, paths = log("4")
	wantIn(t, message, "uncommitted changes before: apt-get -qy ", "run by anna with sudo")
	wantIn(t, paths, "etc/editor.conf\n")
	if strings.Contains(paths, "editor.d") || strings.Contains(message, "installed") {
		t.Errorf("%s\n%s", message, paths)
	}
	message, paths = log("5")
	wantIn(t, message, "packages: apt-get -qy ", "changed editor 1 -> 2\n", "installed speller 1:3.0-4\n")
	wantIn(t, paths, "etc/editor.d/2\n", "etc/speller.conf\n", "packages.toml\n")
	clean()

	in("apt-get", "-qy", "purge", "editor", "speller")
	message, paths = log("6")
	wantIn(t, message, "removed editor 2\n", "removed speller 1:3.0-4\n")
	wantIn(t, paths, "etc/editor.conf\n", "etc/speller.conf\n")
	clean()
	if youngest := strings.TrimSpace(in("svnlook", "youngest", "/srv/repo")); youngest != "6" {
		t.Errorf("%s revisions", youngest)
	}
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}
