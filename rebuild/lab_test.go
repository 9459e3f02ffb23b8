package rebuild

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
	"rootwc/probes"
)

// lab is where the lower layers are tried: on image files, on loop devices, in
// a guest.
type lab struct {
	*testing.T
	secrets map[Key]string
	// echo prints actions before they are done.
	echo bool
	// insert goes in behind the first two words of each "lvm" command.
	insert []string
}

// newLab skips a test where a tool of the administrator is missing; make deps
// installs them.
func newLab(t *testing.T, tools ...string) *lab {
	t.Helper()
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	return &lab{T: t}
}

// blank makes a sparse file of zeros.
func (l *lab) blank(size uint64) string {
	l.Helper()
	path := filepath.Join(l.TempDir(), "disk.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		l.Fatal(err)
	}
	if err := os.Truncate(path, int64(size)); err != nil {
		l.Fatal(err)
	}
	return path
}

// loop makes a loop device.
func (l *lab) loop(size uint64) string {
	l.Helper()
	if os.Getuid() != 0 {
		l.Skip("needs root for loop devices")
	}
	out, err := l.try("", "losetup", "--find", "--show", l.blank(size))
	if err != nil {
		l.Skipf("needs loop devices: %v", err)
	}
	device := strings.TrimSpace(out)
	l.Cleanup(func() { l.tool("", "losetup", "--detach", device) })
	return device
}

func (l *lab) tool(stdin string, args ...string) string {
	l.Helper()
	out, err := l.try(stdin, args...)
	if err != nil {
		l.Fatalf("%s: %v", run.Quote(args), err)
	}
	return out
}

func (l *lab) try(stdin string, args ...string) (string, error) {
	out, _, err := run.Output(context.Background(), run.Command{Args: odds.OfRelease(args), Stdin: strings.NewReader(stdin)})
	return string(out), err
}

// medium opens a device or an image to be read.
func (l *lab) medium(path string) probes.Medium {
	l.Helper()
	f, err := os.Open(path)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { f.Close() })
	size, err := f.Seek(0, 2)
	if err != nil {
		l.Fatal(err)
	}
	return probes.Medium{ReaderAt: f, Size: uint64(size)}
}

// do does actions as the plan would.
func (l *lab) do(actions ...[]Action) {
	l.Helper()
	if err := l.tryDo(actions...); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) tryDo(actions ...[]Action) error {
	var log bytes.Buffer
	p := &Performer{
		Output: &log,
		Echo: func(line string) {
			fmt.Fprintf(&log, "+ %s\n", line)
			if l.echo {
				fmt.Printf("+ %s\n", line)
			}
		},
		Passphrase: func(k Key) ([]byte, error) { return []byte(l.secrets[k]), nil },
	}
	for _, a := range slices.Concat(actions...) {
		if len(a.Args) > 1 && a.Args[0] == "lvm" {
			a.Args = slices.Concat(a.Args[:2], l.insert, a.Args[2:])
		}
		if len(a.Args) > 0 {
			a.Args = odds.OfRelease(a.Args)
		}
		if err := p.Do(context.Background(), a); err != nil {
			l.Logf("%s", log.Bytes())
			return err
		}
	}
	return nil
}
