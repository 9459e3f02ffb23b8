package probes

// F2FS is an F2FS file system.
type F2FS struct{}
