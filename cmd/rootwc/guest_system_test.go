package main

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rootwc/internal/vm"
)

//go:embed testdata/system/save.sh
var saveScript string

// rescue is what a person types on the day after the disk died. The key of the
// second keyslot is a file of the machine.
const rescue = `
	svn cat --non-interactive svn://10.0.2.100/machines/hosts/box/etc/keys/sys.key >/run/sys.key
	printf 'correct horse' >/run/passphrase
	status=0
	rootwc materialize --rebuild svn://10.0.2.100/machines/hosts/box --disk FIRST=/dev/vda \
		--key-file sys_crypt:0=/run/passphrase --key-file sys_crypt:1=/run/sys.key || status=$?
	cp /run/rootwc/rebuild/log /out/log
	efibootmgr >/out/entries
	exit $status
`

// machineURL is the machine's directory, seen from the guests.
const machineURL = "svn://10.0.2.100/machines/hosts/box"

func TestGuestSystem(t *testing.T) {
	l := newLab(t)
	image, err := vm.Build(t.Context(), vm.Options{Programs: []string{"chroot"}})
	if err != nil {
		t.Fatal(err)
	}
	l.image = image
	old := installDebian(t, l.image)
	repositories := t.TempDir()
	must(t, repositories, "svnadmin", "create", "machines")
	if err := os.WriteFile(filepath.Join(repositories, "machines/conf/svnserve.conf"), []byte("[general]\nanon-access = write\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, repositories, "svn", "mkdir", "-q", "-m", "hosts", "file://"+repositories+"/machines/hosts")
	saved := l.run("save", saveScript, vm.Machine{
		Disks: []vm.Disk{{Path: old.disk, Serial: "FIRST"}}, Firmware: vm.UEFI, Variables: old.variables,
		Repositories: repositories, Env: []string{"MACHINE=" + machineURL},
	})
	t.Log(len(saved))

	dir := t.TempDir()
	made := debian{filepath.Join(dir, "disk.img"), filepath.Join(dir, "variables")}
	blank(t, made.disk, 3<<30)
	r := l.run("rebuild", rescue, vm.Machine{
		Disks: []vm.Disk{{Path: made.disk, Serial: "SECOND"}}, Firmware: vm.UEFI, Variables: made.variables, Repositories: repositories,
	})
	t.Logf("%s", r["entries"].Data)
	for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI} {
		r, err := l.image.Run(t.Context(), vm.Machine{FromDisk: true, Firmware: firmware, Variables: made.variables,
			Disks: []vm.Disk{{Path: made.disk, Serial: "SECOND"}}, Until: regexp.MustCompile(`proof ends`), Timeout: 3 * time.Minute})
		t.Logf("%s: %.0f s\n%s", firmware, r.Took.Seconds(), r.Console)
		if err != nil || !strings.Contains(r.Console, "status is clean") || !strings.Contains(r.Console, "packages are clean") {
			t.Errorf("%v", err)
		}
	}
}
