package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rootwc/internal/run"
)

// kernel is a Debian kernel package, unpacked into the cache.
type kernel struct {
	version string // as uname -r has it
	dir     string // root of what was unpacked
}

func (k kernel) image() string   { return filepath.Join(k.dir, "boot", "vmlinuz-"+k.version) }
func (k kernel) modules() string { return filepath.Join(k.dir, "lib", "modules", k.version) }

// fetchKernel downloads the kernel that a package such as linux-image-amd64
// stands for, with apt, and unpacks it. Nothing is installed: no boot loader
// and no initramfs of this machine is touched. What is in the cache is used
// without asking apt for a newer one.
func fetchKernel(ctx context.Context, cache, name string) (kernel, error) {
	dir := filepath.Join(cache, name)
	if k, err := unpacked(dir); err == nil {
		return k, nil
	}
	concrete, err := concretePackage(ctx, name)
	if err != nil {
		return kernel{}, err
	}
	tmp, err := os.MkdirTemp(cache, "kernel-*")
	if err != nil {
		return kernel{}, err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil { // apt downloads as another user
		return kernel{}, err
	}
	if _, _, err := run.Output(ctx, run.Command{Args: []string{"apt-get", "-qq", "download", concrete}, Dir: tmp}); err != nil {
		return kernel{}, fmt.Errorf("cannot download a kernel: %w", err)
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return kernel{}, fmt.Errorf("cannot download a kernel: apt-get left %d packages", len(debs))
	}
	root := filepath.Join(tmp, "root")
	if _, _, err := run.Output(ctx, run.Command{Args: []string{"dpkg-deb", "--extract", debs[0], root}}); err != nil {
		return kernel{}, fmt.Errorf("cannot unpack a kernel: %w", err)
	}
	k, err := unpacked(root)
	if err != nil {
		return kernel{}, fmt.Errorf("cannot unpack a kernel: %w", err)
	}
	if _, _, err := run.Output(ctx, run.Command{Args: []string{"depmod", "-b", root, k.version}}); err != nil {
		return kernel{}, fmt.Errorf("cannot list the kernel's modules: %w", err)
	}
	if err := os.Rename(root, dir); err != nil && !errors.Is(err, os.ErrExist) { // another test may have been faster
		return kernel{}, err
	}
	return unpacked(dir)
}

// concretePackage is the package with the kernel itself, on which the one
// without a version depends. "a | b" depends on either.
func concretePackage(ctx context.Context, name string) (string, error) {
	out, _, err := run.Output(ctx, run.Command{Args: []string{"apt-cache", "--no-recommends", "--no-suggests", "depends", name}})
	if err != nil {
		return "", fmt.Errorf("cannot find a kernel: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if p, ok := strings.CutPrefix(strings.TrimLeft(strings.TrimSpace(line), "|"), "Depends: linux-image-"); ok {
			return "linux-image-" + p, nil
		}
	}
	return name, nil
}

// unpacked looks at what is in a directory.
func unpacked(dir string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil {
		return kernel{}, err
	}
	if len(images) != 1 {
		return kernel{}, fmt.Errorf("%s: %d kernels in it, want 1", dir, len(images))
	}
	version := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	return kernel{version: version, dir: dir}, nil
}
