package vm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/run"
)

func TestDisksAreWhatTheyAre(t *testing.T) {
	image(t)
	r := boot(t, script(`
		for d in /sys/block/vd[a-z] /sys/block/sd* /sys/block/nvme*; do
			serial=$(cat "$d/serial" "$d/device/serial" 2>/dev/null | tr -d ' ' || true)
			[ -n "$serial" ] || serial=$(tail -c +5 "$d/device/vpd_pg80")
			echo "${d##*/} $serial $(cat "$d/queue/logical_block_size" "$d/queue/physical_block_size" "$d/size" "$d/ro" | tr '\n' ' ')"
		done
		cat /sys/block/sda/device/wwid
	`,
		blank(t, 16*mib, Disk{Serial: "PLAIN"}),
		blank(t, 32*mib, Disk{Serial: "NARROW", LogicalSector: 4096}),
		blank(t, 16*mib, Disk{Serial: "CLOSED", ReadOnly: true}),
		blank(t, 16*mib, Disk{Serial: "SCUZZY", Bus: SCSI, PhysicalSector: 4096, WWN: 0x5000c50015ea71ac}),
		blank(t, 64*mib, Disk{Serial: "EXPRESS", Bus: NVMe, LogicalSector: 4096}),
	))
	contains(t, r.Console,
		"vda PLAIN 512 512 32768 0 \n",
		"vdb NARROW 4096 4096 65536 0 \n",
		"vdc CLOSED 512 512 32768 1 \n",
		"sda SCUZZY 512 4096 32768 0 \n",
		"nvme0n1 EXPRESS 4096 4096 131072 0 \n",
		"naa.5000c50015ea71ac\n",
	)
	if strings.Contains(r.Console, "ROOTWC-") {
		t.Errorf("the disks of the job are seen:\n%s", r.Console)
	}
}

// TestUdev sees the links that udevd makes, from a partition's name to a
// device-mapper node.
func TestUdev(t *testing.T) {
	image(t)
	m := script(`
		printf 'label: gpt\nsize=32M, name="one"\nname="two"\n' | sfdisk --quiet /dev/vda
		udevadm settle
		mke2fs -q -L first /dev/disk/by-partlabel/one
		pvcreate -q /dev/vda2
		vgcreate -q group /dev/vda2
		lvcreate -q -W n -L 20m -n line group
		udevadm settle
		ls -l /dev/disk/by-label/first /dev/group/line
		lsblk --output NAME,PARTLABEL,FSTYPE,SERIAL
	`, blank(t, 128*mib, Disk{Serial: "NAMED"}))
	m.Udev = true
	r := boot(t, m)
	contains(t, r.Console, "/dev/disk/by-label/first -> ../../vda1\n", "/dev/group/line -> ../dm-0\n", "NAMED")
}

func TestSubversionWithoutANetwork(t *testing.T) {
	image(t)
	dir := filepath.Join(t.TempDir(), "with, comma")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"svnadmin", "create", filepath.Join(dir, "machines")},
		{"svn", "mkdir", "-q", "-m", "first", "--username", "tester", "file://" + strings.ReplaceAll(dir, " ", "%20") + "/machines/hosts"},
	} {
		if _, _, err := run.Output(t.Context(), run.Command{Args: args}); err != nil {
			t.Fatal(err)
		}
	}
	m := script(`
		svn info --non-interactive svn://10.0.2.100/machines/hosts
		svn checkout --non-interactive svn://10.0.2.100/machines/hosts copy
	`)
	m.Repositories = dir
	r := boot(t, m)
	contains(t, r.Console, "Revision: 1\n", "Checked out revision 1.")
}

// TestPowerCut ends a guest while it writes. What it had synced is there, what
// it had not begun is not, and the image is left as it is.
func TestPowerCut(t *testing.T) {
	image(t)
	disk := blank(t, 64*mib, Disk{})
	m := script(`
		printf 'before the cut' | dd of=/dev/vda conv=fsync,notrunc
		echo "synced now"
		sleep 300
		printf 'after it' | dd of=/dev/vda bs=1M seek=1 conv=fsync,notrunc
	`, disk)
	m.CutAt = regexp.MustCompile(`(?m)^synced now$`)
	r, err := image(t).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Cut || r.Status != -1 {
		t.Errorf("cut %v, status %d", r.Cut, r.Status)
	}
	content, err := os.ReadFile(disk.Path)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) != 64*mib || !bytes.HasPrefix(content, []byte("before the cut\x00")) || bytes.Contains(content, []byte("after it")) {
		t.Errorf("the disk has %d bytes, %q…", len(content), content[:16])
	}
	t.Logf("%.1f s", r.Took.Seconds())

	m.CutAt, m.CutAfter = nil, 500*time.Millisecond // in the firmware
	if r, err := image(t).Run(t.Context(), m); err != nil || !r.Cut || r.Took > 5*time.Second {
		t.Errorf("cut %v after %v, %v", r.Cut, r.Took, err)
	}
}

func TestTimeout(t *testing.T) {
	m := script("sleep 300")
	m.Timeout = time.Second
	r, err := image(t).Run(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "not done after 1s") || r.Took > 5*time.Second {
		t.Errorf("got %v after %v", err, r.Took)
	}
}

func TestPanicIsNoAnswer(t *testing.T) {
	m := script("echo c >/proc/sysrq-trigger; sleep 60")
	m.Timeout = 2 * time.Minute
	r, err := image(t).Run(t.Context(), m)
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(r.Console, "sysrq") {
		t.Errorf("got %v\n%s", err, r.Console)
	}
}

// TestUEFI has a guest write a boot entry, which the next one finds, and a
// disk that starts by itself.
func TestUEFI(t *testing.T) {
	i := image(t)
	variables := filepath.Join(t.TempDir(), "variables")
	esp := blank(t, 64*mib, Disk{})
	m := script(`
		printf 'label: gpt\ntype=uefi\n' | sfdisk --quiet /dev/vda
		until [ -b /dev/vda1 ]; do sleep 0.1; done
		mkfs.vfat /dev/vda1
		mount /dev/vda1 /mnt
		mkdir -p /mnt/EFI/BOOT
		cp kernel /mnt/EFI/BOOT/BOOTX64.EFI
		efibootmgr --quiet --create --disk /dev/vda --part 1 --label Ours --loader '\EFI\BOOT\BOOTX64.EFI' \
			--unicode 'console=ttyS0 panic=-1 ours.mark'
		efibootmgr --verbose
	`, esp)
	kernel, err := os.ReadFile(i.kernel.image())
	if err != nil {
		t.Fatal(err)
	}
	m.Files.(fstest.MapFS)["kernel"] = &fstest.MapFile{Data: kernel}
	m.Firmware, m.Variables = UEFI, variables
	contains(t, boot(t, m).Console, "Ours")

	// A kernel is a program for UEFI itself: the entry starts it, and it
	// panics for want of a root file system.
	r, err := i.Run(t.Context(), Machine{
		FromDisk: true, Disks: []Disk{esp}, Firmware: UEFI, Variables: variables,
		Until: regexp.MustCompile(`ours\.mark`), Timeout: 3 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, r.Console, "ours.mark")
	t.Logf("from the disk: %.1f s", r.Took.Seconds())
}

// TestDialogue types at the firmware's shell.
func TestDialogue(t *testing.T) {
	r, err := image(t).Run(t.Context(), Machine{
		FromDisk: true, Disks: []Disk{blank(t, 16*mib, Disk{})}, Firmware: UEFI,
		Dialogue: []Turn{
			{regexp.MustCompile(`Press ESC`), "\x1b"},
			{regexp.MustCompile(`Shell> $`), "ver\r"},
			{regexp.MustCompile(`UEFI v\d`), "reset -s\r"},
		},
		Timeout: 3 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f s", r.Took.Seconds())
}
