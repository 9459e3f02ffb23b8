package vm

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"rootwc/internal/run"
	"rootwc/internal/vm/exchange"
)

// firmware are the files of Debian's package ovmf, without Secure Boot.
const (
	firmwareCode      = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	firmwareVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// arguments is the command line of qemu for a machine. The files of one run
// are in dir.
func (i *Image) arguments(m Machine, a accelerator, dir string) ([]string, error) {
	args := []string{
		"qemu-system-x86_64", "-machine", "q35", "-accel", a.name, "-cpu", a.cpu,
		"-m", strconv.Itoa(m.Memory), "-smp", strconv.Itoa(m.CPUs),
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
		// without one the first UUID waits seconds for the kernel's random pool
		"-device", "virtio-rng-pci",
	}
	if m.Firmware == UEFI {
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+firmwareCode,
			"-drive", "if=pflash,unit=1,format=raw,file="+comma(m.Variables))
	}
	for n, d := range m.Disks {
		more, err := d.arguments(n, m.FromDisk && n == 0)
		if err != nil {
			return nil, err
		}
		args = append(args, more...)
	}
	if m.Repositories != "" {
		serve := run.Quote([]string{"svnserve", "-i", "-r", m.Repositories})
		args = append(args,
			"-netdev", "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:3690-cmd:"+comma(serve),
			"-device", "virtio-net-pci,netdev=net,romfile=")
	}
	if m.FromDisk {
		return args, nil
	}
	return append(args,
		"-kernel", i.kernel.image(), "-initrd", i.initrd,
		"-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
		"-drive", "if=none,id=in,format=raw,readonly=on,file="+comma(filepath.Join(dir, "in")),
		"-device", "virtio-blk-pci,drive=in,serial="+exchange.SerialIn,
		"-drive", "if=none,id=out,format=raw,cache=unsafe,file="+comma(filepath.Join(dir, "out")),
		"-device", "virtio-blk-pci,drive=out,serial="+exchange.SerialOut), nil
}

// arguments attach a disk. Its writes go to the page cache of this machine,
// and stay there when qemu is killed.
func (d Disk) arguments(n int, boot bool) ([]string, error) {
	logical, physical := d.LogicalSector, d.PhysicalSector
	if logical == 0 {
		logical = 512
	}
	if physical == 0 {
		physical = logical
	}
	drive := fmt.Sprintf("if=none,id=drive%d,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=%s", n, comma(d.Path))
	if d.ReadOnly {
		drive += ",readonly=on"
	}
	common := fmt.Sprintf("drive=drive%d,logical_block_size=%d,physical_block_size=%d", n, logical, physical)
	if boot {
		common += ",bootindex=1"
	}
	serial := ",serial=" + comma(d.serial(n))
	args := []string{"-drive", drive}
	switch {
	case d.WWN != 0 && d.Bus != SCSI:
		return nil, fmt.Errorf("disk %d: a WWN needs the bus scsi", n)
	case len(d.serial(n)) > 20:
		return nil, fmt.Errorf("disk %d: serial number is longer than 20 bytes", n)
	}
	switch d.Bus {
	case Virtio, "":
		return append(args, "-device", "virtio-blk-pci,"+common+serial), nil
	case NVMe:
		return append(args, "-device", "nvme,"+common+serial), nil
	case SCSI:
		disk := fmt.Sprintf("scsi-hd,bus=scsi%d.0,%s%s", n, common, serial)
		if d.WWN != 0 {
			disk += fmt.Sprintf(",wwn=%d", d.WWN)
		}
		return append(args, "-device", fmt.Sprintf("virtio-scsi-pci,id=scsi%d", n), "-device", disk), nil
	case USB:
		return append(args,
			"-device", fmt.Sprintf("qemu-xhci,id=usb%d", n),
			"-device", fmt.Sprintf("usb-storage,bus=usb%d.0,removable=on,%s%s", n, common, serial)), nil
	}
	return nil, fmt.Errorf("disk %d: unknown bus %q", n, d.Bus)
}

func (d Disk) serial(n int) string {
	if d.Serial == "" {
		return "DISK" + strconv.Itoa(n)
	}
	return d.Serial
}

// comma doubles commas, as qemu(1) wants them in the values of its options.
func comma(s string) string { return strings.ReplaceAll(s, ",", ",,") }
