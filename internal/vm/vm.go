// Package vm runs commands in virtual machines, for tests alone: with disks
// of any bus, size and serial number, with device-mapper and md, by BIOS or by
// UEFI, and with the power cut when the test says so.
//
// A guest is a Debian kernel and an initramfs of this machine's own programs:
// it tests the very tools that are installed here, nothing is installed in it,
// and it is there again after seconds even in emulation. [Build] makes it,
// [Image.Run] runs one command in it:
//
//	image, err := vm.Build(ctx, vm.Options{})
//	result, err := image.Run(ctx, vm.Machine{
//		Disks:    []vm.Disk{{Path: "disk.img", Serial: "ONE"}},
//		Programs: map[string]string{"rootwc": "bin/rootwc"},
//		Command:  []string{"rootwc", "probe"},
//	})
//
// Nothing of it needs root. No port is opened, no process outlives the caller,
// and every run ends after a time. Files go in and out on disks of their own,
// which the command does not see; package exchange tells how. By default
// nothing in the guest acts by itself: there is no udevd, as in many a rescue
// system.
package vm

import (
	"errors"
	"io"
	"io/fs"
	"regexp"
	"testing/fstest"
	"time"
)

// Firmware is what starts a machine.
type Firmware string

// BIOS is SeaBIOS, which comes with qemu; UEFI is OVMF, without Secure Boot.
const (
	BIOS Firmware = "bios" // the default
	UEFI Firmware = "uefi"
)

// Bus is how a disk is attached, and thereby its name in the guest: vda, sda
// or nvme0n1.
type Bus string

// A USB disk is removable.
const (
	Virtio Bus = "virtio" // the default
	NVMe   Bus = "nvme"
	SCSI   Bus = "scsi"
	USB    Bus = "usb"
)

// Disk is a disk of a machine. Disks of one bus get their names in the order
// of [Machine.Disks].
type Disk struct {
	Path   string // raw image, sparse or not; kept sparse where the guest writes zeros or discards
	Serial string // "" is DISK and the index; virtio takes 20 bytes
	Bus    Bus
	WWN    uint64 // World Wide Name of a SCSI disk; 0 is none. Linux believes none of qemu's NVMe

	// Sector sizes in bytes; 0 is 512, and the logical one for the physical.
	LogicalSector, PhysicalSector int
	ReadOnly                      bool
}

// Machine is one run of a guest. Either it has a Command, or it is started
// from its first disk; of the zero value everything else is usable.
type Machine struct {
	// Command is run in the directory /in of the guest, with Env added to the
	// environment. Its PATH begins with /in/bin.
	Command []string
	Env     []string
	// Files is copied to /in. Regular files and directories, no links.
	Files fs.FS
	// Programs are files of this machine by their name in /in/bin. They are
	// copied alone, so they should be linked statically.
	Programs map[string]string
	// OutSize limits what comes back from /out, in bytes; 0 is 64 MiB.
	OutSize int64
	// Udev runs systemd-udevd, which the image must have, see [Options].
	Udev bool

	// FromDisk starts what is on the first disk, instead of a Command.
	FromDisk bool
	// Dialogue is what is typed on the serial console, each part when its text
	// has come.
	Dialogue []Turn
	// Until ends the run when the console has this text, as well as when the
	// machine switches itself off.
	Until *regexp.Regexp

	// CutAfter and CutAt cut the power that long after the start of qemu, or,
	// with CutAt, after the console has this text: qemu is killed. What the guest
	// had handed to its disks by then is in their images, what it had not is lost.
	CutAfter time.Duration
	CutAt    *regexp.Regexp

	Disks    []Disk
	Memory   int // MiB; 0 is 1536
	CPUs     int // 0 is 2
	Firmware Firmware
	// Variables is a file for the variables of UEFI, the boot entries among
	// them, made when it is missing. "" is a new one for each run.
	Variables string
	// Repositories is a directory that the guest sees as svn://10.0.2.100/: its
	// only network is one svnserve for each connection. "" is no network.
	Repositories string

	Timeout time.Duration // 0 is 10 minutes
	Console io.Writer     // receives the console as it comes; nil is nowhere
}

// Turn is a part of a dialogue.
type Turn struct {
	Wait *regexp.Regexp // matched against what came since the last turn
	Send string         // with its line feed
}

// Result is how a run ended.
type Result struct {
	Status  int           // exit status of the command; -1 when it was killed, or there was none
	Files   fstest.MapFS  // what the command left in /out; regular files and directories
	Console string        // everything on the serial console, without carriage returns and escapes
	Cut     bool          // the power was cut
	Up      time.Duration // from the kernel's start to the command's, by the guest's clock
	Command time.Duration // how long the command ran, by the guest's clock
	Took    time.Duration // from qemu's start to its end
}

// ErrNoAnswer is a guest that ended before its command did, a kernel panic for
// one. The console tells why.
var ErrNoAnswer = errors.New("the guest ended without an answer")

// ErrSilent is a dialogue whose text never came.
var ErrSilent = errors.New("the guest ended before its dialogue did")
