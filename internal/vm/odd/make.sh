#!/bin/sh
# make.sh DISK0 DISK1 DISK2 DISK3: make a machine on four blank disks of 4, 4, 2
# and 3 GiB. Wherever a tool has a choice, most of it is made otherwise than the
# tool would: a probe or a rebuild that forgets a field cannot hide. Disk 2
# alone is as the tools have it.
#
# Passphrases are in the files secret.0, secret.3 and secret.5 beside this one,
# named for their keyslots. Everything is active at the end, nothing is mounted.
set -eu
here=$(dirname "$0")
disk0=$1 disk1=$2 disk2=$3 disk3=$4

# part DISK NUMBER names a partition's node, as soon as it is there
part() {
	case $1 in
	*[0-9]) node=$1p$2 ;;
	*) node=$1$2 ;;
	esac
	tries=0
	until [ -b "$node" ]; do
		tries=$((tries + 1))
		[ "$tries" -le 100 ] || { echo "make.sh: no $node" >&2; exit 1; }
		sleep 0.1
	done
	echo "$node"
}

step() { echo "== $*"; }

step partition tables
# Numbers against the order on the disk and with holes, a table shorter than
# usual that leaves sectors before the first partition, a start that is aligned
# to nothing, names that need quoting and more than one byte a letter, bits of
# both halves of the attributes, gaps between partitions and at the end. (A name
# with a letter beyond U+FFFF is left out by sfdisk 2.38, which says nothing.)
sfdisk --quiet --wipe always "$disk0" <<'TABLE'
label: gpt
table-length: 64
first-lba: 40
1 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="core"
2 : start=4096, size=131072, type=uefi, name="\x22firm\x22 & $(ware)", attrs="RequiredPartition"
4 : start=137216, size=524288, type=linux, name="Größe ☂", attrs="LegacyBIOSBootable GUID:48,59"
3 : start=800001, size=1048576, type=raid
9 : start=1849344, size=3G, type=CA7D7CCB-63ED-4C53-861C-1742536059CC, name="- leading dash"
TABLE
# The old label: a primary of each kind, and logical ones, one of them active.
sfdisk --quiet --wipe always "$disk1" <<'TABLE'
label: dos
label-id: 0x5eed1e55
1 : start=2048, size=512M, type=fd
2 : size=256M, type=82
3 : type=5
5 : size=1536M, type=8e
6 : size=1600M, type=83, bootable
TABLE
sfdisk --quiet --wipe always "$disk3" <<'TABLE'
label: gpt
1 : size=512M, type=raid, name="spare"
2 : size=400M, type=linux, name="half of a pair"
3 : size=160M, type=linux
4 : size=256M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="media"
TABLE
boot=$(part "$disk0" 4) esp=$(part "$disk0" 2) sealed=$(part "$disk0" 9)
swap=$(part "$disk1" 2) plain=$(part "$disk1" 5) old=$(part "$disk1" 6)
half=$(part "$disk3" 2) flash=$(part "$disk3" 3) media=$(part "$disk3" 4)

step raid
mdadm --create /dev/md/data --quiet --run --assume-clean --name=data --homehost=elsewhere --metadata=1.2 \
	--level=raid1 --raid-devices=2 --spare-devices=1 --data-offset=2M --size=450M --bitmap=internal --bitmap-chunk=16M \
	"$(part "$disk0" 3)" "$(part "$disk1" 1)" "$(part "$disk3" 1)"

step encryption
# Slots out of order, each with its own costs and one with its own cipher; one
# that is asked first and one that opens nothing; two tokens, of a slot and of none;
# flags that stay.
cryptsetup --batch-mode luksFormat --type luks2 --cipher aes-xts-plain64 --key-size 256 --hash sha512 \
	--pbkdf argon2id --pbkdf-force-iterations 5 --pbkdf-memory 40960 --pbkdf-parallel 2 \
	--label 'sealed, with a blank' --subsystem rootwc --luks2-metadata-size 64k --luks2-keyslots-size 8m \
	"$sealed" "$here/secret.0"
cryptsetup --batch-mode luksAddKey --key-file "$here/secret.0" --key-slot 3 --pbkdf pbkdf2 --hash sha256 \
	--pbkdf-force-iterations 1234 --keyslot-cipher aes-cbc-essiv:sha256 --keyslot-key-size 128 "$sealed" "$here/secret.3"
cryptsetup --batch-mode luksAddKey --key-file "$here/secret.0" --key-slot 5 --unbound --key-size 512 --pbkdf argon2i \
	--pbkdf-force-iterations 4 --pbkdf-memory 32768 --pbkdf-parallel 1 "$sealed" "$here/secret.5"
cryptsetup config --key-slot 3 --priority prefer "$sealed"
cryptsetup token add --token-id 2 --key-slot 3 --key-description 'rootwc:a key' "$sealed"
echo '{"type":"rootwc-note","keyslots":[],"text":"of no slot"}' |
	cryptsetup token import --token-id 6 "$sealed"
cryptsetup open --key-file "$here/secret.0" --allow-discards --perf-no_read_workqueue --perf-no_write_workqueue --persistent "$sealed" sealed
# The first version, as old machines have it.
cryptsetup --batch-mode luksFormat --type luks1 --cipher aes-cbc-essiv:sha256 --key-size 256 --hash ripemd160 \
	--pbkdf-force-iterations 1100 --key-slot 2 "$old" "$here/secret.0"
cryptsetup open --key-file "$here/secret.0" "$old" old
# Large sectors, another cipher, and content far from the header. LVM would not
# mix these sectors with others in one group.
cryptsetup --batch-mode luksFormat --type luks2 --cipher serpent-xts-plain64 --key-size 512 --sector-size 4096 \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1500 --offset 40960 --uuid 5eed5eed-0000-4000-8000-00000000cafe "$swap" "$here/secret.0"
cryptsetup open --key-file "$here/secret.0" "$swap" swap

step volumes
pvcreate --quiet --quiet --metadatasize 3m --dataalignment 2m /dev/mapper/sealed
pvcreate --quiet --quiet --pvmetadatacopies 2 "$plain"
vgcreate --quiet --quiet --physicalextentsize 8m --alloc cling --addtag site:north --addtag odd --maxlogicalvolumes 40 main /dev/mapper/sealed "$plain"
pvchange --quiet --quiet --addtag slow "$plain"
lvcreate --quiet --quiet --wipesignatures n --size 1g --name root --addtag os --readahead 512k main /dev/mapper/sealed
lvcreate --quiet --quiet --wipesignatures n --size 512m --name home --stripes 2 --stripesize 128k main
lvcreate --quiet --quiet --wipesignatures n --size 64m --name twice --type raid1 --mirrors 1 --nosync --maxrecoveryrate 2048 main
lvcreate --quiet --quiet --wipesignatures n --size 96m --name swap --alloc contiguous main "$plain"
lvcreate --quiet --quiet --wipesignatures n --size 16m --name by-hand --setautoactivation n main
lvcreate --quiet --quiet --size 64m --name before --snapshot --chunksize 32k main/root
vgcreate --quiet --quiet thin-est /dev/mapper/old
lvcreate --quiet --quiet --type thin-pool --size 256m --chunksize 128k --poolmetadatasize 8m --discards nopassdown --zero n --name pool thin-est
lvcreate --quiet --quiet --type thin --virtualsize 1g --thinpool pool --name first thin-est
lvcreate --quiet --quiet --type thin --virtualsize 2g --thinpool pool --name second thin-est
lvremove --quiet --quiet --yes thin-est/first
lvcreate --quiet --quiet --type thin --virtualsize 1g --thinpool pool --name third thin-est
lvcreate --quiet --quiet --snapshot --name yesterday thin-est/third

step all as the tools have it
pvcreate --quiet --quiet "$disk2"
vgcreate --quiet --quiet usual "$disk2"
for volume in xfs:320m btrfs:200m ext4:200m vfat:40m swap:64m half:400m; do
	lvcreate --quiet --quiet --wipesignatures n --size "${volume#*:}" --name "${volume%:*}" usual
done
mkfs.xfs -q /dev/usual/xfs
mkfs.btrfs --quiet /dev/usual/btrfs
mkfs.ext4 -q /dev/usual/ext4
mkfs.vfat /dev/usual/vfat >/dev/null
mkswap --quiet /dev/usual/swap

step file systems
mkfs.vfat -F 32 -n FIRMWARE -i c0ffee11 -s 1 -f 1 -R 48 -h 63 "$esp" >/dev/null
mke2fs -q -t ext4 -L boot -b 1024 -I 128 -m 2 -O ^64bit,^metadata_csum,^huge_file,uninit_bg -E resize=8388608 "$boot"
mke2fs -q -t ext4 -L 'root of it' -m 3 -N 65000 -G 64 -J size=20 -O quota,project,encrypt,verity \
	-E stride=16,stripe_width=48,quotatype=usrquota:prjquota /dev/main/root
tune2fs -c 29 -i 61d -e remount-ro -o acl,user_xattr,discard -u 12 -g 34 -r 6543 -E mount_opts=nodelalloc,hash_alg=tea /dev/main/root >/dev/null
mke2fs -q -t ext4 -L twice -O casefold,bigalloc -C 16384 -E encoding=utf8,encoding_flags=strict /dev/main/twice
mke2fs -q -t ext3 -L "it's old" /dev/thin-est/second
mke2fs -q -t ext2 -b 2048 -O ^resize_inode,^dir_index /dev/main/by-hand
mkfs.xfs -q -f -L home -b size=2048 -s size=2048 -i size=1024,maxpct=9 -n size=8192 -m rmapbt=1,bigtime=1,inobtcount=1,reflink=1 \
	-d agcount=5,su=128k,sw=2 -l size=72m,su=128k /dev/main/home
mkfs.f2fs -q -f -l 'flash ü' -O extra_attr,inode_checksum,sb_checksum,encrypt -s 2 -o 12 -e mp4 -E db "$flash"
mkfs.exfat -L MEDIA -c 64K -b 2M "$media" >/dev/null
mkswap --quiet --label 'one swap' /dev/main/swap
mkswap --quiet --label another --pagesize 4096 /dev/mapper/swap

step btrfs on an array, and on two devices
mkfs.btrfs --quiet --label data --csum xxhash --nodesize 32768 --data single --metadata dup --features no-holes,^extref --runtime-features free-space-tree /dev/md/data
mkfs.btrfs --quiet --label pair --csum sha256 --data raid0 --metadata raid1 "$half" /dev/usual/half
btrfs device scan >/dev/null
mkdir -p /mnt/make
mount -o subvolid=5 /dev/md/data /mnt/make
btrfs -q subvolume create /mnt/make/@
btrfs -q subvolume create /mnt/make/@home
btrfs -q subvolume create '/mnt/make/@/with a blank'
btrfs -q subvolume snapshot -r /mnt/make/@home /mnt/make/@home-yesterday
btrfs property set /mnt/make/@home compression zstd
chattr +C '/mnt/make/@/with a blank'
btrfs subvolume set-default /mnt/make/@
umount /mnt/make

step a swap file
mount /dev/main/root /mnt/make
dd if=/dev/zero of=/mnt/make/swapfile bs=1M count=24 status=none
chmod 0600 /mnt/make/swapfile
mkswap --quiet --label filed /mnt/make/swapfile
umount /mnt/make
