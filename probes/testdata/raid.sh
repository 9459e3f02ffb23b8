# Makes arrays of every kind on the partitions of a disk, in a guest, and
# writes down what mdadm says of them: NAME.text, NAME.members with the
# devices, and DEVICE.examine and DEVICE.bitmap for each of those.
set -eu
disk=/dev/vda # of partitions; vdb to vde are whole
{
	echo 'label: gpt'
	n=1
	while [ $n -le 90 ]; do
		size=24M
		[ $((n % 7)) != 0 ] || size=28M
		echo "$n : size=$size"
		n=$((n + 1))
	done
} | sfdisk --quiet "$disk"
sleep 1
next=1
# array NAME DEVICES ARGUMENT...
array() {
	name=$1 count=$2
	shift 2
	members= numbers=
	while [ "$count" -gt 0 ]; do
		members="$members $disk$next" numbers="$numbers vda$next"
		next=$((next + 1)) count=$((count - 1))
	done
	last=$numbers
	[ $# = 0 ] && return
	# the arguments may name the members: @1 is the first
	args=
	for a; do
		i=1
		for m in $members; do
			case $a in "@$i"*) a=$m${a#"@$i"} ;; esac
			i=$((i + 1))
		done
		args="$args $a"
	done
	case $args in *$disk*) members= ;; esac
	echo "== $name: $args $members"
	mdadm --create "/dev/md/$name" --run --force --assume-clean $args $members || { echo "cannot make $name"; return 0; }
	done_with "$name" "$numbers"
}
# done_with NAME NUMBERS: writes down, and stops
done_with() {
	n=0
	until [ -b "/dev/md/$1" ] || [ $n = 20 ]; do sleep 0.1; n=$((n + 1)); done
	mdadm --detail "/dev/md/$1" >"/out/$1.text" || true
	[ -n "${keep:-}" ] || stop "$1" "$2"
}
stop() {
	mdadm --stop "/dev/md/$1" || { sleep 1; mdadm --stop "/dev/md/$1"; }
	echo $2 >"/out/$1.members"
	for number in $2; do
		mdadm --examine "/dev/$number" >"/out/$number.examine" 2>&1 || true
		mdadm --examine-bitmap "/dev/$number" >"/out/$number.bitmap" 2>&1 || true
	done
}
named="--name=data --homehost=lab"
array plain 2 $named --metadata=1.2 --level=1 --raid-devices=2 --bitmap=internal
array spare 3 --name=spare --homehost=lab --metadata=1.0 --level=1 --raid-devices=2 --spare-devices=1 --bitmap=none
array old 2 --metadata=0.90 --level=1 --raid-devices=2 --homehost=lab
array slow 2 $named --metadata=1.1 --level=1 --raid-devices=2 --bitmap=internal --bitmap-chunk=8M --write-behind=300 --delay=11 @1 --write-mostly @2
array fast 2 $named --metadata=1.2 --level=1 --raid-devices=2 --bitmap=none --failfast
array asymmetric 4 $named --metadata=1.2 --level=5 --raid-devices=3 --spare-devices=1 --layout=left-asymmetric --chunk=128 --bitmap=internal
array ppl 3 $named --metadata=1.2 --level=5 --raid-devices=3 --consistency-policy=ppl
array journal 4 $named --metadata=1.2 --level=5 --raid-devices=3 --write-journal @4 @1 @2 @3
array six 4 $named --metadata=1.1 --level=6 --raid-devices=4 --layout=right-symmetric --size=8192 --data-offset=3M --bitmap=none
array six-like-five 4 $named --metadata=1.2 --level=6 --raid-devices=4 --layout=left-symmetric-6 --bitmap=none
array parity 3 $named --metadata=1.2 --level=5 --raid-devices=3 --layout=parity-first --bitmap=none
array near 3 $named --metadata=1.2 --level=10 --raid-devices=3 --layout=n2 --bitmap=internal
array near3 3 $named --metadata=1.2 --level=10 --raid-devices=3 --layout=n3 --bitmap=none
array far 2 $named --metadata=1.0 --level=10 --raid-devices=2 --layout=f2 --chunk=64 --bitmap=none
array offset 4 $named --metadata=1.2 --level=10 --raid-devices=4 --layout=o2 --bitmap=none
array zero 2 $named --metadata=1.2 --level=0 --raid-devices=2 --chunk=64
array zero-original 2 $named --metadata=1.0 --level=0 --raid-devices=2 --layout=original
array zero-uneven 3 $named --metadata=1.2 --level=0 --raid-devices=3
array linear 2 $named --metadata=1.2 --level=linear --raid-devices=2
array four 3 --metadata=0.90 --level=4 --raid-devices=3 --chunk=32
array five-old 4 --metadata=0.90 --level=5 --raid-devices=3 --spare-devices=1 --layout=right-asymmetric --bitmap=internal --bitmap-chunk=16M
array nameless 2 --homehost=any --name=abcdefghijklmnopqrstuvwxyz.01234 --metadata=1.2 --level=1 --raid-devices=2
array variable 2 $named --metadata=1.2 --level=1 --raid-devices=2 --bitmap=none --data-offset=variable @1:1M @2:2M
array one 1 $named --metadata=1.2 --level=1 --raid-devices=1
array missing 1 $named --metadata=1.2 --level=1 --raid-devices=2 --bitmap=none missing @1

# A member that was failed, and has not seen what came after.
keep=1
array stale 2 $named --metadata=1.2 --level=1 --raid-devices=2 --bitmap=none
numbers=$last
mdadm /dev/md/stale --fail "/dev/${numbers##* }" --remove "/dev/${numbers##* }"
for i in 1 2 3; do
	mke2fs -q -F /dev/md/stale
	mdadm --stop /dev/md/stale
	mdadm --assemble --run /dev/md/stale "/dev/$(echo $numbers | cut -d' ' -f1)"
done
stop stale "$numbers"
# One that is being replaced, one that is being reshaped.
array replaced 3 $named --metadata=1.2 --level=1 --raid-devices=2 --spare-devices=1 --bitmap=none
numbers=$last
md=$(basename "$(readlink -f /dev/md/replaced)")
echo 1 >/sys/block/$md/md/sync_speed_min; echo 1 >/sys/block/$md/md/sync_speed_max
mdadm /dev/md/replaced --replace "/dev/$(echo $numbers | cut -d' ' -f1)"
sleep 1
stop replaced "$numbers"
array reshaped 4 $named --metadata=1.2 --level=5 --raid-devices=3 --spare-devices=1 --bitmap=none
numbers=$last
md=$(basename "$(readlink -f /dev/md/reshaped)")
echo 1 >/sys/block/$md/md/sync_speed_min; echo 1 >/sys/block/$md/md/sync_speed_max
mdadm --grow /dev/md/reshaped --raid-devices=4 || true
sleep 1
stop reshaped "$numbers"
keep=

# Of the firmware, over whole disks.
export IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1
# firmware KIND DEVICE DEVICE
firmware() {
	mdadm --create "/dev/md/$1" --run --force --metadata="$1" --level=container --raid-devices=2 "/dev/$2" "/dev/$3" || return 0
	mdadm --stop "/dev/md/$1" || true
	for device in "$2" "$3"; do
		mdadm --examine "/dev/$device" >"/out/$device.examine" 2>&1 || true
	done
	echo "$2 $3" >"/out/$1.members"
}
firmware ddf vdb vdc
firmware imsm vdd vde
