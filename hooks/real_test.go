package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// These tests have the real package managers read the files, with a program in
// the place of rootwc that writes down how it is called.

const standIn = `#!/bin/sh
echo "$*" >>/calls
test "$3" != before || exit $(cat /status)
`

func do(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	out, warnings, err := run.Output(t.Context(), run.Command{Args: args})
	if failed := (*run.Error)(nil); errors.As(err, &failed) {
		warnings = failed.Stderr
	}
	return string(out) + warnings, err
}

// must is do for what has to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := do(t, args...)
	if err != nil {
		t.Fatalf("%s: %v", run.Quote(args), err)
	}
	return out
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

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// install installs a hook below a root.
func install(t *testing.T, dir string, hook Hook) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := hook.Install(root); err != nil {
		t.Fatal(err)
	}
}

// calls are what the stand-in was called with since the last time.
func calls(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "calls"))
	return string(text)
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// copyPrograms copies programs with their libraries to a root.
func copyPrograms(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		place, found := run.Look(name)
		if !found {
			t.Skipf("needs %s", name)
		}
		files := [][2]string{{place, "usr/bin/" + name}}
		for _, lib := range library.FindAllStringSubmatch(must(t, "ldd", place), -1) {
			files = append(files, [2]string{lib[1], lib[1]})
		}
		for _, f := range files {
			text, err := os.ReadFile(f[0])
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, f[1]), string(text), 0o755)
		}
	}
}

// pacman runs hooks and their programs in the root that it works on.
func TestPacman(t *testing.T) {
	needs(t, "pacman", "tar")
	root := t.TempDir()
	for _, dir := range []string{"usr/bin", "usr/lib", "usr/lib64", "var/lib/pacman", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	copyPrograms(t, root, "sh", "cat")
	write(t, filepath.Join(root, "dev/null"), "", 0o666)
	write(t, filepath.Join(root, "usr/local/bin/rootwc"), standIn, 0o755)
	write(t, filepath.Join(root, "status"), "0", 0o644)
	install(t, root, pacman)
	conf := filepath.Join(t.TempDir(), "pacman.conf")
	write(t, conf, "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n", 0o644)
	program := []string{"pacman", "--config", conf, "--root", root, "--hookdir", filepath.Join(root, "etc/pacman.d/hooks"), "--cachedir", t.TempDir(), "--noconfirm"}
	work := t.TempDir()
	write(t, filepath.Join(work, ".PKGINFO"), "pkgname = editor\npkgver = 1-1\npkgdesc = a test\nurl = none\nbuilddate = 1700000000\npackager = nobody\nsize = 5\narch = any\n", 0o644)
	write(t, filepath.Join(work, "etc/editor.conf"), "tabs\n", 0o644)
	file := filepath.Join(work, "editor-1-1-any.pkg.tar.gz")
	must(t, "tar", "--create", "--gzip", "--owner=0", "--group=0", "--file="+file, "--directory="+work, ".PKGINFO", "etc")
	around := "--root=/ hooks before pacman\n--root=/ hooks after pacman\n"

	out := must(t, append(program, "--upgrade", "--", file)...)
	if got := calls(t, root); got != around || !strings.Contains(out, "Committing what changed before...") {
		t.Errorf("install: %q\n%s", got, out)
	}
	write(t, filepath.Join(root, "status"), "3", 0o644)
	out, err := do(t, append(program, "--remove", "--", "editor")...)
	if _, there := os.Stat(filepath.Join(root, "etc/editor.conf")); err == nil || there != nil || calls(t, root) != "--root=/ hooks before pacman\n" {
		t.Errorf("refused: %v, %v\n%s", err, there, out)
	}
	write(t, filepath.Join(root, "status"), "2", 0o644) // an older rootwc does not know the verb
	must(t, append(program, "--remove", "--", "editor")...)
	if got := calls(t, root); got != around {
		t.Errorf("remove: %q", got)
	}
	if err := os.Remove(filepath.Join(root, "usr/local/bin/rootwc")); err != nil {
		t.Fatal(err)
	}
	out = must(t, append(program, "--upgrade", "--", file)...)
	if strings.Count(out, "rootwc is gone") != 1 {
		t.Errorf("without rootwc:\n%s", out)
	}
}

// The plugin of zypper answers each frame, whatever rootwc does.
func TestZypperFrames(t *testing.T) {
	needs(t, "bash")
	work := t.TempDir()
	plugin := zypper.Files(nil)[0].Text
	plugin = strings.ReplaceAll(plugin, "PATH=/usr/local/sbin:", "PATH="+work+":/usr/local/sbin:")
	write(t, filepath.Join(work, "plugin"), plugin, 0o755)
	write(t, filepath.Join(work, "rootwc"), fmt.Sprintf("#!/bin/sh\necho \"$*\" | tee -a %s/calls\nexit 3\n", work), 0o755)
	frames := "PLUGINBEGIN\nuserdata:x\n\n\x00\nCOMMITBEGIN\n\n{\n\"TransactionStepList\": []\n}\n\x00COMMITEND\n\n{}\x00PLUGINEND\n\n\x00_DISCONNECT\n\n\x00"
	out, _, err := run.Output(t.Context(), run.Command{Args: []string{filepath.Join(work, "plugin")}, Stdin: strings.NewReader(frames)})
	if want := strings.Repeat("ACK\n\n\x00", 5); err != nil || string(out) != want {
		t.Errorf("%q, %v", out, err)
	}
	if got := calls(t, work); got != "--root=/ hooks before zypper\n--root=/ hooks after zypper\n" {
		t.Errorf("%q", got)
	}
}
