package probes

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree makes a file system of paths and contents; a path with a slash at its
// end is a directory.
func tree(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			all[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			continue
		}
		all[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return all
}

// TestBootOfReleases has roots with the files that distributions install.
func TestBootOfReleases(t *testing.T) {
	const debianGRUB = `# If you change this file, run 'update-grub' afterwards to update
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=` + "`lsb_release -i -s 2> /dev/null || echo Debian`" + `
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
#GRUB_TERMINAL=console
`
	const swap = "swap.8a5e0001-0000-4000-8000-000000000001"
	for _, c := range []struct {
		name     string
		root     map[string]string
		proc     string
		want     string
		findings []string
	}{{
		name: "Debian 11, BIOS",
		root: map[string]string{
			"etc/default/grub": debianGRUB, "boot/grub/grub.cfg": "", "boot/grub/i386-pc/core.img": "", "boot/grub/fonts/unicode.pf2": "", "boot/grub/locale/": "",
			"usr/sbin/mkinitramfs": "", "etc/initramfs-tools/initramfs.conf": "# comment\nMODULES=most\nBUSYBOX=auto\n",
			"etc/initramfs-tools/conf.d/resume": "RESUME=UUID=8a5e0001-0000-4000-8000-000000000001\n",
		},
		want: `format = "1.0.0"
command-line = "quiet"
command-line-of = "/etc/default/grub"
resume = "` + swap + `"

[loader.grub]
directory = "/boot/grub"
platforms = ["i386-pc"]

[initramfs]
generator = "initramfs-tools"
setting = "MODULES=most"
`,
	}, {
		name: "Debian 12, UEFI, running",
		root: map[string]string{
			"etc/default/grub": debianGRUB, "boot/grub/grub.cfg": "", "boot/grub/x86_64-efi/core.efi": "",
			"boot/efi/EFI/debian/shimx64.efi": "", "boot/efi/EFI/debian/grubx64.efi": "", "boot/efi/EFI/debian/fbx64.efi": "", "boot/efi/EFI/BOOT/BOOTX64.EFI": "",
			"usr/sbin/mkinitramfs": "", "etc/initramfs-tools/initramfs.conf": "MODULES=most\n", "etc/initramfs-tools/conf.d/driver-policy": "# by the installer\nMODULES=dep\n",
		},
		proc: `BOOT_IMAGE=/vmlinuz-6.1.0-18-amd64 root=/dev/mapper/vg--0-root--a ro quiet resume=LABEL=swap dyndbg="file a.c +p ; x" initrd=\i` + "\n",
		want: `format = "1.0.0"
command-line = "root=/dev/mapper/vg--0-root--a ro quiet resume=LABEL=swap dyndbg=\"file a.c +p ; x\""
command-line-of = "/proc/cmdline"
resume = "` + swap + `"

[loader.fallback]
programs = ["/boot/efi/EFI/BOOT/BOOTX64.EFI"]

[loader.grub]
directory = "/boot/grub"
platforms = ["x86_64-efi"]
programs = ["/boot/efi/EFI/debian/grubx64.efi"]

[loader.shim]
programs = ["/boot/efi/EFI/debian/shimx64.efi"]

[initramfs]
generator = "initramfs-tools"
setting = "MODULES=dep"
`,
	}, {
		name: "Debian 13, cloud drop-in, both platforms, resume none",
		root: map[string]string{
			"etc/default/grub":                strings.Replace(debianGRUB, "`lsb_release -i -s 2> /dev/null || echo Debian`", "`( . /etc/os-release && echo ${NAME} )`", 1),
			"etc/default/grub.d/10_cloud.cfg": "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX consoleblank=0 ${nothing}console=ttyS0,115200\"\nGRUB_CMDLINE_LINUX_DEFAULT+=' splash' # more\nGRUB_TIMEOUT=0\n",
			"boot/grub/grub.cfg":              "", "boot/grub/i386-pc/core.img": "", "boot/grub/x86_64-efi/core.efi": "",
			"usr/sbin/mkinitramfs":              "",
			"etc/initramfs-tools/conf.d/resume": "RESUME=none\n",
		},
		want: `format = "1.0.0"
command-line = "consoleblank=0 console=ttyS0,115200 quiet splash"
command-line-of = "/etc/default/grub"

[loader.grub]
directory = "/boot/grub"
platforms = [
  "i386-pc",
  "x86_64-efi",
]

[initramfs]
generator = "initramfs-tools"
setting = "MODULES=most"
`,
	}, {
		name: "Fedora",
		root: map[string]string{
			"boot/grub2/grub.cfg": "", "boot/grub2/grubenv": "# GRUB Environment Block\nsaved_entry=x\nkernelopts=root=UUID=a ro rhgb quiet \n####",
			"boot/loader/entries/0f-0-rescue.conf":         "title Rescue\noptions single\n",
			"boot/loader/entries/0f-6.8.5-301.fc40.conf":   "title Fedora Linux\nversion 6.8.5\nlinux /vmlinuz\ninitrd /initramfs.img $tuned_initrd\noptions\t$kernelopts $tuned_params rd.luks.uuid=luks-1\ngrub_users $grub_users\n",
			"boot/efi/EFI/fedora/shimx64.efi":              "",
			"boot/efi/EFI/fedora/grubx64.efi":              "",
			"usr/bin/dracut":                               "",
			"usr/lib/dracut/dracut.conf.d/01-dist.conf":    "# dracut configuration\nhostonly=\"yes\"\nadd_dracutmodules+=\" crypt \"\n",
			"usr/lib/dracut/dracut.conf.d/02-rescue.conf":  "dracut_rescue_image=\"yes\"\n",
			"etc/default/grub":                             "GRUB_CMDLINE_LINUX=\"rhgb quiet\"\nGRUB_ENABLE_BLSCFG=true\n",
			"etc/kernel/cmdline":                           "\n",
			"usr/lib/dracut/dracut.conf.d/50-hidden.conf":  "hostonly=no",
			"etc/dracut.conf.d/50-hidden.conf":             "",
			"etc/dracut.conf":                              "hostonly=no # drop-ins are read later",
			"boot/efi/EFI/Microsoft/Boot/bootmgfw.efi":     "",
			"boot/efi/EFI/Microsoft/Boot/deep/grubx64.efi": "",
		},
		want: `format = "1.0.0"
command-line = "root=UUID=a ro rhgb quiet rd.luks.uuid=luks-1"
command-line-of = "/boot/loader/entries"

[loader.grub]
directory = "/boot/grub2"
programs = ["/boot/efi/EFI/fedora/grubx64.efi"]

[loader.microsoft]
programs = ["/boot/efi/EFI/Microsoft/Boot/bootmgfw.efi"]

[loader.shim]
programs = ["/boot/efi/EFI/fedora/shimx64.efi"]

[initramfs]
generator = "dracut"
setting = "hostonly=yes"
`,
	}, {
		name: "Arch, systemd-boot on /boot",
		root: map[string]string{
			"boot/EFI/systemd/systemd-bootx64.efi": "", "boot/EFI/Boot/bootx64.efi": "", "boot/loader/loader.conf": "default arch.conf\n",
			"boot/loader/entries/arch.conf": "title   Arch Linux\nlinux   /vmlinuz-linux\ninitrd  /initramfs-linux.img\noptions root=UUID=b7f50000-0000-4000-8000-000000000001\noptions rootflags=subvol=@ rw\n",
			"usr/bin/mkinitcpio":            "",
			"etc/mkinitcpio.conf":           "MODULES=()\nBINARIES=()\n# HOOKS=(old)\nHOOKS=(base udev autodetect\n  microcode modconf kms)\n",
		},
		want: `format = "1.0.0"
command-line = "root=UUID=b7f50000-0000-4000-8000-000000000001 rootflags=subvol=@ rw"
command-line-of = "/boot/loader/entries"

[loader.fallback]
programs = ["/boot/EFI/Boot/bootx64.efi"]

[loader.systemd-boot]
directory = "/boot/loader"
programs = ["/boot/EFI/systemd/systemd-bootx64.efi"]

[initramfs]
generator = "mkinitcpio"
setting = "autodetect"
`,
	}, {
		name: "Arch, unified kernel image, booster",
		root: map[string]string{"etc/kernel/cmdline": "root=LABEL=twice rw\nresume=/dev/sda3\n", "usr/bin/booster": "", "etc/booster.yaml": "network:\nuniversal: true\n"},
		want: `format = "1.0.0"
command-line = "root=LABEL=twice rw resume=/dev/sda3"
command-line-of = "/etc/kernel/cmdline"

[initramfs]
generator = "booster"
setting = "universal=true"
`,
		findings: []string{"the command line has resume=/dev/sda3, which is a name that another device may have after the next start"},
	}, {
		name: "swap file",
		root: map[string]string{},
		proc: "resume=UUID=a50d484d-9a4c-44c7-a3c1-6128d9f69e30 resume_offset=34816 systemd.set_credential=passwd.x:secret",
		want: `format = "1.0.0"
command-line = "resume=UUID=a50d484d-9a4c-44c7-a3c1-6128d9f69e30 resume_offset=34816"
command-line-of = "/proc/cmdline"
resume = "swap.8a5e0001-0000-4000-8000-000000000002"
`,
		findings: []string{"the command line has resume_offset=34816: a swap file that is made again is elsewhere"},
	}, {
		name: "nothing",
		want: "format = \"1.0.0\"\n",
	}} {
		t.Run(c.name, func(t *testing.T) {
			var proc fs.FS
			if c.proc != "" {
				proc = tree(map[string]string{"cmdline": c.proc})
			}
			b, findings, err := ReadBoot(tree(c.root), nil, proc, tablesLayout(t))
			if err != nil || !slices.Equal(findings, c.findings) {
				t.Errorf("%q, %v", findings, err)
			}
			if got := bootText(t, b); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestCompareBoot(t *testing.T) {
	old := &Boot{Format: Format, Firmware: "uefi", Order: []string{"Boot0001"}, CommandLine: "quiet",
		Entry: map[ID]*EFIEntry{"Boot0001": {Label: "debian", Loader: `\a`}, "Boot0002": {Label: "gone"}}}
	now := &Boot{Format: "1.1.0", Firmware: "bios", Order: []string{"Boot0001", "Boot0003"}, CommandLine: "quiet splash", Initramfs: &Initramfs{},
		Entry: map[ID]*EFIEntry{"Boot0001": {Label: "debian", Loader: `\b`}}, Loader: map[ID]*Loader{"grub": {}}}
	var got []string
	for _, c := range CompareBoot(old, now) {
		got = append(got, string(c.Node)+" "+c.Words)
	}
	want := []string{
		" boot: firmware uefi -> bios", " boot: boot order Boot0001 -> Boot0001 Boot0003", ` boot: command line quiet -> "quiet splash"`,
		" boot: initramfs appeared or is gone",
		`entry.Boot0001 boot entry: debian loader "\\a" -> "\\b"`, "entry.Boot0002 boot entry: gone is gone", "loader.grub loader: grub is new",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// FuzzAssignments reads any text as a file of settings.
func FuzzAssignments(f *testing.F) {
	f.Add("A=1\nB=\"$A ${A}\\\n'\"\nexport C='$A'(x y)\nD+=(a\n b) E=\\")
	f.Add("A=x\n" + strings.Repeat("A=$A$A\n", 40))
	f.Add("A=x\n" + strings.Repeat("A+=$A\n", 40))
	f.Fuzz(func(t *testing.T, text string) {
		r := &bootReader{root: tree(map[string]string{"f": text})}
		for name, value := range r.assignments("f") {
			if len(value) > 16*maxText {
				t.Fatalf("%s has %d bytes", name, len(value))
			}
		}
	})
}
