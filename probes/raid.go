package probes

// RAID is an md array. Its ID is the array's UUID as mdadm prints it.
type RAID struct {
	On          []Ref  `toml:"on"` // in the order of their roles, spares last
	Name        string `toml:"name"`
	Homehost    string `toml:"homehost"`
	Metadata    string `toml:"metadata"` // "1.2"
	Level       string `toml:"level"`
	Devices     int    `toml:"devices"`
	Spares      int    `toml:"spares"`
	Layout      string `toml:"layout"`
	Chunk       uint64 `toml:"chunk" unit:"bytes"`       // bytes
	Size        uint64 `toml:"size" unit:"bytes"`        // bytes used of each device
	DataOffset  uint64 `toml:"data-offset" unit:"bytes"` // bytes
	BitmapChunk uint64 `toml:"bitmap-chunk" unit:"bytes"`
	Consistency string `toml:"consistency-policy"`
	Unsupported string `toml:"unsupported"`
}
