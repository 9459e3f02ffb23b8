package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// Options say what is in an image.
type Options struct {
	// Kernel is the Debian package that stands for it; "" is
	// linux-image-cloud-amd64, which starts in half the time in emulation.
	// linux-image-amd64 has f2fs and USB.
	Kernel string
	// Programs are more programs of this machine, found in PATH or named by
	// path, with what they need. Scripts run programs that no one can see in
	// them.
	Programs []string
	// Udev adds systemd-udevd with its rules.
	Udev bool
	// Cache is a directory for kernels and images; "" is .cache/vm in the
	// module.
	Cache string
}

// Image is a guest on the host's disk. It is safe for concurrent use.
type Image struct {
	kernel kernel
	initrd string // the guest's initramfs
	prove  string // one that holds the guest's process 1 and nothing else
	cache  string
	udev   bool
}

// programs are in every image: those that the probes and a rebuild start, and
// a shell with what scripts expect.
var programs = strings.Fields(`
	lsblk blkid sfdisk findmnt wipefs blockdev mkswap swaplabel mount umount swapon swapoff losetup partx flock
	lvm pvs pvcreate pvremove pvck pvchange pvmove pvresize vgs vgcreate vgremove vgchange vgextend vgreduce vgrename vgcfgbackup vgcfgrestore vgscan
	lvs lvcreate lvremove lvchange lvconvert lvextend lvreduce lvrename lvresize dmsetup
	cryptsetup mdadm thin_dump thin_restore thin_check cache_check
	mke2fs mkfs.ext2 mkfs.ext3 mkfs.ext4 tune2fs dumpe2fs e2fsck fsck.ext4 resize2fs debugfs e2image lsattr chattr
	mkfs.xfs xfs_db xfs_info xfs_admin xfs_io xfs_repair xfs_spaceman xfs_growfs
	btrfs mkfs.btrfs btrfstune mkfs.vfat fatlabel fsck.vfat
	mkfs.f2fs fsck.f2fs dump.f2fs f2fslabel mkfs.exfat fsck.exfat exfatlabel dump.exfat tune.exfat
	efibootmgr svn svnadmin kmod modprobe insmod lsmod rmmod depmod udevadm
	sh cat ls cp mv rm mkdir rmdir ln mknod mkfifo chmod chown touch stat readlink realpath basename dirname
	dd sync truncate df du head tail sort uniq tr cut tee wc od cmp diff sha256sum test true false env id
	printf echo expr seq sleep date uname dmesg grep sed awk find xargs tar gzip`)

// optional are loaded at run time by those who have them: nothing names them
// in a header.
var optional = []string{
	"/lib/x86_64-linux-gnu/libgcc_s.so.1",                 // pthread_exit(3): the threads of cryptsetup's argon2
	"/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so",    // hashes that old LUKS1 headers have
	"/usr/lib/x86_64-linux-gnu/gconv/IBM850.so",           // names of FAT, in mkfs.vfat
	"/usr/lib/x86_64-linux-gnu/gconv/IBM437.so",           //
	"/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",           // names of exFAT and of partitions
	"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules",       //
	"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d",     //
	"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", //
	"/usr/lib/locale/C.utf8",                              // svn refuses names that are not ASCII without one
	"/etc/mke2fs.conf",
}

// What a system without udevd says to LVM: device-mapper makes its own nodes,
// see lvm.conf(5). And the one user.
var settings = map[string]string{
	"/etc/lvm/lvm.conf": "activation { udev_sync = 0\n udev_rules = 0\n monitoring = 0 }\ndevices { use_devicesfile = 0 }\n",
	"/etc/passwd":       "root:x:0:0:root:/root:/bin/sh\n",
	"/etc/group":        "root:x:0:\ntty:x:5:\ndisk:x:6:\nadm:x:4:\n",
	"/etc/hostname":     "guest\n",
}

// Build makes the image, or finds it in the cache: it is made again when a
// program, the kernel or package guest is another. All that is missing on this
// machine is named at once.
func Build(ctx context.Context, o Options) (*Image, error) {
	if o.Kernel == "" {
		o.Kernel = "linux-image-cloud-amd64"
	}
	if o.Cache == "" {
		root, err := moduleRoot()
		if err != nil {
			return nil, err
		}
		o.Cache = filepath.Join(root, ".cache", "vm")
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return nil, err
	}
	if err := missing("qemu-system-x86_64", "go", "apt-get", "dpkg-deb", "depmod"); err != nil {
		return nil, err
	}
	k, err := fetchKernel(ctx, o.Cache, o.Kernel)
	if err != nil {
		return nil, err
	}
	init, err := buildGuest(ctx, o.Cache)
	if err != nil {
		return nil, err
	}
	full, err := guestTree(k, init, o)
	if err != nil {
		return nil, fmt.Errorf("cannot make a guest: %w", err)
	}
	image := &Image{kernel: k, cache: o.Cache, udev: o.Udev}
	if image.initrd, err = store(o.Cache, full); err != nil {
		return nil, err
	}
	bare := tree{}
	bare.file("/init", 0o755, init)
	if image.prove, err = store(o.Cache, bare); err != nil {
		return nil, err
	}
	return image, prune(o.Cache)
}

// guestTree puts together what is in the guest.
func guestTree(k kernel, init []byte, o Options) (tree, error) {
	t := tree{}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin"} {
		if err := t.host(dir); err != nil {
			return nil, err
		}
	}
	if t["/lib"].mode&typeLink != typeLink {
		return nil, errors.New("/lib is no link: Debian 12 or newer has it in /usr")
	}
	t.file("/init", 0o755, init)
	for path, content := range settings {
		t.file(path, 0o644, []byte(content))
	}
	wanted := slices.Concat(programs, o.Programs)
	if err := missing(wanted...); err != nil {
		return nil, err
	}
	for _, name := range wanted {
		path, _ := run.Look(name)
		if err := t.host(path); err != nil {
			return nil, err
		}
	}
	if o.Udev {
		if err := t.addUdev(); err != nil {
			return nil, err
		}
	}
	for _, path := range optional {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := t.hostTree(path, nil); err != nil {
			return nil, err
		}
	}
	return t, t.addModules(k)
}

// addUdev adds the daemon, its rules and the programs that they run. The
// database of hardware has names of models only, and is larger than all else.
func (t tree) addUdev() error {
	if err := t.host("/usr/lib/systemd/systemd-udevd"); err != nil {
		return err
	}
	return t.hostTree("/usr/lib/udev", func(path string) bool {
		return strings.Contains(path, "hwdb")
	})
}

// buildGuest compiles package guest. Equal sources give equal bytes.
func buildGuest(ctx context.Context, cache string) ([]byte, error) {
	dir, err := os.MkdirTemp(cache, "guest-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "guest")
	_, _, err = run.Output(ctx, run.Command{
		Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "rootwc/internal/vm/guest"},
		Env:  append(goSettings(), "CGO_ENABLED=0", "GOARCH=amd64", "GOOS=linux"),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot build the guest: %w", err)
	}
	return os.ReadFile(binary)
}

// goSettings are the caller's, with which it got its modules.
func goSettings() []string {
	var env []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "GO") || strings.HasPrefix(v, "XDG_CACHE_HOME=") {
			env = append(env, v)
		}
	}
	return env
}

// missing names the programs that this machine does not have.
func missing(names ...string) error {
	var none []string
	for _, name := range names {
		if _, ok := run.Look(name); !ok {
			none = append(none, name)
		}
	}
	if len(none) == 0 {
		return nil
	}
	return fmt.Errorf("missing programs: %s (make vmtest installs them)", strings.Join(none, ", "))
}

// store keeps an image under the digest of its content. Another test may do
// the same at the same time.
func store(cache string, t tree) (string, error) {
	path := filepath.Join(cache, t.digest()+".initrd")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	var archive bytes.Buffer
	if err := t.write(&archive); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(cache, "image-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(archive.Bytes())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return path, err
}

// kept is how many images stay in the cache, the youngest: two for each set of
// options that is in use.
const kept = 8

func prune(cache string) error {
	images, err := filepath.Glob(filepath.Join(cache, "*.initrd"))
	if err != nil {
		return err
	}
	age := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(images, func(a, b string) int { return int(min(max(age(b)-age(a), -1), 1)) })
	for _, path := range images[min(kept, len(images)):] {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// moduleRoot is where go.mod is, at or above the working directory: in a test
// that is the directory of its package.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("no go.mod at or above %s", start)
		}
	}
}
