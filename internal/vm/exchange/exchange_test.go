package exchange

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func TestRoundTrip(t *testing.T) {
	var disk bytes.Buffer
	w, err := NewWriter(&disk, Job{Args: []string{"true"}, Udev: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.AddTree(fstest.MapFS{
			"dir/program": &fstest.MapFile{Data: []byte("content"), Mode: 0o755},
			"empty":       &fstest.MapFile{Mode: fs.ModeDir | 0o755},
			"fifo":        &fstest.MapFile{Mode: fs.ModeNamedPipe},
		}),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	disk.Write(make([]byte, 4096)) // the rest of it
	dir := t.TempDir()
	var job Job
	if err := Read(&disk, &job, Unpack(dir)); err != nil {
		t.Fatal(err)
	}
	if len(job.Args) != 1 || !job.Udev {
		t.Errorf("got %+v", job)
	}
	program := filepath.Join(dir, "dir", "program")
	content, err := os.ReadFile(program)
	if err != nil || string(content) != "content" {
		t.Errorf("got %q, %v", content, err)
	}
	if info, err := os.Stat(program); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "empty")); err != nil || !info.IsDir() {
		t.Errorf("got %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fifo")); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

func TestReadOfAnEmptyDisk(t *testing.T) {
	var job Job
	if err := Read(bytes.NewReader(make([]byte, 4096)), &job, nil); err == nil {
		t.Error("an empty disk is no error")
	}
}
