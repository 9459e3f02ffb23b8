package vm

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// modules are what the guest's kernel may want, by name. It asks modprobe for
// them when it first needs one (fs-xfs, dm-crypt, a cipher); loading them all
// would cost seconds, most of it a benchmark in raid6.
var modules = []string{
	// buses, disks, the network to svnserve
	"virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net", "virtio_rng", "sd_mod", "nvme", "xhci_pci", "usb_storage", "uas", "loop",
	// device-mapper and md
	"dm-mod", "dm-crypt", "dm-snapshot", "dm-mirror", "dm-raid", "dm-thin-pool", "dm-cache", "dm-cache-smq", "dm-writecache",
	"dm-integrity", "dm-verity", "dm-zero", "dm-flakey", "dm-delay", "dm-multipath",
	"raid0", "raid1", "raid10", "raid456", "linear", "bcache",
	// file systems, and what their options want
	"ext4", "xfs", "btrfs", "vfat", "exfat", "f2fs", "isofs", "squashfs", "overlay", "efivarfs", "quota_v2",
	"nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8", "utf8data",
	// an administrator's tools
	"sg", "algif_skcipher", "algif_hash", "algif_aead", "algif_rng",
}

// moduleDirs are taken whole: ciphers, hashes and checksums are asked for by
// names of algorithms.
var moduleDirs = []string{"kernel/crypto", "kernel/arch/x86/crypto", "kernel/lib"}

// drivers are the modules for disks that the guest's process 1 does not need
// for itself.
var drivers = map[Bus][]string{
	NVMe: {"nvme"},
	SCSI: {"virtio_scsi", "sd_mod"},
	USB:  {"xhci_pci", "usb_storage", "sd_mod"},
}

// addModules adds the modules with what they depend on, and the lists that
// depmod made. A module that this kernel has built in or does not know is left
// out; the lists may name more modules than there are.
func (t tree) addModules(k kernel) error {
	all, err := os.ReadFile(filepath.Join(k.modules(), "modules.dep"))
	if err != nil {
		return err
	}
	dependencies, err := parseModulesDep(all)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range modules {
		wanted[moduleName(name)] = true
	}
	for file, needed := range dependencies {
		name := moduleName(file)
		if !wanted[name] && !within(file, moduleDirs) || strings.HasPrefix(name, "test_") {
			continue
		}
		for _, f := range append(needed, file) {
			content, err := os.ReadFile(filepath.Join(k.modules(), f))
			if err != nil {
				return err
			}
			t.file(path.Join("/usr/lib/modules", k.version, f), 0o644, content)
		}
	}
	lists, err := filepath.Glob(filepath.Join(k.modules(), "modules.*"))
	if err != nil {
		return err
	}
	for _, list := range lists {
		if _, err := os.Stat(list + ".bin"); err == nil {
			continue // modprobe reads the index alone
		}
		content, err := os.ReadFile(list)
		if err != nil {
			return err
		}
		t.file(path.Join("/usr/lib/modules", k.version, filepath.Base(list)), 0o644, content)
	}
	return nil
}

// parseModulesDep reads modules.dep(5): a module and those that must be loaded
// before it, all of them, in paths relative to the list.
func parseModulesDep(list []byte) (map[string][]string, error) {
	dependencies := map[string][]string{}
	for line := range bytes.Lines(list) {
		file, needed, found := strings.Cut(strings.TrimSpace(string(line)), ":")
		if !found {
			return nil, fmt.Errorf("modules.dep: no colon in %q", line)
		}
		dependencies[file] = strings.Fields(needed)
	}
	return dependencies, nil
}

// moduleName is the name that modprobe knows: - and _ are the same, and a file
// may be compressed.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

func within(file string, dirs []string) bool {
	for _, dir := range dirs {
		if strings.HasPrefix(file, dir+"/") {
			return true
		}
	}
	return false
}
