package probes

// Swap is a swap device or file. Its ID is its UUID.
type Swap struct {
	On     Ref    `toml:"on"`   // of a file: its file system
	File   string `toml:"file"` // path from the machine's root
	Label  string `toml:"label"`
	Page   uint64 `toml:"page-size" unit:"bytes"`
	Size   uint64 `toml:"size" unit:"bytes"` // bytes
	Resume bool   `toml:"resume"`
}
