package rebuild

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

// Swap is how swap is made on a device. That in a file is made by [SwapFile].
func Swap(ctx context.Context, id probes.ID, s *probes.Swap, device string) (Layer, error) {
	l, err := swap(ctx, id, s, device)
	if err != nil {
		return Layer{}, fmt.Errorf("swap.%s: %w", id, err)
	}
	l.Make = append(wipe([]string{device}), l.Make...)
	return l, nil
}

// SwapFile is how a swap file is made, when its file system on is mounted, as
// part of a tree at root: probes.Swap.File is a path from there.
func SwapFile(ctx context.Context, id probes.ID, s *probes.Swap, on *probes.FileSystem, root string) (Layer, error) {
	path := filepath.Join(root, s.File)
	l, err := swap(ctx, id, s, path)
	if err == nil && !filepath.IsAbs(s.File) {
		err = fmt.Errorf("file %q is no path from the root", s.File)
	}
	if err != nil {
		return Layer{}, fmt.Errorf("swap.%s: %w", id, err)
	}
	create := Action{
		Words: fmt.Sprintf("create %q with %d bytes", path, s.Size),
		Do:    func() error { return allocate(root, s.File, s.Size, on.Type == "btrfs") },
	}
	l.Make = append([]Action{create}, l.Make...)
	return l, nil
}

func swap(ctx context.Context, id probes.ID, s *probes.Swap, path string) (Layer, error) {
	label, err := labelBytes(s.Label, s.LabelBytes)
	if err != nil {
		return Layer{}, err
	}
	number, err := uuid("UUID", string(id))
	if err != nil {
		return Layer{}, err
	}
	if s.Unsupported != "" {
		return Layer{}, fmt.Errorf("no tool makes it: %s", s.Unsupported)
	}
	if err := firstOf(
		powerOf2("page-size", s.Page, 4096, 65536),
		between("size", s.Size, 10*s.Page, (1<<32)*s.Page),
		longer(label, 16),
		paths(path),
	); err != nil {
		return Layer{}, err
	}
	var l Layer
	args := []string{"mkswap", "-p", strconv.FormatUint(s.Page, 10), "-U", number, "-L", label}
	order, native := "little", "little"
	if s.Endianness != "" {
		order = s.Endianness
	}
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		native = "big"
	}
	switch {
	case order != "big" && order != "little":
		return Layer{}, fmt.Errorf("endianness %q", order)
	case order != native:
		help, err := usage(ctx, "mkswap", "--help")
		switch {
		case err != nil:
			return Layer{}, err
		case strings.Contains(help, "--endianness"): // util-linux 2.41
			args = append(args, "--endianness="+order)
		default:
			l.Notes = append(l.Notes, "this mkswap has no other byte order than this machine's")
		}
	}
	if len(label) == 16 {
		l.Notes = append(l.Notes, "mkswap cuts the label to 15 bytes")
	}
	l.Make = []Action{command(append(args, "--", path, strconv.FormatUint(s.Size/1024, 10))...)}
	return l, nil
}

const noCOWFlag = 0x00800000 // FS_NOCOW_FL of linux/fs.h

// allocate makes a file without holes, in a tree that it does not leave, in
// the place of one that a rebuild left behind. On btrfs it must not be copied
// on write (btrfs(5), SWAPFILE SUPPORT).
func allocate(root, file string, size uint64, noCOW bool) error {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	name := strings.TrimPrefix(filepath.Clean(file), "/")
	switch info, err := tree.Lstat(name); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is there and no file", file)
	case err == nil:
		if err := tree.Remove(name); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := tree.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := tree.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if noCOW {
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, noCOWFlag); err != nil {
			return os.NewSyscallError("FS_IOC_SETFLAGS", err)
		}
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(size)); err != nil {
		return os.NewSyscallError("fallocate", err)
	}
	return f.Sync()
}
