package vm

import (
	"context"
	"strings"
	"testing"
	"time"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// TestLayers makes one of each layer that the probes know.
func TestLayers(t *testing.T) {
	tests := []struct {
		name, script string
		disks        []int64
		want         []string // in the console
	}{
		{"device-mapper", `
			echo "0 2048 linear /dev/vda 8" | dmsetup create line
			dmsetup table line
			dmsetup remove line
		`, []int64{16 * mib}, []string{"0 2048 linear 254:"}},
		{"md", `
			mdadm --create /dev/md/data --run --name=data --homehost=lab --level=1 --raid-devices=2 --bitmap=internal /dev/vda /dev/vdb
			mdadm --detail --export /dev/md/data
			mke2fs -q /dev/md/data
			mount /dev/md/data /mnt
			mdadm --examine /dev/vdb
		`, []int64{64 * mib, 64 * mib}, []string{"MD_LEVEL=raid1", "Array State : AA"}},
		{"luks", `
			printf 'correct horse' >key
			cryptsetup --batch-mode luksFormat --type luks2 --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32768 /dev/vda key
			cryptsetup open --key-file key /dev/vda opened
			dmsetup info --columns --noheadings -o name,uuid
			cryptsetup --batch-mode luksFormat --type luks1 --pbkdf-force-iterations 1000 /dev/vdb key
			cryptsetup open --key-file key /dev/vdb old
			mke2fs -q /dev/mapper/opened
			mount /dev/mapper/opened /mnt
		`, []int64{64 * mib, 16 * mib}, []string{"opened:CRYPT-LUKS2-"}},
		{"lvm", `
			pvcreate /dev/vda /dev/vdb
			vgcreate group /dev/vda /dev/vdb
			lvcreate -W n -L 40m -n line group
			lvcreate --type raid1 -m 1 -L 40m --nosync -n mirror group
			lvcreate --type thin-pool -L 80m -n pool group
			lvcreate --type thin -V 1g --thinpool pool -n thin group
			lvcreate --snapshot -n again group/thin
			lvcreate --snapshot -L 16m -n before group/line
			lvs --noheadings --separator : -o lv_name,segtype,lv_active
			vgchange -a n group
			vgchange -a y group
		`, []int64{256 * mib, 256 * mib}, []string{"line:linear:active", "mirror:raid1:active", "thin:thin:active", "again:thin", "before:linear:active"}},
		{"file systems", `
			mkfs.ext4 -q -O quota,casefold /dev/vda
			mkfs.xfs -q /dev/vdb
			mkfs.btrfs -q /dev/vdc
			mkfs.vfat -n BOOT /dev/vdd
			mkfs.exfat -L media /dev/vde
			for d in a b c d e; do
				mkdir "/mnt/$d"
				mount "/dev/vd$d" "/mnt/$d"
				echo "content" >"/mnt/$d/file"
			done
			mkfs.f2fs -q -l phone /dev/vdf
			mkswap -L swap /dev/vdg
			swapon /dev/vdg
			lsblk --output NAME,FSTYPE,MOUNTPOINT
			blkid -p -s TYPE /dev/vd?
		`, []int64{64 * mib, 512 * mib, 256 * mib, 64 * mib, 64 * mib, 128 * mib, 16 * mib},
			[]string{`/dev/vda: TYPE="ext4"`, `TYPE="xfs"`, `TYPE="btrfs"`, `TYPE="vfat"`, `TYPE="exfat"`, `TYPE="f2fs"`, `TYPE="swap"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			image(t)
			var disks []Disk
			for _, size := range test.disks {
				disks = append(disks, blank(t, size, Disk{}))
			}
			r := boot(t, script(test.script, disks...))
			contains(t, r.Console, test.want...)
		})
	}
}

// TestAnotherKernel mounts what the small kernel does not know, and sees a
// removable disk.
func TestAnotherKernel(t *testing.T) {
	image(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	other, err := Build(ctx, Options{Kernel: "linux-image-amd64"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := other.Run(ctx, script(`
		mkfs.f2fs -q /dev/vda
		mount -t f2fs /dev/vda /mnt
		findmnt --noheadings --output FSTYPE /mnt
		echo "removable $(cat /sys/block/sda/removable)"
	`, blank(t, 128*mib, Disk{}), blank(t, 16*mib, Disk{Bus: USB, Serial: "STICK"})))
	if err != nil || r.Status != 0 {
		t.Fatalf("status %d, %v\n%s", r.Status, err, r.Console)
	}
	contains(t, r.Console, "f2fs\n", "removable 1\n")
	t.Logf("%.1f s, %.1f s of them until the command", r.Took.Seconds(), r.Up.Seconds())
}

// contains looks for texts in a console.
func contains(t *testing.T, console string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(console, w) {
			t.Errorf("no %q in:\n%s", w, console)
		}
	}
}
