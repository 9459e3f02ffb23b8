package main

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rootwc/internal/run"
	"rootwc/internal/vm"
)

// The Debian of TestGuestSystem: how its tree is made on this machine, and how
// it is installed on a disk in a guest. Nothing of rootwc is in it.
var (
	//go:embed testdata/system/tree.sh
	treeScript string
	//go:embed testdata/system/install.sh
	installScript string
)

const debianPackages = "systemd-sysv,udev,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,cryptsetup-initramfs,lvm2,dosfstools,e2fsprogs," +
	"grub-pc-bin,grub-efi-amd64-bin,grub2-common,efibootmgr,subversion"

// debianNames are the identities that its files and its disk share.
var debianNames = []string{
	"HOST=box", "LUKS=5b0f3c9e-6a57-4c1f-9d0a-2c4e8f1b7a36", "BOOT=0d9c8b7a-1f2e-4d3c-8b4a-596877665544", "ESP=C0FFEE42",
}

// debian is a machine that is switched off: its disk, and what its firmware
// remembers.
type debian struct{ disk, variables string }

// installDebian makes the machine, or finds it in the cache: what it is made of
// names it.
func installDebian(t *testing.T, image *vm.Image) debian {
	t.Helper()
	name := filepath.Join("..", "..", ".cache", "vm", fmt.Sprintf("debian-%x", digest(debianPackages, realSuite, treeScript, strings.Join(debianNames, " "))))
	tree, made := name+".tar", debian{name + fmt.Sprintf("-%x.img", digest(installScript)), name + fmt.Sprintf("-%x.efi", digest(installScript))}
	if _, err := os.Stat(made.disk); err == nil {
		return made.copy(t)
	}
	if _, err := os.Stat(tree); err != nil {
		makeTree(t, tree)
	}
	fresh := debian{made.disk + ".new", made.variables}
	blank(t, fresh.disk, 2<<30)
	defer os.Remove(fresh.disk)
	os.Remove(fresh.variables)
	r, err := image.Run(t.Context(), vm.Machine{
		Command: []string{"sh", "-c", installScript}, Env: debianNames, Firmware: vm.UEFI, Variables: fresh.variables,
		Disks: []vm.Disk{{Path: fresh.disk, Serial: "FIRST"}, {Path: tree, Serial: "TREE", ReadOnly: true}}, Timeout: 15 * time.Minute,
	})
	if err != nil || r.Status != 0 {
		t.Fatalf("cannot install Debian: %v\n%s", err, r.Console)
	}
	t.Logf("installed Debian on a disk: %.0f s", r.Took.Seconds())
	if testing.Verbose() {
		t.Log(r.Console)
	}
	if err := os.Rename(fresh.disk, made.disk); err != nil {
		t.Fatal(err)
	}
	return made.copy(t)
}

// copy is the same machine once more, to be used up.
func (d debian) copy(t *testing.T) debian {
	t.Helper()
	dir := t.TempDir()
	c := debian{filepath.Join(dir, "disk.img"), filepath.Join(dir, "variables")}
	must(t, "", "cp", "--sparse=always", d.disk, c.disk)
	must(t, "", "cp", d.variables, c.variables)
	return c
}

func digest(texts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return sum[:6]
}

// makeTree makes a tar of the tree.
func makeTree(t *testing.T, path string) {
	t.Helper()
	needs(t, "debootstrap", "unshare", "tar")
	if os.Getuid() != 0 {
		t.Skip("debootstrap needs root, once: make vmtest")
	}
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "debian-*"))
	for _, file := range old {
		os.Remove(file)
	}
	dir, err := os.MkdirTemp("/var/tmp", "rootwc-system-*") // on a disk that allows device nodes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeReal(t, dir) })
	root := filepath.Join(dir, "root")
	begin := time.Now()
	debootstrap(t, realSuite, root, debianMirror(t), "--variant=minbase", "--include="+debianPackages)
	t.Logf("fetched and unpacked Debian: %.0f s", time.Since(begin).Seconds())
	begin = time.Now()
	out, stderr, err := run.Output(t.Context(), run.Command{
		Args: []string{"unshare", "--mount", "--", "sh", "-c", treeScript}, Dir: root, Env: debianNames,
	})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	must(t, "", "tar", "-C", root, "--numeric-owner", "--xattrs", "--exclude=./dev/*", "-cf", path+".new", ".")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("made it small, with an initramfs: %.0f s, %d MB", time.Since(begin).Seconds(), info.Size()>>20)
}

// blank makes an empty image.
func blank(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}
