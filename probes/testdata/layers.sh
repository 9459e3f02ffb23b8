# Makes volume groups with volumes of every type, and LUKS headers with what
# needs device-mapper, on partitions of a disk in a guest. It writes down what
# the tools say: GROUP.vgcfg, GROUP.json, and NAME.devices with the devices;
# NAME.dump for LUKS.
set -eu
disk=/dev/vda
{
	echo 'label: gpt'
	n=1
	while [ $n -le 14 ]; do echo "$n : size=400M"; n=$((n + 1)); done
	while [ $n -le 24 ]; do echo "$n : size=24M"; n=$((n + 1)); done
} | sfdisk --quiet "$disk"
sleep 1
quiet="--quiet --quiet --yes"
create() { lvcreate $quiet --wipesignatures n "$@"; }
# done_with GROUP DEVICE...
done_with() {
	group=$1
	shift
	lvs -a -o vg_name,lv_name,segtype,lv_size,lv_attr "$group"
	vgcfgbackup $quiet -f "/out/$group.vgcfg" "$group"
	lvm fullreport --reportformat json --units b "$group" >"/out/$group.json"
	vgchange --quiet --quiet -a n "$group"
	echo "$*" >"/out/$group.devices"
}

# Raids and mirrors, in a group with tags, a policy and a small extent.
pvcreate $quiet --metadatasize 3m --dataalignment 2m ${disk}1
pvcreate $quiet --pvmetadatacopies 2 --bootloaderareasize 1m ${disk}2
pvcreate $quiet --pvmetadatacopies 0 ${disk}3
pvcreate $quiet ${disk}4 ${disk}11
vgcreate $quiet --physicalextentsize 2m --alloc cling --addtag site:north --addtag odd --maxlogicalvolumes 60 raids ${disk}1 ${disk}2 ${disk}3 ${disk}4 ${disk}11
create --size 20m --name line --addtag one --addtag two --readahead 512k raids
create --size 24m --name by-hand --alloc contiguous --setautoactivation n raids
create --size 24m --name striped --stripes 3 --stripesize 32k raids
create --size 16m --name mirror --type mirror --mirrors 1 --mirrorlog core --nosync raids
create --size 16m --name logged --type mirror --mirrors 1 raids
create --size 16m --name raid1 --type raid1 --mirrors 1 --nosync --maxrecoveryrate 2048 raids
create --size 16m --name raid0 --type raid0 --stripes 2 raids
create --size 16m --name raid0-meta --type raid0_meta --stripes 2 raids
create --size 16m --name raid4 --type raid4 --stripes 2 raids
create --size 16m --name raid5 --type raid5_ra --stripes 2 raids
create --size 16m --name raid6 --type raid6 --stripes 3 raids
create --size 16m --name raid10 --type raid10 --stripes 2 --mirrors 1 raids
create --size 16m --name sound --type raid1 --mirrors 1 --raidintegrity y raids || true
create --size 20m --name grown raids ${disk}1
create --size 8m --name between raids ${disk}1
lvextend $quiet --alloc normal --size +12m raids/grown ${disk}2
lvchange $quiet --permission r raids/by-hand
# Long names and tags, many changes: the text goes round its ring.
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	vgchange $quiet --addtag "tag.$n.abcdefghijklmnopqrstuvwxyz" raids
done
done_with raids ${disk}1 ${disk}2 ${disk}3 ${disk}4 ${disk}11

# Pools, caches and snapshots.
vgcreate $quiet pools ${disk}5 ${disk}6 ${disk}7
lvcreate $quiet --type thin-pool --size 100m --chunksize 128k --poolmetadatasize 8m --discards nopassdown --zero n --name pool pools
lvcreate $quiet --type thin --virtualsize 1g --thinpool pool --name first pools
lvcreate $quiet --type thin --virtualsize 2g --thinpool pool --name second pools
lvremove $quiet pools/first
lvcreate $quiet --type thin --virtualsize 1g --thinpool pool --name third pools
lvcreate $quiet --snapshot --name yesterday pools/third
create --size 40m --name origin pools
lvcreate $quiet --snapshot --size 16m --chunksize 32k --name before pools/origin
lvcreate $quiet --snapshot --thinpool pool --name outside pools/striped 2>/dev/null || {
	create --size 16m --name outer pools
	lvchange $quiet --permission r pools/outer
	lvchange $quiet -a n pools/outer
	lvcreate $quiet --type thin --thinpool pool --name inner pools/outer || true
}
create --size 64m --name slow pools
lvcreate $quiet --type cache-pool --size 16m --name fast pools
lvconvert $quiet --type cache --cachepool fast --cachemode writeback pools/slow || true
create --size 64m --name slower pools
create --size 16m --name volume pools
lvconvert $quiet --type cache --cachevol volume pools/slower || true
create --size 64m --name written pools
create --size 16m --name write pools
lvchange $quiet -a n pools/written pools/write
lvconvert $quiet --type writecache --cachevol write pools/written || true
lvcreate $quiet --type cache-pool --size 16m --name alone pools || true
done_with pools ${disk}5 ${disk}6 ${disk}7

# One whose name has dashes, on a device without a table of its own; one volume
# in no group; a group that is exported.
vgcreate $quiet -- a-b--c.d+_e ${disk}8
create --size 8m --name x-y a-b--c.d+_e
done_with a-b--c.d+_e ${disk}8
pvcreate $quiet --uuid 0123456789abcdefghijklmnopqrstuv --norestorefile ${disk}9 || pvcreate $quiet ${disk}9
echo ${disk}9 >/out/orphan.devices
vgcreate $quiet exported ${disk}10
create --size 8m --name gone exported
vgchange --quiet --quiet -a n exported
lvm vgexport --quiet --quiet exported
echo ${disk}10 >/out/exported.devices

# LUKS. The flags need the device to be open.
printf 'correct horse' >key
fast="--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
# luks DEVICE NAME
luks() {
	cryptsetup luksDump "$1" >"/out/$2.dump"
	cryptsetup luksDump --dump-json-metadata "$1" >"/out/$2.json" 2>/dev/null || true
	echo "$1" >"/out/$2.devices"
}
cryptsetup luksFormat $fast --type luks2 --cipher serpent-xts-plain64 --key-size 512 ${disk}15 key
cryptsetup open --key-file key --persistent --allow-discards --perf-no_read_workqueue --perf-no_write_workqueue \
	--perf-same_cpu_crypt --perf-submit_from_crypt_cpus ${disk}15 opened
cryptsetup close opened
luks ${disk}15 flags
cryptsetup luksFormat $fast --type luks2 --integrity hmac-sha256 --key-size 256 --sector-size 4096 ${disk}16 key || true
luks ${disk}16 integrity
cryptsetup luksFormat $fast --type luks2 --cipher twofish-cbc-essiv:sha256 --key-size 256 ${disk}17 key
cryptsetup reencrypt $fast --init-only --encrypt --type luks2 --reduce-device-size 8M ${disk}18 key --key-file key --header /nowhere 2>/dev/null || true
cryptsetup reencrypt $fast --init-only --key-file key ${disk}17
luks ${disk}17 reencrypted
cryptsetup luksFormat $fast --type luks2 ${disk}19 key
cryptsetup luksKillSlot --batch-mode ${disk}19 0
luks ${disk}19 lost
truncate -s 16M header
cryptsetup luksFormat $fast --type luks2 --header header ${disk}20 key
dd if=header of=${disk}21 bs=1M 2>/dev/null
luks ${disk}21 detached
cryptsetup luksFormat $fast --type luks1 --cipher serpent-cbc-plain --key-size 128 --hash whirlpool ${disk}22 key || true
luks ${disk}22 one
echo done
