package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rootwc/internal/odds"
	"rootwc/internal/vm"
)

// box is a whole machine: a Debian that starts from LUKS and LVM by BIOS and by
// UEFI, and the repository that it is saved in.
type box struct {
	*lab
	repositories string
	marker       string // what only this machine has
}

var (
	//go:embed testdata/system/tree.sh
	boxTree string
	//go:embed testdata/system/install.sh
	boxInstall string
	//go:embed testdata/system/save.sh
	saveScript string
	//go:embed testdata/system/rescue.sh
	rescueScript string
)

var boxRecipe = recipe{
	name: "box",
	packages: "systemd-sysv,udev,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,cryptsetup-initramfs,lvm2,dosfstools,e2fsprogs," +
		"grub-pc-bin,grub-efi-amd64-bin,grub2-common,efibootmgr,subversion",
	tree: boxTree, install: boxInstall,
	identities: []string{
		"HOST=box", "LUKS=5b0f3c9e-6a57-4c1f-9d0a-2c4e8f1b7a36", "BOOT=0d9c8b7a-1f2e-4d3c-8b4a-596877665544", "ESP=C0FFEE42",
	},
	size: 2 << 30,
}

// TestGuestSystem throws away the disk of a machine. One command makes a blank
// disk the same machine, which starts from that alone; and so it does when the
// power fails on the way, again and again, and the command is given once more.
// ROOTWC_ROUNDS is how often it fails.
func TestGuestSystem(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.save()

	fresh := b.blank()
	r := b.rescue("rebuild", fresh, nil, 0)
	if r.Status != 0 {
		t.Fatalf("status %d\n%s", r.Status, r.Console)
	}
	b.starts(fresh, vm.BIOS)
	console := b.starts(fresh, vm.UEFI)
	if entries := regexp.MustCompile(`(?m)^Boot[0-9A-F]{4}.*HD\(.*$`).FindAllString(console, -1); len(entries) != 1 || !strings.Contains(entries[0], "debian") {
		t.Errorf("boot entries of the firmware:\n%s", strings.Join(entries, "\n"))
	}

	points := moments(r.Console)
	if len(points) < 20 {
		t.Fatalf("%d moments of progress in\n%s", len(points), r.Console)
	}
	points = points[:len(points)-1] // after the last one there is not much
	const most = 4
	for left, n := odds.Rounds(10), 0; left > 0; n++ {
		cuts := min(left, most)
		left -= cuts
		t.Run(fmt.Sprintf("power cuts %d", n+1), func(t *testing.T) {
			t.Parallel()
			b.in(t).cut(points, cuts, odds.Dice(n), []vm.Firmware{vm.BIOS, vm.UEFI}[n%2])
		})
	}
}

// moments are what an attempt's console has of its progress, in that order:
// steps, and each thousand of files.
func moments(console string) []*regexp.Regexp {
	var all []string
	for _, m := range regexp.MustCompile(`\[\d+/\d+\] |(fetching|placing) (\d)(\d{3,})`).FindAllStringSubmatch(console, -1) {
		text := regexp.QuoteMeta(m[0])
		if m[1] != "" {
			text = fmt.Sprintf(`%s %s\d{%d}\D`, m[1], m[2], len(m[3]))
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	points := make([]*regexp.Regexp, len(all))
	for i, text := range all {
		points[i] = regexp.MustCompile(text)
	}
	return points
}

// newBox installs the machine beside an empty repository.
func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{lab: newLab(t), repositories: t.TempDir()}
	image, err := vm.Build(t.Context(), vm.Options{Programs: []string{"chroot"}})
	if err != nil {
		t.Fatal(err)
	}
	b.image = image
	must(t, b.repositories, "svnadmin", "create", "machines")
	conf := filepath.Join(b.repositories, "machines", "conf", "svnserve.conf")
	if err := os.WriteFile(conf, []byte("[general]\nanon-access = write\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, b.repositories, "svn", "mkdir", "-q", "-m", "hosts", b.url("hosts"))
	return b
}

// in is the same box in a subtest.
func (b *box) in(t *testing.T) *box {
	l := *b.lab
	l.t = t
	return &box{&l, b.repositories, b.marker}
}

// url is a path in the repository, seen from this machine.
func (b *box) url(path string) string { return "file://" + b.repositories + "/machines/" + path }

// machineURL is the machine's directory, seen from its network.
const machineURL = "svn://10.0.2.100/machines/hosts/box"

// save has the machine save itself; its disk is of no use afterwards.
func (b *box) save() {
	b.t.Helper()
	old := boxRecipe.installed(b.t, b.image)
	b.run("save", saveScript, vm.Machine{
		Disks: []vm.Disk{{Path: old.disk, Serial: "FIRST"}}, Firmware: vm.UEFI, Variables: old.variables,
		Repositories: b.repositories, Env: []string{"MACHINE=" + machineURL},
	})
	b.marker = must(b.t, "", "svn", "cat", b.url("hosts/box/etc/marker"))
	for _, path := range []string{old.disk, old.variables} {
		if err := os.Remove(path); err != nil {
			b.t.Fatal(err)
		}
	}
}

// blank is a new machine: a larger disk with nothing on it, and a firmware
// that knows nothing.
func (b *box) blank() debian {
	dir := b.t.TempDir()
	d := debian{filepath.Join(dir, "disk.img"), filepath.Join(dir, "variables")}
	blank(b.t, d.disk, 3<<30)
	return d
}

// rescue starts a rescue system on a machine, with the one command. The power
// is cut some time after the console has a text, if there is one.
func (b *box) rescue(name string, d debian, cutAt *regexp.Regexp, after time.Duration) *vm.Result {
	b.t.Helper()
	return b.try(name, rescueScript, vm.Machine{
		Disks: []vm.Disk{{Path: d.disk, Serial: "SECOND"}}, Firmware: vm.UEFI, Variables: d.variables,
		Repositories: b.repositories, Env: []string{"MACHINE=" + machineURL}, CutAt: cutAt, CutAfter: after,
	})
}

// starts switches a machine on: the system on its disk proves itself. The
// disk stays as it was.
func (b *box) starts(d debian, firmware vm.Firmware) string {
	b.t.Helper()
	d = d.copy(b.t)
	r, err := b.image.Run(b.t.Context(), vm.Machine{
		FromDisk: true, Firmware: firmware, Variables: d.variables, Disks: []vm.Disk{{Path: d.disk, Serial: "SECOND"}},
		Until: regexp.MustCompile(`proof ends.*\n`), Timeout: 5 * time.Minute,
	})
	if err != nil {
		b.t.Fatalf("by %s: %v\n%s", firmware, err, r.Console)
	}
	b.t.Logf("starts by %s: %.0f s", firmware, r.Took.Seconds())
	if testing.Verbose() {
		b.t.Log(r.Console)
	}
	for _, want := range []string{
		": " + b.marker + "\n", "root /dev/mapper/sys-root ext4, boot ext4, efi vfat, swap 128M\n",
		"failed units: \n", "status is clean\n", "packages are as they were\n",
	} {
		if !strings.Contains(r.Console, want) {
			b.t.Errorf("by %s: no %q in:\n%s", firmware, want, r.Console)
		}
	}
	return r.Console
}

// cut has the power fail so many times, each in the attempt that goes on from the
// one before and somewhat later, lets one attempt end, and starts the machine.
func (b *box) cut(points []*regexp.Regexp, cuts int, dice *rand.Rand, firmware vm.Firmware) {
	b.t.Helper()
	fresh, reached := b.blank(), -1
	for left := cuts; left > 0; left-- {
		next := min(reached+1+dice.IntN(1+(len(points)-reached-1)/left), len(points)-1)
		after := time.Duration(dice.IntN(1500)) * time.Millisecond
		r := b.rescue("an attempt", fresh, points[next], after)
		if !r.Cut {
			b.t.Fatalf("it was done before %q\n%s", points[next], r.Console)
		}
		b.t.Logf("the power failed %.1f s after %q", after.Seconds(), points[next])
		for i, p := range points {
			if p.MatchString(r.Console) {
				reached = max(reached, i)
			}
		}
	}
	if r := b.rescue("the last attempt", fresh, nil, 0); r.Status != 0 {
		b.t.Fatalf("status %d\n%s", r.Status, r.Console)
	}
	b.starts(fresh, firmware)
}
