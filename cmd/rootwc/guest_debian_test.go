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

// recipe is how a Debian comes to be: its tree on this machine, and its
// installation on a disk in a guest. Nothing of rootwc is in it.
type recipe struct {
	name          string
	packages      string
	tree, install string   // scripts
	identities    []string // that its files and its disk share
	size          int64    // of its disk
}

//go:embed testdata/system/small.sh
var smallScript string

// debian is a machine that is switched off: its disk, and what its firmware
// remembers.
type debian struct{ disk, variables string }

// installed makes the machine, or finds it in the cache: what it is made of names
// it.
func (r recipe) installed(t *testing.T, image *vm.Image) debian {
	t.Helper()
	name := filepath.Join("..", "..", ".cache", "vm", fmt.Sprintf("%s-%x", r.name, digest(r.packages, realSuite, smallScript, r.tree, strings.Join(r.identities, " "))))
	tree, made := name+".tar", debian{name + fmt.Sprintf("-%x.img", digest(r.install)), name + fmt.Sprintf("-%x.efi", digest(r.install))}
	if _, err := os.Stat(made.disk); err == nil {
		return made.copy(t)
	}
	if _, err := os.Stat(tree); err != nil {
		r.makeTree(t, tree)
	}
	fresh := debian{made.disk + ".new", made.variables}
	blank(t, fresh.disk, r.size)
	defer os.Remove(fresh.disk)
	os.Remove(fresh.variables)
	guest, err := image.Run(t.Context(), vm.Machine{
		Command: []string{"sh", "-c", r.install}, Env: r.identities, Firmware: vm.UEFI, Variables: fresh.variables,
		Disks: []vm.Disk{{Path: fresh.disk, Serial: "FIRST"}, {Path: tree, Serial: "TREE", ReadOnly: true}}, Timeout: 15 * time.Minute,
	})
	if err != nil || guest.Status != 0 {
		t.Fatalf("cannot install Debian: %v\n%s", err, guest.Console)
	}
	t.Logf("installed Debian on a disk: %.0f s", guest.Took.Seconds())
	if testing.Verbose() {
		t.Log(guest.Console)
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
func (r recipe) makeTree(t *testing.T, path string) {
	t.Helper()
	needs(t, "debootstrap", "unshare", "tar")
	if os.Getuid() != 0 {
		t.Skip("debootstrap needs root, once: make vmtest")
	}
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(path), r.name+"-*"))
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
	debootstrap(t, realSuite, root, debianMirror(t), "--variant=minbase", "--include="+r.packages)
	t.Logf("fetched and unpacked Debian: %.0f s", time.Since(begin).Seconds())
	begin = time.Now()
	out, stderr, err := run.Output(t.Context(), run.Command{
		Args: []string{"unshare", "--mount", "--", "sh", "-c", smallScript + r.tree}, Dir: root, Env: r.identities,
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
