package packages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// install brings packages back, and tells what was gone.
func install(t *testing.T, recorded, now *Installed, program Program) (plan *Plan, gone string) {
	t.Helper()
	installer, err := NewInstaller(recorded, now, program)
	if err != nil {
		t.Fatal(err)
	}
	steps := installer.Prepare()
	do := func(steps []Step) {
		for _, s := range steps {
			if _, err := program(t.Context(), s.Args); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	do(steps)
	if plan, err = installer.Plan(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	do(plan.Steps)
	for _, g := range plan.Gone {
		gone += g.Name + ": " + g.Why + "\n"
	}
	return plan, gone
}

// recordedOf is a machine with wanted, recommended and pulled in packages.
func recordedOf(t *testing.T, manager string) *Installed {
	t.Helper()
	in, err := Parse([]byte("format = \"1.0.0\"\nmanager = \"" + manager + "\"\narchitectures = [\"x86_64\"]\n[wanted]\neditor = \"1-1\"\nlost = \"1-1\"\n[recommended]\nspell = \"1-1\"\nold = \"1-1\"\n[pulled-in]\nlibtext = \"1-1\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestInstallDnf(t *testing.T) {
	root := dnfRoot(t)
	work := filepath.Dir(root)
	program := func(ctx context.Context, args []string) ([]byte, error) {
		options := []string{"dnf", "--installroot=" + root, "--releasever=1", "--setopt=reposdir=" + root + "/etc/yum.repos.d", "--setopt=cachedir=" + work + "/cache"}
		out, _, err := run.Output(ctx, run.Command{Args: append(options, args[1:]...)})
		return out, err
	}
	if _, err := program(t.Context(), []string{"dnf", "--assumeyes", "--quiet", "remove", "editor", "spell", "libtext"}); err != nil {
		t.Fatal(err)
	}
	if _, err := program(t.Context(), []string{"dnf", "--assumeyes", "--quiet", "install", "libtext"}); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(root, "etc/editor.conf")
	if err := os.WriteFile(conf, []byte("tabs = 4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	plan, gone := install(t, recordedOf(t, Dnf), read(t, root), program)
	if gone != "lost: no repository has it\n" || !slices.Equal(plan.Install, []string{"editor", "spell"}) {
		t.Errorf("%+v, gone %s", plan, gone)
	}
	now := read(t, root)
	if keys(now, wanted) != "editor" || len(now.Packages) != 3 {
		t.Errorf("wanted %s of %d", keys(now, wanted), len(now.Packages))
	}
	if text, err := os.ReadFile(conf); err != nil || string(text) != "tabs = 4\n" {
		t.Errorf("the file that was there is %q, %v", text, err)
	}
	if plan, _ := install(t, recordedOf(t, Dnf), now, program); len(plan.Steps) != 0 {
		t.Errorf("once more: %v", plan.Steps)
	}
}

func TestInstallPacman(t *testing.T) {
	needs(t, "pacman", "tar")
	root := write(t, map[string]string{"etc/editor.conf": "tabs = 4\n", "etc/pacman.conf": ""})
	database, cache, repository := filepath.Join(root, "var/lib/pacman"), t.TempDir(), t.TempDir()
	conf := filepath.Join(cache, "pacman.conf")
	err := errors.Join(os.MkdirAll(database, 0o755),
		os.WriteFile(conf, []byte("[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n[own]\nServer = file://"+repository+"\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	program := func(ctx context.Context, args []string) ([]byte, error) {
		options := []string{"pacman", "--config", conf, "--root", root, "--dbpath", database, "--cachedir", cache}
		out, _, err := run.Output(ctx, run.Command{Args: append(options, args[1:]...)})
		return out, err
	}
	pacmanRepository(t, repository, map[string]string{"editor": "backup = etc/editor.conf\ndepend = libtext\n", "libtext": "", "spell": "", "base": ""})
	if _, err := program(t.Context(), []string{"pacman", "--noconfirm", "-Sy", "base"}); err != nil {
		t.Fatal(err)
	}
	plan, gone := install(t, recordedOf(t, Pacman), read(t, root), program)
	if gone != "lost: no repository has it\n" || !slices.Equal(plan.Install, []string{"editor", "spell"}) || plan.Also != 1 {
		t.Errorf("%+v, gone %s", plan, gone)
	}
	now := read(t, root)
	if keys(now, wanted) != "base editor" || keys(now, recommended) != "spell" || len(now.Packages) != 4 {
		t.Errorf("wanted %s, recommended %s of %d", keys(now, wanted), keys(now, recommended), len(now.Packages))
	}
	if text, err := os.ReadFile(filepath.Join(root, "etc/editor.conf")); err != nil || string(text) != "tabs = 4\n" {
		t.Errorf("the file that was there is %q, %v", text, err)
	}
	if plan, _ := install(t, recordedOf(t, Pacman), now, program); len(plan.Steps) != 0 {
		t.Errorf("once more: %v", plan.Steps)
	}
}

// pacmanRepository makes a repository "own" of packages, by what their .PKGINFO
// says besides the usual.
func pacmanRepository(t *testing.T, dir string, infos map[string]string) {
	t.Helper()
	tree := t.TempDir()
	tar := []string{"tar", "--create", "--gzip", "--force-local", "--file=" + filepath.Join(dir, "own.db"), "--directory=" + tree}
	for name, info := range infos {
		file := pacmanPackage(t, name, info)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		desc := "%FILENAME%\n" + filepath.Base(file) + "\n\n%NAME%\n" + name + "\n\n%VERSION%\n1:1.5-2\n\n%ARCH%\nany\n\n"
		if strings.Contains(info, "depend = ") {
			desc += "%DEPENDS%\nlibtext\n\n"
		}
		tar = append(tar, name+"-1:1.5-2")
		entry := filepath.Join(tree, tar[len(tar)-1])
		err = errors.Join(os.Mkdir(entry, 0o755), os.WriteFile(filepath.Join(entry, "desc"), []byte(desc), 0o644),
			os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	do(t, tar...)
}
