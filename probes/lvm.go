package probes

// PV is an LVM physical volume. Its ID is the volume's UUID.
type PV struct {
	On             Ref    `toml:"on"`
	VG             Ref    `toml:"vg"`
	MetadataCopies int    `toml:"metadata-copies"`
	MetadataSize   uint64 `toml:"metadata-size" unit:"bytes"` // bytes, of one copy
	DataStart      uint64 `toml:"data-start" unit:"bytes"`    // bytes
}

// VG is an LVM volume group. Its ID is its name. What matters is the text that
// vgcfgbackup wrote; the rest is for readers.
type VG struct {
	UUID   string   `toml:"uuid"`
	Script string   `toml:"script"` // file with the text
	Extent uint64   `toml:"extent-size" unit:"bytes"`
	Tags   []string `toml:"tags"`
}

// LV is an LVM logical volume. Its ID is "GROUP/NAME".
type LV struct {
	On       Ref      `toml:"on"` // its group
	UUID     string   `toml:"uuid"`
	Type     string   `toml:"type"`              // "linear", "striped", "raid1", "thin-pool", …
	Size     uint64   `toml:"size" unit:"bytes"` // bytes
	Pool     string   `toml:"pool"`
	Origin   string   `toml:"origin"`
	Tags     []string `toml:"tags"`
	Recorded string   `toml:"recorded-only"` // why it is not made again
}
