package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// F2FS is an F2FS file system, from its superblock and checkpoint.
//
// Not in it: the versions of the kernels that made and mounted it, the salt
// for encryption, errors counted, where the logs stand.
type F2FS struct {
	Features              []string `toml:"features"` // sorted, in f2fs-tools' words
	SectorSize            uint64   `toml:"sector-size" unit:"bytes"`
	BlockSize             uint64   `toml:"block-size" unit:"bytes"`
	Blocks                uint64   `toml:"blocks"`
	SegmentsPerSection    uint64   `toml:"segments-per-section"`
	SectionsPerZone       uint64   `toml:"sections-per-zone"`
	OverprovisionSegments uint64   `toml:"overprovision-segments"` // mkfs.f2fs takes it as a percentage
	ReservedSegments      uint64   `toml:"reserved-segments"`      // follows from that
	LargeNATBitmap        bool     `toml:"large-nat-bitmap"`       // mkfs.f2fs -i
	ColdExtensions        string   `toml:"cold-extensions"`        // separated by commas
	HotExtensions         string   `toml:"hot-extensions"`
	Quota                 []string `toml:"quota"`
	Encoding              string   `toml:"encoding"`
	EncodingFlags         []string `toml:"encoding-flags"`
}

var f2fsFormat = format{name: "f2fs", read: readF2FS}

// f2fsFeatures are the words of mkfs.f2fs -O; blkzoned is its option -m.
var f2fsFeatures = map[int]string{0: "encrypt", 1: "blkzoned", 3: "extra_attr", 4: "project_quota", 5: "inode_checksum",
	6: "flexible_inline_xattr", 7: "quota", 8: "inode_crtime", 9: "lost_found", 10: "verity", 11: "sb_checksum",
	12: "casefold", 13: "compression", 14: "ro", 15: "device_alias"}

const f2fsMagic = 0xf2f52010

// f2fsSuper is struct f2fs_super_block of f2fs-tools' include/f2fs_fs.h.
type f2fsSuper struct {
	medium
	b []byte
}

func (s *f2fsSuper) u16(at int) uint64 { return uint64(binary.LittleEndian.Uint16(s.b[at:])) }
func (s *f2fsSuper) u32(at int) uint64 { return uint64(binary.LittleEndian.Uint32(s.b[at:])) }

func readF2FS(m medium) (*found, error) {
	m = m.past()
	b, err := m.at(1024, 3072)
	if b == nil || err != nil || binary.LittleEndian.Uint32(b) != f2fsMagic {
		return nil, err
	}
	s := &f2fsSuper{m, b}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("f2fs superblock: %w", err)
	}
	fs := &FileSystem{Type: "f2fs"}
	name := b[124:1148]
	for i := 0; i < len(name); i += 2 {
		if name[i] == 0 && name[i+1] == 0 {
			name = name[:i]
		}
	}
	fs.setLabel16(name)
	var lost []string
	if fs.F2FS, lost, err = s.f2fs(); err != nil {
		return nil, fmt.Errorf("f2fs: %w", err)
	}
	fs.Unsupported = strings.Join(lost, ", ")
	return &found{"f2fs", ID(uuid(b[108:124])), fs}, nil
}

func (s *f2fsSuper) blockSize() uint64 { return 1 << s.u32(16) }

// check refuses what cannot be, as the kernel does in sanity_check_raw_super.
func (s *f2fsSuper) check() error {
	if s.u32(2180)&(1<<11) != 0 { // sb_checksum
		at := s.u32(32)
		if at != 3068 {
			return fmt.Errorf("checksum at %d", at)
		}
		if sum := f2fsChecksum(s.b[:at]); uint64(sum) != s.u32(int(at)) {
			return fmt.Errorf("checksum is %08x, should be %08x", s.u32(int(at)), sum)
		}
	}
	switch {
	case s.u32(16) < 12 || s.u32(16) > 16:
		return fmt.Errorf("block size 2^%d", s.u32(16))
	case s.u32(8) < 9 || s.u32(8) > s.u32(16) || s.u32(8)+s.u32(12) != s.u32(16):
		return fmt.Errorf("sector size 2^%d", s.u32(8))
	case s.u32(20) != 9:
		return fmt.Errorf("2^%d blocks in a segment", s.u32(20))
	case s.u32(24) == 0 || s.u32(28) == 0 || s.u32(24) > s.u32(48) || s.u32(28) > s.u32(48):
		return fmt.Errorf("%d segments in a section, %d sections in a zone", s.u32(24), s.u32(28))
	case s.u32(76) == 0:
		return errors.New("no checkpoint")
	case s.u32(1148)+uint64(s.b[2757]) > 64:
		return fmt.Errorf("%d extensions", s.u32(1148)+uint64(s.b[2757]))
	}
	blocks := binary.LittleEndian.Uint64(s.b[36:])
	if s.b[2201] != 0 { // the blocks are those of all devices
		return nil
	}
	return s.fits(blocks, s.blockSize())
}

// f2fsChecksum is f2fs_cal_crc32, which starts with the magic number and
// inverts nothing.
func f2fsChecksum(b []byte) uint32 {
	magic := uint32(f2fsMagic)
	return ^crc32.Update(^magic, crc32.IEEETable, b)
}

func (s *f2fsSuper) f2fs() (*F2FS, []string, error) {
	f := &F2FS{
		SectorSize:         1 << s.u32(8),
		BlockSize:          s.blockSize(),
		Blocks:             binary.LittleEndian.Uint64(s.b[36:]),
		SegmentsPerSection: s.u32(24),
		SectionsPerZone:    s.u32(28),
	}
	var lost []string
	f.Features, lost = bitWords(uint32(s.u32(2180)), f2fsFeatures, "FEATURE_")
	slices.Sort(f.Features)
	if slices.Contains(f.Features, "quota") {
		for i, word := range []string{"usrquota", "grpquota", "prjquota"} {
			if s.u32(2745+4*i) != 0 {
				f.Quota = append(f.Quota, word)
			}
		}
	}
	if slices.Contains(f.Features, "casefold") {
		f.Encoding = "utf8"
		if n := s.u16(2758); n != 1 {
			f.Encoding = fmt.Sprintf("UNKNOWN_ENCODING_%d", n)
			lost = append(lost, f.Encoding)
		}
		var unknown []string
		f.EncodingFlags, unknown = bitWords(uint32(s.u16(2760)), map[int]string{0: "strict"}, "ENCODING_FLAG_")
		lost = append(lost, unknown...)
	}
	cold, hot := s.u32(1148), uint64(s.b[2757])
	f.ColdExtensions = s.extensions(0, cold)
	f.HotExtensions = s.extensions(cold, hot)
	if s.b[2201] != 0 {
		lost = append(lost, "several devices")
	}
	if slices.Contains(f.Features, "blkzoned") {
		lost = append(lost, "zoned device")
	}
	return f, lost, s.checkpoint(f)
}

// extensions are names of files that mkfs.f2fs was told of, or that it knows.
func (s *f2fsSuper) extensions(from, n uint64) string {
	var words []string
	for i := from; i < from+n; i++ {
		words = append(words, readable(untilNUL(s.b[1152+8*i:1160+8*i])))
	}
	return strings.Join(words, ",")
}

// checkpoint takes what only a checkpoint holds, from the newer of the two
// that is whole.
func (s *f2fsSuper) checkpoint(f *F2FS) error {
	var best []byte
	for _, block := range []uint64{s.u32(76), s.u32(76) + 1<<s.u32(20)} {
		b, err := s.read(block*s.blockSize(), s.blockSize())
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		le := binary.LittleEndian
		at := le.Uint32(b[164:])
		if at < 192 || uint64(at) > s.blockSize()-4 || f2fsCheckpointChecksum(b, at) != le.Uint32(b[at:]) {
			continue
		}
		if best == nil || le.Uint64(b) > le.Uint64(best) {
			best = b
		}
	}
	if best == nil {
		return errors.New("checkpoint: neither of the two is whole")
	}
	f.ReservedSegments = uint64(binary.LittleEndian.Uint32(best[24:]))
	f.OverprovisionSegments = uint64(binary.LittleEndian.Uint32(best[28:]))
	f.LargeNATBitmap = binary.LittleEndian.Uint32(best[132:])&0x400 != 0
	return nil
}

// f2fsCheckpointChecksum is f2fs_checkpoint_chksum: what comes after the
// checksum counts as well.
func f2fsCheckpointChecksum(b []byte, at uint32) uint32 {
	sum := f2fsChecksum(b[:at])
	if int(at) < len(b)-4 {
		sum = ^crc32.Update(^sum, crc32.IEEETable, b[at+4:])
	}
	return sum
}
