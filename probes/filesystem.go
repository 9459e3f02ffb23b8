package probes

// FileSystem is one file system. Its ID is its UUID or volume serial.
type FileSystem struct {
	On          []Ref  `toml:"on"`
	Type        string `toml:"type"`
	Label       string `toml:"label"`
	Ext         *Ext   `toml:"ext"`
	XFS         *XFS   `toml:"xfs"`
	Btrfs       *Btrfs `toml:"btrfs"`
	FAT         *FAT   `toml:"fat"`
	F2FS        *F2FS  `toml:"f2fs"`
	ExFAT       *ExFAT `toml:"exfat"`
	Unsupported string `toml:"unsupported"`
}
