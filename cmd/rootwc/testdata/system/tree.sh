# tree.sh, run in the root of a fresh Debian, makes of it the machine that
# TestGuestSystem takes through its life: small, because an emulated processor
# reads and writes all of it several times. UUIDs are given, so that all that
# names them can be made here.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
work=$(mktemp -d)

# What it does without goes from dpkg's database too, for dpkg --verify.
{
	for dir in usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/zoneinfo usr/share/i18n usr/share/lintian \
		usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv usr/lib/grub/x86_64-efi/monolithic usr/share/bash-completion; do
		[ ! -d "$dir" ] || find "$dir"
	done
	find usr/lib/modules/*/kernel -name '*.ko' | grep -v -E '/(dm-mod|dm-crypt|dax|virtio[a-z_]*|virtio-rng|xts|ecb|cbc|aes_generic|crypto_simd|cryptd|sha256_generic|fat|vfat|nls_[a-z0-9_-]*|efivarfs|autofs4)\.ko$'
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

echo "$HOST" >etc/hostname
cat >etc/fstab <<-END
	/dev/mapper/sys-root / ext4 errors=remount-ro 0 1
	UUID=$BOOT /boot ext4 defaults 0 2
	UUID=$(echo "$ESP" | sed 's/^..../&-/') /boot/efi vfat umask=0077 0 1
	/dev/mapper/sys-swap none swap sw 0 0
END
# A key in the initramfs, in place of a passphrase that somebody types.
mkdir -m 0700 etc/keys
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >etc/keys/sys.key
chmod 0400 etc/keys/sys.key
echo "sys_crypt UUID=$LUKS /etc/keys/sys.key luks,discard,initramfs" >etc/crypttab
echo 'KEYFILE_PATTERN=/etc/keys/*.key' >>etc/cryptsetup-initramfs/conf-hook
echo 'UMASK=0077' >etc/initramfs-tools/conf.d/umask
echo 'RESUME=none' >etc/initramfs-tools/conf.d/resume
printf '%s\n' virtio_pci virtio_blk ext4 dm-mod dm-crypt xts aes_generic ecb >etc/initramfs-tools/modules
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/; s/^# COMPRESSLEVEL=.*/COMPRESSLEVEL=1/' etc/initramfs-tools/initramfs.conf
# The kernel's tests of its ciphers take seconds in emulation, on a busy machine for ever.
cat >etc/default/grub <<-'END'
	GRUB_DEFAULT=0
	GRUB_TIMEOUT=0
	GRUB_DISTRIBUTOR=Debian
	GRUB_CMDLINE_LINUX_DEFAULT="quiet systemd.show_status=0"
	GRUB_CMDLINE_LINUX="console=ttyS0 cryptomgr.notests"
	GRUB_TERMINAL=console
	GRUB_DISABLE_OS_PROBER=true
END
head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n' >etc/marker

# When it is up, it proves itself on the console.
cat >usr/local/sbin/prove <<-'END'
	#!/bin/sh
	exec >/dev/ttyS0 2>&1
	echo "proof begins after $(cut -d' ' -f1 /proc/uptime) s: $(cat /etc/marker)"
	echo "root $(findmnt -no SOURCE,FSTYPE /), boot $(findmnt -no FSTYPE /boot), efi $(findmnt -no FSTYPE /boot/efi), swap $(swapon --show=SIZE --noheadings)"
	echo "failed units: $(systemctl list-units --failed --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')"
	[ ! -d /sys/firmware/efi ] || efibootmgr --verbose
	rootwc status --exit-code && echo "status is clean"
	dpkg --verify | diff /etc/verified - && echo "packages are as they were"
	echo "proof ends after $(cut -d' ' -f1 /proc/uptime) s: $(cat /etc/marker)"
END
chmod 0755 usr/local/sbin/prove
cat >etc/systemd/system/prove.service <<-'END'
	[Unit]
	Description=Proof of the machine
	After=local-fs.target swap.target
	[Service]
	Type=oneshot
	ExecStart=/usr/local/sbin/prove
	[Install]
	WantedBy=multi-user.target
END
mkdir -p etc/systemd/system/multi-user.target.wants
ln -s /etc/systemd/system/prove.service etc/systemd/system/multi-user.target.wants/prove.service
# A login on the console would end its output; the others would cost time.
for unit in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
	ln -sf /dev/null "etc/systemd/system/$unit"
done

kernel=$(ls usr/lib/modules)
rm -f boot/initrd.img-*
mount -t proc proc proc
chroot . depmod "$kernel"
chroot . update-initramfs -c -k "$kernel"
umount proc
rm -rf run/* tmp/*
dpkg --root=. --verify >etc/verified # what an administrator has edited
cat etc/verified
