package rebuild

import (
	"errors"
	"fmt"
	"slices"

	"rootwc/probes"
)

// alignment is that of the ends that are new, in bytes.
const alignment = 1 << 20

// fitDisks gives each disk's partitions their places.
func (f *fitting) fitDisks() {
	for _, id := range sorted(f.new.Disk) {
		size, ok := f.disks[id]
		switch {
		case !ok:
			f.failed(probes.Ref("disk."+id), "its size is not given")
		case f.new.Disk[id].Table == "":
			f.fitWhole(id, size)
		default:
			if err := f.fitTable(id, size); err != nil {
				f.fail(err)
			}
		}
	}
	for id, p := range f.new.Partition {
		was := f.old.Partition[id]
		_, disk := split(p.On)
		d := f.new.Disk[disk]
		if d == nil {
			f.failed(probes.Ref("partition."+id), "it is on no disk")
			continue
		}
		f.spans[probes.Ref("partition."+id)] = span{(was.LastLBA - was.FirstLBA + 1) * d.Sector, (p.LastLBA - p.FirstLBA + 1) * d.Sector}
	}
}

// fitWhole is for a disk without partitions. How large it was shows in what is
// on it.
func (f *fitting) fitWhole(id probes.ID, size uint64) {
	ref, d := probes.Ref("disk."+id), f.new.Disk[id]
	rule, was := f.sizes[ref], d.Need
	for pv, p := range f.new.PV {
		if p.On == ref {
			was = max(was, f.deviceSize(pv))
		}
	}
	s, least := span{was, min(was, size)}, d.Need
	if rule.elastic() {
		s.new, least = size, rule.least(was)
	}
	if size < least {
		f.fail(&TooSmall{Disk: id, Missing: least - size})
		s.new = was
	}
	f.spans[ref] = s
}

// isExtended tells whether a partition holds others.
func isExtended(l *probes.Layout, p *probes.Partition) bool {
	_, disk := split(p.On)
	d := l.Disk[disk]
	return d != nil && d.Table == "dos" && p.Number <= 4 && slices.Contains([]string{"5", "f", "85"}, p.Type)
}

// stretch is a partition that may take another size, with the room behind it.
type stretch struct {
	*probes.Partition
	ref  probes.Ref
	end  uint64 // the LBA behind it
	gap  int64  // sectors that it may take without moving another; less than 0 on a smaller disk
	unit int64  // sectors of an alignment
}

// fitTable moves and resizes the partitions of a disk. Those before the first
// one that changes stay where they are, those behind it keep their distances.
func (f *fitting) fitTable(id probes.ID, size uint64) error {
	wrong := func(err error) error { return fmt.Errorf("disk.%s: %w", id, err) }
	t, err := f.new.Table(id)
	if err != nil {
		return wrong(err)
	}
	limit, end, room := t.End(size), uint64(0), int64(0)
	for _, p := range t.Partitions {
		end = max(end, p.LastLBA+1)
	}
	all := f.stretches(t, limit)
	var refs []probes.Ref
	for _, s := range all {
		refs = append(refs, s.ref)
	}
	switch {
	case len(all) == 0 && end > limit:
		return &TooSmall{Disk: id, Missing: (end - limit) * t.Disk.Sector}
	case len(all) == 0:
		return nil
	case t.Disk.Unsupported != "":
		return wrong(errors.New(t.Disk.Unsupported))
	}
	if err := f.sizes.alone(refs); err != nil {
		return wrong(err)
	}
	if all[len(all)-1].end < end { // others are behind, and move with the end of the disk
		room = floor(int64(limit)-int64(end), all[0].unit)
	}
	moves, missing := f.stretch(all, room, t.Disk.Sector)
	if missing > 0 {
		return &TooSmall{Disk: id, Missing: missing}
	}
	if err := f.move(t, all, moves); err != nil {
		return wrong(err)
	}
	return nil
}

// stretches are the partitions with a rule, by place.
func (f *fitting) stretches(t *probes.Table, limit uint64) (all []stretch) {
	unit := int64(max(1, alignment/t.Disk.Sector))
	for _, p := range t.Partitions {
		ref := probes.Ref("partition." + p.ID)
		if !f.sizes[ref].elastic() {
			continue
		}
		s := stretch{f.new.Partition[p.ID], ref, p.LastLBA + 1, 0, unit}
		if next, ok := f.next(t, s); ok {
			s.gap = max(0, floor(next, unit)-int64(s.end))
		} else if s.gap = floor(int64(limit), unit) - int64(s.end); s.end <= limit {
			s.gap = max(0, s.gap)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b stretch) int { return int(a.end) - int(b.end) })
	return all
}

// next is the LBA to which a partition may reach without moving others.
func (f *fitting) next(t *probes.Table, s stretch) (at int64, ok bool) {
	take := func(lba uint64, before int64) {
		if lba >= s.end && (!ok || int64(lba)-before < at) {
			at, ok = int64(lba)-before, true
		}
	}
	for _, p := range t.Partitions {
		switch {
		case t.Disk.Table == "dos" && p.Number > 4:
			take(p.FirstLBA, s.unit) // the boot record with its entry is before it
		case isExtended(f.new, &p.Partition):
			take(p.FirstLBA, 0)
			take(p.LastLBA+1, 0)
		default:
			take(p.FirstLBA, 0)
		}
	}
	return at, ok
}

// floor rounds down to a number of units.
func floor(n, unit int64) int64 {
	if n < 0 {
		return -((-n + unit - 1) / unit) * unit
	}
	return n / unit * unit
}

// stretch decides how far what is behind each partition moves beyond what is
// before it, in sectors. room is by how much the last one moves. missing is in
// bytes.
func (f *fitting) stretch(all []stretch, room int64, sector uint64) (moves []int64, missing uint64) {
	unit := all[0].unit
	total := room / unit
	var weights []uint64
	var least []int64
	for _, s := range all {
		gap := floor(s.gap, unit)
		bytes := (s.end - s.FirstLBA) * sector
		spare := bytes - f.sizes[s.ref].least(bytes) + uint64(s.gap-gap)*sector
		weights = append(weights, bytes)
		least = append(least, -int64(spare/sector/uint64(unit)))
		total += gap / unit
	}
	parts, short := divide(total, weights, least)
	for i, s := range all {
		moves = append(moves, parts[i]*unit-floor(s.gap, unit))
	}
	return moves, uint64(short*unit) * sector
}

// move puts all partitions where they are to be.
func (f *fitting) move(t *probes.Table, all []stretch, moves []int64) error {
	shift := func(lba uint64) uint64 {
		to := int64(lba)
		for i, s := range all {
			if s.end <= lba {
				to += moves[i]
			}
		}
		return uint64(to)
	}
	for i, p := range t.Partitions {
		first, last := shift(p.FirstLBA), shift(p.LastLBA+1)-1
		if i := slices.IndexFunc(all, func(s stretch) bool { return s.ref == probes.Ref("partition."+p.ID) }); i >= 0 {
			last = uint64(int64(last) + all[i].gap)
		}
		if last < first || last > 1<<54 {
			return fmt.Errorf("partition %d: nothing is left of it", p.Number)
		}
		if first != p.FirstLBA && p.Type == biosBoot {
			return fmt.Errorf("partition %d holds boot code, which must stay where it is", p.Number)
		}
		f.hidden(p.ID, p.FirstLBA, first)
		f.new.Partition[p.ID].FirstLBA, f.new.Partition[p.ID].LastLBA = first, last
		t.Partitions[i].FirstLBA, t.Partitions[i].LastLBA = first, last
	}
	f.new.Disk[t.ID].Need = t.Needs()
	if _, err := f.new.Table(t.ID); err != nil {
		return err
	}
	return nil
}

// hidden tells a FAT file system, which says where its partition is, that it is
// elsewhere.
func (f *fitting) hidden(id probes.ID, from, to uint64) {
	for _, fs := range f.new.FileSystem {
		if fs.FAT != nil && slices.Contains(fs.On, probes.Ref("partition."+id)) && fs.FAT.Hidden == from && to < 1<<32 {
			fs.FAT.Hidden = to
		}
	}
}
