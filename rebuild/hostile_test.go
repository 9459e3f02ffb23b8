package rebuild

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
	"rootwc/probes"
)

const someUUID = "0f5ee4d3-1c2b-4a39-8877-665544332211"

// A file system of each kind, as it should be.
func goodExt() *probes.FileSystem {
	return &probes.FileSystem{Type: "ext4", Ext: &probes.Ext{Features: []string{"ext_attr", "large_file", "filetype"},
		BlockSize: 4096, Blocks: 16384, InodeSize: 256, Inodes: 16384, Hash: "half_md4"}}
}

func goodXFS() *probes.FileSystem {
	return &probes.FileSystem{Type: "xfs", XFS: &probes.XFS{Features: []string{"attr2", "crc", "ftype", "lazy-count", "projid32bit"}, BlockSize: 4096,
		Blocks: 131072, SectorSize: 512, GroupBlocks: 32768, InodeSize: 512, InodePercent: 25, DirectoryBlock: 4096, LogSize: 64 << 20, LogSector: 512}}
}

func goodFAT() *probes.FileSystem {
	return &probes.FileSystem{Type: "vfat", FAT: &probes.FAT{Bits: 16, SectorSize: 512, ClusterSize: 2048, Sectors: 131072, Reserved: 4, FATs: 2,
		FATSectors: 128, RootEntries: 512, Media: "0xf8", Drive: "0x80", Heads: 8, TrackSectors: 32}}
}

func goodExFAT() *probes.FileSystem {
	return &probes.FileSystem{Type: "exfat", ExFAT: &probes.ExFAT{SectorSize: 512, ClusterSize: 32768, Sectors: 1048576, FATOffset: 2048, FATSectors: 128,
		ClusterOffset: 4096, Clusters: 16320}}
}

func goodF2FS() *probes.FileSystem {
	return &probes.FileSystem{Type: "f2fs", F2FS: &probes.F2FS{SectorSize: 512, BlockSize: 4096, Blocks: 32768, SegmentsPerSection: 1, SectionsPerZone: 1}}
}

func goodBtrfs() *probes.FileSystem {
	return &probes.FileSystem{Type: "btrfs", Btrfs: &probes.Btrfs{Checksum: "crc32c", NodeSize: 16384, SectorSize: 4096, Data: "single", Metadata: "dup",
		Device:    map[probes.ID]*probes.BtrfsDevice{"1": {Size: 256 << 20}},
		Subvolume: map[probes.ID]*probes.BtrfsSubvolume{"@": {}}}}
}

// TestHostileLayouts has values in layouts that no probe writes: an error each,
// and no command.
func TestHostileLayouts(t *testing.T) {
	need(t, "mke2fs", "mkfs.xfs", "mkfs.btrfs", "mkfs.exfat", "mkfs.f2fs")
	const huge = math.MaxUint64
	change := func(good func() *probes.FileSystem, f func(*probes.FileSystem)) *probes.FileSystem {
		fs := good()
		f(fs)
		return fs
	}
	ext := func(f func(*probes.Ext)) *probes.FileSystem {
		return change(goodExt, func(fs *probes.FileSystem) { f(fs.Ext) })
	}
	xfs := func(f func(*probes.XFS)) *probes.FileSystem {
		return change(goodXFS, func(fs *probes.FileSystem) { f(fs.XFS) })
	}
	fat := func(f func(*probes.FAT)) *probes.FileSystem {
		return change(goodFAT, func(fs *probes.FileSystem) { f(fs.FAT) })
	}
	exfat := func(f func(*probes.ExFAT)) *probes.FileSystem {
		return change(goodExFAT, func(fs *probes.FileSystem) { f(fs.ExFAT) })
	}
	f2fs := func(f func(*probes.F2FS)) *probes.FileSystem {
		return change(goodF2FS, func(fs *probes.FileSystem) { f(fs.F2FS) })
	}
	btrfs := func(f func(*probes.Btrfs)) *probes.FileSystem {
		return change(goodBtrfs, func(fs *probes.FileSystem) { f(fs.Btrfs) })
	}
	labelled := func(good func() *probes.FileSystem, label, hexadecimal string) *probes.FileSystem {
		return change(good, func(fs *probes.FileSystem) { fs.Label, fs.LabelBytes = label, hexadecimal })
	}
	for _, c := range []struct {
		want string
		fs   *probes.FileSystem
	}{
		{`no tool makes it: journal of another device`, &probes.FileSystem{Type: "jbd", Unsupported: "journal of another device"}},
		{`type "ntfs"`, &probes.FileSystem{Type: "ntfs"}},
		{`label "a\x00b"`, labelled(goodExt, "a\x00b", "")},
		{`label-bytes`, labelled(goodExt, "a", "6")},
		{`more than 16 bytes`, labelled(goodExt, "seventeen letters", "")},
		{`more than 12 bytes`, labelled(goodXFS, "", "61616161616161616161616161")},
		{`more than 11 bytes`, labelled(goodFAT, "TWELVE CHARS", "")},
		{`more than 255 bytes`, labelled(goodBtrfs, strings.Repeat("x", 256), "")},
		{`has lines`, labelled(goodBtrfs, "a\nb", "")},
		{`feature "none -F"`, ext(func(e *probes.Ext) { e.Features = []string{"none -F"} })},
		{`feature "^has_journal"`, ext(func(e *probes.Ext) { e.Features = []string{"^has_journal"} })},
		{`feature "a,b"`, ext(func(e *probes.Ext) { e.Features = []string{"a,b"} })},
		{`feature "-x"`, ext(func(e *probes.Ext) { e.Features = []string{"-x"} })},
		{`block-size is 0`, ext(func(e *probes.Ext) { e.BlockSize = 0 })},
		{`block-size is 4097`, ext(func(e *probes.Ext) { e.BlockSize = 4097 })},
		{`ext of`, ext(func(e *probes.Ext) { e.Blocks = huge })},
		{`ext of 0 blocks`, ext(func(e *probes.Ext) { e.Blocks = 0 })},
		{`groups`, ext(func(e *probes.Ext) { e.Blocks = 1 << 46 })},
		{`inodes is`, ext(func(e *probes.Ext) { e.Inodes = huge })},
		{`inode-size is`, ext(func(e *probes.Ext) { e.InodeSize = 64 })},
		{`stride is`, ext(func(e *probes.Ext) { e.Stride = huge })},
		{`journal-blocks is`, ext(func(e *probes.Ext) { e.Journal = huge })},
		{`fast-commit-blocks is`, ext(func(e *probes.Ext) { e.Journal, e.FastCommit = 10, 11 })},
		{`max-mount-count is`, ext(func(e *probes.Ext) { e.MaxMounts = -1 })},
		{`flex-group is`, ext(func(e *probes.Ext) { e.FlexGroup = 3 })},
		{`cluster-size is`, ext(func(e *probes.Ext) { e.ClusterSize = 1024 })},
		{`hash "tea,lazy_itable_init=1"`, ext(func(e *probes.Ext) { e.Hash = "tea,lazy_itable_init=1" })},
		{`hash-seed "random"`, ext(func(e *probes.Ext) { e.HashSeed = "random" })},
		{`checksum-seed "$(id)"`, ext(func(e *probes.Ext) { e.ChecksumSeed = "$(id)" })},
		{`errors "ignore"`, ext(func(e *probes.Ext) { e.Errors = "ignore" })},
		{`mount-defaults "acl,^acl"`, ext(func(e *probes.Ext) { e.MountDefaults = []string{"acl,^acl"} })},
		{`mount-options "a\nquit"`, ext(func(e *probes.Ext) { e.MountOptions = "a\nquit" })},
		{`encoding "utf8,x"`, ext(func(e *probes.Ext) { e.Encoding = "utf8,x" })},
		{`creator-os "-1"`, ext(func(e *probes.Ext) { e.CreatorOS = "-1" })},
		{`feature "rtdev=/dev/sda"`, xfs(func(x *probes.XFS) { x.Features = []string{"rtdev=/dev/sda"} })},
		{`xfs of`, xfs(func(x *probes.XFS) { x.Blocks = huge })},
		{`allocation group of 0`, xfs(func(x *probes.XFS) { x.GroupBlocks = 0 })},
		{`sector-size is 513`, xfs(func(x *probes.XFS) { x.SectorSize = 513 })},
		{`log-size is`, xfs(func(x *probes.XFS) { x.LogSize = huge })},
		{`imaxpct is`, xfs(func(x *probes.XFS) { x.InodePercent = 101 })},
		{`stripe-unit is 1`, xfs(func(x *probes.XFS) { x.StripeUnit, x.StripeWidth = 1, 1 })},
		{`log-ag "1,logdev=/dev/sda"`, xfs(func(x *probes.XFS) { x.LogGroup = "1,logdev=/dev/sda" })},
		{`meta-uuid "x,crc=0" is no UUID`, xfs(func(x *probes.XFS) { x.MetaUUID = "x,crc=0" })},
		{`fat-bits is 8`, fat(func(f *probes.FAT) { f.Bits = 8 })},
		{`cluster-size is`, fat(func(f *probes.FAT) { f.ClusterSize = 1 << 40 })},
		{`sectors is`, fat(func(f *probes.FAT) { f.Sectors = huge })},
		{`fats is 0`, fat(func(f *probes.FAT) { f.FATs = 0 })},
		{`media "-a"`, fat(func(f *probes.FAT) { f.Media = "-a" })},
		{`drive "0x80 "`, fat(func(f *probes.FAT) { f.Drive = "0x80 " })},
		{`less than the tables`, fat(func(f *probes.FAT) { f.Sectors = 200; f.FATSectors = 200 })},
		{`exfat of`, exfat(func(x *probes.ExFAT) { x.Sectors = huge })},
		{`fat-offset is 0`, exfat(func(x *probes.ExFAT) { x.FATOffset = 0 })},
		{`volume-guid "-f" is no UUID`, exfat(func(x *probes.ExFAT) { x.GUID = "-f" })},
		{`f2fs of`, f2fs(func(f *probes.F2FS) { f.Blocks = huge })},
		{`feature "blkzoned"`, f2fs(func(f *probes.F2FS) { f.Features = []string{"blkzoned"} })},
		{`encoding "utf8:strict"`, f2fs(func(f *probes.F2FS) { f.Encoding = "utf8:strict" })},
		{`extensions "a\x00b"`, f2fs(func(f *probes.F2FS) { f.ColdExtensions = "a\x00b" })},
		{`checksum "md5"`, btrfs(func(b *probes.Btrfs) { b.Checksum = "md5" })},
		{`data "raid1 -f"`, btrfs(func(b *probes.Btrfs) { b.Data = "raid1 -f" })},
		{`system "-"`, btrfs(func(b *probes.Btrfs) { b.System = "-" })},
		{`feature "zoned"`, btrfs(func(b *probes.Btrfs) { b.Features = []string{"zoned"} })},
		{`quota "yes"`, btrfs(func(b *probes.Btrfs) { b.Quota = "yes" })},
		{`1 devices of 0`, btrfs(func(b *probes.Btrfs) { b.Device = nil })},
		{`device -1 is 0`, btrfs(func(b *probes.Btrfs) { b.Device = map[probes.ID]*probes.BtrfsDevice{"-1": {Size: 1}} })},
		{`size is 0`, btrfs(func(b *probes.Btrfs) { b.Device["1"].Size = 0 })},
		{`".." is no name`, btrfs(func(b *probes.Btrfs) { b.Subvolume["a/../../etc"] = &probes.BtrfsSubvolume{} })},
		{`".." is no name`, btrfs(func(b *probes.Btrfs) { b.Subvolume[`\x2e\x2e/etc`] = &probes.BtrfsSubvolume{} })},
		{`"" is no name`, btrfs(func(b *probes.Btrfs) { b.Subvolume["/etc"] = &probes.BtrfsSubvolume{} })},
		{`compression "zstd --"`, btrfs(func(b *probes.Btrfs) { b.Subvolume["@"].Compression = "zstd --" })},
		{`"gone", which is not there`, btrfs(func(b *probes.Btrfs) { b.Subvolume["@"].SnapshotOf = "gone" })},
		{`default-subvolume "gone"`, btrfs(func(b *probes.Btrfs) { b.Default = "gone" })},
		{`quota group "0/5"`, btrfs(func(b *probes.Btrfs) { b.Quota, b.Subvolume["@"].Groups = "full", []string{"0/5"} })},
		{`quota group "-e"`, btrfs(func(b *probes.Btrfs) {
			b.Quota, b.Group = "full", map[probes.ID]*probes.BtrfsQuotaGroup{"-e": {}}
		})},
	} {
		id := probes.ID(someUUID)
		if c.fs.FAT != nil || c.fs.ExFAT != nil {
			id = "ABCD-0123"
		}
		l, err := FileSystem(t.Context(), id, c.fs, []string{"/dev/null"}, 0, "/work")
		if err == nil || !strings.HasPrefix(err.Error(), "filesystem."+string(id)+": ") || !strings.Contains(err.Error(), c.want) || l.Make != nil {
			t.Errorf("%s: %v, %v", c.want, l.Make, err)
		}
	}
	for _, good := range []func() *probes.FileSystem{goodExt, goodXFS, goodFAT, goodExFAT, goodF2FS, goodBtrfs} {
		fs := good()
		id := probes.ID(someUUID)
		if fs.FAT != nil || fs.ExFAT != nil {
			id = "ABCD-0123"
		}
		if _, err := FileSystem(t.Context(), id, fs, []string{"/dev/null"}, 0, "/work"); err != nil {
			t.Error(err)
		}
		for _, bad := range []struct {
			id      probes.ID
			devices []string
			work    string
		}{
			{"-U", []string{"/dev/null"}, "/work"},
			{"x,y", []string{"/dev/null"}, "/work"},
			{id, []string{"-f"}, "/work"},
			{id, []string{"dev/null"}, "/work"},
			{id, nil, "/work"},
			{id, []string{"/dev/null", "/dev/zero"}, "/work"},
			{id, []string{"/dev/null"}, "work"},
		} {
			if l, err := FileSystem(t.Context(), bad.id, good(), bad.devices, 0, bad.work); err == nil || l.Make != nil {
				t.Errorf("%s with %+v: %v", fs.Type, bad, l.Make)
			}
		}
	}
	for want, s := range map[string]*probes.Swap{
		"page-size":    {Page: 1000, Size: 1 << 20},
		"size":         {Page: 4096, Size: huge},
		"endianness":   {Page: 4096, Size: 1 << 20, Endianness: "middle"},
		"16 bytes":     {Page: 4096, Size: 1 << 20, Label: "seventeen letters"},
		"no tool":      {Page: 4096, Size: 1 << 20, Unsupported: "swap of version 0"},
		"label \"\\x0": {Page: 4096, Size: 1 << 20, Label: "\x00"},
	} {
		if l, err := Swap(t.Context(), someUUID, s, "/dev/null"); err == nil || !strings.Contains(err.Error(), want) || l.Make != nil {
			t.Errorf("%s: %v, %v", want, l.Make, err)
		}
	}
}

// plainWord is what may stand in a command that is no label and no path.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_=,.:^%/-]*$`)

// knownOptions are all that begins with a dash.
var knownOptions = strings.Fields("-- -a -b -c -C -d -D -e -E -f -F -g -G -h -i -I -J -K -l -L -m -M -n -N -o -O -p -q -r -R -s -S -t -u -U -w -x -z -1 " +
	"--mbr=n --quiet --all --csum --no-rescan --simple --device-uuid --endianness=big --endianness=little --pack-bitmap -sconvert")

// checkCommand sees that no value of a layout has become an option, another
// value, or a path elsewhere.
func checkCommand(t *testing.T, a Action, device, work string) {
	t.Helper()
	if a.Args == nil {
		return
	}
	for i, arg := range a.Args[1:] {
		before := a.Args[i]
		option, _, _ := strings.Cut(arg, "=")
		switch {
		case strings.ContainsRune(arg, 0):
			t.Errorf("%q: NUL", a.Args)
		case arg == device:
		case strings.HasPrefix(arg, work+"/"):
			if filepath.Clean(arg) != arg {
				t.Errorf("%q: path %s", a.Args, arg)
			}
		case slices.Contains([]string{"-L", "-n", "-l"}, before) && a.Args[0] != "xfs_db" && !(before == "-l" && a.Args[0] == "mkfs.xfs"):
		case a.Args[0] == "mkfs.f2fs" && (before == "-e" || before == "-E"):
		case before == "-R" && a.Args[0] == "debugfs" && !strings.ContainsAny(arg, "\n\r"):
		case before == "-c" && a.Args[0] == "xfs_db" && strings.HasPrefix(arg, "uuid ") && uuidForm.MatchString(arg[5:]):
		case strings.HasPrefix(arg, "-") && !slices.Contains(knownOptions, arg) && !slices.Contains(knownOptions, option), !plainWord.MatchString(arg):
			t.Errorf("%q: %q", a.Args, arg)
		}
	}
}

// FuzzFileSystem reads layouts and looks at the commands that they become. The
// tools are no tools: they say what options they know, and do nothing.
func FuzzFileSystem(f *testing.F) {
	dir := f.TempDir()
	for name, says := range map[string]string{
		"mke2fs": "", "mkfs.xfs": "finobt= sparse= nrext64= bigtime= reflink= rmapbt= inobtcount=", "mkswap": "--endianness",
		"mkfs.btrfs": "\nextref \nno-holes \nfree-space-tree \n--device-uuid", "mkfs.exfat": "--pack-bitmap --volume-guid --sector-size", "tune.exfat": "", "mkfs.f2fs": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+says+"'\n"), 0o755); err != nil {
			f.Fatal(err)
		}
	}
	f.Setenv("PATH", dir)
	if _, ok := run.Look("mke2fs"); !ok {
		f.Skip("cannot run scripts")
	}
	paths, err := filepath.Glob("../probes/testdata/*.toml")
	more, _ := filepath.Glob("../probes/testdata/btrfs/*.toml")
	if err != nil || len(paths) == 0 || len(more) == 0 {
		f.Fatal(paths, more, err)
	}
	for _, path := range append(paths, more...) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		layout, err := probes.Read(b)
		if err != nil {
			return
		}
		const device, work = "/dev/device", "/work"
		check := func(l Layer, err error) {
			if err != nil && l.Make != nil {
				t.Errorf("%v with %v", err, l.Make)
			}
			for _, a := range append(l.Make, l.After...) {
				checkCommand(t, a, device, work)
			}
		}
		for id, fs := range layout.FileSystem {
			devices := []string{device}
			if fs.Btrfs != nil {
				devices = slices.Repeat(devices, min(len(fs.Btrfs.Device), 9))
			}
			check(FileSystem(t.Context(), id, fs, devices, 0, work))
			// beyond the trials, which these tools do not pass
			m := made{ctx: t.Context(), id: id, devices: devices, work: work}
			if x := fs.ExFAT; x != nil && m.checkExFAT(x) == nil {
				check(Layer{Make: m.mkfsExFAT(x, "--volume-guid --sector-size", nil)}, nil)
			}
			if x := fs.F2FS; x != nil && m.checkF2FS(x) == nil {
				check(Layer{Make: []Action{m.mkfsF2FS(x, []string{"-e", f2fsMore(x.ColdExtensions, "gz")})}}, nil)
			}
		}
		for id, s := range layout.Swap {
			check(Swap(t.Context(), id, s, device))
		}
	})
}
