package probes

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

// A recording is the blocks of an image that rootwc reads, so that a test needs
// neither the image nor the tool that made it. A file holds the image's size,
// then each block's offset and the block, numbers in 8 bytes little-endian,
// all of it through gzip.
type recording struct {
	size   uint64
	blocks map[int64][]byte
}

const recordedBlock = 4096

// ReadAt gives zeros for what is not there.
func (e *recording) ReadAt(b []byte, at int64) (int, error) {
	for i := 0; i < len(b); {
		start := (at + int64(i)) / recordedBlock * recordedBlock
		within := int(at + int64(i) - start)
		n := min(recordedBlock-within, len(b)-i)
		clear(b[i : i+n])
		if block := e.blocks[start]; block != nil {
			copy(b[i:i+n], block[within:])
		}
		i += n
	}
	return len(b), nil
}

func (e *recording) medium() medium { return medium{e, e.size} }

func readRecording(t testing.TB, path string) *recording {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	e := &recording{size: binary.LittleEndian.Uint64(b), blocks: map[int64][]byte{}}
	for b = b[8:]; len(b) > 0; b = b[8+recordedBlock:] {
		e.blocks[int64(binary.LittleEndian.Uint64(b))] = b[8 : 8+recordedBlock]
	}
	return e
}

// recorder takes down which blocks are read.
type recorder struct {
	medium
	recording
}

func (r *recorder) ReadAt(b []byte, at int64) (int, error) {
	for start := at / recordedBlock * recordedBlock; start < at+int64(len(b)); start += recordedBlock {
		block := make([]byte, recordedBlock)
		if _, err := r.medium.ReadAt(block, start); err != nil && err != io.EOF {
			return 0, err
		}
		if !zero(block) {
			r.blocks[start] = block
		}
	}
	return r.medium.ReadAt(b, at)
}

func (e *recording) write(path string) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	z.Write(binary.LittleEndian.AppendUint64(nil, e.size))
	var offsets []int64
	for at := range e.blocks {
		offsets = append(offsets, at)
	}
	slices.Sort(offsets)
	for _, at := range offsets {
		z.Write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
		z.Write(e.blocks[at])
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// recordedCase is a file system to record. @ stands for the image.
type recordedCase struct {
	name string
	mib  uint64
	make []string // one command or more, with " ; " between them
}

// recordedTools are the tools, how they tell their version and list a file
// system, and what is recorded of each.
var recordedTools = []struct {
	name    string
	version string // a regular expression on what dpkg says
	list    string
	compare func(t *testing.T, one *found, listing string)
	cases   []recordedCase
}{
	{"e2fsprogs", "e2fsprogs", "dumpe2fs -h @", compareExt, []recordedCase{
		{"ext2", 64, []string{"mkfs.ext2 -q -F @"}},
		{"ext3", 64, []string{"mkfs.ext3 -q -F -L journal @"}},
		{"ext4", 512, []string{"mkfs.ext4 -q -F -L root @"}},
		{"revision0", 16, []string{"mke2fs -q -F -r 0 -O none -t ext2 @ || mke2fs -q -F -E revision=0 -O none -t ext2 @"}},
		{"bigalloc", 256, []string{"mkfs.ext4 -q -F -O bigalloc,quota,project,large_dir -C 65536 -E quotatype=usrquota:prjquota,stride=16,stripe_width=64 @"}},
		{"casefold", 64, []string{"mkfs.ext4 -q -F -O casefold,encrypt,verity,stable_inodes -E encoding_flags=strict -m 1 @", "tune2fs -E hash_alg=tea,mount_opts=nobarrier -o discard -c 30 -i 180d -e panic @"}},
		{"fast_commit", 64, []string{"mkfs.ext4 -q -F -O fast_commit,sparse_super2,^resize_inode -J size=8,fast_commit_size=512 -E num_backup_sb=1 @"}},
		{"mmp", 64, []string{"mkfs.ext4 -q -F -O mmp,^metadata_csum,uninit_bg -E mmp_update_interval=7 @"}},
		{"orphan_file", 64, []string{"mkfs.ext4 -q -F -O orphan_file -E orphan_file_size=40 @"}},
		{"metadata_csum_seed", 64, []string{"mkfs.ext4 -q -F -O metadata_csum_seed -U 0f5ee4d3-1c2b-4a39-8877-665544332211 @", "tune2fs -U 12345678-9abc-4def-8123-456789abcdef @"}},
		{"grown", 2048, []string{"mkfs.ext4 -q -F -E resize=100000 -b 1024 @ 20M", "resize2fs @"}},
		{"meta_bg", 512, []string{"mkfs.ext4 -q -F -O meta_bg,^resize_inode -b 1024 -g 1024 @"}},
		{"jbd", 64, []string{"mke2fs -q -F -O journal_dev -L log @"}},
		{"latin1", 64, []string{"mkfs.ext4 -q -F -L Gr\xf6\xdfe @"}},
	}},
	{"xfsprogs", "xfsprogs", "xfs_db -r -c info -c version -c 'sb 0' -c 'p uuid meta_uuid logstart agblklog fname' @", compareXFS, []recordedCase{
		{"default", 512, []string{"mkfs.xfs -q @"}},
		{"blocks1k", 512, []string{"mkfs.xfs -q -b size=1024 @"}},
		{"large", 100 << 10, []string{"mkfs.xfs -q -L large @"}},
		{"version4", 512, []string{"mkfs.xfs -q -m crc=0 -i attr=1,projid32bit=0 -n ftype=0 -l version=1,lazy-count=0 @"}},
		{"odd", 1024, []string{"mkfs.xfs -q -s size=4096 -m rmapbt=1,reflink=1 -i size=1024,maxpct=7,sparse=0 -d su=64k,sw=3,agcount=5 -n size=16384 -l su=8192,agnum=4,size=80m @"}},
		{"ascii-ci", 512, []string{"mkfs.xfs -q -n version=ci -m crc=0 @"}},
		{"meta_uuid", 512, []string{"mkfs.xfs -q -m uuid=0f5ee4d3-1c2b-4a39-8877-665544332211 @", "xfs_db -x -c 'uuid 12345678-9abc-4def-8123-456789abcdef' @"}},
		{"nrext64", 512, []string{"mkfs.xfs -q -i nrext64=1 -m bigtime=0 @"}},
		{"parent", 512, []string{"mkfs.xfs -q -n parent=1 -i exchange=1 @"}},
		{"metadir", 512, []string{"mkfs.xfs -q -m metadir=1 @"}},
		{"realtime", 512, []string{"truncate -s 512M @.rt", "mkfs.xfs -q -r rtdev=@.rt,size=300m,extsize=64k @", "rm @.rt"}},
		{"external-log", 512, []string{"truncate -s 128M @.log", "mkfs.xfs -q -l logdev=@.log,size=80m @", "rm @.log"}},
	}},
	{"dosfstools", "dosfstools", "fsck.fat -vn @ ; blkid -p -o export @", compareFAT, []recordedCase{
		{"fat12", 1, []string{"mkfs.vfat -n FLOPPY @"}},
		{"fat16", 64, []string{"mkfs.vfat @"}},
		{"fat32", 512, []string{"mkfs.vfat -n EFI @"}},
		{"odd", 512, []string{"mkfs.vfat -F 32 -a -S 1024 -s 8 -R 50 -f 1 -b 9 -h 63 -g 255/63 -M 0xf0 -D 0x81 -i 00c0ffee @"}},
		{"renamed", 64, []string{"mkfs.vfat -n BEFORE @", "fatlabel @ AFTER"}},
	}},
	{"exfatprogs", "exfatprogs", "dump.exfat @; tune.exfat -u @ 2>/dev/null || true", compareExFAT, []recordedCase{
		{"default", 512, []string{"mkfs.exfat @"}},
		{"odd", 512, []string{"mkfs.exfat -L größe -c 65536 -b 2097152 @"}},
		{"packed", 512, []string{"mkfs.exfat --pack-bitmap -L A @"}},
		{"guid", 512, []string{"mkfs.exfat -U 12345678-9abc-4def-8123-456789abcdef -s 4096 @"}},
	}},
	{"f2fs-tools", "f2fs-tools", "dump.f2fs -d 1 @", compareF2FS, []recordedCase{
		{"default", 128, []string{"mkfs.f2fs -q -l root @"}},
		{"android", 128, []string{"mkfs.f2fs -q -g android @"}},
		{"odd", 256, []string{"mkfs.f2fs -q -l größe -o 7.5 -s 2 -z 2 -i -e abc -E hot -O encrypt,extra_attr,project_quota,inode_checksum,flexible_inline_xattr,quota,inode_crtime,lost_found,verity,sb_checksum,compression @"}},
		{"casefold", 128, []string{"mkfs.f2fs -q -O casefold -C utf8:strict @"}},
		{"ro", 128, []string{"mkfs.f2fs -q -O ro @"}},
	}},
	{"util-linux", "util-linux", "blkid -p -o export @ ; swaplabel @", compareSwap, []recordedCase{
		{"swap", 16, []string{"mkswap -L swap @"}},
		{"pages64k", 16, []string{"mkswap -p 65536 @"}},
		{"big-endian", 16, []string{"mkswap -e big -L big @"}},
	}},
}

// TestRecordFileSystems makes the file systems with the tools of a Debian and
// records them, with each tool's own listing:
//
//	ROOTWC_RECORD=/ go test ./probes -run TestRecordFileSystems
//	ROOTWC_RECORD=/srv/debian11 go test ./probes -run TestRecordFileSystems
func TestRecordFileSystems(t *testing.T) {
	root := os.Getenv("ROOTWC_RECORD")
	if root == "" {
		t.Skip("records only when ROOTWC_RECORD names a root")
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "record-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	image := filepath.Join("/", strings.TrimPrefix(dir, root), "image")
	mounts := filepath.Join(root, "etc/mtab") // tune2fs wants to see whether the image is mounted
	if f, err := os.OpenFile(mounts, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
		f.Close()
		defer os.Remove(mounts)
	}
	shell := func(command string) (string, error) {
		return fsRun(odds.XFSSmall, "chroot", root, "/bin/sh", "-c", "export PATH=/usr/sbin:/usr/bin:/sbin:/bin; exec 2>&1; "+strings.ReplaceAll(command, "@", image))
	}
	for _, tool := range recordedTools {
		version, err := shell("dpkg-query -f '${Version}' -W " + tool.version)
		if err != nil {
			t.Fatal(err)
		}
		version = regexp.MustCompile(`^[0-9.]+`).FindString(version)
		for _, c := range tool.cases {
			renew(t, filepath.Join(root, image), c.mib<<20)
			if out, err := shell(strings.Join(c.make, " && ")); err != nil {
				t.Logf("%s %s has no %s: %s", tool.name, version, c.name, strings.ReplaceAll(out, "\n", " "))
				continue
			}
			if tool.name == "f2fs-tools" {
				forgetKernel(t, filepath.Join(root, image))
			}
			listing, err := shell(tool.list)
			if listing == "" { // some exit with a status that says nothing
				t.Errorf("%s %s: %v", tool.name, c.name, err)
			}
			m := openImage(t, filepath.Join(root, image))
			r := &recorder{m, recording{m.size, map[int64][]byte{}}}
			if _, err := identify(medium{r, m.size}); err != nil {
				t.Errorf("%s %s %s: %v", tool.name, version, c.name, err)
			}
			base := filepath.Join("testdata", fmt.Sprintf("%s-%s-%s", tool.name, version, c.name))
			if err := r.write(base + ".gz"); err != nil {
				t.Fatal(err)
			}
			listing = strings.ReplaceAll(listing, image, "image")
			listing = regexp.MustCompile(`(mmp_node_name:|(?s:FSCK version.*?to)).*`).ReplaceAllString(listing, "$1")
			if err := os.WriteFile(base+".txt", []byte(listing), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// forgetKernel takes the name of the kernel that ran here out of the
// superblocks of an F2FS.
func forgetKernel(t *testing.T, image string) {
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{b[1024:4096], b[4096+1024 : 8192]} {
		clear(s[1668 : 1668+512])
		if s[2181]&0x08 != 0 { // sb_checksum
			binary.LittleEndian.PutUint32(s[3068:], f2fsChecksum(s[:3068]))
		}
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRecorded reads what was recorded, and holds it against the listings and
// the text that it becomes.
func TestRecorded(t *testing.T) {
	seen := 0
	for _, tool := range recordedTools {
		paths, err := filepath.Glob(filepath.Join("testdata", tool.name+"-[0-9]*.gz"))
		if err != nil || len(paths) == 0 {
			t.Errorf("nothing recorded of %s, %v", tool.name, err)
		}
		for _, path := range paths {
			seen++
			base := strings.TrimSuffix(path, ".gz")
			t.Run(filepath.Base(base), func(t *testing.T) {
				listing, err := os.ReadFile(base + ".txt")
				if err != nil {
					t.Fatal(err)
				}
				one, err := identify(readRecording(t, path).medium())
				if err != nil || one == nil {
					t.Fatalf("found %v, %v", one, err)
				}
				tool.compare(t, one, string(listing))
				golden(t, base+".toml", layoutText(t, one))
			})
		}
	}
	t.Logf("%d file systems", seen)
}

// golden holds a text against a file; ROOTWC_RECORD writes it instead.
func golden(t *testing.T, path string, text []byte) {
	t.Helper()
	if os.Getenv("ROOTWC_RECORD") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s: the text is now\n%s", path, text)
	}
}
