package probes

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// ExFAT is an exFAT file system, from its boot sector and root directory.
type ExFAT struct {
	SectorSize    uint64 `toml:"sector-size" unit:"bytes"`
	ClusterSize   uint64 `toml:"cluster-size" unit:"bytes"`
	Sectors       uint64 `toml:"sectors"`
	FATOffset     uint64 `toml:"fat-offset"` // sectors
	FATSectors    uint64 `toml:"fat-sectors"`
	ClusterOffset uint64 `toml:"cluster-offset"` // sectors; follows from the boundary that mkfs.exfat was told
	Clusters      uint64 `toml:"clusters"`
	GUID          string `toml:"volume-guid"` // its bytes in their order, as exfatprogs has it
}

var exfatFormat = format{name: "exfat", read: readExFAT}

// readExFAT reads the main boot region (Microsoft's exFAT file system
// specification, section 3).
func readExFAT(m medium) (*found, error) {
	b, err := m.at(0, 512)
	if b == nil || err != nil || string(b[3:11]) != "EXFAT   " {
		return nil, err
	}
	v := &exfatVolume{m, b}
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("exfat boot sector: %w", err)
	}
	x := &ExFAT{
		SectorSize:    v.sector(),
		ClusterSize:   v.cluster(),
		Sectors:       v.u64(72),
		FATOffset:     v.u32(80),
		FATSectors:    v.u32(84),
		ClusterOffset: v.u32(88),
		Clusters:      v.u32(92),
	}
	fs := &FileSystem{Type: "exfat", ExFAT: x}
	if err := v.root(fs); err != nil {
		return nil, fmt.Errorf("exfat root directory: %w", err)
	}
	var lost []string
	if v.u16(104) != 0x0100 {
		lost = append(lost, fmt.Sprintf("revision %d.%02d", v.b[105], v.b[104]))
	}
	if v.b[110] != 1 {
		lost = append(lost, fmt.Sprintf("%d tables", v.b[110]))
	}
	fs.Unsupported = strings.Join(lost, ", ")
	return &found{"exfat", ID(serial(uint32(v.u32(100)))), fs}, nil
}

// exfatVolume is a boot sector.
type exfatVolume struct {
	medium
	b []byte
}

func (v *exfatVolume) u16(at int) uint64 { return uint64(binary.LittleEndian.Uint16(v.b[at:])) }
func (v *exfatVolume) u32(at int) uint64 { return uint64(binary.LittleEndian.Uint32(v.b[at:])) }
func (v *exfatVolume) u64(at int) uint64 { return binary.LittleEndian.Uint64(v.b[at:]) }
func (v *exfatVolume) sector() uint64    { return 1 << v.b[108] }
func (v *exfatVolume) cluster() uint64   { return 1 << (v.b[108] + v.b[109]) }

func (v *exfatVolume) check() error {
	switch {
	case v.b[108] < 9 || v.b[108] > 12:
		return fmt.Errorf("sector size 2^%d", v.b[108])
	case v.b[109] > 25-v.b[108]:
		return fmt.Errorf("cluster size 2^%d sectors", v.b[109])
	case v.b[510] != 0x55 || v.b[511] != 0xaa:
		return fmt.Errorf("no signature 55 aa at its end")
	case v.b[110] != 1 && v.b[110] != 2:
		return fmt.Errorf("%d tables", v.b[110])
	}
	if err := v.checksum(); err != nil {
		return err
	}
	fat, length, heap, clusters := v.u32(80), v.u32(84), v.u32(88), v.u32(92)
	switch {
	case fat < 24 || fat+length*uint64(v.b[110]) > heap || length*v.sector() < (clusters+2)*4:
		return fmt.Errorf("table of %d sectors at %d, data at %d", length, fat, heap)
	case clusters == 0 || heap > v.u64(72) || clusters > (v.u64(72)-heap)>>v.b[109]:
		return fmt.Errorf("%d clusters from sector %d of %d", clusters, heap, v.u64(72))
	case v.u32(96) < 2 || v.u32(96) > clusters+1:
		return fmt.Errorf("root directory in cluster %d of %d", v.u32(96), clusters)
	}
	return v.fits(v.u64(72), v.sector())
}

// checksum is over 11 sectors without the flags and the percentage in use, and
// fills the twelfth.
func (v *exfatVolume) checksum() error {
	region, err := v.read(0, 12*v.sector())
	if err != nil {
		return err
	}
	stored, sum := binary.LittleEndian.Uint32(region[11*v.sector():]), exfatChecksum(region[:11*v.sector()])
	if stored != sum {
		return fmt.Errorf("checksum is %08x, should be %08x", stored, sum)
	}
	return nil
}

func exfatChecksum(b []byte) (sum uint32) {
	for i, c := range b {
		if i == 106 || i == 107 || i == 112 {
			continue
		}
		sum = (sum<<31 | sum>>1) + uint32(c)
	}
	return sum
}

// exfatRootMax is how much of a root directory is looked at. Label and GUID
// are among the first entries where a formatter or a driver wrote them.
const exfatRootMax = 1 << 20

// root takes label and GUID from the root directory.
func (v *exfatVolume) root(fs *FileSystem) error {
	cluster := v.u32(96)
	for read := uint64(0); read < exfatRootMax; read += v.cluster() {
		if cluster < 2 || cluster > v.u32(92)+1 {
			return fmt.Errorf("cluster %d of %d", cluster, v.u32(92))
		}
		at := v.u32(88)*v.sector() + (cluster-2)*v.cluster()
		b, err := v.read(at, min(v.cluster(), exfatRootMax))
		if err != nil {
			return err
		}
		for entry := range slices.Chunk(b, 32) {
			switch entry[0] {
			case 0:
				return nil
			case 0x83:
				if entry[1] > 11 {
					return fmt.Errorf("label of %d characters", entry[1])
				}
				fs.setLabel16(entry[2 : 2+2*entry[1]])
			case 0xa0:
				fs.ExFAT.GUID = uuid(entry[6:22])
			}
		}
		next, err := v.read(v.u32(80)*v.sector()+cluster*4, 4)
		if err != nil {
			return err
		}
		if cluster = uint64(binary.LittleEndian.Uint32(next)); cluster >= 0xfffffff8 {
			return nil
		}
	}
	return nil
}
