package vm

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// theImage is built once for all tests of this package.
var theImage = sync.OnceValues(func() (*Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return Build(ctx, Options{Udev: true})
})

// image skips a test unless machines are asked for.
func image(t *testing.T) *Image {
	t.Helper()
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts virtual machines; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	i, err := theImage()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// blank makes a sparse disk and returns it.
func blank(t *testing.T, size int64, d Disk) Disk {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "disk-*.img")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	d.Path = f.Name()
	return d
}

// script is a machine that runs a shell script, which stops at its first
// failure.
func script(text string, disks ...Disk) Machine {
	return Machine{
		Command: []string{"sh", "-eu", "script"},
		Files:   fstest.MapFS{"script": &fstest.MapFile{Data: []byte(text)}},
		Disks:   disks,
		Timeout: 5 * time.Minute,
	}
}

// boot runs a machine whose command must exit with 0.
func boot(t *testing.T, m Machine) *Result {
	t.Helper()
	r, err := image(t).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 0 {
		t.Fatalf("exit status %d\n%s", r.Status, r.Console)
	}
	t.Logf("%.1f s: %.1f s until the command, %.1f s for it", r.Took.Seconds(), r.Up.Seconds(), r.Command.Seconds())
	return r
}

func TestAnswerComesBack(t *testing.T) {
	m := Machine{
		Command: []string{"sh", "-c", `cat word; echo "$COLOUR" >/out/colour; mkdir /out/empty; grep -c . /proc/modules; exit 7`},
		Env:     []string{"COLOUR=blue"},
		Files:   fstest.MapFS{"word": &fstest.MapFile{Data: []byte("from the host\n")}},
		Timeout: 2 * time.Minute,
	}
	r, err := image(t).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 7 || !strings.Contains(r.Console, "from the host\n") {
		t.Errorf("status %d, console:\n%s", r.Status, r.Console)
	}
	if f := r.Files["colour"]; f == nil || string(f.Data) != "blue\n" || r.Files["empty"] == nil {
		t.Errorf("files: %v", r.Files)
	}
	t.Logf("%.1f s, %.1f s of them until the command", r.Took.Seconds(), r.Up.Seconds())
}
