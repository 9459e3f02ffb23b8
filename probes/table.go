package probes

// Disk is a whole disk with its partition table. Its ID is that of the table,
// or "of-" and the ID of what is on it. Serial number, model and bus are in
// [Hardware]: they differ on the next disk.
type Disk struct {
	Table       string `toml:"table"`                    // "gpt", "dos", or "" for none
	Sector      uint64 `toml:"sector-size" unit:"bytes"` // logical, bytes
	Need        uint64 `toml:"needs" unit:"bytes"`       // bytes from the start to the end of what is on it
	FirstLBA    uint64 `toml:"first-lba"`                // GPT: the first that partitions may use
	Entries     uint64 `toml:"table-length"`             // GPT: entries in the table, when not 128
	BootCode    string `toml:"boot-code"`                // file with what a BIOS starts, "" for none
	Unsupported string `toml:"unsupported"`              // why it cannot be made again
}

// Partition is an entry of a partition table. Its ID is the PARTUUID.
type Partition struct {
	On         Ref      `toml:"on"`
	Number     int      `toml:"number"`
	FirstLBA   uint64   `toml:"first-lba"` // in the disk's sectors
	LastLBA    uint64   `toml:"last-lba"`
	Type       string   `toml:"type"` // GPT: UUID; dos: hexadecimal
	Name       string   `toml:"name"` // GPT
	Attributes []string `toml:"attributes"`
	Bootable   bool     `toml:"bootable"` // dos
}
