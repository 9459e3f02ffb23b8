package rebuild

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestMakePlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".rootwc-new"), 0o700); err != nil { // of a run that was cut off
		t.Fatal(err)
	}
	for range 2 {
		for name, mode := range map[string]fs.FileMode{"tmp": 0o777 | fs.ModeSticky, "dev": 0o755, "link": 0o755} {
			if err := makePlace(dir, name, mode); err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			want := mode | fs.ModeDir
			if name == "link" {
				want = fs.ModeSymlink | 0o777
			}
			if info.Mode() != want {
				t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
			}
		}
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 3 {
		t.Errorf("%v, %v", found, err)
	}
}
