# small.sh, run in the root of a fresh Debian before the script that makes a machine
# of it: what the machine does without goes, because an emulated processor reads
# and writes all of it several times.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
work=$(mktemp -d)

# What it does without goes from dpkg's database too, for dpkg --verify.
{
	for dir in usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/zoneinfo usr/share/i18n usr/share/lintian \
		usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv usr/lib/grub/x86_64-efi/monolithic usr/share/bash-completion; do
		[ ! -d "$dir" ] || find "$dir"
	done
	find usr/lib/modules/*/kernel -name '*.ko' | grep -v -E '/(dm-mod|dm-crypt|dax|virtio[a-z_]*|virtio-rng|net_failover|failover|af_packet|xts|ecb|cbc|aes_generic|crypto_simd|cryptd|sha256_generic|fat|vfat|nls_[a-z0-9_-]*|efivarfs|autofs4)\.ko$'
} | sort -u >"$work/gone"
tr '\n' '\0' <"$work/gone" | xargs -0 rm -rf
sed 's|^|/|' "$work/gone" | sed 'p; s|^/usr/lib/|/lib/|' | sort -u >"$work/lines" # packages have files in /lib as well
for list in var/lib/dpkg/info/*.list; do
	awk 'NR == FNR { gone[$0]; next } !($0 in gone)' "$work/lines" "$list" >"$work/new"
	cat "$work/new" >"$list"
done
for sums in var/lib/dpkg/info/*.md5sums; do
	awk 'NR == FNR { gone[$0]; next } !(("/" substr($0, 35)) in gone)' "$work/lines" "$sums" >"$work/new"
	cat "$work/new" >"$sums"
done
rm -rf "$work" var/cache/debconf/*-old var/lib/dpkg/*-old usr/lib/udev/hwdb.bin
find var/cache/apt var/lib/apt/lists var/log -type f -delete
