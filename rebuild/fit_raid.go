package rebuild

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// fitRAID gives an array what all of its devices have more, or the least of
// them has less.
func (f *fitting) fitRAID(id probes.ID) span {
	r := f.new.RAID[id]
	size := raidSize(r)
	kept := span{size, size}
	var least int64
	var smallest span
	for i, ref := range r.On {
		on := f.device(ref)
		if more := int64(on.new) - int64(on.old); i == 0 || more < least {
			least, smallest = more, on
		}
	}
	if least == 0 {
		return kept // one that has not grown keeps all of them
	}
	if err := resizeRAID(r, smallest); err != nil {
		f.failed(probes.Ref("raid."+id), "%w", err)
		return kept
	}
	return span{size, raidSize(r)}
}

// resizeRAID sets the part that is used of each device, when the one that
// changes least has another size.
func resizeRAID(r *probes.RAID, on span) error {
	levels := []string{"raid1", "raid4", "raid5", "raid6", "raid10"}
	switch {
	case r.Unsupported != "":
		return errors.New(r.Unsupported)
	case !slices.Contains(levels, r.Level) || r.Size == 0:
		return fmt.Errorf("an array of level %s has the size that it was made with", r.Level)
	case r.Chunk&(r.Chunk-1) != 0:
		return fmt.Errorf("chunks of %d bytes", r.Chunk)
	}
	more := int64(on.new) - int64(on.old)
	if r.Metadata == "1.0" { // which has its bitmap behind the data
		more -= int64(bitmapSpace(on.new)) - int64(bitmapSpace(on.old))
	}
	// Metadata 0.90 stands at a multiple of 64 KiB; the kernel uses as many
	// chunks as there are copies that lie apart (raid10.c, calc_sectors).
	unit := int64(max(r.Chunk*raidFar(r), 64<<10))
	size := floor(int64(r.Size)+floor(more, 64<<10), unit)
	switch {
	case size < unit:
		return fmt.Errorf("devices of %d bytes have no room for it", on.new)
	case r.Metadata == "0.90" && size >= 2<<40: // mdadm(8), --size
		return errors.New("with metadata 0.90 it takes less than 2 TiB of a device")
	}
	r.Size = uint64(size)
	for r.BitmapChunk != 0 && r.Size/r.BitmapChunk+1 > bitmapBits(r) {
		r.BitmapChunk *= 2
	}
	return nil
}

// bitmapSpace is what mdadm leaves for a bitmap by the size of a device in bytes
// (super1.c, choose_bm_space).
func bitmapSpace(size uint64) uint64 {
	switch {
	case size < 64<<10:
		return 0
	case size-64<<10 >= 200<<30:
		return 128 << 10
	case size-4<<10 > 8<<30:
		return 64 << 10
	}
	return 4 << 10
}

// bitmapBits is for how many chunks there is room (add_internal_bitmap1, and for
// 0.90 super0.c).
func bitmapBits(r *probes.RAID) uint64 {
	if r.Metadata == "0.90" {
		return (60<<10 - 256) * 8
	}
	return (bitmapSpace(r.Size) - min(256, bitmapSpace(r.Size))) * 8
}

// raidSize is how large an array is; zero where that depends on more than its
// settings.
func raidSize(r *probes.RAID) uint64 {
	n, used := uint64(max(0, r.Devices)), r.Size
	if r.Chunk > 0 {
		used -= used % r.Chunk
	}
	switch r.Level {
	case "raid1":
		return r.Size
	case "raid4", "raid5":
		return used * (n - min(n, 1))
	case "raid6":
		return used * (n - min(n, 2))
	case "raid10":
		if r.Chunk > 0 {
			return used / r.Chunk / raidFar(r) * n / raidNear(r) * r.Chunk
		}
	}
	return 0
}

// raidFar and raidNear are the numbers of copies of a raid10, apart and side by
// side, of which one is 1.
func raidFar(r *probes.RAID) uint64 {
	if r.Level != "raid10" || strings.HasPrefix(r.Layout, "n") {
		return 1
	}
	return raidCopies(r)
}

func raidNear(r *probes.RAID) uint64 {
	if !strings.HasPrefix(r.Layout, "n") {
		return 1
	}
	return raidCopies(r)
}

func raidCopies(r *probes.RAID) uint64 {
	n, _ := strconv.ParseUint(r.Layout[min(1, len(r.Layout)):], 10, 8)
	return max(1, n)
}
