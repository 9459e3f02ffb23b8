# boot.sh DISK LBA: makes a disk that starts by UEFI, whose partitions begin at
# an LBA. The kernel is a program for UEFI itself.
set -eu
disk=$1 lba=$2 part=$3
sfdisk --quiet "$disk" <<END
label: gpt
start=$lba, size=131072, type=uefi, uuid=5eed0000-0000-4000-8000-00000000000a
END
until [ -b "$part" ]; do sleep 0.1; done
mkfs.vfat "$part"
mount "$part" /mnt
mkdir -p /mnt/EFI/debian
cp kernel /mnt/EFI/debian/shimx64.efi
umount /mnt
