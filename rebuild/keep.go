package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"rootwc/probes"
)

// keep checks the partitions that stay: they must be there, at the same place,
// and hold what the layout says.
func (p *planner) keep(ctx context.Context) error {
	for _, id := range p.Keep {
		ref := probes.Ref("partition." + id)
		part := p.Layout.Partition[id]
		if part == nil || p.without[ref] {
			p.refuse("", "", "--keep %s: the layout has no such partition", id)
			continue
		}
		p.kept[ref] = true
		i := slices.IndexFunc(p.Plan.Disks, func(t *Target) bool { return t.Disk == part.On.ID() })
		if i < 0 || p.Plan.Disks[i].device == nil {
			continue // which a refusal says
		}
		if err := p.sameThere(p.Plan.Disks[i], id, part); err != nil {
			if errors.Is(err, ctx.Err()) {
				return err
			}
			p.refuse(string(ref), "", "cannot keep partition %s of %s: %v", id, p.Plan.Disks[i].Device, err)
		}
	}
	for _, ref := range p.Layout.Nodes() {
		below := p.below(ref)
		kept := slices.DeleteFunc(slices.Clone(below), func(r probes.Ref) bool { return !p.kept[r] })
		switch {
		case len(kept) == 0 || ref.Kind() == "mount":
		case len(kept) == len(below):
			p.kept[ref] = true
		default:
			p.refuse(string(ref), "keep all that it stands on, or nothing", "%s stands on %s, which is kept, and on more that is not", ref, kept[0])
		}
	}
	return nil
}

// sameThere compares a partition on a disk with the one of the layout.
func (p *planner) sameThere(t *Target, id probes.ID, want *probes.Partition) error {
	f, err := os.Open(t.Device)
	if err != nil {
		return err
	}
	defer f.Close()
	disk := p.Layout.Disk[t.Disk]
	table, err := probes.ReadTable(probes.Medium{ReaderAt: f, Size: t.Size}, disk.Sector)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(table.Partitions, func(e probes.TableEntry) bool { return e.ID == id })
	switch {
	case i < 0:
		return errors.New("it is not there")
	case table.Partitions[i].FirstLBA != want.FirstLBA || table.Partitions[i].LastLBA != want.LastLBA || table.Partitions[i].Number != want.Number:
		return fmt.Errorf("it is partition %d from sector %d to %d, not %d from %d to %d", table.Partitions[i].Number,
			table.Partitions[i].FirstLBA, table.Partitions[i].LastLBA, want.Number, want.FirstLBA, want.LastLBA)
	}
	at := want.FirstLBA * disk.Sector
	size := (want.LastLBA - want.FirstLBA + 1) * disk.Sector
	content, err := probes.ContentOf(io.NewSectionReader(f, int64(at), int64(size)), size)
	if err != nil {
		return err
	}
	for _, ref := range p.Layout.Nodes() {
		if slices.Contains(p.below(ref), probes.Ref("partition."+id)) && ref != content && ref.Kind() != "unsupported" {
			return fmt.Errorf("it holds %s, not %s", cmp.Or(content, "nothing that rootwc knows"), ref)
		}
	}
	return nil
}

// keepsOn tells whether something on a disk is kept.
func (p *planner) keepsOn(disk probes.Ref) bool {
	return slices.ContainsFunc(p.Keep, func(id probes.ID) bool {
		part := p.Layout.Partition[id]
		return part != nil && part.On == disk
	})
}
