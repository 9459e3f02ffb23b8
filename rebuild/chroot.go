package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"
)

// rootPath is where the machine's root is mounted. Nothing in it means
// something to a program that gets it as an argument.
var rootPath = regexp.MustCompile(`^(/[A-Za-z0-9_.+@=-]+)+$`)

func checkRoot(root string) error {
	if !rootPath.MatchString(root) || filepath.Clean(root) != root {
		return fmt.Errorf("root %q: no path that rootwc uses", root)
	}
	return nil
}

// shared are the file systems of the running system that programs in another
// root look into: devices, processes, hardware, and what udev knows.
var shared = []string{"/dev", "/proc", "/sys", "/run"}

// Chroot makes a machine's root, where its file systems are mounted, ready for
// its own programs.
func Chroot(root string) (Layer, error) {
	if err := checkRoot(root); err != nil {
		return Layer{}, err
	}
	var l Layer
	for _, dir := range shared {
		at := root + dir
		l.Open = append(l.Open, Action{Words: fmt.Sprintf("mount %s at %s too", dir, at), Do: func() error { return bind(dir, at) }})
		l.Close = append(l.Close, Action{Words: "unmount " + at, Do: func() error { return unbind(dir, at) }})
	}
	slices.Reverse(l.Close)
	return l, nil
}

// bind mounts a directory in a second place with all that is mounted below it,
// once. The place is a directory: a link in the machine's root could lead into
// the running system.
func bind(dir, at string) error {
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", at)
	}
	if there, err := same(dir, at); there || err != nil {
		return err
	}
	if err := unix.Mount(dir, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	// What is unmounted there stays mounted here.
	return unix.Mount("", at, "", unix.MS_SLAVE|unix.MS_REC, "")
}

// unbind undoes bind. The kernel drops what is mounted below as soon as nobody
// uses it: a daemon that a program has started must not hold up the rest.
func unbind(dir, at string) error {
	if there, err := same(dir, at); !there || err != nil {
		return err
	}
	return unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}

func same(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y), err
}

// inRoot runs one of the machine's own programs. A rescue system of another
// distribution may have another PATH.
func inRoot(root string, args ...string) Action {
	return Action{
		Args: append([]string{"chroot", root}, args...),
		Env:  []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}
}
