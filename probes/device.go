package probes

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Device is a block device as the kernel has it now. Nothing of it but [Hardware]
// gets into a text: names and numbers are others after the next start.
type Device struct {
	Name      string // "sda1"
	Number    string // "8:1"
	Size      uint64 // bytes
	Sector    uint64 // logical, bytes
	ReadOnly  bool
	Removable bool     // the disk says so, or it is on USB
	Virtual   bool     // no disk: loop, ram, zram, nbd, …
	Disk      string   // of a partition: the name of its disk
	Partition int      // its number; 0 for none
	Start     uint64   // of a partition, bytes
	Mapping   string   // of a device-mapper device: its name, "" for what is none
	Mapper    string   // and its UUID, "CRYPT-LUKS2-…", "LVM-…"; it may have none
	MD        bool     // an md array
	Below     []string // names of the devices that it stands on

	Hardware Hardware // of a disk
}

// Hardware is what tells one disk from another, by its own word.
type Hardware struct {
	Serial string `toml:"serial"`
	WWN    string `toml:"wwn"`
	Model  string `toml:"model"`
	Bus    string `toml:"bus"` // "nvme", "virtio", "usb", "ata", "scsi", "mmc"
	Size   uint64 `toml:"size" unit:"bytes"`
}

// sectorUnit is the unit of sysfs for sizes and starts, whatever the sector
// size (Documentation/ABI/stable/sysfs-block).
const sectorUnit = 512

// Devices lists the block devices from sysfs, which has to be able to read
// links ([os.DirFS] is). Devices without a medium are left out. Sorted by
// name.
func Devices(sys fs.FS) ([]*Device, error) {
	const class = "class/block"
	entries, err := fs.ReadDir(sys, class)
	if err != nil {
		return nil, fmt.Errorf("cannot list block devices: %w", err)
	}
	var all []*Device
	for _, e := range entries {
		d, err := readDevice(sys, path.Join(class, e.Name()), e.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist): // unplugged just now
			continue
		case err != nil:
			return nil, fmt.Errorf("cannot read device %s: %w", e.Name(), err)
		case d.Size > 0:
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *Device) int { return cmp.Compare(a.Name, b.Name) })
	inherit(all)
	return all, nil
}

// inherit gives partitions what sysfs tells of their disks only.
func inherit(all []*Device) {
	byName := map[string]*Device{}
	for _, d := range all {
		byName[d.Name] = d
	}
	for _, d := range all {
		if disk := byName[d.Disk]; disk != nil {
			d.Sector, d.Removable, d.Virtual, d.Below = disk.Sector, disk.Removable, disk.Virtual, []string{disk.Name}
		}
	}
}

// sysfsDir reads the one-line files of a directory of sysfs.
type sysfsDir struct {
	sys fs.FS
	dir string
}

// text is "" for a file that is not there.
func (a sysfsDir) text(name string) string {
	text, err := fs.ReadFile(a.sys, path.Join(a.dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(text), "\ufffd"))
}

func (a sysfsDir) number(name string) uint64 {
	n, _ := strconv.ParseUint(a.text(name), 10, 64)
	return n
}

func (a sysfsDir) has(name string) bool {
	_, err := fs.Stat(a.sys, path.Join(a.dir, name))
	return err == nil
}

func (a sysfsDir) list(name string) (names []string) {
	entries, _ := fs.ReadDir(a.sys, path.Join(a.dir, name))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readDevice(sys fs.FS, link, name string) (*Device, error) {
	place, err := fs.ReadLink(sys, link)
	if err != nil {
		return nil, err
	}
	place = path.Join(path.Dir(link), place) // "devices/pci0000:00/…/block/sda/sda1"
	a := sysfsDir{sys, place}
	d := &Device{
		Name:      strings.ReplaceAll(name, "!", "/"), // "cciss!c0d0", as in /dev
		Number:    a.text("dev"),
		Size:      a.number("size") * sectorUnit,
		Sector:    a.number("queue/logical_block_size"),
		ReadOnly:  a.number("ro") != 0,
		Removable: a.number("removable") != 0,
		Mapper:    a.text("dm/uuid"),
		Mapping:   a.text("dm/name"),
		MD:        a.has("md"),
		Below:     a.list("slaves"),
	}
	if d.Partition = int(a.number("partition")); d.Partition > 0 {
		d.Disk = strings.ReplaceAll(path.Base(path.Dir(place)), "!", "/")
		d.Start = a.number("start") * sectorUnit
		return d, nil
	}
	d.Virtual = strings.HasPrefix(place, "devices/virtual/") && d.Mapping == "" && !d.MD
	if !d.Virtual && d.Mapping == "" && !d.MD {
		d.Hardware = hardware(a, place)
		d.Hardware.Size = d.Size
		d.Removable = d.Removable || d.Hardware.Bus == "usb"
	}
	return d, nil
}

// hardware reads what a disk says of itself. The files differ by driver: SCSI
// keeps the serial number in a VPD page (sysfs "vpd_pg80": 4 bytes, then
// text), NVMe, virtio and MMC have it as text.
func hardware(a sysfsDir, place string) Hardware {
	h := Hardware{Model: firstOf(a.text("device/model"), a.text("device/name")), WWN: firstOf(a.text("wwid"), a.text("device/wwid"))}
	h.Serial = firstOf(a.text("serial"), a.text("device/serial"))
	if page, err := fs.ReadFile(a.sys, path.Join(a.dir, "device/vpd_pg80")); err == nil && len(page) > 4 {
		h.Serial = strings.TrimSpace(strings.ToValidUTF8(string(page[4:]), "\ufffd"))
	}
	switch {
	case strings.Contains(place, "/usb"):
		h.Bus = "usb"
	case strings.Contains(place, "/nvme"):
		h.Bus = "nvme"
	case strings.Contains(place, "/virtio") && !strings.Contains(place, "/host"):
		h.Bus = "virtio"
	case strings.Contains(place, "/mmc_host/"):
		h.Bus = "mmc"
	case strings.Contains(place, "/ata"):
		h.Bus = "ata"
	case strings.Contains(place, "/host"):
		h.Bus = "scsi"
	}
	return h
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
