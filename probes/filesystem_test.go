package probes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

// fsTools skips a test where one of the programs that make a file system and
// list it is missing.
func fsTools(t *testing.T, programs ...string) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s", p)
		}
	}
}

// fsRun runs a tool and gives what it prints.
func fsRun(env []string, args ...string) (string, error) {
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	c.Env = append(c.Env, env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%q: %w\n%s%s", args, err, out, stderr.Bytes())
	}
	return string(out), err
}

func mustRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, err := fsRun(env, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// blank is a sparse image of that many bytes.
func blank(t *testing.T, size uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	renew(t, path, size)
	return path
}

func renew(t *testing.T, path string, size uint64) {
	t.Helper()
	os.Remove(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(f.Truncate(int64(size)), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeOdd makes a file system on a new image, and says whether the tools do.
func makeOdd(t *testing.T, o odds.FileSystem, image string) bool {
	t.Helper()
	renew(t, image, o.Size)
	for _, args := range o.On(image) {
		t.Logf("%q", args)
		if _, err := fsRun(o.Env, args...); err != nil {
			t.Log(err)
			return false
		}
	}
	return true
}

func openImage(t *testing.T, path string) medium {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return medium{f, uint64(info.Size())}
}

func identifyImage(t *testing.T, path string) *found {
	t.Helper()
	one, err := identify(openImage(t, path))
	if err != nil || one == nil {
		t.Fatalf("%s: found %v, %v", path, one, err)
	}
	layoutText(t, one)
	return one
}

// layoutText writes what was found as a layout, and reads it again.
func layoutText(t testing.TB, one *found) []byte {
	t.Helper()
	l := &Layout{Format: Format}
	id := one.id
	if id == "" {
		id = "none"
	}
	switch n := one.node.(type) {
	case *FileSystem:
		l.FileSystem = map[ID]*FileSystem{id: n}
	case *Swap:
		l.Swap = map[ID]*Swap{id: n}
	}
	var text bytes.Buffer
	if err := l.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := Read(text.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%s", err, &text)
	}
	if changes := Compare(l, again); len(changes) > 0 {
		t.Fatalf("%v in\n%s", changes, &text)
	}
	return text.Bytes()
}

// randomly makes file systems with random options. The tool refuses some sets;
// only those that it takes count.
func randomly(t *testing.T, usual int, one func(t *testing.T, rng *rand.Rand) (taken bool)) {
	rounds, refused := odds.Rounds(usual), 0
	for seed, taken := 1, 0; taken < rounds && refused <= 20+4*rounds; seed++ {
		done := false
		good := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if done = one(t, rand.New(rand.NewPCG(uint64(seed), 4))); !done {
				t.Skip("the tool refuses this set of options")
			}
		})
		if done || !good {
			taken++
		} else {
			refused++
		}
	}
	t.Logf("%d sets of options were refused", refused)
	if refused > 20+4*rounds {
		t.Error("that is too many")
	}
}

// lines are the "Key: value" lines of a tool's listing.
func lines(listing string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(listing) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			if _, before := all[strings.TrimSpace(k)]; !before {
				all[strings.TrimSpace(k)] = strings.TrimSpace(v)
			}
		}
	}
	return all
}

// number is the first number in a value, decimal or hexadecimal; 0 for none.
func number(s string) uint64 {
	n, _ := strconv.ParseUint(regexp.MustCompile(`^(0x)?[0-9a-f]*`).FindString(s), 0, 64)
	return n
}

// same compares two layers field by field.
func same(t *testing.T, got, want any, listing string) {
	t.Helper()
	g, w := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	failed := false
	for i := range g.NumField() {
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if g.Field(i).Kind() == reflect.Slice && g.Field(i).Len() == 0 && w.Field(i).Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s is %v, the tool says %v", g.Type().Field(i).Name, a, b)
			failed = true
		}
	}
	if failed {
		t.Log("the tool says\n" + listing)
	}
}

func TestIdentifyNothing(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 1023, 1500, 4096, 70000} {
		for _, fill := range []byte{0, 0xff, 0x55} {
			b := bytes.Repeat([]byte{fill}, size)
			if one, err := identify(medium{bytes.NewReader(b), uint64(size)}); one != nil || err != nil {
				t.Errorf("%d bytes %02x: found %v, %v", size, fill, one, err)
			}
		}
	}
	broken := medium{failing{}, 1 << 20}
	if one, err := identify(broken); one != nil || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a device that cannot be read: %v, %v", one, err)
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestIdentifyTwo(t *testing.T) {
	fsTools(t, "mkfs.ext4", "mkfs.xfs", "mkswap", "mkfs.vfat")
	image := blank(t, 64<<20)
	mustRun(t, nil, "mkfs.vfat", image)
	before, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, nil, "mkfs.ext4", "-q", "-F", image)
	after, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	copy(after, before[:512])
	_, err = identify(medium{bytes.NewReader(after), uint64(len(after))})
	if err == nil || err.Error() != "holds the marks of ext4 and vfat" {
		t.Errorf("ext4 and vfat: %v", err)
	}
	after[1024+0x20]++ // and a broken checksum
	_, err = identify(medium{bytes.NewReader(after), uint64(len(after))})
	if err == nil || !strings.HasPrefix(err.Error(), "holds the marks of a damaged ext and vfat\next superblock: checksum is ") {
		t.Errorf("damaged ext4 and vfat: %v", err)
	}
	copy(after[:512], make([]byte, 512))
	_, err = identify(medium{bytes.NewReader(after), uint64(len(after))})
	if err == nil || !strings.HasPrefix(err.Error(), "ext superblock: checksum is ") {
		t.Errorf("damaged ext4: %v", err)
	}
}

func TestIdentifyOuter(t *testing.T) {
	defer func(all []format) { formats[0] = all }(formats[0])
	formats[0] = []format{{"member", func(medium) (*found, error) { return &found{name: "member"}, nil }}}
	fsTools(t, "mkswap")
	image := blank(t, 1<<20)
	mustRun(t, nil, "mkswap", image)
	if one, err := identify(openImage(t, image)); err != nil || one.name != "member" {
		t.Errorf("got %v, %v", one, err)
	}
}

func TestLabel(t *testing.T) {
	for raw, want := range map[string][2]string{
		"":                 {"", ""},
		"root\x00old":      {"root", ""},
		"sechzehn zeichen": {"sechzehn zeichen", ""},
		"Größe":            {"Größe", ""},
		"a\xffb":           {"a\ufffdb", "61ff62"},
		"Gr\xf6\xdfe":      {"Gr\ufffd\ufffde", "4772f6df65"},
		"\ufffd":           {"\ufffd", ""},
	} {
		if text, hex := label([]byte(raw)); text != want[0] || hex != want[1] {
			t.Errorf("%q: got %q %q", raw, text, hex)
		}
	}
	for raw, want := range map[string][2]string{
		"":                      {"", ""},
		"a\x00\x3d\xd8\x00\xde": {"a😀", ""},
		"a\x00\x3d\xd8b\x00":    {"a\ufffdb", "61003dd86200"},
		"\xfd\xff":              {"\ufffd", ""},
	} {
		if text, hex := label16([]byte(raw)); text != want[0] || hex != want[1] {
			t.Errorf("%q: got %q %q", raw, text, hex)
		}
	}
	for raw, want := range map[string][2]string{
		"":              {"", ""},
		"DATEN      ":   {"DATEN", ""},
		" A  B      ":   {" A  B", ""},
		"GR\x99\xe1E  ": {"GR\ufffd\ufffdE", "475299e145"},
	} {
		if text, hex := fatLabel([]byte(raw)); text != want[0] || hex != want[1] {
			t.Errorf("%q: got %q %q", raw, text, hex)
		}
	}
}
