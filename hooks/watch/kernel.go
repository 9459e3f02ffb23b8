package watch

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// watchLimit tells how many watches the kernel allows each user, inotify(7); a
// variable for tests.
var watchLimit = "/proc/sys/fs/inotify/max_user_watches"

func allowedWatches() int {
	text, _ := os.ReadFile(watchLimit)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// enough says whether so many directories can be watched, as far as the limit
// tells; 0 is a kernel that names none.
func enough(needed int) error {
	if allowed := allowedWatches(); allowed > 0 && needed > allowed {
		return &errTooFew{needed, allowed}
	}
	return nil
}

// token is a watched file in memory. Events come in order: once its own has
// come, all that had happened before it was touched were read.
type token struct {
	file *os.File
	name string // in events
}

func newToken(notes *fsnotify.Watcher) (*token, error) {
	fd, err := unix.MemfdCreate("token", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	k := &token{os.NewFile(uintptr(fd), "token"), fmt.Sprintf("/proc/self/fd/%d", fd)}
	return k, notes.Add(k.name)
}

// touch makes an event. A write would be none: newer kernels tell of no writes
// through the descriptor that memfd_create gave.
func (k *token) touch() error { return unix.Fchmod(int(k.file.Fd()), 0o600) }

func (k *token) close() {
	if k != nil {
		k.file.Close()
	}
}

// mountTable tells when the mounts of this process have changed.
type mountTable struct {
	file *os.File
	was  map[string]string // what is mounted, by mount point
}

func newMountTable() (*mountTable, error) {
	// Not os.Open: Go's own polling of the file would take the mark away.
	const name = "/proc/self/mountinfo"
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	m := &mountTable{file: os.NewFile(uintptr(fd), name)}
	m.was, err = m.read()
	return m, err
}

func (m *mountTable) close() {
	if m != nil {
		m.file.Close()
	}
}

// read takes the fields that tell one mount from another: identifiers, device
// and the root of the mount, proc_pid_mountinfo(5).
func (m *mountTable) read() (map[string]string, error) {
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(m.file)
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, " "); len(f) > 5 {
			found[unescape(f[4])] += strings.Join(f[:4], " ") + "\n"
		}
	}
	return found, err
}

// changed says whether the table has changed since the last time, and whether a
// mount point that matters has. The kernel marks the file then (POLLPRI,
// proc_pid_mounts(5)).
func (m *mountTable) changed(matters func(point string) bool) (any, here bool) {
	fds := []unix.PollFd{{Fd: int32(m.file.Fd()), Events: unix.POLLPRI}}
	if n, err := unix.Poll(fds, 0); err == nil && n == 0 {
		return false, false
	}
	now, err := m.read()
	if err != nil {
		return true, true
	}
	was := m.was
	m.was = now
	for _, pair := range [][2]map[string]string{{was, now}, {now, was}} {
		for point, what := range pair[0] {
			if pair[1][point] != what && matters(point) {
				return true, true
			}
		}
	}
	return true, false
}

// unescape takes blank, tab, newline and backslash out of their octal form.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// sleep tells whether the machine was suspended: others may have had its disks.
type sleep struct{ total time.Duration }

// slack is how far apart the two clocks may be read.
const slack = 100 * time.Millisecond

// since says whether it was since the last call.
func (s *sleep) since() bool {
	var with, without unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &with) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &without) != nil {
		return true
	}
	total := time.Duration(with.Nano() - without.Nano())
	was := s.total
	s.total = total
	return total-was > slack
}
