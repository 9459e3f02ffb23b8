package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// A repository whose file system is not mounted looks like an empty directory.
// Mirroring that would remove everything, and what is flushed into it would
// disappear below the mount. So a local repository has to be on the mount on
// which it was last seen and on the one that fstab(5) gives it, and no
// repository that held something may be empty, unless a person says so.

// extensionSuffix ends the name of the repository that keeps an extension.
const extensionSuffix = "-extension"

// reach makes sure that the repository is there.
func (m *mirror) reach(ctx context.Context) error {
	if m.isLocal() {
		mount, err := mountOf(m.location)
		if err != nil {
			return &Away{m.Repository, err}
		}
		if m.state.Mount != "" && m.state.Mount != mount.String() && mount.point == "/" {
			return &Away{m.Repository, fmt.Errorf("it was on %s, which is not mounted", m.state.Mount)}
		}
		m.state.Mount = mount.String()
		if mount.point == "/" {
			m.state.Mount = ""
		}
	}
	if !m.beside {
		return nil
	}
	// The extension's repository is made when it is not there, but only beside
	// the one that it extends.
	if _, _, err := m.list(ctx, "--dirs"); err != nil {
		return err
	}
	m.location += extensionSuffix
	m.Repository += extensionSuffix
	return nil
}

// seen notes whether the repository held anything, and refuses one that does
// so no longer.
func (m *mirror) seen(empty bool) error {
	if empty && m.state.Held && !m.Emptying {
		return &Away{m.Repository, errors.New("it is empty, and was not when it was last seen; --emptying if that is right")}
	}
	m.state.Held = !empty
	return nil
}

func (m *mirror) isLocal() bool { return strings.HasPrefix(m.location, "/") }

// mount is where a file system is mounted, from what.
type mount struct{ point, source string }

func (m mount) String() string { return m.source + " at " + m.point }

// mountOf finds the mount that a directory is on. It fails when fstab(5) has
// one for it that is not there.
func mountOf(dir string) (mount, error) {
	_, _ = os.Stat(dir) // automount(8) mounts what is asked for
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}, err
	}
	mounted := innermost(parseMountinfo(string(info)), dir)
	table, err := os.ReadFile("/etc/fstab")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return mount{}, err
	}
	wanted := innermost(parseFstab(string(table)), dir)
	if len(wanted.point) > len(mounted.point) {
		return mount{}, fmt.Errorf("%s is not mounted on %s, where /etc/fstab has it", wanted.source, wanted.point)
	}
	return mounted, nil
}

// innermost is the mount nearest above dir, the last one of several.
func innermost(mounts []mount, dir string) mount {
	best := mount{point: "/"}
	for _, m := range mounts {
		if len(m.point) >= len(best.point) && (m.point == "/" || dir == m.point || strings.HasPrefix(dir, m.point+"/")) {
			best = m
		}
	}
	return best
}

// parseMountinfo reads proc_pid_mountinfo(5): the fifth field is the mount
// point; after a lone hyphen come the type and the source. What automount(8)
// waits at is not mounted yet.
func parseMountinfo(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if found && len(b) >= 5 && len(a) >= 2 && a[0] != "autofs" {
			mounts = append(mounts, mount{unescapeMount(b[4]), unescapeMount(a[1])})
		}
	}
	return mounts
}

// parseFstab reads fstab(5): source, mount point, type.
func parseFstab(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 3 && !strings.HasPrefix(f[0], "#") && strings.HasPrefix(f[1], "/") {
			mounts = append(mounts, mount{path.Clean(unescapeMount(f[1])), unescapeMount(f[0])})
		}
	}
	return mounts
}

// unescapeMount takes back the octal of blank, tab, newline and backslash.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// secure has the repository's disks written, so that nothing that is removed
// here is only in the memory of a server.
func (m *mirror) secure(ctx context.Context) error {
	if m.isLocal() {
		d, err := os.OpenFile(m.location, os.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return &Away{m.Repository, cause(err)}
		}
		defer d.Close()
		if err := unix.Syncfs(int(d.Fd())); err != nil {
			return fmt.Errorf("cannot write %s to disk: %w", m.Repository, err)
		}
		return nil
	}
	host, _, _ := strings.Cut(m.location, ":")
	c := m.command(append(strings.Fields(remoteShell), "--", host, "sync")...)
	c.Stdout = io.Discard
	_, _, err := run.Output(ctx, c)
	if err != nil && ctx.Err() == nil {
		m.Warn("%s cannot be asked to write its disks (%v): a power cut there in the next minute could lose what was flushed", host, err)
		return nil
	}
	return err
}
