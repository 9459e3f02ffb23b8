package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	//go:embed testdata/system/save.sh
	saveScript string
	//go:embed testdata/system/rescue.sh
	rescueScript string
)

// TestGuestSystem throws away the disk of a machine. One command makes a blank
// disk the same machine, which starts from that alone; and so it does when the
// power fails on the way, again and again, and the command is given once more.
// ROOTWC_ROUNDS is how often it fails.
func TestGuestSystem(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.save()

	fresh := b.blank()
	r := b.rescue("rebuild", fresh, 0)
	if r.Status != 0 {
		t.Fatalf("status %d\n%s", r.Status, r.Console)
	}
	b.starts(fresh, vm.BIOS)
	console := b.starts(fresh, vm.UEFI)
	if entries := regexp.MustCompile(`(?m)^Boot[0-9A-F]{4}.*HD\(.*$`).FindAllString(console, -1); len(entries) != 1 || !strings.Contains(entries[0], "debian") {
		t.Errorf("boot entries of the firmware:\n%s", strings.Join(entries, "\n"))
	}

	// a cut is one second after the command began at the earliest, and most are
	// before it is done, though an attempt that goes on takes less
	dice := odds.Dice(12)
	moment := func() time.Duration {
		return r.Took - r.Command + time.Second + time.Duration(0.9*dice.Float64()*float64(r.Command))
	}
	const most = 3
	for left, n := odds.Rounds(10), 0; left > 0; n++ {
		var cuts []time.Duration
		for range min(left, most) {
			cuts = append(cuts, moment())
		}
		left -= len(cuts)
		t.Run(fmt.Sprintf("power cuts %d", n+1), func(t *testing.T) {
			t.Parallel()
			b.in(t).cut(cuts, []vm.Firmware{vm.BIOS, vm.UEFI}[n%2])
		})
	}
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
	old := installDebian(b.t, b.image)
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
// is cut after a time, if that is not 0.
func (b *box) rescue(name string, d debian, cut time.Duration) *vm.Result {
	b.t.Helper()
	return b.try(name, rescueScript, vm.Machine{
		Disks: []vm.Disk{{Path: d.disk, Serial: "SECOND"}}, Firmware: vm.UEFI, Variables: d.variables,
		Repositories: b.repositories, Env: []string{"MACHINE=" + machineURL}, CutAfter: cut,
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

// cut has the power fail at several moments, each time in the attempt that goes
// on from the one before, lets one attempt end, and starts the machine.
func (b *box) cut(moments []time.Duration, firmware vm.Firmware) {
	b.t.Helper()
	fresh := b.blank()
	for _, after := range append(moments, 0) {
		r := b.rescue("an attempt", fresh, after)
		if !r.Cut {
			if r.Status != 0 {
				b.t.Fatalf("status %d\n%s", r.Status, r.Console)
			}
			break
		}
		b.t.Logf("the power failed after %.0f s, at %q", after.Seconds(), lastStep(r.Console))
	}
	b.starts(fresh, firmware)
}

// lastStep is the last line that a console has of a step.
func lastStep(console string) string {
	lines := regexp.MustCompile(`\[\d+/\d+\] .*|(fetching|placing) [\d of]*|Materialized .*`).FindAllString(console, -1)
	if len(lines) == 0 {
		return "the beginning"
	}
	return lines[len(lines)-1]
}
