package probes

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/run"
)

func init() {
	// what only root's PATH has is there all the same
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
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
	out, _, err := run.Output(context.Background(), run.Command{Args: ofRelease(args), Stdin: strings.NewReader(stdin)})
	return string(out), err
}

// ofRelease runs a tool of another release instead of this machine's, in the
// root that ROOTWC_TOOLS names, as debootstrap makes one. It has the devices
// and /tmp of this machine, in a mount namespace that ends with it.
func ofRelease(args []string) []string {
	root := os.Getenv("ROOTWC_TOOLS")
	if root == "" || args[0] == "losetup" {
		return args
	}
	const enter = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount --bind /tmp "$0/tmp" && exec chroot "$0" "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", enter, root}, args...)
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

// rounds is how often a random test runs: ROOTWC_ROUNDS asks for more.
func rounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("ROOTWC_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// dice are random numbers that are the same each time for a round.
func dice(round int) *rand.Rand { return rand.New(rand.NewPCG(4, uint64(round))) }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// hostile are names that break out of whatever is not careful.
var hostile = []string{
	"", " ", "-rf", `"`, `\`, "'", "`id`", "$(id)", "${HOME}", "a\nb", "a\tb", "\x01\x1f\x7f", "a, name=b", "size=1", `\x41`, "# no comment",
	"bøøt", "основной", "起動", "\u202egnp.exe", "\ufeffbom", "\u0085", "\uffff", "0123456789012345678901234567890123456", "ÿ\u00a0",
}

// beyond are names that sfdisk does not write.
var beyond = []string{"💾", "𝕕𝕚𝕤𝕜 and more", "\U0010ffff"}
