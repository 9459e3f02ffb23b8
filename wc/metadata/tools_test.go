package metadata

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// testNames knows root, anna (1000), bob (1001); groups root, shadow (42),
// anna (1000), staff (50).
var testNames = mustNames("root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n",
	"root:x:0:\nshadow:x:42:\nanna:x:1000:\nstaff:x:50:anna\n")

func mustNames(passwd, group string) *Table {
	t, err := LoadNames(strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		panic(err)
	}
	return t
}

// lookup serves properties from a map.
func lookup(props map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := props[name]; return v, ok }
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: sets owners, trusted.* and capabilities")
	}
}

// tool runs a program and returns its output; a missing one skips the test.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	if _, ok := run.Look(args[0]); !ok {
		t.Skipf("needs %s", args[0])
	}
	out, _, err := run.Output(t.Context(), run.Command{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// dirs returns a directory per file system: the usual one, and tmpfs.
func dirs(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"tmp": t.TempDir()}
	if shm, err := os.MkdirTemp("/dev/shm", "metadata-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		found["shm"] = shm
	}
	return found
}

// file makes an empty file and returns its path.
func file(t *testing.T, dir, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// openDir opens a directory for the ...At calls.
func openDir(t testing.TB, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// read returns all metadata of a path.
func read(t testing.TB, path string) Values {
	t.Helper()
	v, _, err := Read(openDir(t, filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// asUser runs f on a thread that has given up root, for uid and gid alone.
func asUser(t *testing.T, uid, gid int, f func()) {
	t.Helper()
	needRoot(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		var errs []unix.Errno
		call := func(trap, a, b, c uintptr) {
			if _, _, e := unix.RawSyscall(trap, a, b, c); e != 0 {
				errs = append(errs, e)
			}
		}
		call(unix.SYS_SETGROUPS, 0, 0, 0)
		call(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
		call(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		if len(errs) > 0 {
			done <- errs[0]
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
