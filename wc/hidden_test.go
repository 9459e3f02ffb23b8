package wc

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// namedHidden makes a hidden file as on a file system that knows no O_TMPFILE.
func namedHidden(t *testing.T, c *Copy, rel string) *hidden {
	t.Helper()
	h := &hidden{rel: rel, state: c.tree.State, copy: c}
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	h.file.Close()
	name, err := h.name()
	if err == nil {
		err = h.create(name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW)
	}
	if err == nil {
		_, err = h.file.WriteString("secret")
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hiddenCopy(t *testing.T) *Copy {
	t.Helper()
	tree, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	if err := tree.State.ensure(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(tree.Root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Copy{tree: tree, fs: tree.fs}
}

// inEtc are the files below etc with their content.
func inEtc(t *testing.T, c *Copy) map[string]string {
	t.Helper()
	dir := filepath.Join(c.tree.Root, "etc")
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, f := range found {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[f.Name()] = string(text)
	}
	return texts
}

func TestNamedHiddenAppears(t *testing.T) {
	c := hiddenCopy(t)
	h := namedHidden(t, c, "etc/key")
	if err := h.appear(identity{}); err != nil {
		t.Fatal(err)
	}
	h.close()
	if got := inEtc(t, c); len(got) != 1 || got["key"] != "secret" {
		t.Errorf("etc has %q", got)
	}
	if _, err := os.Lstat(c.tree.State.path(hiddenFile)); err == nil {
		t.Error("its note is still there")
	}
}

// TestHiddenSwept: what a crash leaves of one is removed by the next command,
// and what is given up at once.
func TestHiddenSwept(t *testing.T) {
	c := hiddenCopy(t)
	crashed := namedHidden(t, c, "etc/key")
	crashed.file.Close()
	crashed.dir.Close()
	if got := inEtc(t, c); len(got) != 1 {
		t.Fatalf("etc has %q", got)
	}
	c.tree.State.sweep()
	if got := inEtc(t, c); len(got) != 0 {
		t.Errorf("after the next command etc has %q", got)
	}
	namedHidden(t, c, "etc/key").close()
	if got := inEtc(t, c); len(got) != 0 {
		t.Errorf("given up, etc has %q", got)
	}
}

// TestHiddenKeepsOthers: what came into its place meanwhile stays.
func TestHiddenKeepsOthers(t *testing.T) {
	for name, make := range map[string]func(*testing.T, *Copy) *hidden{
		"named": func(t *testing.T, c *Copy) *hidden { return namedHidden(t, c, "etc/key") },
		"unnamed": func(t *testing.T, c *Copy) *hidden {
			h, err := newHidden(c, "etc/key")
			if err != nil {
				t.Fatal(err)
			}
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := hiddenCopy(t)
			h := make(t, c)
			if err := os.WriteFile(filepath.Join(c.tree.Root, "etc/key"), []byte("theirs"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := h.appear(identity{}); err == nil {
				t.Error("it took the place of another")
			}
			h.close()
			if got := inEtc(t, c); len(got) != 1 || got["key"] != "theirs" {
				t.Errorf("etc has %q", got)
			}
		})
	}
}
