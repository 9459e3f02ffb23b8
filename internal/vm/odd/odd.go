// Package odd is a machine whose every layer differs from what the tools make
// by themselves: what a probe or a rebuild forgets of it shows. It is made and
// used by the shell scripts beside this file, in a guest of package vm.
//
// Made on four disks: GPT and dos label, md with a spare, LUKS1 and LUKS2 with
// several keyslots, tokens and flags, LVM linear, striped, raid1, thin and with
// snapshots and tags, ext2, ext3, ext4, xfs, btrfs on one and on two devices,
// vfat, exfat, f2fs, swap on devices and in a file.
package odd

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"

	"rootwc/internal/vm"
)

//go:embed make.sh use.sh
var scripts embed.FS

// Secrets are the passphrases by keyslot: 0 and 3 open the first disk's LUKS2,
// 5 is a slot of it without a volume key, and 0 opens the others.
var Secrets = map[string]string{
	"secret.0": "correct horse",
	"secret.3": "battery 'staple' $HOME",
	"secret.5": "opens nothing",
}

// sizes of the disks in GiB.
var sizes = []int64{4, 4, 2, 3}

// Disks makes blank images in a directory. In the guest they are /dev/vda to
// /dev/vdd; the tests may attach them otherwise.
func Disks(dir string) ([]vm.Disk, error) {
	var disks []vm.Disk
	for n, size := range sizes {
		serial := "ODD" + string(rune('0'+n))
		path := filepath.Join(dir, serial+".img")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return nil, err
		}
		if err := os.Truncate(path, size<<30); err != nil {
			return nil, err
		}
		disks = append(disks, vm.Disk{Path: path, Serial: serial})
	}
	return disks, nil
}

// Make is the command that makes the machine on four blank disks, Use the one
// that starts it again and writes to it. Both want [Files].
var (
	Make = []string{"sh", "make.sh", "/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/vdd"}
	Use  = []string{"sh", "use.sh", "/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/vdd"}
)

// Files are the scripts and the passphrases.
func Files() (fs.FS, error) {
	files := fstest.MapFS{}
	for name, text := range Secrets {
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
	}
	for _, name := range []string{"make.sh", "use.sh"} {
		text, err := scripts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[name] = &fstest.MapFile{Data: text, Mode: 0o644}
	}
	return files, nil
}
