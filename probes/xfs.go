package probes

// XFS is an XFS file system.
type XFS struct{}
