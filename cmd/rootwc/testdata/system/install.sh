# install.sh, in a guest that was started by UEFI: the Debian of tree.sh, a tar
# on the second disk, goes on the first, as its own installer would put it.
set -eu
step() { echo "install [$(cut -d' ' -f1 /proc/uptime)]: $*"; }
step storage
sfdisk --quiet /dev/vda <<-'END'
	label: gpt
	size=2M, type=21686148-6449-6E6F-744E-656564454649
	size=64M, type=uefi, name="ESP"
	size=200M, type=linux, name="boot"
	type=CA7D7CCB-63ED-4C53-861C-1742536059CC, name="secret"
END
until [ -b /dev/vda4 ]; do sleep 0.1; done
tar -xOf /dev/vdb ./etc/keys/sys.key >/run/sys.key
printf 'correct horse' >/run/passphrase
fast="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
cryptsetup luksFormat --batch-mode --type luks2 $fast --uuid "$LUKS" --key-file /run/passphrase /dev/vda4
cryptsetup luksAddKey --batch-mode $fast --key-slot 1 --key-file /run/passphrase /dev/vda4 /run/sys.key
cryptsetup open --key-file /run/sys.key /dev/vda4 sys_crypt
vgcreate -q sys /dev/mapper/sys_crypt
lvcreate -q -Wn -L 128m -n swap sys
lvcreate -q -Wn -l 100%FREE -n root sys
mkfs.vfat -F 32 -n ESP -i "$ESP" /dev/vda2
mke2fs -q -t ext4 -L boot -U "$BOOT" /dev/vda3
mke2fs -q -t ext4 -L root /dev/sys/root
mkswap -q -L swap /dev/sys/swap
step files
mount /dev/sys/root /mnt
mkdir /mnt/boot
mount /dev/vda3 /mnt/boot
mkdir /mnt/boot/efi
mount /dev/vda2 /mnt/boot/efi
tar -C /mnt --xattrs -xf /dev/vdb
step boot loader
for dir in dev proc sys run; do mount --rbind "/$dir" "/mnt/$dir"; done
inside() { chroot /mnt env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
inside grub-install --target=i386-pc /dev/vda
inside grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian
inside update-grub
inside efibootmgr
for dir in run sys proc dev; do umount -l "/mnt/$dir"; done
umount /mnt/boot/efi /mnt/boot /mnt
vgchange -q -an sys
cryptsetup close sys_crypt
step done
