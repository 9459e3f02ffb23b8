package probes

// Btrfs is a btrfs file system.
type Btrfs struct{}
