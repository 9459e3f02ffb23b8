package main

import (
	"testing"

	"rootwc/internal/vm"
)

// TestGuestDisk keeps a partition while the rest of its disk is made again, and
// moves both to a larger disk, where one grows.
func TestGuestDisk(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.disks = []vm.Disk{{Path: blankDisk(t, 300<<20), Serial: "SMALL"}, {Path: blankDisk(t, 600<<20), Serial: "LARGE"}}
	l.run("keep and grow", `
		printf 'label: gpt\nsize=100M, name="system"\nsize=150M, name="data"\n' | sfdisk --quiet --wipe always /dev/vda
		sleep 1
		mke2fs -q -L system /dev/vda1
		mke2fs -q -t ext4 -L data /dev/vda2
		mkdir /mnt/data
		mount /dev/vda2 /mnt/data
		echo 'years of work' >/mnt/data/file
		umount /mnt/data
		rootwc probe --disk /dev/vda
		cp -r /.rootwc/probes recorded
		data=$(blkid -p -s PART_ENTRY_UUID -o value /dev/vda2)

		echo "== what is kept has to be what the text says"
		dd if=/dev/zero of=/dev/vda1 bs=1M count=2 status=none
		status=0; rootwc rebuild recorded --disk SMALL=/dev/vda --keep "$data" >/dev/null 2>err || status=$?
		[ "$status" = 3 ]
		grep 'is not blank' err
		status=0; rootwc rebuild recorded --keep 00000000-0000-0000-0000-000000000000 --wipe SMALL >/dev/null 2>err || status=$?
		[ "$status" = 3 ]
		grep 'the layout has no such partition' err
		rootwc rebuild recorded --keep "$data" --wipe SMALL --execute --finish
		mount /dev/vda2 /mnt/data
		grep 'years of work' /mnt/data/file
		umount /mnt/data
		blkid -p /dev/vda1 | grep 'LABEL="system"'
		rootwc probe --check --disk /dev/vda

		echo "== a larger disk, by the description"
		mkdir -p machine/.rootwc
		cp -r recorded machine/.rootwc/probes
		printf 'format = "1.0.0"\n[system]\nhostname = "box"\n[[rebuild]]\nnode = "partition.%s"\nsize = "grow"\n' "$data" >machine/.rootwc/system.toml
		rootwc rebuild machine --disk SMALL=/dev/vdb | grep 'grows from'
		rootwc rebuild machine --disk SMALL=/dev/vdb --execute --finish
		e2fsck -fn /dev/vdb2
		mount /dev/vdb2 /mnt/data
		[ "$(stat -f -c %b /mnt/data)" -gt 400000 ] # KiB
		umount /mnt/data

		echo "== the other way it does not fit"
		rm -r /.rootwc/probes
		status=0; rootwc probe 2>err || status=$? # two disks with the same names
		[ "$status" = 4 ]
		grep "partition.$data is on each of " err
		[ ! -e /.rootwc/probes ]
		dd if=/dev/zero of=/dev/vda bs=1M count=300 status=none
		blockdev --rereadpt /dev/vda
		rootwc probe
		status=0; rootwc rebuild / --disk LARGE=/dev/vda >/dev/null 2>err || status=$?
		[ "$status" = 3 ]
		grep 'too small: [0-9]* bytes are needed, it has 314572800, [0-9]* are missing' err
		rootwc rebuild / --disk LARGE=/dev/vda --size "partition.$data=grow,100 MiB" --execute --finish
		mount /dev/vda2 /mnt/data
		umount /mnt/data

		echo "== a kept partition that holds something else"
		mke2fs -q -F -t ext4 /dev/vda2
		status=0; rootwc rebuild recorded --keep "$data" --wipe SMALL >/dev/null 2>err || status=$?
		[ "$status" = 3 ]
		grep "cannot keep partition $data of /dev/vda" err
	`, vm.Machine{})
}
