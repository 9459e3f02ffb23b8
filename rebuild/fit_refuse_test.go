package rebuild

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rootwc/probes"
)

const fitGUID = "c55bb20f-da7f-dd40-9ed1-c15119bcfd53"

// fitLayout is a disk of 100 MiB with a partition of 40 MiB, another of 20 MiB
// behind it, and a change to that.
func fitLayout(change func(*probes.Layout)) *probes.Layout {
	const disk, linux = "disk." + fitGUID, "0fc63daf-8483-4772-8e79-3d69d8477de4"
	l := &probes.Layout{
		Format: probes.Format,
		Disk:   map[probes.ID]*probes.Disk{fitGUID: {Table: "gpt", Sector: 512, FirstLBA: 2048, Need: (61<<11 + 33) * 512}},
		Partition: map[probes.ID]*probes.Partition{
			"a": {On: disk, Number: 1, FirstLBA: 2048, LastLBA: 41<<11 - 1, Type: linux},
			"b": {On: disk, Number: 2, FirstLBA: 41 << 11, LastLBA: 61<<11 - 1, Type: linux},
		},
		RAID: map[probes.ID]*probes.RAID{}, LUKS: map[probes.ID]*probes.LUKS{}, PV: map[probes.ID]*probes.PV{}, VG: map[probes.ID]*probes.VG{}, LV: map[probes.ID]*probes.LV{},
		FileSystem: map[probes.ID]*probes.FileSystem{}, Swap: map[probes.ID]*probes.Swap{},
	}
	change(l)
	return l
}

// on puts a file system on the first partition.
func on(fs *probes.FileSystem) func(*probes.Layout) {
	return func(l *probes.Layout) {
		fs.On = []probes.Ref{"partition.a"}
		l.FileSystem["x"] = fs
	}
}

// TestFitRefuses has a case for everything that cannot have another size.
func TestFitRefuses(t *testing.T) {
	const mib = 1 << 20
	grow, shrink := Sizes{"partition.a": {Policy: Grow}}, Sizes{"partition.a": {Grow, mib}}
	nothing := func(*probes.Layout) {}
	ext := func(change func(*probes.Ext)) func(*probes.Layout) {
		e := &probes.Ext{Features: []string{"has_journal"}, BlockSize: 4096, Blocks: 10240, InodeSize: 256, Inodes: 10240, Journal: 1024, Hash: "tea"}
		change(e)
		return on(&probes.FileSystem{Type: "ext4", Ext: e})
	}
	raid := func(r probes.RAID) func(*probes.Layout) {
		return func(l *probes.Layout) {
			r.On = []probes.Ref{"partition.a"}
			l.RAID["r"] = &r
		}
	}
	xfs := func(x probes.XFS) func(*probes.Layout) {
		x.BlockSize, x.SectorSize, x.InodeSize, x.DirectoryBlock, x.LogSector, x.LogSize = 4096, 512, 512, 4096, 512, 8*mib
		return on(&probes.FileSystem{Type: "xfs", XFS: &x})
	}
	fat := func(change func(*probes.FAT)) func(*probes.Layout) {
		f := &probes.FAT{Bits: 16, SectorSize: 512, ClusterSize: 2048, Sectors: 81920, Reserved: 4, FATs: 2, FATSectors: 80, RootEntries: 512, Media: "0xf8", Drive: "0x80"}
		change(f)
		return func(l *probes.Layout) {
			on(&probes.FileSystem{Type: "vfat", FAT: f})(l)
			l.FileSystem["0DA4-5EB7"] = l.FileSystem["x"]
			delete(l.FileSystem, "x")
		}
	}
	tests := []struct {
		what   string
		change func(*probes.Layout)
		size   uint64 // MiB
		sizes  Sizes
		err    string
	}{
		{"kind", nothing, 200, Sizes{"luks.x": {Policy: Grow}}, "luks.x: only partitions, logical volumes and disks without partitions have a size to choose"},
		{"absent", nothing, 200, Sizes{"partition.c": {Policy: Grow}}, "partition.c: that is not in the layout"},
		{"word", nothing, 200, Sizes{"partition.a": {Policy: "all"}}, `partition.a: policy "all"`},
		{"table", nothing, 200, Sizes{"disk." + fitGUID: {Policy: Grow}}, "it has partitions: name one of them"},
		{"two grow", nothing, 200, Sizes{"partition.a": {Policy: Grow}, "partition.b": {Policy: Grow}}, "partition.a grows, which leaves nothing for partition.b"},
		{"grow and share", nothing, 200, Sizes{"partition.a": {Policy: Share}, "partition.b": {Policy: Grow}}, "partition.b grows, which leaves nothing for partition.a"},
		{"keep is too small", nothing, 50, nil, "is too small by 11.0 MiB (11551232 bytes)"},
		{"grow is too small", nothing, 50, grow, "is too small by 12.0 MiB (12582912 bytes)"},
		{"minimum is too large", nothing, 50, Sizes{"partition.a": {Grow, 35 * mib}}, "is too small by 7.0 MiB (7340032 bytes)"},
		{"unsupported table", func(l *probes.Layout) { l.Disk[fitGUID].Unsupported = "hybrid MBR" }, 200, grow, "disk." + fitGUID + ": hybrid MBR"},
		{"boot code", func(l *probes.Layout) { l.Partition["b"].Type = biosBoot }, 200, grow, "partition 2 holds boot code, which must stay where it is"},
		{"integrity", func(l *probes.Layout) {
			l.LUKS["u"] = &probes.LUKS{On: "partition.a", Integrity: "hmac(sha256)", Offset: 16 * mib, Sector: 512}
		}, 200, grow, "luks.u: with integrity hmac(sha256) it is of the size that it was made with"},
		{"no room for a header", func(l *probes.Layout) { l.LUKS["u"] = &probes.LUKS{On: "partition.a", Offset: 16 * mib, Sector: 512} }, 30, shrink, "luks.u: 8388608 bytes have no room for its header"},
		{"raid0", raid(probes.RAID{Level: "raid0", Devices: 1}), 200, grow, "raid.r: an array of level raid0 has the size that it was made with"},
		{"unsupported array", raid(probes.RAID{Level: "raid1", Devices: 1, Size: 39 * mib, Unsupported: "device 1 is missing"}), 200, grow, "raid.r: device 1 is missing"},
		{"chunks", raid(probes.RAID{Level: "raid5", Devices: 1, Size: 39 * mib, Chunk: 3000}), 200, grow, "raid.r: chunks of 3000 bytes"},
		{"no room for an array", raid(probes.RAID{Level: "raid1", Devices: 1, Size: 30 * mib}), 30, shrink, "raid.r: devices of 8388608 bytes have no room for it"},
		{"old metadata", raid(probes.RAID{Level: "raid1", Metadata: "0.90", Devices: 1, Size: 39 * mib}), 3 << 20, grow, "raid.r: with metadata 0.90 it takes less than 2 TiB of a device"},
		{"f2fs", on(&probes.FileSystem{Type: "f2fs", F2FS: &probes.F2FS{BlockSize: 4096, Blocks: 10240}}), 200, grow, "filesystem.x: mkfs.f2fs alone knows"},
		{"exfat", on(&probes.FileSystem{Type: "exfat", ExFAT: &probes.ExFAT{SectorSize: 512, Sectors: 81920}}), 200, grow, "filesystem.x: mkfs.exfat alone knows"},
		{"unknown type", on(&probes.FileSystem{Type: "zfs"}), 200, grow, `filesystem.x: type "zfs", of which nothing is known`},
		{"ext numbers", ext(func(e *probes.Ext) { e.BlockSize = 0 }), 200, grow, "filesystem.x: block-size is 0, not from 1024 to 65536"},
		{"ext inodes", ext(func(e *probes.Ext) { e.Blocks, e.Inodes = 40000, 10241 }), 200, grow, "filesystem.x: 10241 inodes in groups of 32768 of 40000 blocks"},
		{"ext without 64bit", ext(func(*probes.Ext) {}), 17 << 20, grow, "filesystem.x: without the feature 64bit it has less than 2^32 blocks"},
		{"ext without room", ext(func(e *probes.Ext) { e.Journal = 2048 }), 30, shrink, "filesystem.x: 8.0 MiB have no room for its tables and its journal"},
		{"xfs group", xfs(probes.XFS{Blocks: 10240, GroupBlocks: 5120}), 30, shrink, "filesystem.x: 8.0 MiB are less than an allocation group, of 20.0 MiB"},
		{"xfs log", xfs(probes.XFS{Blocks: 10240, GroupBlocks: 5120, LogGroup: "17"}), 200, grow, "have no allocation group 17 for its log"},
		{"xfs numbers", xfs(probes.XFS{Blocks: 10240}), 200, grow, "filesystem.x: allocation group of 0 blocks of 4096 bytes"},
		{"btrfs", func(l *probes.Layout) {
			l.FileSystem[fitGUID] = &probes.FileSystem{Type: "btrfs", On: []probes.Ref{"partition.a"}, Btrfs: &probes.Btrfs{Checksum: "crc32c", NodeSize: 16384, SectorSize: 4096, Data: "single",
				Metadata: "dup", Device: map[probes.ID]*probes.BtrfsDevice{"1": {Size: 40 * mib}}}}
		}, 30, shrink, "8.0 MiB are too little for device 1 of it"},
		{"fat tables", fat(func(f *probes.FAT) { f.FATSectors = 99 }), 200, grow, "filesystem.0DA4-5EB7: it has tables of 99 sectors, which mkfs.fat does not make"},
		{"fat beyond", fat(func(*probes.FAT) {}), 9000, grow, "filesystem.0DA4-5EB7: 8.8 GiB are no size for a FAT16"},
		{"fat below", fat(func(*probes.FAT) {}), 26, shrink, "filesystem.0DA4-5EB7: 4.0 MiB would be 2035 clusters, a FAT16 has 4087 or more"},
		{"swap", func(l *probes.Layout) { l.Swap["s"] = &probes.Swap{On: "partition.a", Page: 1 * mib, Size: 40 * mib} }, 30, shrink, "swap.s: 8388608 bytes have no room for it"},
		{"extended", func(l *probes.Layout) {
			d := l.Disk[fitGUID]
			d.Table, d.FirstLBA, l.Partition["a"].Type = "dos", 0, "5"
		}, 200, grow, "partition.a: an extended partition has the size that those in it need"},
		{"no text", func(l *probes.Layout) {
			l.PV["p"] = &probes.PV{On: "partition.a", VG: "vg.g"}
			l.VG["g"] = &probes.VG{Script: "vg.g.vgcfg"}
		}, 200, grow, `vg.g: its text "vg.g.vgcfg" is not there`},
		{"unsupported group", func(l *probes.Layout) {
			l.PV["p"] = &probes.PV{On: "partition.a", VG: "vg.g"}
			l.VG["g"] = &probes.VG{Unsupported: "the group is EXPORTED"}
		}, 200, grow, "vg.g: the group is EXPORTED"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			l, texts, words, err := Fit(fitLayout(test.change), nil, map[probes.ID]uint64{fitGUID: test.size << 20}, test.sizes)
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v\nwant %s", err, test.err)
			}
			if l != nil || texts != nil || words != nil {
				t.Error("something comes with the error")
			}
		})
	}
	if _, _, _, err := Fit(fitLayout(nothing), nil, nil, nil); err == nil || err.Error() != "disk."+fitGUID+": its size is not given" {
		t.Error(err)
	}
}

// TestFitTooSmall names each disk with what is missing.
func TestFitTooSmall(t *testing.T) {
	l := fitLayout(func(l *probes.Layout) {
		l.Disk["of-x"] = &probes.Disk{Sector: 512, Need: 40 << 20}
	})
	_, _, _, err := Fit(l, nil, map[probes.ID]uint64{fitGUID: 30 << 20, "of-x": 39 << 20}, nil)
	for id, missing := range map[probes.ID]uint64{fitGUID: l.Disk[fitGUID].Need - 30<<20, "of-x": 1 << 20} {
		want := &TooSmall{Disk: id, Missing: missing}
		if !slices.Contains(strings.Split(err.Error(), "\n"), want.Error()) {
			t.Errorf("%q has no %q", err, want)
		}
	}
	var small *TooSmall
	if !errors.As(err, &small) {
		t.Errorf("a %T", err)
	}
}
