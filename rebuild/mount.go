package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/probes"
)

// whileFilling are the mount options that matter while the files come back:
// what is written depends on them, or files have their owners by them. Others
// may forbid writing.
var whileFilling = []string{"compress", "compress-force", "nodatacow", "nodatasum", "umask", "fmask", "dmask", "uid", "gid",
	"codepage", "iocharset", "utf8", "shortname", "inode64", "noatime", "discard"}

// mounts adds the steps that mount the machine's file systems, as its fstab
// has them, below the root.
func (p *planner) mounts() {
	if err := checkRoot(p.Root); err != nil {
		p.refuse("", "", "%v", err)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(p.Layout.Mount)) {
		m := p.Layout.Mount[id]
		ref := probes.Ref("mount." + id)
		fsys := p.Layout.FileSystem[m.On.ID()]
		if p.without[ref] || fsys == nil {
			continue
		}
		if !filepath.IsAbs(string(id)) || filepath.Clean(string(id)) != string(id) {
			p.refuse(string(ref), "", "mount point %q is no path from the root", id)
			continue
		}
		one := mounting{root: p.Root, dir: string(id), device: p.at(fsys.On[0]), kind: fsys.Type, data: mountData(m)}
		var l Layer
		if fsys.Btrfs != nil {
			scan := []string{"btrfs", "device", "scan"}
			for _, below := range fsys.On {
				scan = append(scan, p.at(below))
			}
			l.Open = append(l.Open, command(scan...))
		}
		l.Open = append(l.Open, Action{Words: one.String(), Do: one.mount})
		l.Close = []Action{{Words: "unmount " + run.Quote([]string{one.place()}), Do: one.unmount}}
		p.Plan.Mounts = append(p.Plan.Mounts, Step{
			Node: ref, Title: "mount " + p.Layout.Name(m.On) + " at " + one.place(), Why: "as fstab has it, those above first", Layer: l,
		})
	}
}

// mountData are the options of a mount for mount(2).
func mountData(m *probes.Mount) string {
	options := slices.DeleteFunc(strings.Split(m.Options, ","), func(o string) bool {
		key, _, _ := strings.Cut(o, "=")
		return !slices.Contains(whileFilling, key)
	})
	if m.Subvolume != "" {
		options = append(options, "subvol="+m.Subvolume)
	}
	return strings.Join(options, ",")
}

// mounting is a file system in its place below a root.
type mounting struct {
	root, dir          string
	device, kind, data string
}

func (m mounting) place() string { return filepath.Join(m.root, m.dir) }

func (m mounting) String() string {
	words := fmt.Sprintf("mount %s at %s (%s", m.device, run.Quote([]string{m.place()}), m.kind)
	if m.data != "" {
		words += ", " + m.data
	}
	return words + ")"
}

// flags are options that mount(2) takes apart from the others.
func (m mounting) flags() (flags uintptr, data string) {
	options := strings.Split(m.data, ",")
	if i := slices.Index(options, "noatime"); i >= 0 {
		options, flags = slices.Delete(options, i, i+1), unix.MS_NOATIME
	}
	return flags, strings.Join(options, ",")
}

// mount mounts, once. The way to the place is inside the root and has no links:
// the files of an earlier attempt may be there already.
func (m mounting) mount() error {
	if err := os.MkdirAll(m.root, 0o755); err != nil {
		return err
	}
	fd, err := m.open(true)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var at, device unix.Stat_t
	if err := unix.Fstat(fd, &at); err != nil {
		return err
	}
	if err := unix.Stat(m.device, &device); err != nil {
		return fmt.Errorf("%s: %w", m.device, err)
	}
	if at.Dev == device.Rdev || m.isThere() {
		return nil
	}
	flags, data := m.flags()
	return unix.Mount(m.device, fmt.Sprintf("/proc/self/fd/%d", fd), m.kind, flags, data)
}

// unmountBelow unmounts what is mounted in a directory, the last first.
func unmountBelow(dir string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for _, line := range slices.Backward(strings.Split(string(text), "\n")) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			_ = unix.Unmount(fields[4], unix.UMOUNT_NOFOLLOW)
		}
	}
}

// isThere tells whether the device is mounted at the place. The number of a
// directory of btrfs is not that of its device.
func (m mounting) isThere() bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if len(where) > 4 && len(what) > 1 && where[4] == m.place() && what[0] == m.kind && sysfs(what[1]) == sysfs(m.device) {
			return true
		}
	}
	return false
}

// open opens the place, and makes directories on the way.
func (m mounting) open(create bool) (int, error) {
	root, err := os.OpenRoot(m.root)
	if err != nil {
		return -1, err
	}
	defer root.Close()
	rel := strings.TrimPrefix(m.dir, "/")
	if create && rel != "" {
		if err := root.MkdirAll(rel, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return -1, err
		}
	}
	f, err := root.Open(".")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(int(f.Fd()), filepath.Join(".", rel), how)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: m.place(), Err: err}
	}
	return fd, nil
}

func (m mounting) unmount() error {
	if !m.isThere() {
		return nil
	}
	return unix.Unmount(m.place(), unix.UMOUNT_NOFOLLOW)
}
