#!/bin/sh
# use.sh DISK0 DISK1 DISK2 DISK3: start the machine of make.sh as after a boot,
# use it for a while, check its file systems, and leave it running with
# everything mounted below /mnt/use. None of it is a change of settings.
set -eu
here=$(dirname "$0")
disk0=$1 disk1=$2 disk3=$4

part() {
	case $1 in
	*[0-9]) echo "$1p$2" ;;
	*) echo "$1$2" ;;
	esac
}

echo "== start"
mdadm --assemble --quiet /dev/md/data "$(part "$disk0" 3)" "$(part "$disk1" 1)" "$(part "$disk3" 1)"
cryptsetup open --key-file "$here/secret.3" "$(part "$disk0" 9)" sealed
cryptsetup open --key-file "$here/secret.0" "$(part "$disk1" 6)" old
cryptsetup open --key-file "$here/secret.0" "$(part "$disk1" 2)" swap
vgchange --quiet --quiet --activate y >/dev/null
btrfs device scan >/dev/null
swapon /dev/main/swap
swapon /dev/mapper/swap

devices="$(part "$disk0" 2) $(part "$disk0" 4) $(part "$disk3" 2) $(part "$disk3" 4)
	/dev/md/data /dev/main/root /dev/main/home /dev/main/twice /dev/thin-est/second
	/dev/usual/xfs /dev/usual/btrfs /dev/usual/ext4 /dev/usual/vfat"
for round in 1 2; do
	echo "== round $round"
	for device in $devices; do
		at=/mnt/use/$(echo "$device" | tr / _)
		mkdir -p "$at"
		mount "$device" "$at"
		dd if=/dev/urandom of="$at/file$round" bs=64k count=32 status=none
		mkdir "$at/dir$round"
		cp "$0" "$at/dir$round/"
		rm -f "$at/file$((round - 1))"
		[ "$round" = 2 ] || umount "$at"
	done
	if [ "$round" = 1 ]; then
		e2fsck -f -p /dev/main/root >/dev/null
		xfs_repair -n /dev/main/home >/dev/null 2>&1
		fsck.vfat -n /dev/usual/vfat >/dev/null
	fi
done
[ ! -e /mnt/use/_dev_main_root/swapfile ] || swapon /mnt/use/_dev_main_root/swapfile # a file comes back with the others
sync
