package rebuild

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"rootwc/probes"
)

// changes are sentences on what has another size or place.
func (f *fitting) changes() (words []string) {
	resized := func(what string, old, now uint64) {
		verb := "grows"
		if now < old {
			verb = "shrinks"
		}
		from, to := probes.Size(old), probes.Size(now)
		if from == to {
			from, to = fmt.Sprint(old), fmt.Sprint(now, " bytes")
		}
		if now != old {
			words = append(words, fmt.Sprintf("%s %s from %s to %s", what, verb, from, to))
		}
	}
	for _, id := range f.byPlace() {
		was, is := f.old.Partition[id], f.new.Partition[id]
		_, disk := split(is.On)
		sector := f.new.Disk[disk].Sector
		what := fmt.Sprintf("partition %d of disk %s", is.Number, disk)
		resized(what, (was.LastLBA-was.FirstLBA+1)*sector, (is.LastLBA-is.FirstLBA+1)*sector)
		if was.FirstLBA != is.FirstLBA {
			words = append(words, fmt.Sprintf("%s moves from %s to %s", what, probes.Size(was.FirstLBA*sector), probes.Size(is.FirstLBA*sector)))
		}
	}
	for _, id := range sorted(f.new.RAID) {
		resized(fmt.Sprintf("array %s", id), raidSize(f.old.RAID[id]), raidSize(f.new.RAID[id]))
	}
	for _, id := range sorted(f.new.VG) {
		resized(fmt.Sprintf("volume group %s", id), f.groupSize(f.old.VG[id], f.given), f.groupSize(f.new.VG[id], f.texts))
	}
	for _, id := range sorted(f.new.LV) {
		resized(fmt.Sprintf("logical volume %s", id), f.old.LV[id].Size, f.new.LV[id].Size)
	}
	for _, id := range sorted(f.new.FileSystem) {
		resized(fmt.Sprintf("file system %s (%s)", id, f.new.FileSystem[id].Type), f.old.FileSystem[id].Size(), f.new.FileSystem[id].Size())
	}
	for _, id := range sorted(f.new.Swap) {
		resized(fmt.Sprintf("swap %s", id), f.old.Swap[id].Size, f.new.Swap[id].Size)
	}
	return words
}

// byPlace are the partitions, disk by disk, by number.
func (f *fitting) byPlace() []probes.ID {
	all := f.new.Partition
	return slices.SortedFunc(maps.Keys(all), func(a, b probes.ID) int {
		return cmp.Or(cmp.Compare(all[a].On, all[b].On), cmp.Compare(all[a].Number, all[b].Number))
	})
}
