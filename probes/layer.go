package probes

import (
	"fmt"
	"io"
)

// Medium is a device or an image to read one layer from: what a rebuild does
// after it has made it.
type Medium struct {
	io.ReaderAt
	Size uint64 // bytes
}

// ReadTable reads the partition table of a disk with logical sectors of that
// many bytes.
func ReadTable(m Medium, sector uint64) (*Table, error) { return readTable(m, m.Size, sector) }

// ReadLUKS reads the header of an encrypted device. Its findings, a damaged
// copy for one, are an error here, and so in the functions that follow.
func ReadLUKS(m Medium) (ID, *LUKS, error) {
	id, l, findings, err := readLUKS(m, m.Size)
	return id, l, firstFinding(err, findings)
}

// ReadRAID reads an array from all its members.
func ReadRAID(members map[Ref]Medium) (ID, *RAID, error) {
	var all []*raidMember
	for ref, m := range members {
		member, err := readRAID(m, m.Size)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", ref, err)
		}
		member.On = ref
		all = append(all, member)
	}
	array, findings, err := assembleRAID(all)
	if err = firstFinding(err, findings); err != nil {
		return "", nil, err
	}
	return all[0].Array, array, nil
}

// ReadVG reads a volume group from all its physical volumes. The nodes of those
// do not say what they stand on.
func ReadVG(volumes ...Medium) (*Group, error) {
	var all []*lvmPV
	pvs := map[ID]*PV{}
	for _, m := range volumes {
		pv, err := readPV(m, m.Size)
		if err = firstFinding(err, pv.findings()); err != nil {
			return nil, err
		}
		all = append(all, pv)
		pvs[pv.ID] = &pv.PV
	}
	g, err := assembleVG(all)
	if err != nil {
		return nil, err
	}
	if g.VG.Unsupported == "" {
		err = firstFinding(nil, g.Findings)
	}
	return &Group{ID: g.ID, VG: g.VG, Text: g.Text, LVs: g.LVs, PVs: pvs}, err
}

// ReadPV reads the identity of a physical volume.
func ReadPV(m Medium) (ID, error) {
	pv, err := readPV(m, m.Size)
	if err != nil {
		return "", err
	}
	return pv.ID, nil
}

// Group is a volume group with its physical and logical volumes.
type Group struct {
	ID   ID
	VG   VG
	Text *VGText
	PVs  map[ID]*PV
	LVs  map[ID]*LV
}

func (pv *lvmPV) findings() []string {
	if pv == nil {
		return nil
	}
	return pv.Findings
}

// firstFinding makes an error of a finding, when there is no other.
func firstFinding(err error, findings []string) error {
	if err == nil && len(findings) > 0 {
		return fmt.Errorf("%s", findings[0])
	}
	return err
}
