# Makes boot entries in the firmware of a guest. What is in /out afterwards: the
# variables, and what efibootmgr says of them.
set -eu
vars=/sys/firmware/efi/efivars
sfdisk --quiet /dev/vda <<'END'
label: gpt
label-id: 5eed0000-0000-4000-8000-000000000000
start=2048, size=20480, type=uefi, uuid=5eed0000-0000-4000-8000-00000000000a
start=22528, size=20480, type=linux, uuid=5eed0000-0000-4000-8000-00000000000b
END
sfdisk --quiet /dev/vdb <<'END'
label: dos
label-id: 0x5eed0001
start=2048, size=20480, type=ef
END
until [ -b /dev/vda2 ] && [ -b /dev/vdb1 ]; do sleep 0.1; done

entry() { efibootmgr --quiet --create --disk /dev/vda --part 1 "$@"; }
entry --label debian --loader '\EFI\debian\shimx64.efi'
entry --label 'two words' --loader '\EFI\a b\x.efi' --unicode 'root=UUID=a-b "quoted" $(id) ro'
entry --label 'ascii' --loader '\vmlinuz' 'initrd=\initrd.img root=/dev/vda2'
printf 'a\000\001\377\376' >/tmp/data
entry --label 'data' --loader '\data.efi' --append-binary-args /tmp/data
entry --label '"$(id)" Grüße 日本' --loader '\EFI\日本\ü.efi'
entry --bootnum 00A0 --label 'numbered' --loader '\n.efi'
efibootmgr --quiet --bootnum 00A0 --inactive
efibootmgr --quiet --create-only --disk /dev/vda --part 2 --label 'not in the order' --loader '\o.efi'
efibootmgr --quiet --create --disk /dev/vdb --part 1 --label 'on a dos disk' --loader '\d.efi'

efibootmgr --verbose >/out/efibootmgr.txt
cat /out/efibootmgr.txt
ls -l $vars | head -100
lsattr $vars | head -5
mkdir -p /out/firmware/efi/efivars
for v in $vars/Boot* $vars/Timeout*; do cp "$v" /out/firmware/efi/efivars/; done
