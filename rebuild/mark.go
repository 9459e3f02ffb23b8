package rebuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"rootwc/probes"
)

// mark is what a rebuild leaves on its disks while it is not finished: in the
// last sector of the gap between a partition table and the first partition,
// which nothing else uses. It lets the same command go on after a power cut,
// and is the consent that was given then.
type mark struct {
	Plan string `json:"plan"` // [Plan.Hash]
	Disk string `json:"disk"` // ID in the layout
	Done int    `json:"done"` // steps that are on the disks
}

// markMagic is what a mark begins with.
const markMagic = "rootwc rebuild 1 "

// markPlace is the byte where the mark of a disk is. A disk without a table,
// or without a gap, has none, nor has one whose gap is full of boot code: the
// others speak for it.
func markPlace(l *probes.Layout, id probes.ID, boot []byte) (at uint64, ok bool) {
	d := l.Disk[id]
	if d == nil || d.Table == "" || d.Sector < 512 {
		return 0, false
	}
	first := ^uint64(0)
	for _, p := range l.Partition {
		if p.On == probes.Ref("disk."+id) {
			first = min(first, p.FirstLBA)
		}
	}
	entries := d.Entries
	if entries == 0 {
		entries = 128
	}
	least := 2 + (entries*128+d.Sector-1)/d.Sector // protective MBR, header, table
	if d.Table == "dos" {
		least = 1
	}
	if first == ^uint64(0) || first <= least {
		return 0, false
	}
	at = (first - 1) * d.Sector
	return at, d.Table != "dos" || uint64(len(boot)) <= at
}

func (m mark) encode() []byte {
	text, _ := json.Marshal(m) // of strings and a number
	b := make([]byte, 512)
	copy(b, fmt.Sprintf("%s%08x %s\n", markMagic, crc32.ChecksumIEEE(text), text))
	return b
}

// readMark reads the mark of a disk; nil is none.
func readMark(r io.ReaderAt, at uint64) (*mark, error) {
	b := make([]byte, 512)
	if _, err := r.ReadAt(b, int64(at)); err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(b, []byte(markMagic))
	line, _, ended := bytes.Cut(rest, []byte("\n"))
	sum, text, two := bytes.Cut(line, []byte(" "))
	m := &mark{}
	if !ok || !ended || !two || fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) != string(sum) || json.Unmarshal(text, m) != nil {
		return nil, nil
	}
	return m, nil
}

// hash is what a mark knows the plan by: the layout, and which disks take the
// places of the old ones.
func (p *planner) hash() (string, error) {
	h := sha256.New()
	if err := p.Layout.Write(h); err != nil {
		return "", err
	}
	for _, t := range p.Plan.Disks {
		fmt.Fprintf(h, "%q %q %q %d\n", t.Disk, t.Serial, t.WWN, t.Size)
	}
	for _, keep := range p.Keep {
		fmt.Fprintf(h, "keep %q\n", keep)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:32], nil
}

// readMarks tells how far a rebuild by this plan has come. A disk without its
// mark is a new one: then all starts again.
func (p *planner) readMarks() error {
	complete := true
	for _, t := range p.Plan.Disks {
		at, ok := p.Plan.marks[t.Disk]
		if !ok || t.device == nil || at+512 > t.Size {
			continue
		}
		f, err := os.Open(t.Device)
		if err != nil {
			return err
		}
		m, err := readMark(f, at)
		f.Close()
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", t.Device, err)
		}
		if t.Begun = m != nil && m.Plan == p.Plan.Hash && m.Disk == string(t.Disk); t.Begun {
			p.Plan.Begun = true
			p.Plan.Done = max(p.Plan.Done, m.Done)
		}
		complete = complete && t.Begun
	}
	if !complete {
		p.Plan.Done = 0
	}
	return nil
}

// mine tells whether a disk belongs to a rebuild that was begun: it carries the
// mark, or has no place for one and another disk of the plan does. The hash of
// the plan names all of them.
func (p *planner) mine(t *Target) bool {
	_, place := p.Plan.marks[t.Disk]
	return t.Begun || p.Plan.Begun && !place
}

// writeMarks says on all disks how far the rebuild has come. Whoever sees the
// new number on one disk can rely on the step.
func (p *Plan) writeMarks(done int) error {
	for _, t := range p.Disks {
		if err := p.writeMark(t, done); err != nil {
			return err
		}
	}
	return nil
}

// writeMark marks a disk that has a place for it.
func (p *Plan) writeMark(t *Target, done int) error {
	at, ok := p.marks[t.Disk]
	if !ok {
		return nil
	}
	err := inUse(t.Device, func(f *os.File) error {
		_, err := f.WriteAt(mark{p.Hash, string(t.Disk), done}.encode(), int64(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot mark %s: %w", t.Device, err)
	}
	return nil
}

// clearMarks ends the rebuild.
func (p *Plan) clearMarks() error {
	for _, t := range p.Disks {
		at, ok := p.marks[t.Disk]
		if !ok {
			continue
		}
		err := inUse(t.Device, func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, 512), int64(at))
			return err
		})
		if err != nil {
			return fmt.Errorf("cannot clear the mark of %s: %w", t.Device, err)
		}
	}
	return nil
}
