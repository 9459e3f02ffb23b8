package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/probes"
)

// devicePath is what goes into an argument, or into the filter of LVM and a
// list of mdadm, as it is: a path below /dev or a test's image, without
// anything that means something there.
var devicePath = regexp.MustCompile(`^/[A-Za-z0-9/_.+@=-]+$`)

func checkDevice(device string) error {
	if !devicePath.MatchString(device) || strings.Contains(device, "/../") {
		return fmt.Errorf("device %q: no path that rootwc uses", device)
	}
	return nil
}

// PartitionDevice is the node of a partition: the kernel puts a "p" between a
// disk's name that ends in a digit and the number.
func PartitionDevice(disk string, number int) string {
	if disk != "" && disk[len(disk)-1] >= '0' && disk[len(disk)-1] <= '9' {
		disk += "p"
	}
	return disk + strconv.Itoa(number)
}

// clearDevices takes away what earlier attempts have left on devices: first
// what stands on them now, then the marks by which it would be found again.
func clearDevices(devices ...string) []Action {
	actions := []Action{{
		Words: "take down what stands on " + run.Quote(devices),
		Do:    func() error { return takeDown(devices) },
	}}
	for _, d := range devices {
		actions = append(actions, Action{Args: []string{"wipefs", "--all", "--", d}}, clearEnds(d))
	}
	return actions
}

// clearEnds writes zeros over the first and the last MiB of a device, where
// wipefs leaves a partition table that is inside of something.
func clearEnds(device string) Action {
	return Action{
		Words: "clear the first and the last MiB of " + device,
		Do: func() error {
			return onDevice(device, func(f *os.File, size uint64) error {
				zeros := make([]byte, min(size, 1<<20))
				if _, err := f.WriteAt(zeros, 0); err != nil {
					return err
				}
				_, err := f.WriteAt(zeros, int64(size)-int64(len(zeros)))
				return err
			})
		},
	}
}

// sysfs is the directory of a block device; "" for an image file. It is found
// by number: without udevd, what is in /dev/mapper is no link.
func sysfs(device string) string {
	var st unix.Stat_t
	if unix.Stat(device, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return ""
	}
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	if err != nil {
		return ""
	}
	return dir
}

// node is the device node of a directory of sysfs.
func node(dir string) string { return "/dev/" + strings.ReplaceAll(filepath.Base(dir), "!", "/") }

// takeDown removes mappings and arrays over devices and their partitions, those
// on top first. All the programs refuse what is mounted or in use otherwise.
func takeDown(devices []string) error {
	for _, d := range devices {
		dir := sysfs(d)
		if dir == "" {
			continue
		}
		parts, _ := filepath.Glob(filepath.Join(dir, "*", "partition"))
		for i := range parts {
			parts[i] = node(filepath.Dir(parts[i]))
		}
		if err := takeDown(parts); err != nil {
			return err
		}
		holders, _ := os.ReadDir(filepath.Join(dir, "holders"))
		for _, h := range holders {
			if err := remove(node(h.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove ends a mapping or an array.
func remove(device string) error {
	if err := takeDown([]string{device}); err != nil {
		return err
	}
	if sysfs(device) == "" { // it stood on two, and is gone with the other
		return nil
	}
	args := []string{"mdadm", "--stop", device}
	if !strings.HasPrefix(device, "/dev/md") {
		// by number: the name may be anything, and dmsetup knows no dm-0
		number, err := os.ReadFile(filepath.Join(sysfs(device), "dev"))
		if err != nil {
			return err
		}
		major, minor, _ := strings.Cut(strings.TrimSpace(string(number)), ":")
		args = []string{"dmsetup", "remove", "--retry", "--major", major, "--minor", minor}
	}
	if err := settle(); err != nil {
		return err
	}
	_, _, err := run.Output(context.Background(), run.Command{Args: args, Env: toolEnv()})
	return err
}

// standsOn tells whether a mapping or an array is made of that device, by
// whatever is between them. Another machine's disk may have one of the same
// name.
func standsOn(upper, device string) bool {
	above, below := sysfs(upper), sysfs(device)
	if above == "" || below == "" {
		return false
	}
	if above == below {
		return true
	}
	slaves, _ := os.ReadDir(filepath.Join(above, "slaves"))
	return slices.ContainsFunc(slaves, func(s os.DirEntry) bool {
		return standsOn(node(s.Name()), device)
	})
}

// checkStands is an action that fails when something with the right name is not
// made of these devices.
func checkStands(upper string, devices ...string) Action {
	return Action{
		Words: fmt.Sprintf("see that %s stands on %s", upper, run.Quote(devices)),
		Do: func() error {
			for _, d := range devices {
				if !standsOn(upper, d) {
					return fmt.Errorf("%s is not made of %s", upper, d)
				}
			}
			return nil
		},
	}
}

// udevRuns tells whether udevd listens: a socket may be left of one that is no
// more, and what waits for an answer then waits for ever. The answer is asked
// for once: a tool that counts on udevd and one that does not are at odds.
var udevRuns = sync.OnceValue(func() bool {
	c, err := net.Dial("unixpacket", "/run/udev/control")
	if err == nil {
		c.Close()
	}
	return err == nil || errors.Is(err, unix.EAGAIN) // it is busy
})

// toolEnv makes the tools independent of udevd where there is none: libdm makes
// its nodes itself, see dmsetup(8). mdadm always does; it would wait where
// /run/udev is there without the daemon.
func toolEnv() []string {
	env := []string{"MDADM_NO_UDEV=1"}
	if !udevRuns() {
		env = append(env, "DM_DISABLE_UDEV=1")
	}
	return env
}

// settle waits until udevd has seen what was done.
func settle() error {
	if _, ok := run.Look("udevadm"); !ok || !udevRuns() {
		return nil
	}
	_, _, err := run.Output(context.Background(), run.Command{Args: []string{"udevadm", "settle", "--timeout=60"}})
	return err
}

// onDevice does something to a device that nobody else has in use, and has it
// on the disk afterwards.
func onDevice(device string, do func(f *os.File, size uint64) error) error {
	f, err := openAlone(device)
	if err != nil {
		return err
	}
	return onFile(f, do)
}

// inUse does something to a place of a disk that no partition has, while those
// are in use.
func inUse(disk string, do func(f *os.File) error) error {
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return onFile(f, func(f *os.File, _ uint64) error { return do(f) })
}

// onFile does something to an open device, has it on the disk, and closes it.
func onFile(f *os.File, do func(f *os.File, size uint64) error) error {
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := do(f, uint64(size)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// openAlone opens a device for writing. O_EXCL is refused while it is mounted,
// or something stands on it, and for a moment while udevd's programs look.
func openAlone(device string) (*os.File, error) {
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		f, err := os.OpenFile(device, os.O_RDWR|unix.O_EXCL, 0)
		if !errors.Is(err, unix.EBUSY) || time.Since(start) > patience {
			return f, err
		}
	}
}

// clearArea writes zeros over a part of a device.
func clearArea(device string, area probes.PVArea) Action {
	return Action{
		Words: fmt.Sprintf("clear %d bytes at %d of %s", area.Size, area.At, device),
		Do: func() error {
			return onDevice(device, func(f *os.File, size uint64) error {
				if area.At > size || area.Size > size-area.At {
					return fmt.Errorf("%s ends at %d", device, size)
				}
				zeros := make([]byte, 1<<20)
				for at, end := area.At, area.At+area.Size; at < end; at += uint64(len(zeros)) {
					if _, err := f.WriteAt(zeros[:min(uint64(len(zeros)), end-at)], int64(at)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// patience is how long a device may be busy with what udevd starts.
const patience = 20 * time.Second

// reread has the kernel read the partition table of a disk again. It refuses
// for as long as anybody looks at a partition.
func reread(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Mode().IsRegular() {
		return err
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err = unix.IoctlRetInt(int(f.Fd()), unix.BLKRRPART)
		if !errors.Is(err, unix.EBUSY) || time.Since(start) > patience {
			return os.NewSyscallError("reread partition table", err)
		}
	}
}
