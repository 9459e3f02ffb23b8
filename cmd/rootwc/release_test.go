package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMaterializeReleases sees that nothing below the root is open when the
// verb is over: a rebuild goes on in the same process, and unmounts it.
func TestMaterializeReleases(t *testing.T) {
	needs(t, "svn", "svnadmin")
	dir := t.TempDir()
	must(t, dir, "svnadmin", "create", "repo")
	url := "file://" + dir + "/repo"
	must(t, dir, "svn", "mkdir", "-q", "-m", "other", "--parents", url+"/other/inside")
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, d := range []string{filepath.Join(one, "etc"), two} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"--root", one, "init", url + "/box"},
		{"--root", one, "externals", "add", "^/other", "other"},
		{"--root", one, "commit", "-m", "first state"},
		{"--root", two, "materialize", url + "/box"},
		{"--root", two, "materialize", url + "/box"},
		{"--root", two, "status"},
	} {
		var out bytes.Buffer
		if status := rootwc(t.Context(), args, strings.NewReader(""), &out, &out); status != 0 {
			t.Fatalf("rootwc %s: status %d\n%s", strings.Join(args, " "), status, out.String())
		}
		open, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range open {
			if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(path, dir+"/") {
				t.Errorf("rootwc %s leaves %s open", strings.Join(args, " "), path)
			}
		}
	}
}
