package probes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

// TestUsed mounts file systems, uses them and reads them meanwhile, after a
// crash, after a check and when they are as they were: the text stays.
func TestUsed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	config := fsConfig(t)
	for _, c := range []struct {
		name, kernel string
		make, check  []string
	}{
		{"ext4", "ext4", []string{"mkfs.ext4", "-q", "-F", "-O", "fast_commit,orphan_file,metadata_csum_seed"}, []string{"e2fsck", "-fy"}},
		{"ext4 without checksums", "ext4", []string{"mkfs.ext4", "-q", "-F", "-O", "^metadata_csum,^64bit,uninit_bg"}, []string{"e2fsck", "-fy"}},
		{"ext4 nearly empty", "ext4", []string{"mke2fs", "-q", "-F", "-O", "none,has_journal,extent"}, []string{"e2fsck", "-fy"}},
		{"ext3", "ext3", []string{"mkfs.ext3", "-q", "-F"}, []string{"e2fsck", "-fy"}},
		{"ext2", "ext2", []string{"mkfs.ext2", "-q", "-F"}, []string{"e2fsck", "-fy"}},
		{"xfs", "xfs", []string{"mkfs.xfs", "-q"}, []string{"xfs_repair"}},
		{"xfs version 4", "xfs", []string{"mkfs.xfs", "-q", "-m", "crc=0"}, []string{"xfs_repair"}},
		{"vfat", "vfat", []string{"mkfs.vfat"}, []string{"fsck.vfat", "-a"}},
		{"exfat", "exfat", []string{"mkfs.exfat"}, []string{"fsck.exfat", "-y"}},
		{"f2fs", "f2fs", []string{"mkfs.f2fs", "-q"}, []string{"fsck.f2fs", "-f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsTools(t, c.make[0], c.check[0], "mount", "umount")
			if known, _ := os.ReadFile("/proc/filesystems"); !bytes.Contains(known, []byte("\t"+c.kernel+"\n")) {
				t.Skipf("the kernel has no %s", c.kernel)
			}
			image := blank(t, 400<<20)
			env := odds.XFSSmall
			if strings.HasPrefix(c.make[0], "mke2fs") {
				env = config
			}
			mustRun(t, env, append(c.make, image)...)
			fresh := layoutText(t, identifyImage(t, image))
			same := func(when, path string) {
				t.Helper()
				if text := layoutText(t, identifyImage(t, path)); !bytes.Equal(text, fresh) {
					t.Errorf("%s:\n%s\nbefore:\n%s", when, text, fresh)
				}
			}
			point := t.TempDir()
			if out, err := exec.Command("mount", "-o", "loop", image, point).CombinedOutput(); err != nil {
				t.Skipf("cannot be mounted here: %s", out)
			}
			mounted := true
			defer func() {
				if mounted {
					exec.Command("umount", point).Run()
				}
			}()
			same("mounted", image)
			unlinked := use(t, point)
			mustRun(t, nil, "sync", "-f", point)
			same("in use", image)
			crashed := filepath.Join(t.TempDir(), "crashed")
			mustRun(t, nil, "cp", "--sparse=always", image, crashed)
			same("after a crash", crashed)
			unlinked.Close()
			mustRun(t, nil, "umount", point)
			mounted = false
			same("unmounted", image)
			for _, path := range []string{image, crashed} {
				out, err := fsRun(nil, append(c.check, path)...) // 1 is "repaired"
				if err != nil && !strings.Contains(err.Error(), "exit status 1") && path == image {
					t.Errorf("%v %s", err, out)
				}
				if !strings.Contains(c.name, "xfs") || path == image { // xfs_repair wants a mount first
					same("checked", path)
				}
			}
		})
	}
}

// use does what changes flags in superblocks: a file above 2 GiB, one without
// a name, attributes, many names in a directory.
func use(t *testing.T, dir string) *os.File {
	t.Helper()
	large, err := os.Create(filepath.Join(dir, "large"))
	if err == nil {
		large.WriteAt([]byte("end"), 3<<30) // not everywhere
		err = large.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		name := filepath.Join(dir, strings.Repeat("n", 1+i%200)+string(rune('a'+i%26))+strings.Repeat("m", i/200))
		if err := os.WriteFile(name, bytes.Repeat([]byte{byte(i)}, i*7), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	exec.Command("setfattr", "-n", "user.test", "-v", "value", filepath.Join(dir, "large")).Run()
	exec.Command("setfacl", "-m", "u:1:r", filepath.Join(dir, "large")).Run()
	f, err := os.Create(filepath.Join(dir, "gone"))
	if err == nil {
		_, err = f.Write(make([]byte, 100000))
	}
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return f
}
