package probes

import (
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf8"
)

// ext is the settings, and the words for those that no tool sets.
func (s *extSuper) ext() (*Ext, []string, error) {
	var lost []string
	e := &Ext{
		BlockSize:     s.blockSize(),
		Blocks:        s.blocks(),
		InodeSize:     s.inodeSize(),
		Inodes:        s.u32(0),
		Stride:        s.u16(0x164),
		StripeWidth:   s.u32(0x170),
		HashSeed:      uuid(s.b[0xec:0xfc]),
		Reserved:      s.reserved(),
		ReservedUID:   s.u16(0x50) | s.u16(0x284)<<16,
		ReservedGID:   s.u16(0x52) | s.u16(0x286)<<16,
		CheckInterval: s.u32(0x44),
		Revision0:     s.u32(0x4c) == 0,
		TestFS:        s.u32(0x160)&4 != 0,
	}
	lost = append(lost, s.features(e)...)
	s.geometry(e)
	s.defaults(e)
	if n := int16(s.u16(0x36)); n > 0 { // 0 and -1 are never
		e.MaxMounts = int(n)
	}
	switch n := s.u16(0x3c); n {
	case 0, 1:
	case 2:
		e.Errors = "remount-ro"
	case 3:
		e.Errors = "panic"
	default:
		return nil, nil, fmt.Errorf("superblock: behaviour %d on errors", n)
	}
	if e.FirstMetaGroup != 0 {
		lost = append(lost, "meta_bg from a later group on")
	}
	options := untilNUL(s.b[0x200:0x240])
	e.MountOptions = readable(options)
	if !utf8.ValidString(options) {
		lost = append(lost, "mount options that are no UTF-8")
	}
	if slices.Contains(e.Features, "orphan_file") {
		inode, err := s.inode(s.u32(0x280))
		if err != nil {
			return nil, nil, fmt.Errorf("orphan file: %w", err)
		}
		e.OrphanFile = extFileSize(inode) / e.BlockSize
	}
	if slices.Contains(e.Features, "has_journal") {
		if s.u32(0xe0) == 0 {
			return e, append(lost, "external journal "+uuid(s.b[0xd0:0xe0])), nil
		}
		if err := s.journal(e); err != nil {
			return nil, nil, fmt.Errorf("journal: %w", err)
		}
	}
	return e, lost, nil
}

// features takes the words and what hangs on one of them.
func (s *extSuper) features(e *Ext) (lost []string) {
	for _, set := range []struct {
		at     int
		words  map[int]string
		prefix string
	}{
		{extCompatAt, extCompat, "FEATURE_C"}, {extIncompatAt, extIncompat, "FEATURE_I"}, {extROCompatAt, extROCompat, "FEATURE_R"},
	} {
		words, unknown := bitWords(uint32(s.u32(set.at)), set.words, set.prefix)
		e.Features = append(e.Features, words...)
		lost = append(lost, unknown...)
	}
	e.Features = slices.DeleteFunc(e.Features, func(w string) bool { return slices.Contains(extByUse, w) })
	if !e.Revision0 {
		e.Features = append(e.Features, extInUse...)
	}
	slices.Sort(e.Features)
	e.Features = slices.Compact(e.Features)
	if n := s.b[0xfc]; n != 0 || slices.Contains(e.Features, "dir_index") {
		if e.Hash = extHashes[n]; e.Hash == "" {
			e.Hash = fmt.Sprintf("HASHALG_%d", n)
			lost = append(lost, e.Hash)
		}
	}
	for _, w := range e.Features {
		switch w {
		case "mmp":
			e.MMPInterval = s.u16(0x166)
		case "quota":
			for _, q := range []struct {
				at   int
				word string
			}{{0x240, "usrquota"}, {0x244, "grpquota"}, {0x26c, "prjquota"}} {
				if s.u32(q.at) != 0 {
					e.Quota = append(e.Quota, q.word)
				}
			}
		case "casefold":
			e.Encoding = "utf8-12.1"
			if n := s.u16(0x27c); n != 1 {
				e.Encoding = fmt.Sprintf("UNKNOWN_ENCODING_%d", n)
				lost = append(lost, e.Encoding)
			}
			var unknown []string
			e.EncodingFlags, unknown = bitWords(uint32(s.u16(0x27e)), map[int]string{0: "strict", 1: "no_compat_fallback"}, "ENCODING_FLAG_")
			lost = append(lost, unknown...)
		case "metadata_csum_seed":
			if seed := uint32(s.u32(0x270)); seed != ^crc32.Checksum(s.b[0x68:0x78], castagnoli) {
				e.ChecksumSeed = fmt.Sprintf("0x%08x", seed)
			}
		case "sparse_super2":
			for _, at := range []int{0x24c, 0x250} {
				if s.u32(at) != 0 {
					e.BackupSuperblocks++
				}
			}
		default:
			if slices.Contains(extNotMade, w) {
				lost = append(lost, w)
			}
		}
	}
	return lost
}

// geometry takes what is left out when it is the usual.
func (s *extSuper) geometry(e *Ext) {
	if s.has(extROCompatAt, 9) {
		e.ClusterSize = 1024 << s.u32(0x1c)
	}
	// one block of bitmap a group, and the count has 16 bits (ext2_fs.h,
	// EXT2_MAX_CLUSTERS_PER_GROUP)
	if n := s.u32(0x20); n != min(8*e.BlockSize, 1<<16-8)*s.ratio() {
		e.BlocksPerGroup = n
	}
	if n := s.descriptorSize(); n != 32 && n != 64 || n == 32 && s.has(extIncompatAt, 7) {
		e.DescriptorSize = n
	}
	if n := s.b[0x174]; n > 0 && n < 32 {
		e.FlexGroup = 1 << n
	}
	if s.has(extIncompatAt, 4) {
		e.FirstMetaGroup = s.u32(0x104)
	}
	if s.has(extCompatAt, 4) {
		e.ReservedGDT = s.u16(0xce)
	}
	if e.InodeSize > 128 {
		if n := s.u16(0x15c); n != 32 {
			e.RequiredExtraIsize = n
		}
		if n := s.u16(0x15e); n != 32 {
			e.DesiredExtraIsize = n
		}
	}
	if n := uint32(s.u32(0x48)); n != 0 {
		if e.CreatorOS = extOS[n]; e.CreatorOS == "" {
			e.CreatorOS = fmt.Sprint(n)
		}
	}
}

// defaults takes the mount options that the superblock has as bits.
func (s *extSuper) defaults(e *Ext) {
	bits := uint32(s.u32(0x100))
	e.MountDefaults, _ = bitWords(bits&^0x60, extMount, "MNTOPT_")
	if mode := bits & 0x60; mode != 0 {
		e.MountDefaults = append(e.MountDefaults, map[uint32]string{
			0x20: "journal_data", 0x40: "journal_data_ordered", 0x60: "journal_data_writeback"}[mode])
	}
	slices.Sort(e.MountDefaults)
}
