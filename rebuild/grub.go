package rebuild

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"rootwc/probes"
)

// GRUB installs GRUB anew, with the machine's own programs in its root, for
// the platforms that it was installed for. Disks are those that a BIOS starts
// from. The root is as [Chroot] makes it.
func GRUB(old *probes.Boot, root string, disks []string) (Layer, error) {
	grub := old.Loader["grub"]
	if grub == nil {
		return Layer{Notes: []string{"the machine had no GRUB: its loader is not installed anew, and comes back with the files"}}, nil
	}
	if err := checkRoot(root); err != nil {
		return Layer{}, err
	}
	for _, disk := range disks {
		if !diskPath.MatchString(disk) || strings.Contains(disk, "/../") {
			return Layer{}, fmt.Errorf("disk %q: no path that rootwc uses", disk)
		}
	}
	g := grubInstall{root: root, loader: grub}
	switch grub.Directory {
	case "/boot/grub":
	case "/boot/grub2":
		g.suffix = "2"
	default:
		return Layer{}, fmt.Errorf("GRUB in %q: no directory that rootwc knows", grub.Directory)
	}
	for _, platform := range grub.Platforms {
		if err := g.install(old, platform, disks); err != nil {
			return Layer{}, err
		}
	}
	if len(grub.Platforms) == 0 {
		g.notes = append(g.notes, "GRUB was put on the EFI system partition by its packages: it comes back with the files")
	}
	if len(g.actions) > 0 {
		// what update-grub of Debian runs
		g.actions = append(g.actions, inRoot(root, "grub"+g.suffix+"-mkconfig", "-o", grub.Directory+"/grub.cfg"))
	}
	return Layer{Make: g.actions, Notes: g.notes}, nil
}

// diskPath is a disk that may be an argument.
var diskPath = regexp.MustCompile(`^/dev/[A-Za-z0-9/_.+@=-]+$`)

// grubInstall is an installation in the making.
type grubInstall struct {
	root    string
	loader  *probes.Loader
	suffix  string // of the programs: Fedora and openSUSE have grub2-install
	actions []Action
	notes   []string
}

// install adds what installs one platform.
func (g *grubInstall) install(old *probes.Boot, platform string, disks []string) error {
	program := "grub" + g.suffix + "-install"
	switch {
	case platform == "i386-pc":
		for _, disk := range disks {
			g.actions = append(g.actions, inRoot(g.root, program, "--target=i386-pc", disk))
		}
		if len(disks) == 0 {
			g.notes = append(g.notes, "GRUB for i386-pc is not installed anew: no disk is started by a BIOS")
		}
	case slices.Contains([]string{"x86_64-efi", "i386-efi", "arm64-efi", "arm-efi", "riscv64-efi", "loongarch64-efi"}, platform):
		esp, removable, err := g.partition(old)
		if err != nil {
			return err
		}
		// The boot entry is rootwc's own work, see Entries.
		args := []string{program, "--target=" + platform, "--efi-directory=" + esp, "--no-nvram"}
		if removable {
			args = append(args, "--removable")
		}
		g.actions = append(g.actions, inRoot(g.root, args...))
	default:
		g.notes = append(g.notes, fmt.Sprintf("GRUB for %q is not installed anew: rootwc does not know how", platform))
	}
	return nil
}

// partition is where the EFI system partition is mounted, and whether GRUB was
// there only as what firmware starts without an entry.
func (g *grubInstall) partition(old *probes.Boot) (dir string, removable bool, err error) {
	programs := g.loader.Programs
	if fallback := old.Loader["fallback"]; len(programs) == 0 && fallback != nil {
		programs, removable = fallback.Programs, true
	}
	if len(programs) == 0 {
		return "/boot/efi", false, nil
	}
	efi := path.Dir(path.Dir(programs[0])) // "/boot/efi/EFI/debian/grubx64.efi"
	if dir = path.Dir(efi); !strings.EqualFold(path.Base(efi), "EFI") || checkRoot(dir) != nil {
		return "", false, fmt.Errorf("GRUB's program %q: no path on an EFI system partition", programs[0])
	}
	return dir, removable, nil
}

// biosBoot is the type of the partition that holds GRUB for a BIOS where there
// is a GPT.
const biosBoot = "21686148-6449-6e6f-744e-656564454649"

// BootCodeMoved says why the boot code of the old disk, byte by byte, would not
// find itself on the new one: its first part has the sector of the second. It
// is "" when it would.
func BootCodeMoved(old, now *probes.Table) string {
	switch {
	case old.Disk.Table != now.Disk.Table:
		return fmt.Sprintf("the partition table was %s and is %s", old.Disk.Table, now.Disk.Table)
	case old.Disk.Sector != now.Disk.Sector:
		return fmt.Sprintf("sectors had %d bytes and have %d", old.Disk.Sector, now.Disk.Sector)
	}
	was, is := secondPart(old), secondPart(now)
	if was.FirstLBA != is.FirstLBA {
		return fmt.Sprintf("the place of its second part began at LBA %d and begins at %d", was.FirstLBA, is.FirstLBA)
	}
	if is.LastLBA < was.LastLBA {
		return fmt.Sprintf("the place of its second part ended at LBA %d and ends at %d", was.LastLBA, is.LastLBA)
	}
	return ""
}

// secondPart is where the second part stands: the BIOS boot partition, or what
// is before the first partition of a dos table.
func secondPart(t *probes.Table) (area probes.Partition) {
	area.FirstLBA = 1
	if t.Disk.Table == "gpt" {
		i := slices.IndexFunc(t.Partitions, func(p probes.TableEntry) bool { return p.Type == biosBoot })
		if i < 0 {
			return probes.Partition{}
		}
		return t.Partitions[i].Partition
	}
	for i, p := range t.Partitions {
		if i == 0 || p.FirstLBA <= area.LastLBA {
			area.LastLBA = p.FirstLBA - 1
		}
	}
	return area
}
