# put.sh, in a guest: rootwc and the script that the machine lives by come on its
# disk.
set -eu
mount /dev/vda2 /mnt
cp bin/rootwc /mnt/usr/local/bin/rootwc
cp live.sh /mnt/usr/local/sbin/live
echo "$MACHINE" >/mnt/var/lib/machine-url
chmod 0755 /mnt/usr/local/bin/rootwc /mnt/usr/local/sbin/live
umount /mnt
