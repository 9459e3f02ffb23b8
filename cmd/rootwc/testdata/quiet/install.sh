# install.sh, in a guest: the Debian of tree.sh, a tar on the second disk, goes on
# the first, as its own installer would put it.
set -eu
sfdisk --quiet /dev/vda <<-'END'
	label: gpt
	size=2M, type=21686148-6449-6E6F-744E-656564454649
	type=linux, name="root"
END
until [ -b /dev/vda2 ]; do sleep 0.1; done
mke2fs -q -t ext4 -L root -U "$ROOT" /dev/vda2
mount /dev/vda2 /mnt
tar -C /mnt --xattrs -xf /dev/vdb
for dir in dev proc sys run; do mount --rbind "/$dir" "/mnt/$dir"; done
inside() { chroot /mnt env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
inside grub-install --target=i386-pc /dev/vda
inside update-grub
for dir in run sys proc dev; do umount -l "/mnt/$dir"; done
umount /mnt
