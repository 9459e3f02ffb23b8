package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/vm/exchange"
)

// awaitDisk returns the device with a serial number. Drivers look for disks
// beside everything else, so that it may take a moment to be there.
func awaitDisk(serial string) (device string, err error) {
	const limit = 30 * time.Second
	for begin := time.Now(); time.Since(begin) < limit; time.Sleep(20 * time.Millisecond) {
		disks, err := filepath.Glob("/sys/block/*")
		if err != nil {
			return "", err
		}
		for _, disk := range disks {
			if serialOf(disk) != serial {
				continue
			}
			device := "/dev/" + filepath.Base(disk)
			if _, err := os.Stat(device); err == nil {
				return device, nil
			}
		}
	}
	return "", fmt.Errorf("no disk with serial %q after %v", serial, limit)
}

// serialOf reads the serial number of a directory in /sys/block, "" where
// there is none. virtio_blk has it at the disk and nvme at its controller;
// for SCSI it is page 0x80 of the vital product data, whose first four bytes
// are a header (SPC-4, 7.8.15). A USB stick has none of these, its number is
// that of the USB device, some directories above.
func serialOf(disk string) string {
	for _, name := range []string{"serial", "device/serial"} {
		if b, err := os.ReadFile(filepath.Join(disk, name)); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	if b, err := os.ReadFile(filepath.Join(disk, "device/vpd_pg80")); err == nil && len(b) > 4 {
		return strings.TrimSpace(string(b[4:]))
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(disk, "device"))
	if err != nil {
		return ""
	}
	for ; strings.HasPrefix(dir, "/sys/devices/pci"); dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "serial")); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	return ""
}

// hide takes a virtio disk away as if it were unplugged, so that the command
// sees the disks of its machine and no other. [reveal] brings it back. Both
// are described in the kernel's ABI/testing/sysfs-bus-pci.
func hide(serial string) error {
	device, err := awaitDisk(serial)
	if err != nil {
		return err
	}
	virtio, err := filepath.EvalSymlinks(filepath.Join("/sys/block", filepath.Base(device), "device"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(virtio), "remove"), []byte("1"), 0)
}

func reveal() error { return os.WriteFile("/sys/bus/pci/rescan", []byte("1"), 0) }

// unpackJob reads a job and its files.
func unpackJob(device string) (job exchange.Job, err error) {
	f, err := os.Open(device)
	if err != nil {
		return job, err
	}
	defer f.Close()
	err = exchange.Read(bufio.NewReaderSize(f, 1<<20), &job, exchange.Unpack(exchange.In))
	return job, err
}

// packAnswer writes the answer and what is in /out.
func packAnswer(device string, answer exchange.Answer) error {
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	err = pack(buffered, answer)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("files in %s are larger than the disk for them: %w", exchange.Out, err)
	}
	return err
}

func pack(buffered *bufio.Writer, answer exchange.Answer) error {
	w, err := exchange.NewWriter(buffered, answer)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(exchange.Out)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := w.AddTree(root.FS()); err != nil {
		return err
	}
	return w.Close()
}
