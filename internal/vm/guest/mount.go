package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/internal/vm/exchange"
)

// basics are the file systems of every Linux system, in the order in which
// they are mounted.
var basics = []struct{ fstype, target, options string }{
	{"proc", "/proc", ""},
	{"sysfs", "/sys", ""},
	{"devtmpfs", "/dev", ""},
	{"devpts", "/dev/pts", ""},
	{"tmpfs", "/run", "mode=0755"},
	{"tmpfs", "/tmp", "mode=1777"},
}

// directories are made in memory, where daemons and tools want them. /run/udev
// is none of them: where it is, mdadm waits for udevd to make its links.
var directories = []string{
	exchange.In, exchange.Out, "/root", "/mnt", "/var/lib", "/var/log", "/var/tmp",
	"/run/lock/lvm", "/run/lvm", "/run/cryptsetup", "/run/mdadm",
}

// mountBasics makes the tree of the initramfs a system. /var/run and
// /var/lock are links into /run, as everywhere.
func mountBasics() error {
	for _, b := range basics {
		if err := os.MkdirAll(b.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(b.fstype, b.target, b.fstype, 0, b.options); err != nil {
			return fmt.Errorf("cannot mount %s: %w", b.target, err)
		}
	}
	for _, dir := range directories {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"/var/run": "/run", "/var/lock": "/run/lock", "/dev/fd": "/proc/self/fd", "/etc/mtab": "/proc/self/mounts"} {
		if err := os.Symlink(target, link); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		modprobe("efivarfs")
		if err := unix.Mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", 0, ""); err != nil {
			fmt.Printf("guest: cannot mount efivarfs: %v\n", err)
		}
	}
	return nil
}

// makeStaticNodes makes the device nodes whose first user loads the module
// behind them, /dev/btrfs-control for one. Elsewhere systemd-tmpfiles does it,
// from the same list that depmod wrote: module, name, type with major:minor.
func makeStaticNodes() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	list, err := os.ReadFile("/lib/modules/" + unix.ByteSliceToString(u.Release[:]) + "/modules.devname")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		var module, name string
		var kind rune
		var major, minor uint32
		if n, _ := fmt.Sscanf(line, "%s %s %c%d:%d", &module, &name, &kind, &major, &minor); n < 5 || kind != 'c' {
			continue
		}
		node := filepath.Join("/dev", name)
		if err := os.MkdirAll(filepath.Dir(node), 0o755); err != nil {
			return err
		}
		if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))); err != nil && err != unix.EEXIST {
			return fmt.Errorf("cannot make %s: %w", node, err)
		}
	}
	return nil
}

// unmountAll takes away what the command left mounted, the last first, so
// that the file systems on the disks are clean. Ours go with the machine.
func unmountAll() {
	if swaps, err := os.ReadFile("/proc/swaps"); err == nil && bytes.Count(swaps, []byte("\n")) > 1 { // a swap file keeps its file system busy
		if _, _, err := run.Output(context.Background(), run.Command{Args: []string{"swapoff", "--all"}}); err != nil {
			fmt.Printf("guest: %v\n", err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(mounts)), "\n")
	for _, line := range slices.Backward(lines) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "/dev/") {
			// the octal escapes of proc_mounts(5)
			target := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[1])
			if err := unix.Unmount(target, 0); err != nil {
				fmt.Printf("guest: cannot unmount %s: %v\n", target, err)
			}
		}
	}
}
