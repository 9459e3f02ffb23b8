package main

import (
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/vm"
	"rootwc/internal/vm/inside"
	oddmachine "rootwc/internal/vm/odd"
	"rootwc/probes"
)

// guest is the image that all tests in virtual machines share.
var guest = sync.OnceValues(func() (*vm.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return vm.Build(ctx, vm.Options{})
})

// lab is a machine of the tests: disks, and what goes into its guests.
type lab struct {
	t       *testing.T
	image   *vm.Image
	program string // rootwc, linked statically
	files   fstest.MapFS
	disks   []vm.Disk
}

func newLab(t *testing.T) *lab {
	t.Helper()
	inside.Need(t)
	image, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, image: image, program: staticRootwc(t), files: fstest.MapFS{}}
}

// staticRootwc builds a program that works in another system.
func staticRootwc(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "rootwc")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return program
}

// run runs a script in a guest; the files that it leaves come back.
func (l *lab) run(name, script string, m vm.Machine) fstest.MapFS {
	l.t.Helper()
	r := l.try(name, script, m)
	if r.Status != 0 {
		l.t.Fatalf("%s: status %d\n%s", name, r.Status, r.Console)
	}
	return r.Files
}

// probedFrom tells how long a probe took, by the guest's clock.
var probedFrom = regexp.MustCompile(`probed from [\d.]+ to [\d.]+`)

func (l *lab) try(name, script string, m vm.Machine) *vm.Result {
	l.t.Helper()
	m.Command = []string{"sh", "-euc", script}
	m.Files, m.Programs = l.files, map[string]string{"rootwc": l.program}
	if m.Disks == nil {
		m.Disks = l.disks
	}
	m.Timeout = 12 * time.Minute
	r, err := l.image.Run(l.t.Context(), m)
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", name, err, r.Console)
	}
	l.t.Logf("%s: %.0f s, the command %.0f s of them", name, r.Took.Seconds(), r.Command.Seconds())
	for _, m := range probedFrom.FindAllString(r.Console, -1) {
		l.t.Logf("%s: %s", name, m)
	}
	if os.Getenv("ROOTWC_VM_CONSOLE") != "" {
		l.t.Log(r.Console)
	}
	return r
}

// withUSB is an image whose kernel knows USB.
func withUSB(t *testing.T) *vm.Image {
	t.Helper()
	image, err := vm.Build(t.Context(), vm.Options{Kernel: "linux-image-amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// sums are the checksums of all disks.
func sums(t *testing.T, disks []vm.Disk) []string {
	t.Helper()
	var all []string
	for _, d := range disks {
		f, err := os.Open(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		all = append(all, string(h.Sum(nil)))
	}
	return all
}

// probed is the directory of texts that a guest left below a name.
func probed(t *testing.T, files fstest.MapFS, name string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for path, file := range files {
		if text, ok := strings.CutPrefix(path, name+"/"); ok && !file.Mode.IsDir() {
			texts[text] = string(file.Data)
		}
	}
	if texts["storage.toml"] == "" {
		t.Fatalf("no probe in %s", name)
	}
	return texts
}

// same compares two probes, text by text.
func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s differs:\n%s", what, name, difference(t, want[name], got[name]))
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s: %s is new", what, name)
		}
	}
}

// difference shows two texts as diff does.
func difference(t *testing.T, want, got string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"want": want, "got": got} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := exec.Command("diff", "-U2", filepath.Join(dir, "want"), filepath.Join(dir, "got")).CombinedOutput()
	return string(out)
}

// probe writes the probes down, of a stage.
const probe = `
	begin=$(cut -d" " -f1 /proc/uptime)
	rootwc probe
	echo "probed from $begin to $(cut -d" " -f1 /proc/uptime)"
	rootwc probe --check
	mkdir -p "/out/$stage"
	cp -r /.rootwc/probes/. "/out/$stage"
`

// TestGuestStorage takes the machine whose every layer is odd through its
// life.
func TestGuestStorage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	disks, err := oddmachine.Disks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l.disks = disks
	files, err := oddmachine.Files()
	if err != nil {
		t.Fatal(err)
	}
	fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			text, _ := fs.ReadFile(files, path)
			l.files[path] = &fstest.MapFile{Data: text, Mode: 0o600}
		}
		return err
	})

	made := oddLife(t, l)
	// The way back, on blank disks that say they are the old ones.
	l.image, err = guest()
	if err != nil {
		t.Fatal(err)
	}
	if l.disks, err = oddmachine.Disks(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	writable := append([]string{"file system: data subvolume @home-yesterday read only true -> none"}, lost...) // until the files are back
	again := probed(t, l.run("rebuild", rebuildOdd, vm.Machine{}), "rebuilt")
	differ(t, made, again, writable...)
	again = probed(t, l.run("use again", strings.Join(oddmachine.Use, " ")+"\nstage=used\n"+probe, vm.Machine{}), "used")
	differ(t, made, again, lost...)

	// Larger disks on other buses, in other slots; the first attempt is killed.
	l.disks = []vm.Disk{
		{Path: blankDisk(t, 5<<30), Serial: "NEW3", Bus: vm.SCSI}, {Path: blankDisk(t, 3<<30), Serial: "NEW2"},
		{Path: blankDisk(t, 6<<30), Serial: "NEW1", Bus: vm.SCSI}, {Path: blankDisk(t, 5<<30), Serial: "NEW0", Bus: vm.NVMe},
	}
	moved := probed(t, l.run("move", rebuildOdd, vm.Machine{
		Env: []string{"disks=--disk ODD0=/dev/nvme0n1 --disk ODD1=/dev/sdb --disk ODD2=/dev/vda --disk ODD3=/dev/sda", "killed=20"},
	}), "rebuilt")
	differ(t, made, moved, writable...)
	if !strings.Contains(moved["hardware.toml"], `"nvme"`) {
		t.Errorf("hardware:\n%s", moved["hardware.toml"])
	}

	refusals(t, l)
}

// lost is what cannot come back: the content of a snapshot, a token that only
// its maker knows.
var lost = []string{"lvm: main/before is gone", `luks: sealed token 6 is gone`}

// rebuildOdd sets the odd machine up again from its recorded texts, and probes
// it.
const rebuildOdd = `
	keys="--key-file sealed:0=secret.0 --key-file sealed:3=secret.3 --key-file sealed:5=secret.5 --key-file old:2=secret.0 --key-file swap:0=secret.0"
	rootwc rebuild recorded ${disks-} $keys >plan
	rootwc rebuild recorded ${disks-} $keys --json >/out/plan.json
	[ -z "${killed-}" ] || timeout -s KILL "$killed" rootwc rebuild recorded ${disks-} $keys --execute || :
	rootwc -v rebuild recorded ${disks-} $keys --execute || { cat /run/rootwc/rebuild/log; exit 1; }
	rootwc probe
	mkdir /out/rebuilt
	cp -r /.rootwc/probes/. /out/rebuilt
	rootwc rebuild recorded ${disks-} $keys --finish
`

func blankDisk(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// refusals asks for the machine on disks that must not be touched: every reason
// at once, and the disks are as they were afterwards.
func refusals(t *testing.T, l *lab) {
	full := blankDisk(t, 4<<30) // holds something at its end alone
	f, err := os.OpenFile(full, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("thirteen bytes"), 4<<30-600000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l.disks = []vm.Disk{
		{Path: full, Serial: "FULL"},
		{Path: blankDisk(t, 4<<30-512), Serial: "SMALL"},
		{Path: blankDisk(t, 2<<30), Serial: "LARGE-SECTORS", LogicalSector: 4096},
		{Path: blankDisk(t, 3<<30), Serial: "READ-ONLY", ReadOnly: true},
		{Path: blankDisk(t, 64<<20), Serial: "MOUNTED"},
	}
	// One is in use, which is a change of its own.
	l.run("prepare", `
		mke2fs -q /dev/vde
		mkdir /mnt/use
		mount /dev/vde /mnt/use
		svnadmin create /mnt/use/repository
		svn import --quiet --message probes recorded file:///mnt/use/repository/box/.rootwc/probes
	`, vm.Machine{})
	before := sums(t, l.disks)
	l.run("refuse", `
		refused() {
			want=$1; shift
			status=0
			rootwc rebuild recorded "$@" >out 2>err || status=$?
			cat err
			[ "$status" = 3 ] || { echo "status $status"; exit 1; }
			grep -e "$want" err || { echo "no $want"; exit 1; }
		}
		all="--disk ODD0=/dev/vda --disk ODD1=/dev/vdb --disk ODD2=/dev/vdc --disk ODD3=/dev/vdd"
		keys="--key-file sealed:0=secret.0 --key-file old:2=secret.0 --key-file swap:0=secret.0"
		for mode in --plan --execute; do
			refused '/dev/vda is not blank: it holds data in the MiB at byte 4293918720' $all $keys $mode
			grep -e 'hint: .*--wipe FULL' err
			grep -e '/dev/vdb is too small: 4294967296 bytes are needed, it has 4294966784, 512 are missing' err
			grep -e '/dev/vdc has sectors of 4096 bytes, the old disk had 512' err
			grep -e '/dev/vdd is read-only' err
		done
		# Consent for another disk is none.
		refused '/dev/vda is not blank' $all $keys --wipe SMALL
		refused 'wipe NOBODY: no disk' $all $keys --wipe NOBODY
		# Nor does it cover a disk that is in use.
		mkdir -p /mnt/use
		mount -o ro,noload /dev/vde /mnt/use || mount -o ro /dev/vde /mnt/use
		refused '/dev/vde is in use: vde is mounted at /mnt/use' --disk ODD0=/dev/vde $keys --wipe MOUNTED
		status=0; rootwc rebuild file:///mnt/use/repository/box --disk ODD0=/dev/vde $keys >out 2>err || status=$?
		[ "$status" = 3 ]
		grep '/dev/vde holds the repository' err
		umount /mnt/use
		echo "0 2048 linear /dev/vdb 8" | dmsetup create other
		refused '/dev/vdb is in use: other stands on it' $all $keys --wipe SMALL
		dmsetup remove other
		echo "0 2048 zero" | dmsetup create sealed
		refused '/dev/mapper/sealed is there already' $all $keys
		dmsetup remove sealed
		refused '/dev/vda is named twice' --disk ODD0=/dev/vda --disk ODD1=/dev/vda $keys
		refused 'disk .*ODD3.* is not there' --disk ODD0=/dev/vda $keys
		refused 'disk NONE: no disk of the layout' --disk NONE=/dev/vda $keys
		refused '/dev/null is no disk' --disk ODD0=/dev/null $keys
		refused 'no passphrase for any keyslot' $all --key-file sealed:0=secret.0
		sed '/^\[unsupported/,$d' recorded/storage.toml >new
		printf '\n[unsupported.some]\non = "partition.5eed1e55-06"\ntype = "zfs_member"\nwhy = "ZFS"\n' >>new
		cp -r recorded with && cp new with/storage.toml
		status=0; rootwc rebuild with $all $keys >out 2>err || status=$?
		cat err
		[ "$status" = 3 ]
		grep 'zfs_member on partition.5eed1e55-06 cannot be made again' err
		grep -e 'hint: .*--without unsupported.some' err
		# Without a tool that it takes.
		mkdir tools
		for dir in /usr/sbin /usr/bin /sbin /bin; do
			for p in $dir/*; do [ -e "tools/${p##*/}" ] || ln -s "$p" "tools/${p##*/}"; done
		done
		rm tools/mdadm tools/mkfs.xfs
		(PATH=/in/bin:/in/tools; refused 'mdadm is missing' $all $keys)
		grep 'hint: .*package mdadm' err
		grep 'mkfs.xfs' err
	`, vm.Machine{})
	if !slices.Equal(before, sums(t, l.disks)) {
		t.Error("a refused rebuild wrote to a disk")
	}
}

// oddLife makes the machine, uses it, and looks at its disks in other places.
// The texts of its probes stay the same.
func oddLife(t *testing.T, l *lab) map[string]string {
	t.Helper()
	made := probed(t, l.run("make", strings.Join(oddmachine.Make, " ")+"\nstage=made\n"+probe, vm.Machine{}), "made")
	used := probed(t, l.run("use", strings.Join(oddmachine.Use, " ")+"\nstage=used\n"+probe, vm.Machine{}), "used")
	same(t, "after use", made, used)

	// Other slots, a stick, and nothing opened: the text stays, and so do the disks.
	for name, text := range made {
		l.files["recorded/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	stick := filepath.Join(t.TempDir(), "stick.img")
	if err := os.WriteFile(stick, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	swapped := []vm.Disk{l.disks[2], {Path: stick, Serial: "STICK", Bus: vm.USB}, l.disks[3], l.disks[0], l.disks[1]}
	before := sums(t, l.disks)
	l.image = withUSB(t)
	closed := probed(t, l.run("closed", `
		mkdir -p /.rootwc
		cp -r recorded /.rootwc/probes
		grep -q 1 /sys/block/sda/removable
		rootwc -v probe
		rootwc probe --check
		mkdir /out/closed
		cp /.rootwc/probes/* /out/closed`, vm.Machine{Disks: swapped}), "closed")
	same(t, "in other slots, closed", made, closed)
	if !slices.Equal(before, sums(t, l.disks)) {
		t.Error("a probe wrote to a disk")
	}
	return made
}

// differ compares the layouts of two probes with what is expected to differ.
func differ(t *testing.T, want, got map[string]string, expected ...string) {
	t.Helper()
	var layouts [2]*probes.Layout
	for i, texts := range []map[string]string{want, got} {
		l, err := probes.Read([]byte(texts["storage.toml"]))
		if err != nil {
			t.Fatal(err)
		}
		layouts[i] = l
	}
	var changes []string
	for _, ch := range probes.Compare(layouts[0], layouts[1]) {
		changes = append(changes, ch.Words)
	}
	slices.Sort(changes)
	slices.Sort(expected)
	if !slices.Equal(changes, expected) {
		t.Errorf("differences:\n%s\nexpected:\n%s", strings.Join(changes, "\n"), strings.Join(expected, "\n"))
	}
}
