package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spec is a package of rpm with a configuration file.
const spec = `Name: editor
Version: 1.5
Release: 2
Summary: a test
License: none
BuildArch: noarch
%description
a test
%install
mkdir -p %{buildroot}/etc
echo tabs >%{buildroot}/etc/editor.conf
%files
%config(noreplace) /etc/editor.conf
`

// overlay runs shell text in a root that looks as this machine does, with the
// files of a directory over it. What is written there is written nowhere else.
const overlay = `set -eu
dir=$(mktemp -d)
trap 'rmdir "$dir"' EXIT
unshare --mount sh -euc '
	mount -t tmpfs none "$1"
	mkdir "$1/upper" "$1/work" "$1/root"
	mount -t overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" overlay "$1/root"
	cp -a "$2/." "$1/root"
	mount --bind /dev "$1/root/dev"
	mount --bind /proc "$1/root/proc"
	HOME=/root TMPDIR=/tmp chroot "$1/root" sh -euc "$3"' - "$dir" "$1" "$2"
`

func inOverlay(t *testing.T, files, text string) string {
	t.Helper()
	return must(t, "sh", "-c", overlay, "-", files, "exec 2>&1\n"+text)
}

// rpmMachine is a directory for an overlay: a hook, a repository of one package
// in /srv/rpms, a stand-in for rootwc, and an empty database.
func rpmMachine(t *testing.T, hook Hook, manager string) string {
	t.Helper()
	needs(t, manager, "rpmbuild", "createrepo_c", "unshare")
	if _, err := do(t, "sh", "-c", overlay, "-", t.TempDir(), "true"); err != nil {
		t.Skipf("needs a file system over this machine's: %v", err)
	}
	files, work := t.TempDir(), t.TempDir()
	if err := os.Chmod(files, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", work)
	write(t, filepath.Join(work, ".rpmmacros"), "%_topdir "+work+"/build\n", 0o644)
	write(t, filepath.Join(work, "editor.spec"), spec, 0o644)
	must(t, "rpmbuild", "--quiet", "-bb", filepath.Join(work, "editor.spec"))
	must(t, "createrepo_c", "--quiet", work+"/build/RPMS")
	if err := os.CopyFS(filepath.Join(files, "srv/rpms"), os.DirFS(work+"/build/RPMS")); err != nil {
		t.Fatal(err)
	}
	here, err := os.OpenRoot("/")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	for _, f := range hook.Files(here) {
		write(t, filepath.Join(files, f.Path), string(f.sealed()), f.Mode)
	}
	write(t, filepath.Join(files, "root/.rpmmacros"), "%_dbpath /var/lib/rpm\n", 0o644)
	write(t, filepath.Join(files, "usr/local/bin/rootwc"), standIn, 0o755)
	write(t, filepath.Join(files, "status"), "0", 0o644)
	return files
}

func TestDnf(t *testing.T) {
	files := rpmMachine(t, dnf, "dnf")
	write(t, filepath.Join(files, "srv/repos/own.repo"), "[own]\nname=own\nbaseurl=file:///srv/rpms\ngpgcheck=0\n", 0o644)
	out := inOverlay(t, files, `
dnf() { command dnf --assumeyes --quiet --releasever=1 --setopt=reposdir=/srv/repos --setopt=cachedir=/tmp/cache "$@"; }
dnf install editor
echo 3 >/status
dnf remove editor && echo removed
test -e /etc/editor.conf && echo kept
echo 2 >/status
dnf --installroot=/srv/other install editor
dnf remove editor
test -e /etc/editor.conf || echo gone
echo ---
cat /calls`)
	const each = "--root=/ hooks before dnf\n"
	const around = each + "--root=/ hooks after dnf\n"
	told, got, _ := strings.Cut(out, "---\n")
	if got != around+each+around {
		t.Errorf("calls: %s", got)
	}
	if !strings.Contains(told, "kept") || !strings.Contains(told, "gone") || strings.Contains(told, "removed\n") {
		t.Errorf("%s", out)
	}
	if !strings.Contains(out, "rootwc refuses: there are uncommitted changes") {
		t.Errorf("not refused: %s", out)
	}
}

func TestZypper(t *testing.T) {
	files := rpmMachine(t, zypper, "zypper")
	// libsolv takes an empty database for a failure.
	out := inOverlay(t, files, `
mkdir -p /etc/products.d
rpm --initdb
zypper --non-interactive addrepo --no-gpgcheck dir:/srv/rpms own
zypper --non-interactive --no-gpg-checks install editor || true
test -e /etc/editor.conf && echo there
echo 3 >/status
zypper --non-interactive remove editor || true
test -e /etc/editor.conf || echo gone
echo ---
cat /calls`)
	const around = "--root=/ hooks before zypper\n--root=/ hooks after zypper\n"
	told, got, _ := strings.Cut(out, "---\n")
	if got != around+around || !strings.Contains(told, "there\n") || !strings.Contains(told, "gone\n") {
		t.Errorf("%s", out)
	}
}
