package probes

// FAT is a FAT file system.
type FAT struct{}
