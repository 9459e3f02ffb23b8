package probes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// lvmPV is what a physical volume says: itself, and the newest valid text of
// its group that is on it. Sources: lib/label/label.h and
// lib/format_text/layout.h of LVM.
type lvmPV struct {
	ID       ID
	PV       PV
	Size     uint64     // bytes of the device, as LVM has recorded them
	Text     *lvmNode   // nil when no group's is on it
	Findings []string   // sentences on copies that are damaged
	areas    []diskArea // of metadata
}

// diskArea is a part of a device, in bytes.
type diskArea struct{ at, size uint64 }

const (
	lvmSector    = 512
	lvmMaxText   = 32 << 20 // bytes of a group's text
	lvmMaxAreas  = 8        // LVM makes up to two
	lvmUUIDBytes = 32
)

// lvmSum is LVM's checksum: a CRC-32 with another start and no inversion at
// the end, see calc_crc.
func lvmSum(b []byte) uint32 { return ^crc32.Update(^uint32(0xf597a6cf), crc32.IEEETable, b) }

// readPV reads the label of a physical volume and its copies of the group's
// text. It fails with errAbsent when there is no label.
func readPV(r io.ReaderAt, size uint64) (*lvmPV, error) {
	m := medium{r, size}
	label, at, err := findLVMLabel(m)
	if err != nil {
		return nil, err
	}
	pv, err := parsePVHeader(label)
	if err != nil {
		return nil, fmt.Errorf("LVM label at %d: %w", at, err)
	}
	best := uint64(0)
	for _, area := range pv.areas {
		text, err := readLVMArea(m, area)
		if err == nil && text == nil {
			continue
		}
		if err != nil {
			pv.Findings = append(pv.Findings, fmt.Sprintf("LVM metadata at %d: %v", area.at, err))
			continue
		}
		if seq := text.group().number("seqno"); pv.Text == nil || seq > best {
			pv.Text, best = text, seq
		}
	}
	if pv.Text == nil && len(pv.Findings) > 0 {
		return nil, errors.New(pv.Findings[0])
	}
	if pv.Text != nil {
		return pv, pv.takeFromText()
	}
	return pv, nil
}

// findLVMLabel looks for the label in the first four sectors.
func findLVMLabel(m medium) (label []byte, at uint64, err error) {
	b, err := m.read(0, min(m.size, 4*lvmSector))
	if err != nil {
		return nil, 0, err
	}
	for i := 0; i+lvmSector <= len(b); i += lvmSector {
		label := b[i:][:lvmSector]
		if string(label[:8]) != "LABELONE" || string(label[24:32]) != "LVM2 001" {
			continue
		}
		le := binary.LittleEndian
		if le.Uint64(label[8:]) != uint64(i/lvmSector) {
			return nil, 0, fmt.Errorf("LVM label at %d: it is for sector %d", i, le.Uint64(label[8:]))
		}
		if sum := lvmSum(label[20:]); sum != le.Uint32(label[16:]) {
			return nil, 0, fmt.Errorf("LVM label at %d: checksum is %08x, should be %08x", i, le.Uint32(label[16:]), sum)
		}
		return label, uint64(i), nil
	}
	return nil, 0, errAbsent
}

// parsePVHeader reads what is behind the label: UUID, size, and lists of areas
// that a zero ends: for data, for metadata, then an extension with those for
// boot loaders.
func parsePVHeader(label []byte) (*lvmPV, error) {
	le := binary.LittleEndian
	at := uint64(le.Uint32(label[20:]))
	if at < 32 || at+lvmUUIDBytes+8 > lvmSector {
		return nil, fmt.Errorf("header at %d", at)
	}
	rest := label[at:]
	if strange := bytes.Trim(rest[:lvmUUIDBytes], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#"); len(strange) > 0 {
		return nil, fmt.Errorf("%q is no UUID of LVM", rest[:lvmUUIDBytes])
	}
	pv := &lvmPV{ID: ID(hyphenate(string(rest[:lvmUUIDBytes]))), Size: le.Uint64(rest[lvmUUIDBytes:])}
	rest = rest[lvmUUIDBytes+8:]
	data, rest, err := diskAreas(rest)
	if err != nil {
		return nil, err
	}
	if pv.areas, rest, err = diskAreas(rest); err != nil {
		return nil, err
	}
	if len(data) > 0 {
		pv.PV.DataStart = data[0].at
	}
	pv.PV.MetadataCopies = len(pv.areas)
	for i, area := range pv.areas {
		if i == 0 || area.size < pv.PV.MetadataSize {
			pv.PV.MetadataSize = area.size
		}
	}
	if len(rest) < 8 || le.Uint32(rest) == 0 {
		return pv, nil
	}
	boot, _, err := diskAreas(rest[8:])
	if err != nil {
		return nil, err
	}
	if len(boot) > 0 {
		pv.PV.BootloaderStart, pv.PV.BootloaderSize = boot[0].at, boot[0].size
	}
	return pv, nil
}

func diskAreas(b []byte) (areas []diskArea, rest []byte, err error) {
	le := binary.LittleEndian
	for len(b) >= 16 && len(areas) <= lvmMaxAreas {
		area := diskArea{le.Uint64(b), le.Uint64(b[8:])}
		if b = b[16:]; area.at == 0 {
			return areas, b, nil
		}
		areas = append(areas, area)
	}
	return nil, nil, errors.New("a list of areas has no end")
}

// readLVMArea reads the group's text from a metadata area. It is nil where the
// volume is in no group. The text is a ring: behind the end of the area it goes
// on after the header.
func readLVMArea(m medium, area diskArea) (*lvmNode, error) {
	h, err := m.read(area.at, lvmSector)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	start, size := le.Uint64(h[24:]), le.Uint64(h[32:])
	switch {
	case string(h[4:20]) != " LVM2 x[5A%r0N*>":
		return nil, errors.New("no header")
	case lvmSum(h[4:]) != le.Uint32(h):
		return nil, fmt.Errorf("checksum is %08x, should be %08x", le.Uint32(h), lvmSum(h[4:]))
	case le.Uint32(h[20:]) != 1:
		return nil, fmt.Errorf("version %d", le.Uint32(h[20:]))
	case start != area.at || size > m.size || size <= lvmSector:
		return nil, fmt.Errorf("header is for %d bytes at %d", size, start)
	}
	// The first place is the committed text, the second one about to be.
	at, n, sum, flags := le.Uint64(h[40:]), le.Uint64(h[48:]), le.Uint32(h[56:]), le.Uint32(h[60:])
	if at == 0 || n == 0 || flags&1 != 0 { // flag: the copy is not to be used
		return nil, nil
	}
	if at < lvmSector || at >= size || n > size-lvmSector || n > lvmMaxText {
		return nil, fmt.Errorf("text of %d bytes at %d in %d", n, at, size)
	}
	head := min(n, size-at)
	text, err := m.read(area.at+at, head)
	if err != nil {
		return nil, err
	}
	tail, err := m.read(area.at+lvmSector, n-head)
	if err != nil {
		return nil, err
	}
	text = append(text, tail...)
	if lvmSum(text) != sum {
		return nil, fmt.Errorf("checksum of the text is %08x, should be %08x", sum, lvmSum(text))
	}
	tree, err := parseLVM(string(bytes.TrimRight(text, "\x00")))
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	if tree.group() == nil {
		return nil, errors.New("text without a group")
	}
	return tree, nil
}

// hyphenate writes a UUID as LVM does, in groups of 6-4-4-4-4-4-6.
func hyphenate(s string) string {
	return s[:6] + "-" + s[6:10] + "-" + s[10:14] + "-" + s[14:18] + "-" + s[18:22] + "-" + s[22:26] + "-" + s[26:]
}

// takeFromText sets the volume's group and where its data begin, which the
// text alone knows exactly.
func (pv *lvmPV) takeFromText() error {
	group := pv.Text.group()
	pv.PV.VG = Ref("vg." + group.key)
	for _, p := range group.sections("physical_volumes") {
		if ID(p.text("id")) == pv.ID {
			pv.PV.DataStart = p.number("pe_start") * lvmSector
			return nil
		}
	}
	return fmt.Errorf("LVM text of group %q does not have the volume %s that it is on", group.key, pv.ID)
}
