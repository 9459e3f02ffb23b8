package probes

// ExFAT is an exFAT file system.
type ExFAT struct{}
