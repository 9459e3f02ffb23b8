package probes

import "strings"

// LVShape is how a logical volume is spread over its group, in the words and
// numbers that lvcreate takes.
type LVShape struct {
	Type         string // of the first segment
	Stripes      uint64 // those with data alone, zero for none
	StripeSize   uint64 // bytes
	Mirrors      uint64 // copies besides the first
	Chunk        uint64 // thin pools: bytes
	MetadataSize uint64 // thin pools: bytes
	Segments     int    // with more than one, the others may differ
}

// Shape is that of a volume, false when there is none of that name.
func (t *VGText) Shape(lv string) (LVShape, bool) {
	group := t.root.group()
	volume := group.volume(lv)
	if volume == nil || len(volume.segments()) == 0 {
		return LVShape{}, false
	}
	s := volume.segments()[0]
	shape := LVShape{
		Type: s.segmentType(), Segments: len(volume.segments()),
		StripeSize: s.number("stripe_size") * lvmSector, Chunk: s.number("chunk_size") * lvmSector,
	}
	devices := s.number("device_count")
	switch {
	case shape.Type == "striped":
		shape.Stripes = s.number("stripe_count")
	case shape.Type == "mirror":
		shape.Mirrors = max(1, s.number("mirror_count")) - 1
	case shape.Type == "raid1":
		shape.Mirrors = max(1, devices) - 1
	case strings.HasPrefix(shape.Type, "raid10"):
		shape.Stripes, shape.Mirrors = devices/2, 1
	case strings.HasPrefix(shape.Type, "raid6"):
		shape.Stripes = max(2, devices) - 2
	case strings.HasPrefix(shape.Type, "raid4"), strings.HasPrefix(shape.Type, "raid5"):
		shape.Stripes = max(1, devices) - 1
	case strings.HasPrefix(shape.Type, "raid0"):
		shape.Stripes = max(devices, s.number("stripe_count"))
	}
	if pool := group.volume(s.text("metadata")); shape.Type == "thin-pool" && pool != nil {
		for _, part := range pool.segments() {
			shape.MetadataSize += part.number("extent_count") * group.number("extent_size") * lvmSector
		}
	}
	return shape, true
}
