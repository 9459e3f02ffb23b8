# save.sh, in a guest that was started by UEFI: the machine of install.sh is
# put together as if it were running, and its own rootwc saves it.
set -eu
step() { echo "save [$(cut -d' ' -f1 /proc/uptime)]: $*"; }
step storage
printf 'correct horse' >/run/passphrase
cryptsetup open --key-file /run/passphrase /dev/vda4 sys_crypt
vgchange -q -ay sys
mount /dev/sys/root /mnt
mount /dev/vda3 /mnt/boot
mount -o umask=0077 /dev/vda2 /mnt/boot/efi
for dir in dev proc sys; do mount --rbind "/$dir" "/mnt/$dir"; done
mount -t tmpfs run /mnt/run
sed -n 's|^[[:space:]]*linux[[:space:]]*|BOOT_IMAGE=|p' /mnt/boot/grub/grub.cfg | head -n 1 >/run/cmdline
mount --bind /run/cmdline /mnt/proc/cmdline
cp bin/rootwc /mnt/usr/local/bin/rootwc
inside() { chroot /mnt env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

inside systemd-tmpfiles --create --prefix=/var/log/journal # as its first start does

step init
inside rootwc init --secrets clear "$MACHINE"
inside svn mkdir --quiet --non-interactive -m 'other file systems' "$MACHINE-boot" "$MACHINE-efi"
step "the root's files"
inside rootwc add bin home lib lib64 media mnt opt root sbin srv usr var >/dev/null
inside rootwc ignore 'var/log/*' 'var/log/journal/*' var/lib/systemd/random-seed
step "the first commit"
inside rootwc commit -m 'first state' >/dev/null
step "the other file systems"
inside rootwc externals add '^/hosts/box-boot' boot
inside rootwc externals add '^/hosts/box-efi' boot/efi || [ $? = 4 ] # FAT keeps its mode
inside sh -euc 'cd /boot; rootwc add grub config* initrd* System.map* vmlinuz* efi/EFI' >/dev/null
inside rootwc ignore boot/lost+found
inside rootwc commit -m 'what starts it' >/dev/null
step status
inside rootwc status --exit-code
inside rootwc externals list
cat /mnt/.rootwc/probes/storage.toml /mnt/.rootwc/probes/boot.toml
mkdir /out/probes
cp /mnt/.rootwc/probes/* /out/probes
step close
umount /mnt/proc/cmdline
umount -l /mnt/sys /mnt/proc /mnt/dev
umount /mnt/run /mnt/boot/efi /mnt/boot /mnt
vgchange -q -an sys
cryptsetup close sys_crypt
step done
