package probes

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Btrfs is a btrfs file system, on one device or several. What use alone sets
// is left out: feature bits for compression, a default subvolume, fs-verity or
// large blocks, and those that come and go with the profiles (raid56,
// raid1c34). So are the UUIDs of devices and subvolumes and the numbers of
// these, which nothing can give to a new file system.
type Btrfs struct {
	Features   []string                `toml:"features"` // sorted, in the words of mkfs.btrfs -O
	Checksum   string                  `toml:"checksum"` // in the words of mkfs.btrfs --csum
	NodeSize   uint64                  `toml:"node-size" unit:"bytes"`
	SectorSize uint64                  `toml:"sector-size" unit:"bytes"`
	Data       string                  `toml:"data"` // profile: "single", "raid1"
	Metadata   string                  `toml:"metadata"`
	System     string                  `toml:"system"`            // when not as Metadata
	Quota      string                  `toml:"quota"`             // "full", "simple" or "" for none
	Default    string                  `toml:"default-subvolume"` // "" is the top level
	Device     map[ID]*BtrfsDevice     `toml:"device"`
	Subvolume  map[ID]*BtrfsSubvolume  `toml:"subvolume"`
	Group      map[ID]*BtrfsQuotaGroup `toml:"quota-group"`
}

// BtrfsDevice is one device of a btrfs file system. Its ID is the number that
// the file system gave it.
type BtrfsDevice struct {
	Size uint64 `toml:"size" unit:"bytes"` // what the file system takes of the device
}

// BtrfsSubvolume is a subvolume or a snapshot. Its ID is its path from the top
// level, as [SubvolumePath] reads it. The top level itself is "/", and only
// there when something is set on it.
type BtrfsSubvolume struct {
	ReadOnly      bool     `toml:"read-only"`
	Compression   string   `toml:"compression"` // property of its root directory: "zstd", "none"
	NoCOW         bool     `toml:"no-cow"`      // chattr +C of its root directory
	SnapshotOf    string   `toml:"snapshot-of"` // ID of a subvolume that is still there
	Received      bool     `toml:"received"`    // by btrfs receive; what it was sent from is not recorded
	MaxReferenced uint64   `toml:"max-referenced" unit:"bytes"`
	MaxExclusive  uint64   `toml:"max-exclusive" unit:"bytes"`
	Groups        []string `toml:"quota-groups"`
}

// BtrfsQuotaGroup limits several subvolumes together. Its ID is "LEVEL/NUMBER",
// the level at least 1: level 0 is a subvolume's own.
type BtrfsQuotaGroup struct {
	MaxReferenced uint64   `toml:"max-referenced" unit:"bytes"`
	MaxExclusive  uint64   `toml:"max-exclusive" unit:"bytes"`
	Groups        []string `toml:"quota-groups"` // of higher levels
}

// readBtrfs reads a btrfs file system from all its devices that there are, in
// any order. [FileSystem.On] is left to the caller, who has the devices in the
// order of their numbers from [identifyBtrfs], and [FileSystem.Label] is as it
// is on the device, perhaps no UTF-8.
//
// The devices show what the kernel has committed, which may be 30 seconds old.
// While the file system is mounted, they may show less: the cache of a block
// device knows nothing of what btrfs writes past it. With mounted, any
// directory of the file system, the kernel is asked instead, which takes root
// and writes nothing; the devices then tell who they are and nothing else.
//
// What cannot be made again is in [FileSystem.Unsupported], with as much of
// the rest as is readable. An error is errAbsent, damage, or a read that
// failed.
func readBtrfs(ctx context.Context, devices []medium, mounted *os.File) (ID, *FileSystem, error) {
	super, members, err := readBtrfsMembers(devices)
	if err != nil {
		return "", nil, err
	}
	r := &btrfsReader{super: super, members: members, fs: &Btrfs{}}
	if mounted == nil {
		r.disks, err = newBtrfsDisks(super, members)
		r.source = r.disks
	} else {
		m := &btrfsMounted{dir: mounted}
		r.source = m
		err = m.ask(super)
	}
	if err != nil {
		return "", nil, err
	}
	if err := r.read(ctx); err != nil {
		return "", nil, err
	}
	return super.id(), &FileSystem{
		Type: "btrfs", Label: super.label, Btrfs: r.fs, Unsupported: strings.Join(r.why, "; "),
	}, nil
}

// btrfsReader puts a file system's description together.
type btrfsReader struct {
	super   *btrfsSuper
	members map[uint64]medium // by device number
	source  btrfsSource
	disks   *btrfsDisks // when they are the source
	fs      *Btrfs
	why     []string // what cannot be made again

	subvolumes map[uint64]*btrfsSubvolume // by number
}

func (r *btrfsReader) unsupported(format string, args ...any) {
	r.why = append(r.why, fmt.Sprintf(format, args...))
}

func (r *btrfsReader) read(ctx context.Context) error {
	r.fs.Checksum = r.super.checksum.name
	r.fs.NodeSize, r.fs.SectorSize = uint64(r.super.nodeSize), uint64(r.super.sectorSize)
	var foreign []string
	r.fs.Features, foreign = r.super.features()
	r.why = append(r.why, foreign...)
	if len(foreign) > 0 {
		return nil // the trees may have any form
	}
	for _, step := range []func(context.Context) error{r.readChunks, r.readReplace, r.readSubvolumes, r.readQuota, r.dropTopLevel} {
		switch err := step(ctx); {
		case err == errBtrfsSprout:
			return nil
		case err != nil && ctx.Err() == nil && uint64(len(r.members)) < r.super.devices:
			r.unsupported("not all of its %d devices are there, and without them %v", r.super.devices, err)
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// readReplace looks for a device that is being replaced.
//
// struct btrfs_dev_replace_item is in linux/btrfs_tree.h.
func (r *btrfsReader) readReplace(ctx context.Context) error {
	const started, suspended = 1, 4
	key := btrfsKey{0, btrfsReplaceItem, 0}
	return r.source.items(ctx, btrfsDeviceTree, key, key, func(item btrfsItem) error {
		if len(item.data) < 40 {
			return item.short()
		}
		if state := le64(item.data[32:]); state == started || state == suspended {
			r.unsupported("device %d is being replaced", le64(item.data))
		}
		return nil
	})
}

// deviceID is a device's number as an ID.
func deviceID(number uint64) ID { return ID(strconv.FormatUint(number, 10)) }
