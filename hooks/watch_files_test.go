package hooks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"rootwc/internal/run"
)

func TestWatchFiles(t *testing.T) {
	for name, c := range map[string]struct {
		root fstest.MapFS
		want []string
	}{
		"debian": {fstest.MapFS{"etc/update-motd.d/10-uname": {}}, []string{"etc/systemd/system/rootwc-watch.service", "etc/update-motd.d/92-rootwc"}},
		"fedora": {fstest.MapFS{"etc/profile.d/lang.sh": {}}, []string{"etc/systemd/system/rootwc-watch.service", "etc/profile.d/rootwc.sh"}},
	} {
		files, err := WatchFiles(c.root, "/usr/local/bin/rootwc")
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			if f.Path != c.want[i] {
				t.Errorf("%s: %s, not %s", name, f.Path, c.want[i])
			}
		}
	}
}

// TestWatchUnit: systemd understands the unit, and gives it no mount namespace.
func TestWatchUnit(t *testing.T) {
	files, err := WatchFiles(fstest.MapFS{}, "/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	unit := files[0].Text
	if !strings.Contains(unit, "\nExecStart=/bin/true watch\n") {
		t.Errorf("the program is not in\n%s", unit)
	}
	if own := regexp.MustCompile(`(?m)^(Protect\w+|Private\w+|\w+Paths|BindP\w+|TemporaryFileSystem|RootDirectory|DynamicUser)=`).FindString(unit); own != "" {
		t.Errorf("%s may give it a mount namespace of its own", own)
	}
	if _, ok := run.Look("systemd-analyze"); !ok {
		t.Skip("needs systemd-analyze, to check the unit")
	}
	name := filepath.Join(t.TempDir(), WatchUnit)
	if err := os.WriteFile(name, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, warnings, err := run.Output(t.Context(), run.Command{Args: []string{"systemd-analyze", "verify", "--recursive-errors=no", name}})
	if err != nil || strings.Contains(warnings, WatchUnit+":") {
		t.Errorf("%v\n%s%s", err, out, warnings)
	}
}

// TestLoginSnippet: it says nothing but the line, and that only when it is there.
func TestLoginSnippet(t *testing.T) {
	files, err := WatchFiles(fstest.MapFS{}, "/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	line := filepath.Join(t.TempDir(), "login")
	script := strings.ReplaceAll(files[1].Text, "/"+LoginPath, line)
	said := func() string {
		out, warnings, err := run.Output(t.Context(), run.Command{Args: []string{"sh", "-eu", "-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		return string(out) + warnings
	}
	if got := said(); got != "" {
		t.Errorf("without drift it says %q", got)
	}
	const want = "1 path differs\n"
	if err := os.WriteFile(line, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := said(); got != want {
		t.Errorf("it says %q", got)
	}
}
