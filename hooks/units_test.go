package hooks

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rootwc/hooks/watch"
	"rootwc/internal/run"
)

// files are those of a hook on a root that has these paths.
func files(t *testing.T, h Hook, paths ...string) []File {
	t.Helper()
	dir := t.TempDir()
	for _, name := range paths {
		write(t, filepath.Join(dir, name), "", 0o755)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return h.Files(root)
}

// TestUnits: systemd understands the units and has no word against them, they
// call the rootwc that is there, and get no mount namespace.
func TestUnits(t *testing.T) {
	namespace := regexp.MustCompile(`(?m)^(Protect\w+|Private\w+|\w+Paths|BindP\w+|TemporaryFileSystem|RootDirectory|DynamicUser)=`)
	for _, h := range All {
		if h.Unit == "" {
			continue
		}
		t.Run(h.Name, func(t *testing.T) {
			dir := t.TempDir()
			names, called := []string{}, false
			for _, f := range files(t, h, "usr/bin/rootwc") {
				if own := namespace.FindString(f.Text); own != "" {
					t.Errorf("%s: %s may make a mount namespace", f.Path, own)
				}
				called = called || strings.Contains(f.Text, "\nExecStart=/usr/bin/rootwc ")
				if path.Dir(f.Path) == unitDir {
					name := filepath.Join(dir, path.Base(f.Path))
					text := strings.ReplaceAll(f.Text, "/usr/bin/rootwc", "/bin/true") // which is here
					write(t, name, text, 0o644)
					names = append(names, name)
				}
			}
			if !called {
				t.Error("nothing calls /usr/bin/rootwc")
			}
			if _, found := run.Look("systemd-analyze"); !found {
				t.Skip("needs systemd-analyze, which make deps installs")
			}
			out, err := do(t, append([]string{"systemd-analyze", "verify", "--man=no", "--recursive-errors=no"}, names...)...)
			if err != nil || strings.Contains(out, "rootwc") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestProgram: the first of the directories wins, and without any the usual place.
func TestProgram(t *testing.T) {
	for want, paths := range map[string][]string{
		"/usr/local/bin/rootwc":  nil,
		"/usr/bin/rootwc":        {"usr/bin/rootwc"},
		"/usr/local/sbin/rootwc": {"usr/bin/rootwc", "usr/local/sbin/rootwc"},
	} {
		if text := files(t, watcher, paths...)[0].Text; !strings.Contains(text, "ExecStart="+want+" ") {
			t.Errorf("%s is not called by\n%s", want, text)
		}
	}
}

// TestLogin: the line is where the system looks, and what it says is that and
// nothing else.
func TestLogin(t *testing.T) {
	for place, paths := range map[string][]string{
		"etc/update-motd.d/92-rootwc": {"etc/update-motd.d/10-uname"},
		"etc/profile.d/rootwc.sh":     {"etc/profile.d/lang.sh"},
	} {
		f := files(t, watcher, paths...)[1]
		if f.Path != place {
			t.Errorf("%s, not %s", f.Path, place)
		}
		line := filepath.Join(t.TempDir(), "login")
		script := strings.ReplaceAll(f.Text, "/"+watch.LoginPath, line)
		if got := must(t, "sh", "-eu", "-c", script); got != "" {
			t.Errorf("without drift it says %q", got)
		}
		const want = "1 path differs\n"
		write(t, line, want, 0o644)
		if got := must(t, "sh", "-eu", "-c", script); got != want {
			t.Errorf("it says %q", got)
		}
	}
}
