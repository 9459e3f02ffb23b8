package rebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rootwc/internal/run"
	"rootwc/probes"
)

// Table makes a partition table on a disk, or in an image file. Partitions lose
// whatever an earlier life of the disk has left at their places.
func Table(t *probes.Table, device string) (Layer, error) {
	return table(t, device, clearDevices(device), "always")
}

// TableKeeping makes a partition table as [Table] does, over one that has
// partitions which stay: nothing but the table is written.
func TableKeeping(t *probes.Table, device string) (Layer, error) {
	return table(t, device, clearDevices(device)[:1], "never") // taken down, not wiped
}

// table makes a partition table after other actions.
func table(t *probes.Table, device string, first []Action, wipe string) (Layer, error) {
	wrong := func(err error) (Layer, error) { return Layer{}, fmt.Errorf("partition table %s: %w", t.ID, err) }
	if t.Disk.Unsupported != "" {
		return wrong(errors.New(t.Disk.Unsupported))
	}
	if err := checkDevice(device); err != nil {
		return wrong(err)
	}
	script, patch, err := t.Script()
	if err != nil {
		return wrong(err)
	}
	l := Layer{Make: append(first, Action{
		Args: []string{"sfdisk", "--quiet", "--wipe", wipe, "--wipe-partitions", wipe, "--", device},
		// sfdisk since 2.36 then keeps udevd away from a half-written table.
		Env:   []string{"LOCK_BLOCK_DEVICE=yes"},
		Stdin: script,
	})}
	if patch {
		l.Make = append(l.Make, Action{
			Words: "write what sfdisk does not know into the partition table of " + device,
			Do: func() error {
				return onDevice(device, func(f *os.File, size uint64) error {
					if err := t.Patch(f, size); err != nil {
						return err
					}
					if err := f.Sync(); err != nil {
						return err
					}
					return reread(f)
				})
			},
		})
	}
	if patch && wipe == "always" {
		l.Make = append(l.Make, Action{
			Words: "wipe the logical partitions of " + device,
			Do:    func() error { return wipeLogical(t, device) },
		})
	}
	l.Open = []Action{{
		Words: "wait for the partitions of " + device,
		Do:    func() error { return awaitPartitions(t, device) },
	}}
	return l, nil
}

// wipeLogical does for logical partitions that sfdisk has not made what it does
// for others. In an image nothing stands on them.
func wipeLogical(t *probes.Table, disk string) error {
	if t.Disk.Table != "dos" {
		return nil
	}
	if err := awaitPartitions(t, disk); err != nil {
		return err
	}
	for _, p := range t.Partitions {
		node := PartitionDevice(disk, p.Number)
		if p.Number < 5 || sysfs(node) == "" {
			continue
		}
		if _, _, err := run.Output(context.Background(), run.Command{Args: []string{"wipefs", "--all", "--", node}}); err != nil {
			return err
		}
	}
	return nil
}

// awaitPartitions waits until the kernel has the partitions and their nodes
// are there. With udevd they come and go once more after each writer has
// closed the disk.
func awaitPartitions(t *probes.Table, disk string) error {
	if sysfs(disk) == "" {
		return nil // an image has none
	}
	if err := settle(); err != nil {
		return err
	}
	for _, p := range t.Partitions {
		node := PartitionDevice(disk, p.Number)
		for start := time.Now(); !thereAt(node, p.FirstLBA*t.Disk.Sector); time.Sleep(50 * time.Millisecond) {
			if time.Since(start) > patience {
				return fmt.Errorf("%s does not appear", node)
			}
		}
	}
	return nil
}

// thereAt tells whether the kernel has a partition that starts so many bytes
// from the disk's start.
func thereAt(node string, at uint64) bool {
	dir := sysfs(node)
	if dir == "" {
		return false
	}
	// in units of 512 bytes, whatever the sector size
	text, err := os.ReadFile(filepath.Join(dir, "start"))
	return err == nil && strings.TrimSpace(string(text)) == strconv.FormatUint(at/512, 10)
}

// Boot writes what a BIOS starts, as [probes.Table.Boot] has it, on a disk that
// has its partition table.
func Boot(t *probes.Table, boot []byte, device string) (Layer, error) {
	if err := checkDevice(device); err != nil {
		return Layer{}, fmt.Errorf("boot code of disk %s: %w", t.ID, err)
	}
	if _, _, err := t.Script(); err != nil {
		return Layer{}, fmt.Errorf("boot code of disk %s: %w", t.ID, err)
	}
	return Layer{Make: []Action{{
		Words: fmt.Sprintf("write boot code to %s: %d bytes", device, len(boot)),
		Do: func() error {
			return inUse(device, func(f *os.File) error { return t.WriteBoot(f, boot) })
		},
	}}}, nil
}
