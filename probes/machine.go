package probes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is where probes look.
type Machine struct {
	Root string // directory that is the machine's "/": its tables are there
	Sys  fs.FS  // "/sys"
	Dev  string // "/dev"
	Proc string // "/proc"

	// Only are the names of devices, "sda", of which one is enough to look at
	// all that belongs together. None means the disks that are fixed: neither
	// removable, nor on USB, nor virtual.
	Only []string
	// Besides are names of disks to look at as well as the fixed ones.
	Besides []string
}

// Here is the machine whose root is a directory of this one: its own root, or
// a place where another machine's disks are mounted. It fails with
// [ErrNoStorage] when nothing is mounted there.
func Here(root string) (Machine, error) {
	m := Machine{Root: root, Sys: os.DirFS("/sys"), Dev: "/dev", Proc: "/proc"}
	if root == "/" {
		return m, nil
	}
	mounts, err := m.mounts()
	if err != nil {
		return m, err
	}
	for _, one := range mounts {
		if one.dir != root && !strings.HasPrefix(one.dir, root+"/") {
			continue
		}
		if name, err := fs.ReadLink(m.Sys, "dev/block/"+one.number); err == nil {
			m.Only = append(m.Only, path.Base(name))
		} else if name, ok := strings.CutPrefix(one.source, "/dev/"); ok {
			m.Only = append(m.Only, deviceName(m.Dev, name)) // btrfs has a number of its own
		}
	}
	if len(m.Only) == 0 {
		return m, ErrNoStorage
	}
	return m, nil
}

// deviceName is the kernel's name of a device by a path below /dev.
func deviceName(dev, name string) string {
	place, err := filepath.EvalSymlinks(filepath.Join(dev, name))
	if err != nil {
		return name
	}
	return strings.TrimPrefix(place, dev+"/")
}

// ErrNoStorage is the error of a directory that is no machine, so that the
// disks of this one belong to something else, and of a machine without disks.
var ErrNoStorage = errors.New("there is no disk that belongs to it")

// mounted is a line of mountinfo (proc(5)).
type mounted struct {
	number string // of the device, "8:1"
	dir    string
	kind   string
	source string
}

func (m Machine) mounts() (all []mounted, err error) {
	text, err := os.ReadFile(filepath.Join(m.Proc, "self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot read mounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if len(where) < 5 || len(what) < 2 {
			continue
		}
		all = append(all, mounted{where[2], unescapeMount(where[4]), what[0], unescapeMount(what[1])})
	}
	return all, nil
}

// mountedBtrfs are directories on which btrfs is mounted, by its UUID.
func (m Machine) mountedBtrfs() map[ID]string {
	dirs := map[ID]string{}
	mounts, err := m.mounts()
	if err != nil {
		return dirs // the devices tell as well, a little later
	}
	for _, one := range mounts {
		if one.kind != "btrfs" {
			continue
		}
		if id, err := btrfsOf(one.dir); err == nil && dirs[id] == "" {
			dirs[id] = one.dir
		}
	}
	return dirs
}

// unescapeMount undoes what the kernel does to blanks and backslashes in
// mountinfo (proc(5)).
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// btrfsOf asks which file system a directory is on.
func btrfsOf(dir string) (ID, error) {
	f, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info := make([]uint64, 1024/8)
	if err := (&btrfsMounted{dir: f}).request(btrfsFSInfo, info); err != nil {
		return "", err
	}
	return ID(uuid(bytesOf(info)[16:32])), nil
}

// chosen are the devices to look at: disks that are fixed or named, whatever
// stands on them, and what that needs besides.
func (m Machine) chosen(all []*Device) []*Device {
	byName := map[string]*Device{}
	in := map[string]bool{}
	for _, d := range all {
		byName[d.Name] = d
		in[d.Name] = m.wants(d)
	}
	for grown := true; grown; {
		grown = false
		for _, d := range all {
			for _, below := range d.Below {
				if byName[below] != nil && in[below] != in[d.Name] {
					in[below], in[d.Name], grown = true, true, true
				}
			}
		}
	}
	var some []*Device
	for _, d := range all {
		if in[d.Name] {
			some = append(some, d)
		}
	}
	return some
}

// wants tells whether a device is one to begin with.
func (m Machine) wants(d *Device) bool {
	switch {
	case len(m.Only) > 0:
		return slices.Contains(m.Only, d.Name)
	case slices.Contains(m.Besides, d.Name):
		return true
	}
	return len(d.Below) == 0 && d.Mapping == "" && !d.MD && !d.Removable && !d.Virtual
}

// readBoot reads how the machine starts; one that does not run has no firmware.
func (m Machine) readBoot(layout *Layout) (*Boot, []string, error) {
	root, err := os.OpenRoot(m.Root)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	if m.Root != "/" {
		return ReadBoot(root.FS(), nil, nil, layout)
	}
	return ReadBoot(root.FS(), m.Sys, os.DirFS(m.Proc), layout)
}

// deviceOfFile is the number of the device that a file is on, "8:1".
func deviceOfFile(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)), nil
}
