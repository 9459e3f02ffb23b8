package packages

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rootwc/internal/run"
)

// spec is a package of rpm, with one configuration file or none.
const spec = `Name: %s
Version: 1.5
Release: 2
%s
Summary: a test
License: none
BuildArch: noarch
%%description
a test
%%install
mkdir -p %%{buildroot}/etc %%{buildroot}/usr/share/%[1]s
echo tabs >%%{buildroot}/etc/%[1]s.conf
%%files
%%config(noreplace) /etc/%[1]s.conf
/usr/share/%[1]s
`

// do runs a program that has to succeed.
func do(t *testing.T, args ...string) {
	t.Helper()
	if _, _, err := run.Output(t.Context(), run.Command{Args: args}); err != nil {
		t.Fatalf("%s: %v", run.Quote(args), err)
	}
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, found := run.Look(name); !found {
			t.Skipf("needs %s, which make deps installs", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("installs packages in a root of its own")
	}
}

// dnfRoot installs a package with what it needs and recommends.
func dnfRoot(t *testing.T) string {
	needs(t, "rpm", "rpmbuild", "createrepo_c", "dnf")
	work := t.TempDir()
	t.Setenv("HOME", work)
	err := os.WriteFile(filepath.Join(work, ".rpmmacros"), []byte("%_dbpath /var/lib/rpm\n%_topdir "+work+"/build\n"), 0o644)
	for name, header := range map[string]string{"editor": "Epoch: 3\nRequires: libtext\nRecommends: spell", "libtext": "", "spell": ""} {
		err = errors.Join(err, os.WriteFile(filepath.Join(work, name+".spec"), fmt.Appendf(nil, spec, name, header), 0o644))
	}
	root := filepath.Join(work, "root")
	err = errors.Join(err, os.MkdirAll(filepath.Join(root, "etc/yum.repos.d"), 0o755))
	repository := "[local]\nname=local\nbaseurl=file://" + work + "/build/RPMS\ngpgcheck=0\n[off]\nenabled=0\nbaseurl=https://example.org\n"
	err = errors.Join(err, os.WriteFile(filepath.Join(root, "etc/yum.repos.d/local.repo"), []byte(repository), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"editor", "libtext", "spell"} {
		do(t, "rpmbuild", "--quiet", "-bb", filepath.Join(work, name+".spec"))
	}
	do(t, "createrepo_c", "--quiet", work+"/build/RPMS")
	do(t, "dnf", "--quiet", "--assumeyes", "--installroot="+root, "--releasever=1",
		"--setopt=reposdir="+root+"/etc/yum.repos.d", "--setopt=cachedir="+work+"/cache", "install", "editor")
	return root
}

func TestDnf(t *testing.T) {
	root := dnfRoot(t)
	in := read(t, root)
	if in.Manager != Dnf || keys(in, wanted) != "editor" || keys(in, recommended) != "spell" || len(in.Packages) != 3 {
		t.Errorf("%s: wanted %s, recommended %s of %d", in.Manager, keys(in, wanted), keys(in, recommended), len(in.Packages))
	}
	editor := in.Owner("etc/editor.conf")
	if editor == nil || editor.Version != "3:1.5-2" || editor.Conffiles["etc/editor.conf"] != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("tabs\n"))) {
		t.Errorf("%+v", editor)
	}
	if r := in.Repositories["local"]; len(in.Repositories) != 1 || r == nil || !r.Unsigned {
		t.Errorf("%+v", in.Repositories)
	}

	// dnf 5 words the same in files of its own
	err := os.MkdirAll(filepath.Join(root, filepath.Dir(dnfReasons)), 0o755)
	for name, text := range map[string]string{
		dnfReasons: "version = \"1.0\"\n[packages]\n[packages.\"editor.noarch\"]\nreason = \"Dependency\"\n[packages.\"spell.noarch\"]\nreason = \"User\"\n[packages.\"libtext.noarch\"]\nreason = \"Weak Dependency\"\n",
		dnfGroups:  "version = \"1.0\"\n[groups]\n[groups.core]\nuserinstalled = true\npackages = [\"editor\"]\n",
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	in = read(t, root)
	if keys(in, wanted) != "editor spell" || keys(in, recommended) != "libtext" {
		t.Errorf("wanted %s, recommended %s", keys(in, wanted), keys(in, recommended))
	}
}
