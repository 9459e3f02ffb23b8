package main

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/vm"
)

var (
	//go:embed testdata/quiet/tree.sh
	quietTree string
	//go:embed testdata/quiet/install.sh
	quietInstall string
	//go:embed testdata/quiet/put.sh
	quietPut string
	//go:embed testdata/quiet/live.sh
	quietLive []byte
)

var quietRecipe = recipe{
	name: "quiet",
	packages: "systemd-sysv,systemd-timesyncd,dbus,udev,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,e2fsprogs,grub-pc-bin,grub2-common," +
		"cron,logrotate,ifupdown,isc-dhcp-client,iproute2,libpam-modules,subversion",
	tree: quietTree, install: quietInstall,
	identities: []string{"HOST=quiet", "ROOT=7d0e2f61-93f4-4a8e-8a3b-5a2f0c4d9e17"},
	size:       2 << 30,
}

// TestGuestQuiet leaves a machine alone, with a reboot in between: nothing drifts,
// and nobody is told of anything. It runs what a server runs, the clock is set
// ahead so that all of its timers are due, and a file that somebody edits at the
// end is told of at once.
func TestGuestQuiet(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	repositories := t.TempDir()
	must(t, repositories, "svnadmin", "create", "machines")
	conf := filepath.Join(repositories, "machines", "conf", "svnserve.conf")
	if err := os.WriteFile(conf, []byte("[general]\nanon-access = write\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, repositories, "svn", "mkdir", "-q", "-m", "hosts", "file://"+repositories+"/machines/hosts")
	image, err := vm.Build(t.Context(), vm.Options{Programs: []string{"chroot"}})
	if err != nil {
		t.Fatal(err)
	}
	l.image = image
	machine := quietRecipe.installed(t, image)
	l.disks = []vm.Disk{{Path: machine.disk, Serial: "FIRST"}}
	l.files = fstest.MapFS{"live.sh": {Data: quietLive, Mode: 0o755}}
	l.run("put", quietPut, vm.Machine{Env: []string{"MACHINE=svn://10.0.2.100/machines/hosts/quiet"}})

	for _, life := range []string{"first", "second"} {
		r, err := l.image.Run(t.Context(), vm.Machine{
			FromDisk: true, Disks: l.disks, Repositories: repositories,
			Until: regexp.MustCompile(`live \[[0-9.]+\]: failed in line`), Timeout: 15 * time.Minute,
		})
		if err != nil {
			t.Fatalf("%s life: %v\n%s", life, err, r.Console)
		}
		t.Logf("%s life: %.0f s\n%s", life, r.Took.Seconds(), lived(r.Console))
		if !strings.Contains(r.Console, life+" life ends\n") {
			t.Fatalf("%s life: it came to no end\n%s", life, r.Console)
		}
		said := lived(r.Console)
		quiet, after, edited := strings.Cut(said, "now somebody edits a file\n")
		for _, want := range []string{
			"logrotate.service ", "dpkg-db-backup.service ", "rootwc-commit.service ", // of what timers have done
			"failed units: \n", "watcher: active, started anew 0 times\n", "status: \n", "status again: vouches for ",
			"notices: \n", "warnings: \n", "login: \n",
		} {
			if !strings.Contains(quiet, want) {
				t.Errorf("%s life: no %q", life, want)
			}
		}
		if edited != (life == "second") || edited && (!strings.Contains(after, "login: rootwc: 1 path differs") || !strings.Contains(after, "etc/fstab")) {
			t.Errorf("%s life: the edit at its end is not told of", life)
		}
	}
}

// lived is what the machine says of itself, line by line without times.
func lived(console string) string {
	lines := strings.SplitAfter(console, "\n")
	first := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "live [") })
	if first < 0 {
		return ""
	}
	return regexp.MustCompile(`(?m)^live \[[0-9.]+\]: `).ReplaceAllString(strings.Join(lines[first:], ""), "")
}
