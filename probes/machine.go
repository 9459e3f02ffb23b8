package probes

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is where probes look.
type Machine struct {
	Root string // directory that is the machine's "/": its tables are there
	Sys  fs.FS  // "/sys"
	Dev  string // "/dev"
	Proc string // "/proc"

	// Only are the names of the disks to look at, "sda". None means all that
	// are fixed: neither removable, nor on USB, nor virtual.
	Only []string
}

// Here is the machine that this program runs on.
func Here(root string) Machine {
	return Machine{Root: root, Sys: os.DirFS("/sys"), Dev: "/dev", Proc: "/proc"}
}

// open opens a device for reading. A node may be another device than the one
// that was meant: its number is compared.
func (m Machine) open(d *Device) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(m.Dev, d.Name), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil {
		number := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		if st.Mode&unix.S_IFMT != unix.S_IFBLK || number != d.Number {
			err = fmt.Errorf("it is not block device %s", d.Number)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return f, nil
}

// mountedBtrfs are directories on which btrfs is mounted, by its UUID.
func (m Machine) mountedBtrfs() map[ID]string {
	dirs := map[ID]string{}
	text, err := os.ReadFile(filepath.Join(m.Proc, "self/mountinfo"))
	if err != nil {
		return dirs
	}
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "btrfs ") {
			continue
		}
		dir := unescapeMount(fields[4])
		if id, err := btrfsOf(dir); err == nil {
			if _, known := dirs[id]; !known {
				dirs[id] = dir
			}
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
		if len(d.Below) == 0 {
			in[d.Name] = m.wants(d)
		}
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

// wants tells whether a disk is one to look at.
func (m Machine) wants(d *Device) bool {
	if len(m.Only) == 0 {
		return !d.Removable && !d.Virtual
	}
	for _, name := range m.Only {
		if strings.TrimPrefix(path.Clean(name), "/dev/") == d.Name {
			return true
		}
	}
	return false
}

// contents reads from a device.
func (d *Device) contents(f io.ReaderAt) medium { return medium{f, d.Size} }
