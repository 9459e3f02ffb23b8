# tree.sh, after small.sh, makes of the tree the machine that TestGuestSystem takes
# through its life. UUIDs are given, so that all that names them can be made here.
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
