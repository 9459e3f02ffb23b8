# tree.sh, after small.sh, makes of the tree an ordinary server: cron, DHCP, time
# synchronisation, log rotation, and the timers that Debian's packages bring. UUIDs
# are given, so that all that names them can be made here.
echo "$HOST" >etc/hostname
echo "UUID=$ROOT / ext4 errors=remount-ro 0 1" >etc/fstab
cat >etc/network/interfaces <<-'END'
	auto lo eth0
	iface lo inet loopback
	iface eth0 inet dhcp
END
echo 'RESUME=none' >etc/initramfs-tools/conf.d/resume
printf '%s\n' virtio_pci virtio_blk ext4 >etc/initramfs-tools/modules
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/; s/^# COMPRESSLEVEL=.*/COMPRESSLEVEL=1/' etc/initramfs-tools/initramfs.conf
cat >etc/default/grub <<-'END'
	GRUB_DEFAULT=0
	GRUB_TIMEOUT=0
	GRUB_DISTRIBUTOR=Debian
	GRUB_CMDLINE_LINUX_DEFAULT="quiet systemd.show_status=0"
	GRUB_CMDLINE_LINUX="console=ttyS0 net.ifnames=0"
	GRUB_TERMINAL=console
	GRUB_DISABLE_OS_PROBER=true
END
mkdir -p var/log/journal # it outlives a start
cat >etc/systemd/system/live.service <<-'END'
	[Unit]
	Description=A day in the life of the machine
	After=multi-user.target
	[Service]
	Type=oneshot
	ExecStart=/usr/local/sbin/live
	StandardOutput=tty
	StandardError=tty
	TTYPath=/dev/ttyS0
	[Install]
	WantedBy=multi-user.target
END
mkdir -p etc/systemd/system/multi-user.target.wants
ln -s /etc/systemd/system/live.service etc/systemd/system/multi-user.target.wants/live.service
ln -sf /dev/null etc/systemd/system/serial-getty@ttyS0.service # a login would end the console's output

kernel=$(ls usr/lib/modules)
rm -f boot/initrd.img-*
mount -t proc proc proc
chroot . depmod "$kernel"
chroot . update-initramfs -c -k "$kernel"
umount proc
rm -rf run/* tmp/*
