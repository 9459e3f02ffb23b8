package probes

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Unknown is something with an identity that rootwc does not make again, as
// blkid names it. Its ID is its UUID, or "on-" and what it stands on.
type Unknown struct {
	On   Ref    `toml:"on"`
	Type string `toml:"type"`
	Name string `toml:"name"` // of a pool
	Why  string `toml:"why"`
}

// mark is how a format that is only recorded shows itself. The places are those
// of libblkid's probes.
type mark struct {
	name  string
	at    uint64
	magic string
	uuid  uint64 // where 16 bytes of UUID are, zero for nowhere
}

var marks = []mark{
	{"ntfs", 3, "NTFS    ", 0},
	{"BitLocker", 3, "-FVE-FS-", 0},
	{"squashfs", 0, "hsqs", 0},
	{"DM_verity_hash", 0, "verity\x00\x00", 16},
	{"DM_integrity", 0, "integrt\x00", 0},
	{"vdo", 0, "dmvdo001", 0},
	{"apfs", 32, "NXSB", 0},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0", 1024 + 48},
	{"hfsplus", 1024, "H+\x00\x04", 0},
	{"nilfs2", 1024, "\x02\x00\x00\x00\x00\x00\x34\x34", 1024 + 152},
	{"bcache", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", 4096 + 40},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", 4096 + 56},
	{"jfs", 32768, "JFS1", 32768 + 136},
	{"iso9660", 32769, "CD001", 0},
	{"reiserfs", 65536 + 52, "ReIsEr", 65536 + 84},
}

// recordedFormats are the formats of [marks].
func recordedFormats() (all []format) {
	for _, k := range marks {
		all = append(all, format{name: k.name, read: k.read})
	}
	return append(all, zfsFormat)
}

func (k mark) read(m medium) (*found, error) {
	b, err := m.at(k.at, uint64(len(k.magic)))
	if b == nil || err != nil || string(b) != k.magic {
		return nil, err
	}
	one := &found{name: k.name, node: &Unknown{Type: k.name}}
	if k.uuid != 0 {
		if b, err = m.at(k.uuid, 16); b != nil {
			one.id = ID(uuid(b))
		}
	}
	return one, err
}

// zfsFormat is a device of a ZFS pool: the ring of uberblocks has its magic
// number, and a list of names and values before it says which pool it is.
var zfsFormat = format{name: "zfs_member", read: func(m medium) (*found, error) {
	const list, listSize, ring, ringEnd, slot, magic = 16 << 10, 112 << 10, 128 << 10, 256 << 10, 1 << 10, 0x00bab10c
	b, err := m.at(ring, ringEnd-ring)
	if b == nil || err != nil {
		return nil, err
	}
	there := false
	for ; len(b) > 0; b = b[slot:] {
		there = there || binary.LittleEndian.Uint64(b) == magic || binary.BigEndian.Uint64(b) == magic
	}
	if !there {
		return nil, nil
	}
	if b, err = m.read(list, listSize); err != nil {
		return nil, err
	}
	u := &Unknown{Type: "zfs_member", Why: "rootwc records pools, zpool makes them"}
	one := &found{name: u.Type, node: u}
	numbers, texts := nvlist(b)
	u.Name = texts["name"]
	if numbers["pool_guid"] != 0 {
		one.id = ID(fmt.Sprintf("%d.%d", numbers["pool_guid"], numbers["guid"]))
	}
	return one, nil
}}

// nvlist reads the numbers and texts of a list in XDR, as far as it makes sense
// (libnvpair of OpenZFS).
func nvlist(b []byte) (numbers map[string]uint64, texts map[string]string) {
	const typeNumber, typeText = 8, 9
	numbers, texts = map[string]uint64{}, map[string]string{}
	be := binary.BigEndian
	for b = b[12:]; len(b) >= 12; { // encoding, version, flags
		size := uint64(be.Uint32(b))
		if size < 12 || size > uint64(len(b)) {
			return
		}
		name, rest := xdrText(b[8:size])
		b = b[size:]
		if len(rest) < 8 {
			return
		}
		switch kind, value := be.Uint32(rest), rest[8:]; {
		case kind == typeNumber && len(value) >= 8:
			numbers[name] = be.Uint64(value)
		case kind == typeText:
			text, _ := xdrText(value)
			texts[name] = readable(text)
		}
	}
	return
}

// xdrText takes a text off: its length, its bytes, zeros up to a multiple of 4.
func xdrText(b []byte) (text string, rest []byte) {
	if len(b) < 4 {
		return "", nil
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b))-4 {
		return "", nil
	}
	text = string(bytes.TrimRight(b[4:4+n], "\x00"))
	return text, b[min(uint64(len(b)), 4+(n+3)/4*4):]
}
