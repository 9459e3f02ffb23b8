package own

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine is a root with programs of one event, by name.
func machine(t *testing.T, event string, programs map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	hooks := filepath.Join(dir, Dir, event)
	if err := os.MkdirAll(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(hooks, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

var local = Trust{func(string) bool { return false }, func(string, string) bool { return false }}

// TestRunsWhatWasRead: a program that is replaced after it was looked at runs
// as it was, a script and a binary alike.
func TestRunsWhatWasRead(t *testing.T) {
	binary, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Skip("needs /bin/true")
	}
	root := machine(t, "pre-update", map[string]string{"1-script": "#!/bin/sh\necho good\n", "2-binary": string(binary)})
	hooks, err := Find(root, "pre-update", local)
	if err != nil || len(hooks) != 2 {
		t.Fatalf("found %v, %v", hooks, err)
	}
	for _, h := range hooks {
		if err := root.WriteFile(h.Path, []byte("#!/bin/sh\necho evil; exit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	reports, err := Run(t.Context(), hooks, Event{Name: "pre-update", Root: root.Name()}, time.Minute)
	if err != nil || len(reports) != 2 || reports[0].Output != "good\n" || reports[1].Output != "" {
		t.Errorf("got %+v, %v", reports, err)
	}
}

// TestOrder: names as run-parts(8) takes and sorts them; after the verb all
// have their turn, before it the first failure ends it.
func TestOrder(t *testing.T) {
	for event, want := range map[string]string{"pre-commit": "A b", "post-commit": "A b c"} {
		root := machine(t, event, map[string]string{
			"b": "#!/bin/sh\nexit 1\n", "A": "#!/bin/sh\n", "c": "#!/bin/sh\n", "d.dpkg-old": "#!/bin/sh\n", "e~": "#!/bin/sh\n",
		})
		hooks, err := Find(root, event, local)
		if err != nil {
			t.Fatal(err)
		}
		reports, err := Run(t.Context(), hooks, Event{Name: event, Root: root.Name()}, time.Minute)
		var ran []string
		for _, r := range reports {
			ran = append(ran, filepath.Base(r.Hook.Path))
		}
		if got := strings.Join(ran, " "); got != want || err == nil {
			t.Errorf("%s: ran %q, %v; want %q and a failure", event, got, err, want)
		}
	}
}

// TestSymlinks: one is followed as far as it stays below the root, and what it
// leads to counts as versioned where that is.
func TestSymlinks(t *testing.T) {
	root := machine(t, "pre-commit", map[string]string{"own": "#!/bin/sh\n"})
	dir := filepath.Join(root.Name(), Dir, "pre-commit")
	if err := os.Symlink("own", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	versioned := Trust{func(path string) bool { return path == Dir+"/pre-commit/own" }, local.Allowed}
	hooks, err := Find(root, "pre-commit", versioned)
	if err != nil || len(hooks) != 2 {
		t.Fatalf("found %v, %v", hooks, err)
	}
	for _, h := range hooks {
		if !errors.Is(h.Refuse, ErrNotAllowed) {
			t.Errorf("%s may run: %v", h.Path, h.Refuse)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(root, "pre-commit", versioned); err == nil {
		t.Error("a symlink that leaves the root is followed")
	}
}
