package probes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
)

func init() {
	// what only root's PATH has is there all the same
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
}

func TestMain(m *testing.M) {
	odds.Apart()
	m.Run()
}

// need skips a test where a tool of the administrator is missing; make deps
// installs them.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
}

// tool runs a program and returns its output.
func tool(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := tryTool(stdin, args...)
	if err != nil {
		t.Fatalf("%s: %v", run.Quote(args), err)
	}
	return out
}

func tryTool(stdin string, args ...string) (string, error) {
	out, _, err := run.Output(context.Background(), run.Command{Args: odds.OfRelease(args), Stdin: strings.NewReader(stdin)})
	return string(out), err
}

// blankImage makes a sparse file of zeros.
func blankImage(t testing.TB, size uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(size)); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens an image for reading and writing, and tells its size.
func open(t testing.TB, path string) (*os.File, uint64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, uint64(info.Size())
}
