package probes

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// FAT is a FAT12, FAT16 or FAT32 file system, from its boot sector. The boot
// code and the name of the program that made it are not in it.
type FAT struct {
	Bits         uint64 `toml:"fat-bits"` // of an entry: 12, 16 or 32
	SectorSize   uint64 `toml:"sector-size" unit:"bytes"`
	ClusterSize  uint64 `toml:"cluster-size" unit:"bytes"`
	Sectors      uint64 `toml:"sectors"`
	Reserved     uint64 `toml:"reserved-sectors"`
	FATs         uint64 `toml:"fats"`
	FATSectors   uint64 `toml:"fat-sectors"`  // of one; mkfs.fat reckons it, with -a without rounding
	RootEntries  uint64 `toml:"root-entries"` // FAT12 and FAT16
	Media        string `toml:"media"`        // hexadecimal
	Drive        string `toml:"drive"`        // hexadecimal, BIOS number
	Heads        uint64 `toml:"heads"`
	TrackSectors uint64 `toml:"sectors-per-track"`
	Hidden       uint64 `toml:"hidden-sectors"`
	BackupBoot   uint64 `toml:"backup-boot-sector"` // FAT32
	InfoSector   uint64 `toml:"info-sector"`        // FAT32, when not 1
}

var fatFormat = format{name: "vfat", read: readFAT}

// fatBoot is a boot sector.
type fatBoot struct {
	medium
	b []byte
}

func (s *fatBoot) u16(at int) uint64 { return uint64(binary.LittleEndian.Uint16(s.b[at:])) }
func (s *fatBoot) u32(at int) uint64 { return uint64(binary.LittleEndian.Uint32(s.b[at:])) }

// readFAT reads the boot sector (Microsoft's FAT32 File System Specification
// 1.03; dosfstools' src/mkfs.fat.c).
func readFAT(m medium) (*found, error) {
	b, err := m.at(0, 512)
	if b == nil || err != nil {
		return nil, err
	}
	s := &fatBoot{m, b}
	// The format has no magic number. Its name is there where the maker wrote
	// it; without it all that is left is that the first entry of the table
	// repeats the media byte.
	named := string(b[0x36:0x39]) == "FAT" || string(b[0x52:0x55]) == "FAT"
	why := s.check()
	switch {
	case b[510] != 0x55 || b[511] != 0xaa || !named && why != nil:
		return nil, nil
	case why != nil:
		return nil, fmt.Errorf("FAT boot sector: %w", why)
	}
	if !named {
		entry, err := m.read(s.u16(0xe)*s.u16(0xb), 3)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]byte{0xeb, 0xe9}, b[0]) || entry[0] != b[0x15] || entry[1] != 0xff || entry[2] < 0xf0 {
			return nil, nil
		}
	}
	return s.settings()
}

// count is the 16 bit value, or when that is zero the 32 bit one.
func (s *fatBoot) count(short, long int) uint64 {
	if n := s.u16(short); n != 0 {
		return n
	}
	return s.u32(long)
}

func (s *fatBoot) sectors() uint64    { return s.count(0x13, 0x20) }
func (s *fatBoot) fatSectors() uint64 { return s.count(0x16, 0x24) }
func (s *fatBoot) rootSectors() uint64 {
	return (s.u16(0x11)*32 + s.u16(0xb) - 1) / s.u16(0xb)
}

// data is the first sector of the first cluster.
func (s *fatBoot) data() uint64 {
	return s.u16(0xe) + uint64(s.b[0x10])*s.fatSectors() + s.rootSectors()
}

func (s *fatBoot) bits() uint64 {
	switch clusters := (s.sectors() - s.data()) / uint64(s.b[0xd]); {
	case s.u16(0x16) == 0:
		return 32
	case clusters > 4084: // as fs/fat/inode.c has it
		return 16
	}
	return 12
}

func (s *fatBoot) check() error {
	sector, cluster, media := s.u16(0xb), uint64(s.b[0xd]), s.b[0x15]
	switch {
	case !powerOf2(sector, 512, 32768):
		return fmt.Errorf("sector size %d", sector)
	case !powerOf2(cluster, 1, 128):
		return fmt.Errorf("%d sectors in a cluster", cluster)
	case s.u16(0xe) == 0:
		return fmt.Errorf("no reserved sectors")
	case s.b[0x10] == 0:
		return fmt.Errorf("no file allocation table")
	case s.fatSectors() == 0:
		return fmt.Errorf("file allocation table of no sectors")
	case media < 0xf8 && media != 0xf0:
		return fmt.Errorf("media byte %02x", media)
	case s.sectors() <= s.data():
		return fmt.Errorf("%d sectors, of which data begin at %d", s.sectors(), s.data())
	case s.u16(0x16) != 0 && s.u16(0x11) == 0:
		return fmt.Errorf("no root directory")
	}
	return s.fits(s.sectors(), sector)
}

func (s *fatBoot) settings() (*found, error) {
	f := &FAT{
		Bits:         s.bits(),
		SectorSize:   s.u16(0xb),
		ClusterSize:  s.u16(0xb) * uint64(s.b[0xd]),
		Sectors:      s.sectors(),
		Reserved:     s.u16(0xe),
		FATs:         uint64(s.b[0x10]),
		FATSectors:   s.fatSectors(),
		RootEntries:  s.u16(0x11),
		Media:        fmt.Sprintf("0x%02x", s.b[0x15]),
		Heads:        s.u16(0x1a),
		TrackSectors: s.u16(0x18),
		Hidden:       s.u32(0x1c),
	}
	var lost []string
	more := 0x24 // where the fields are that all three have after their own
	if f.Bits == 32 {
		more = 0x40
		f.BackupBoot = s.u16(0x32)
		if n := s.u16(0x30); n != 1 {
			f.InfoSector = n
			lost = append(lost, fmt.Sprintf("info sector %d", n))
		}
		if s.u16(0x28)&0x80 != 0 {
			lost = append(lost, "tables that are no copies of each other")
		}
		if v := s.u16(0x2a); v != 0 {
			lost = append(lost, fmt.Sprintf("FAT32 version %d.%d", v>>8, v&0xff))
		}
		if s.u16(0x11) != 0 {
			lost = append(lost, "root entries of FAT32")
		}
	}
	f.Drive = fmt.Sprintf("0x%02x", s.b[more])
	fs := &FileSystem{Type: "vfat", FAT: f}
	one := &found{name: "vfat", node: fs}
	if s.b[more+2] == 0x28 || s.b[more+2] == 0x29 {
		one.id = ID(serial(uint32(s.u32(more + 3))))
	}
	raw, err := s.rootLabel(f.Bits)
	if err != nil {
		return nil, fmt.Errorf("FAT root directory: %w", err)
	}
	if raw == nil && s.b[more+2] == 0x29 {
		raw = s.b[more+7 : more+18]
		if string(raw) == "NO NAME    " {
			raw = nil
		}
	}
	fs.Label, fs.LabelBytes = fatLabel(raw)
	fs.Unsupported = strings.Join(lost, ", ")
	return one, nil
}

// fatLabel is [label] for one in whatever code page its system had: of bytes
// above ASCII nobody can say which letters they are.
func fatLabel(raw []byte) (text, hexadecimal string) {
	raw, _, _ = bytes.Cut(bytes.TrimRight(raw, " "), []byte{0})
	text = strings.Map(func(r rune) rune {
		if r > 0x7f {
			return '\ufffd'
		}
		return r
	}, string(latin1(raw)))
	if strings.ContainsRune(text, '\ufffd') {
		hexadecimal = hex.EncodeToString(raw)
	}
	return text, hexadecimal
}

func latin1(raw []byte) []rune {
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return runes
}

// fatRootMax is how much of a root directory is looked at: as much as a
// directory may have.
const fatRootMax = 65536 * 32

// rootLabel looks for the entry of the root directory that holds the label;
// nil is none. It is what fatlabel and other systems change; the boot sector
// has the one from the beginning.
func (s *fatBoot) rootLabel(bits uint64) ([]byte, error) {
	sector := s.u16(0xb)
	if bits != 32 {
		start := s.data() - s.rootSectors()
		raw, _, err := s.labelIn(start*sector, s.u16(0x11)*32)
		return raw, err
	}
	clusterSize := sector * uint64(s.b[0xd])
	last := (s.sectors()-s.data())/uint64(s.b[0xd]) + 1
	cluster := s.u32(0x2c)
	for read := uint64(0); read < fatRootMax; read += clusterSize {
		if cluster < 2 || cluster > last {
			return nil, fmt.Errorf("cluster %d of %d", cluster, last)
		}
		raw, end, err := s.labelIn((s.data()*sector)+(cluster-2)*clusterSize, clusterSize)
		if raw != nil || end || err != nil {
			return raw, err
		}
		if cluster*4 >= s.fatSectors()*sector {
			return nil, fmt.Errorf("cluster %d is not in the table", cluster)
		}
		next, err := s.read(s.u16(0xe)*sector+cluster*4, 4)
		if err != nil {
			return nil, err
		}
		if cluster = uint64(binary.LittleEndian.Uint32(next)) & 0x0fffffff; cluster >= 0x0ffffff8 {
			break
		}
	}
	return nil, nil
}

// labelIn looks through a piece of a directory; end is whether it ends there.
func (s *fatBoot) labelIn(at, n uint64) (raw []byte, end bool, err error) {
	b, err := s.read(at, n)
	if err != nil {
		return nil, false, err
	}
	for entry := range slices.Chunk(b, 32) {
		switch attributes := entry[11]; {
		case entry[0] == 0:
			return nil, true, nil
		case entry[0] == 0xe5: // deleted
		case attributes&0x3f != 0x0f && attributes&0x18 == 0x08: // a label, no part of a long name
			raw := slices.Clone(entry[:11])
			if raw[0] == 0x05 { // stands for 0xe5
				raw[0] = 0xe5
			}
			return raw, true, nil
		}
	}
	return nil, false, nil
}
