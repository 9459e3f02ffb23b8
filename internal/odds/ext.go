package odds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Ext is an ext2, ext3 or ext4.
type Ext struct {
	FileSystem
	Label         string
	EncodingFlags []string
	OrphanFile    uint64 // blocks, when they are given
}

// NewExt is for an empty mke2fs.conf.
func NewExt(rng *rand.Rand) Ext {
	o := Ext{FileSystem: FileSystem{Size: uint64(8+rng.IntN(300)) << 20}}
	var mke2fs []string
	block := Pick(rng, 1024, 1024, 2048, 4096, 4096, 4096, 65536)
	on := func(percent int, words ...string) (all []string) {
		for _, w := range words {
			if Chance(rng, percent) {
				all = append(all, w)
			}
		}
		return all
	}
	features := on(80, "ext_attr", "dir_index", "filetype", "sparse_super", "large_file")
	var extended []string
	if Chance(rng, 70) {
		features = append(features, "has_journal")
	}
	if Chance(rng, 70) { // ext4
		features = append(features, "extent")
		features = append(features, on(50, "64bit", "huge_file", "dir_nlink", "extra_isize", "flex_bg", "ea_inode", "large_dir", "encrypt", "stable_inodes", "verity")...)
		switch {
		case Chance(rng, 60):
			features = append(features, "metadata_csum")
			features = append(features, on(40, "metadata_csum_seed")...)
		case Chance(rng, 50):
			features = append(features, "uninit_bg")
		}
		if slices.Contains(features, "has_journal") {
			features = append(features, on(30, "fast_commit")...)
			if Chance(rng, 30) {
				features = append(features, "orphan_file")
				if Chance(rng, 50) {
					o.OrphanFile = uint64(2 + rng.IntN(100))
					extended = append(extended, fmt.Sprintf("orphan_file_size=%d", o.OrphanFile))
				}
			}
		}
		if Chance(rng, 20) {
			features = append(features, "bigalloc")
			mke2fs = append(mke2fs, "-C", fmt.Sprint(block<<(1+rng.IntN(5))))
		}
		if Chance(rng, 25) {
			features = append(features, "casefold")
			extended = append(extended, "encoding=utf8")
			if Chance(rng, 50) {
				o.EncodingFlags = []string{"strict"}
				extended = append(extended, "encoding_flags=strict")
			}
		}
		if Chance(rng, 40) {
			features = append(features, "quota")
			types := on(60, "usrquota", "grpquota")
			if Chance(rng, 40) {
				features = append(features, "project")
				types = append(types, "prjquota")
			}
			if len(types) > 0 {
				extended = append(extended, "quotatype="+strings.Join(types, ":"))
			}
		}
		features = append(features, on(10, "inline_data")...)
		if slices.Contains(features, "flex_bg") && Chance(rng, 60) {
			mke2fs = append(mke2fs, "-G", fmt.Sprint(1<<rng.IntN(8)))
		}
	}
	switch rng.IntN(6) {
	case 0, 1, 2:
		features = append(features, "resize_inode")
		if !slices.Contains(features, "sparse_super") {
			features = append(features, "sparse_super")
		}
		if Chance(rng, 60) {
			extended = append(extended, fmt.Sprintf("resize=%d", int(o.Size)/block*(2+rng.IntN(500))))
		}
	case 3:
		features = append(features, "meta_bg")
	case 4:
		features = append(features, "sparse_super2")
		extended = append(extended, fmt.Sprintf("num_backup_sb=%d", rng.IntN(3)))
	}
	if Chance(rng, 20) && !slices.Contains(features, "bigalloc") {
		mke2fs = append(mke2fs, "-g", fmt.Sprint(256*(1+rng.IntN(block/32))))
	}
	if Chance(rng, 30) {
		extended = append(extended, fmt.Sprintf("stride=%d", 1+rng.IntN(1000)))
	}
	if Chance(rng, 30) {
		extended = append(extended, fmt.Sprintf("stripe_width=%d", 1+rng.IntN(100000)))
	}
	if Chance(rng, 50) {
		extended = append(extended, "hash_seed="+UUID(rng))
	}
	if Chance(rng, 5) {
		extended = append(extended, "test_fs")
	}
	if Chance(rng, 10) {
		mke2fs = append(mke2fs, "-o", Pick(rng, "hurd", "freebsd", "linux"))
	}
	if slices.Contains(features, "has_journal") {
		journal := []string{fmt.Sprintf("size=%d", max(1, block/1024)*(1+rng.IntN(3)))}
		if slices.Contains(features, "fast_commit") && Chance(rng, 50) {
			journal = append(journal, fmt.Sprintf("fast_commit_size=%d", 64*(1+rng.IntN(10))))
		}
		mke2fs = append(mke2fs, "-J", strings.Join(journal, ","))
	}
	o.Label = Letters(rng, 16)
	mke2fs = append(mke2fs, "-O", "none,"+strings.Join(features, ","), "-b", fmt.Sprint(block), "-I", fmt.Sprint(min(block, Pick(rng, 128, 256, 256, 512, 1024))),
		"-N", fmt.Sprint(32+rng.IntN(20000)), "-L", o.Label, "-U", UUID(rng))
	if len(extended) > 0 {
		mke2fs = append(mke2fs, "-E", strings.Join(extended, ","))
	}
	tune2fs := []string{"tune2fs", "-r", fmt.Sprint(rng.IntN(500)), "-c", fmt.Sprint(Pick(rng, -1, 0, 1, 30, 16000)), "-i", fmt.Sprint(Pick(rng, 0, 1, 86400, 15552000)) + "s",
		"-e", Pick(rng, "continue", "remount-ro", "panic"), "-u", fmt.Sprint(rng.IntN(65536)), "-g", fmt.Sprint(rng.IntN(65536))}
	if words := on(30, "debug", "bsdgroups", "user_xattr", "acl", "uid16", "nobarrier", "block_validity", "discard", "nodelalloc"); len(words) > 0 {
		words = append(words, on(30, Pick(rng, "journal_data", "journal_data_ordered", "journal_data_writeback"))...)
		tune2fs = append(tune2fs, "-o", strings.Join(words, ","))
	}
	extended = on(50, "hash_alg="+Pick(rng, "legacy", "half_md4", "tea"))
	extended = append(extended, on(20, "mount_opts=data=journal nobarrier")...)
	if len(extended) > 0 {
		tune2fs = append(tune2fs, "-E", strings.Join(extended, ","))
	}
	o.Make = [][]string{append([]string{"mke2fs", "-q", "-F", "-F"}, mke2fs...), tune2fs}
	return o
}
