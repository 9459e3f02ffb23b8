package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// XFS is an XFS file system, from its superblock.
//
// Not in it, as they change by use: counts, quota inodes and flags, the
// feature of attributes in a version 4 file system, needsrepair, and features
// of the log.
type XFS struct {
	Features       []string `toml:"features"` // sorted, in the words of xfs_info and mkfs.xfs
	BlockSize      uint64   `toml:"block-size" unit:"bytes"`
	Blocks         uint64   `toml:"blocks"`
	SectorSize     uint64   `toml:"sector-size" unit:"bytes"`
	GroupBlocks    uint64   `toml:"ag-blocks"`
	InodeSize      uint64   `toml:"inode-size" unit:"bytes"`
	InodePercent   uint64   `toml:"imaxpct"`                           // zero is no limit
	StripeUnit     uint64   `toml:"stripe-unit" unit:"bytes"`          // su=
	StripeWidth    uint64   `toml:"stripe-width" unit:"bytes"`         // su= times sw=
	DirectoryBlock uint64   `toml:"directory-block-size" unit:"bytes"` // -n size=
	LogSize        uint64   `toml:"log-size" unit:"bytes"`
	LogSector      uint64   `toml:"log-sector-size" unit:"bytes"`
	LogUnit        uint64   `toml:"log-stripe-unit" unit:"bytes"`
	LogGroup       string   `toml:"log-ag"`                            // a number, when it is not the middle allocation group
	LogVersion     uint64   `toml:"log-version"`                       // when not 2
	RealtimeExtent uint64   `toml:"realtime-extent-size" unit:"bytes"` // when not the larger of a block and 4 KiB
	MetaUUID       string   `toml:"meta-uuid"`                         // the UUID it was made with, when it has another one now
}

var xfsFormat = format{name: "xfs", read: readXFS}

// The bits are those of the kernel's fs/xfs/libxfs/xfs_format.h, the words
// those that mkfs.xfs takes and xfs_info prints.
var (
	xfsROCompat = map[int]string{0: "finobt", 1: "rmapbt", 2: "reflink", 3: "inobtcount"}
	xfsIncompat = map[int]string{0: "ftype", 1: "sparse", 2: "meta_uuid", 3: "bigtime", 4: "needsrepair", 5: "nrext64",
		6: "exchange", 7: "parent", 8: "metadir", 9: "zoned", 10: "zone_gaps"}
	// xfsFeatures2 are of version 4; bits 0 and 2 are reserved.
	xfsFeatures2 = map[int]string{1: "lazy-count", 3: "attr2", 7: "projid32bit", 8: "crc", 9: "ftype"}

	xfsNoSetting = []string{"meta_uuid", "needsrepair"} // the first shows in MetaUUID
)

// bits of sb_versionnum
const (
	xfsAlign    = 0x0080
	xfsLogV2    = 0x0400
	xfsSector   = 0x0800
	xfsExtFlag  = 0x1000
	xfsDirV2    = 0x2000
	xfsASCII    = 0x4000
	xfsMoreBits = 0x8000
)

// readXFS reads struct xfs_dsb.
func readXFS(m medium) (*found, error) {
	m = m.past()
	b, err := m.at(0, 512)
	if b == nil || err != nil || string(b[:4]) != "XFSB" {
		return nil, err
	}
	s := xfsSuper(b)
	if err := s.check(m); err != nil {
		return nil, fmt.Errorf("xfs superblock: %w", err)
	}
	fs := &FileSystem{Type: "xfs"}
	fs.setLabel(b[108:120])
	var lost []string
	fs.XFS, lost = s.xfs()
	fs.Unsupported = strings.Join(lost, ", ")
	return &found{"xfs", ID(uuid(b[32:48])), fs}, nil
}

type xfsSuper []byte

func (s xfsSuper) u16(at int) uint64 { return uint64(binary.BigEndian.Uint16(s[at:])) }
func (s xfsSuper) u32(at int) uint64 { return uint64(binary.BigEndian.Uint32(s[at:])) }
func (s xfsSuper) u64(at int) uint64 { return binary.BigEndian.Uint64(s[at:]) }
func (s xfsSuper) version() uint64   { return s.u16(100) & 0xf }

// log2 says whether a size goes with its logarithm beside it.
func (s xfsSuper) log2(size uint64, at int, least, most uint64) bool {
	return powerOf2(size, least, most) && size == 1<<s[at]
}

// check refuses what cannot be, as the kernel does in xfs_sb.c.
func (s xfsSuper) check(m medium) error {
	block, sector, inode := s.u32(4), s.u16(102), s.u16(104)
	blocks, perGroup, groups := s.u64(8), s.u32(84), s.u32(88)
	switch {
	case s.version() != 4 && s.version() != 5:
		return fmt.Errorf("version %d", s.version())
	case !s.log2(sector, 121, 512, 32768):
		return fmt.Errorf("sector size %d", sector)
	}
	if s.version() == 5 {
		b, err := m.read(0, sector)
		if err != nil {
			return err
		}
		stored := binary.LittleEndian.Uint32(b[224:])
		clear(b[224:228])
		if sum := crc32.Checksum(b, castagnoli); sum != stored {
			return fmt.Errorf("checksum is %08x, should be %08x", stored, sum)
		}
	}
	switch {
	case !s.log2(block, 120, 512, 65536):
		return fmt.Errorf("block size %d", block)
	case !s.log2(inode, 122, 256, 2048):
		return fmt.Errorf("inode size %d", inode)
	case perGroup == 0 || groups == 0 || blocks > groups*perGroup || blocks <= (groups-1)*perGroup:
		return fmt.Errorf("%d blocks in %d groups of %d", blocks, groups, perGroup)
	case s[124] > 31 || perGroup > 1<<s[124]:
		return fmt.Errorf("groups of %d blocks, 2^%d", perGroup, s[124])
	case s[127] > 100:
		return fmt.Errorf("%d percent for inodes", s[127])
	case block<<s[192] > 65536 || s[192] > 16:
		return fmt.Errorf("directory blocks of 2^%d blocks", s[192])
	case s.u64(48) != 0 && (s.u64(48)>>s[124] >= groups || s.u32(96) == 0 || s.u32(96) > perGroup):
		return fmt.Errorf("log of %d blocks at %d", s.u32(96), s.u64(48))
	case s.u16(100)&xfsSector != 0 && !s.log2(s.u16(194), 193, 512, 32768):
		return fmt.Errorf("log sector size %d", s.u16(194))
	case s[126] != 0:
		return errors.New("mkfs.xfs did not come to its end")
	}
	return m.fits(blocks, block)
}

func (s xfsSuper) xfs() (*XFS, []string) {
	bs := s.u32(4)
	x := &XFS{
		BlockSize:      bs,
		Blocks:         s.u64(8),
		SectorSize:     s.u16(102),
		GroupBlocks:    s.u32(84),
		InodeSize:      s.u16(104),
		InodePercent:   uint64(s[127]),
		StripeUnit:     s.u32(184) * bs,
		StripeWidth:    s.u32(188) * bs,
		DirectoryBlock: bs << s[192],
		LogSize:        s.u32(96) * bs,
		LogSector:      512,
	}
	lost := s.features(x)
	if s.u16(100)&xfsSector != 0 {
		x.LogSector = s.u16(194)
	}
	if unit := s.u32(196); unit > 1 { // 1 is none in a log of version 2
		x.LogUnit = unit
	}
	if s.version() == 4 && s.u16(100)&xfsLogV2 == 0 {
		x.LogVersion = 1
	}
	if s.u64(48) == 0 {
		lost = append(lost, "external log")
	} else if group := s.u64(48) >> s[124]; group != s.u32(88)/2 {
		x.LogGroup = fmt.Sprint(group)
	}
	if n := s.u32(80) * bs; n != max(bs, 4096) {
		x.RealtimeExtent = n
	}
	if s.u64(16) != 0 {
		lost = append(lost, "realtime device")
	}
	return x, lost
}

// features takes the words for what is on.
func (s xfsSuper) features(x *XFS) (lost []string) {
	take := func(bits uint64, words map[int]string, prefix string) {
		list, unknown := bitWords(uint32(bits), words, prefix)
		x.Features = append(x.Features, list...)
		lost = append(lost, unknown...)
	}
	bits := s.u16(100)
	if s.version() == 5 { // has the older ones by its nature
		x.Features = []string{"attr2", "crc", "lazy-count", "projid32bit"}
		take(s.u32(208), nil, "FEATURE_C")
		take(s.u32(212), xfsROCompat, "FEATURE_R")
		take(s.u32(216), xfsIncompat, "FEATURE_I")
		if slices.Contains(x.Features, "meta_uuid") {
			x.MetaUUID = uuid(s[248:264])
		}
	} else {
		if bits&xfsMoreBits != 0 {
			take(s.u32(200), xfsFeatures2, "FEATURE_2_")
		}
		if bits&xfsAlign == 0 {
			x.Features = append(x.Features, "unaligned-inodes") // mkfs.xfs -i align=0
		}
		if bits&xfsDirV2 == 0 {
			lost = append(lost, "directories of version 1")
		}
		if bits&xfsExtFlag == 0 {
			lost = append(lost, "no unwritten extents")
		}
	}
	if bits&xfsASCII != 0 {
		x.Features = append(x.Features, "ascii-ci")
	}
	x.Features = slices.DeleteFunc(x.Features, func(w string) bool { return slices.Contains(xfsNoSetting, w) })
	slices.Sort(x.Features)
	for _, w := range []string{"zoned", "zone_gaps"} {
		if slices.Contains(x.Features, w) {
			lost = append(lost, w)
		}
	}
	return lost
}
