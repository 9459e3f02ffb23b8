package rebuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

func grubOf(directory string, programs []string, platforms ...string) *probes.Boot {
	return &probes.Boot{Loader: map[probes.ID]*probes.Loader{"grub": {Directory: directory, Platforms: platforms, Programs: programs}}}
}

func lines(actions []Action) (words []string) {
	for _, a := range actions {
		words = append(words, a.String())
	}
	return words
}

func TestGRUB(t *testing.T) {
	const in = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot /mnt "
	onlyFallback := grubOf("/boot/grub", nil, "x86_64-efi")
	onlyFallback.Loader["fallback"] = &probes.Loader{Programs: []string{"/efi/EFI/Boot/bootx64.efi"}}
	both := grubOf("/boot/grub", []string{"/boot/EFI/debian/grubx64.efi"}, "i386-pc", "x86_64-efi", "x86_64-xen")
	both.Loader["fallback"] = &probes.Loader{Programs: []string{"/boot/EFI/BOOT/BOOTX64.EFI"}}
	for _, c := range []struct {
		name  string
		boot  *probes.Boot
		disks []string
		want  []string
		notes []string
	}{
		{"Debian, BIOS, two disks", grubOf("/boot/grub", nil, "i386-pc"), []string{"/dev/sda", "/dev/nvme0n1"}, []string{
			in + "grub-install --target=i386-pc /dev/sda",
			in + "grub-install --target=i386-pc /dev/nvme0n1",
			in + "grub-mkconfig -o /boot/grub/grub.cfg",
		}, nil},
		{"no disk", grubOf("/boot/grub", nil, "i386-pc"), nil, nil, []string{"GRUB for i386-pc is not installed anew: no disk is started by a BIOS"}},
		{"both", both, []string{"/dev/sda"}, []string{
			in + "grub-install --target=i386-pc /dev/sda",
			in + "grub-install --target=x86_64-efi --efi-directory=/boot --no-nvram",
			in + "grub-mkconfig -o /boot/grub/grub.cfg",
		}, []string{`GRUB for "x86_64-xen" is not installed anew: rootwc does not know how`}},
		{"removable", onlyFallback, nil, []string{
			in + "grub-install --target=x86_64-efi --efi-directory=/efi --no-nvram --removable",
			in + "grub-mkconfig -o /boot/grub/grub.cfg",
		}, nil},
		{"Fedora, BIOS", grubOf("/boot/grub2", nil, "i386-pc"), []string{"/dev/sda"}, []string{
			in + "grub2-install --target=i386-pc /dev/sda",
			in + "grub2-mkconfig -o /boot/grub2/grub.cfg",
		}, nil},
		{"Fedora, UEFI", grubOf("/boot/grub2", []string{"/boot/efi/EFI/fedora/grubx64.efi"}), nil, nil, []string{
			"GRUB was put on the EFI system partition by its packages: it comes back with the files"}},
		{"another loader", &probes.Boot{}, nil, nil, []string{"the machine had no GRUB: its loader is not installed anew, and comes back with the files"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := GRUB(c.boot, "/mnt", c.disks)
			if err != nil {
				t.Fatal(err)
			}
			sameLines(t, "actions", lines(l.Make), c.want)
			sameLines(t, "notes", l.Notes, c.notes)
		})
	}
	for _, c := range []struct {
		boot       *probes.Boot
		root, disk string
	}{
		{grubOf("/boot/grub", nil, "i386-pc"), "/mnt", "--help"},
		{grubOf("/boot/grub", nil, "i386-pc"), "/mnt", "/dev/../etc/passwd"},
		{grubOf("/boot/grub", nil, "i386-pc"), "/mnt", "(hd0)"},
		{grubOf("/boot/grub", nil, "i386-pc"), "mnt", "/dev/sda"},
		{grubOf("/boot/grub", nil, "i386-pc"), "/", "/dev/sda"},
		{grubOf("/boot/grub", nil, "i386-pc"), "/mnt/../x", "/dev/sda"},
		{grubOf("/boot/grub", nil, "i386-pc"), "/mnt/a b", "/dev/sda"},
		{grubOf("-x", nil, "i386-pc"), "/mnt", "/dev/sda"},
		{grubOf("/boot/grub", []string{"EFI/a/grubx64.efi"}, "x86_64-efi"), "/mnt", "/dev/sda"},
		{grubOf("/boot/grub", []string{"/../EFI/a/grubx64.efi"}, "x86_64-efi"), "/mnt", "/dev/sda"},
		{grubOf("/boot/grub", []string{"/$(id)/EFI/a/grubx64.efi"}, "x86_64-efi"), "/mnt", "/dev/sda"},
	} {
		if l, err := GRUB(c.boot, c.root, []string{c.disk}); err == nil {
			t.Errorf("%s, %s: %q", c.root, c.disk, lines(l.Make))
		}
	}
}

func TestInitramfs(t *testing.T) {
	const in = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot /mnt "
	const why = `, and disk "d" was on "ata" and is on "nvme": `
	for _, c := range []struct {
		generator, setting, now string
		want, note              string
	}{
		{"initramfs-tools", "MODULES=dep", "nvme", in + "update-initramfs -u -k all", `the initramfs has drivers for the old hardware alone ("MODULES=dep")` + why + "it is made again"},
		{"initramfs-tools", "MODULES=most", "nvme", "", ""},
		{"initramfs-tools", "MODULES=dep", "ata", "", ""},
		{"initramfs-tools", "MODULES=dep", "", "", ""},
		{"dracut", "hostonly=yes", "nvme", in + "dracut --force --regenerate-all", `the initramfs has drivers for the old hardware alone ("hostonly=yes")` + why + "it is made again"},
		{"dracut", "hostonly=no", "nvme", "", ""},
		{"mkinitcpio", "autodetect", "nvme", in + "mkinitcpio -P", `the initramfs has drivers for the old hardware alone ("autodetect")` + why + "it is made again"},
		{"booster", "universal=false", "nvme", "", `the initramfs has drivers for the old hardware alone ("universal=false")` + why + `make it again with "booster" before the machine starts`},
		{"", "", "nvme", "", ""},
	} {
		old := &probes.Boot{Initramfs: &probes.Initramfs{Generator: c.generator, Setting: c.setting}}
		if c.generator == "" {
			old.Initramfs = nil
		}
		l, err := Initramfs(old, inventory("ata"), inventory(c.now), "/mnt")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lines(l.Make), "\n"); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.generator, c.setting, got, c.want)
		}
		if got := strings.Join(l.Notes, "\n"); got != c.note {
			t.Errorf("%s %s: got note %q, want %q", c.generator, c.setting, got, c.note)
		}
	}
	if _, err := Initramfs(&probes.Boot{Initramfs: &probes.Initramfs{Generator: "dracut", Setting: "hostonly=yes"}}, inventory("ata"), inventory("nvme"), "-x"); err == nil {
		t.Error("a root that is no path")
	}
}

func TestBootCodeMoved(t *testing.T) {
	table := func(kind string, sector uint64, parts ...probes.Partition) *probes.Table {
		t := &probes.Table{Disk: probes.Disk{Table: kind, Sector: sector}}
		for _, p := range parts {
			t.Partitions = append(t.Partitions, probes.TableEntry{Partition: p})
		}
		return t
	}
	bios := func(first, last uint64) probes.Partition {
		return probes.Partition{Type: biosBoot, FirstLBA: first, LastLBA: last}
	}
	root := func(first uint64) probes.Partition { return probes.Partition{FirstLBA: first, LastLBA: first + 999} }
	for _, c := range []struct {
		old, now *probes.Table
		want     string
	}{
		{table("gpt", 512, root(9999), bios(2048, 4095)), table("gpt", 512, bios(2048, 4095), root(8192)), ""},
		{table("gpt", 512, bios(2048, 4095)), table("gpt", 512, bios(2048, 9999)), ""},
		{table("gpt", 512, bios(2048, 4095)), table("gpt", 512, bios(34, 2047)), "the place of its second part began at LBA 2048 and begins at 34"},
		{table("gpt", 512, bios(2048, 4095)), table("gpt", 512, bios(2048, 4000)), "the place of its second part ended at LBA 4095 and ends at 4000"},
		{table("gpt", 512, bios(2048, 4095)), table("gpt", 512), "the place of its second part began at LBA 2048 and begins at 0"},
		{table("gpt", 512), table("gpt", 512, root(2048)), ""},
		{table("dos", 512, root(9999), root(2048)), table("dos", 512, root(2048)), ""},
		{table("dos", 512, root(2048)), table("dos", 512, root(63)), "the place of its second part ended at LBA 2047 and ends at 62"},
		{table("dos", 512, root(2048)), table("dos", 4096, root(2048)), "sectors had 512 bytes and have 4096"},
		{table("dos", 512, root(2048)), table("gpt", 512, root(2048)), "the partition table was dos and is gpt"},
	} {
		if got := BootCodeMoved(c.old, c.now); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestBindInto has a root whose directories are links that lead out of it.
func TestBindInto(t *testing.T) {
	root := t.TempDir()
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "dev")); err != nil {
		t.Fatal(err)
	}
	if err := bind("/dev", filepath.Join(root, "dev")); err == nil || !strings.Contains(err.Error(), "is no directory") {
		t.Errorf("a link: %v", err)
	}
	if err := bind("/dev", filepath.Join(root, "a", "b")); err == nil {
		t.Error("a directory that is not there")
	}
	if err := unbind("/dev", root); err != nil {
		t.Errorf("nothing is mounted: %v", err)
	}

	from := t.TempDir()
	if err := os.WriteFile(filepath.Join(from, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(root, "proc")
	if err := bind(from, at); err == unix.EPERM {
		t.Skip("needs root to mount")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	if err := bind(from, at); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(at, "file")); err != nil {
		t.Error(err)
	}
	if err := unbind(from, at); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(at, "file")); err == nil {
		t.Error("it is mounted twice")
	}
}
