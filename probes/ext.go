package probes

// Ext is an ext2, ext3 or ext4 file system, from its superblock.
type Ext struct {
	Features       []string `toml:"features"` // sorted, in e2fsprogs' words
	BlockSize      uint64   `toml:"block-size" unit:"bytes"`
	Blocks         uint64   `toml:"blocks"`
	InodeSize      uint64   `toml:"inode-size" unit:"bytes"`
	Inodes         uint64   `toml:"inodes"`
	ClusterSize    uint64   `toml:"cluster-size" unit:"bytes"` // with bigalloc
	BlocksPerGroup uint64   `toml:"blocks-per-group"`          // when not 8 times the block size
	FlexGroup      uint64   `toml:"flex-group"`
	ReservedGDT    uint64   `toml:"reserved-gdt-blocks"`
	Journal        uint64   `toml:"journal-blocks"`
	Stride         uint64   `toml:"stride"`
	StripeWidth    uint64   `toml:"stripe-width"`
	HashSeed       string   `toml:"hash-seed"`
	Hash           string   `toml:"hash"`
	Reserved       uint64   `toml:"reserved-blocks"`
	ReservedUID    uint64   `toml:"reserved-uid"`
	ReservedGID    uint64   `toml:"reserved-gid"`
	Errors         string   `toml:"errors"` // when not "continue"
	MountDefaults  []string `toml:"mount-defaults"`
	MountOptions   string   `toml:"mount-options"`
	MaxMounts      int      `toml:"max-mount-count"` // when not -1
	CheckInterval  uint64   `toml:"check-interval"`  // seconds
	Quota          []string `toml:"quota"`
	Encoding       string   `toml:"encoding"`
	EncodingStrict bool     `toml:"encoding-strict"`
	MMPInterval    uint64   `toml:"mmp-interval"` // seconds
}
