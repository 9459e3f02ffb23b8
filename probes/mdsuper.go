package probes

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The superblocks of md, as they are on the devices. Sources: the kernel's
// include/uapi/linux/raid/md_p.h, and super0.c, super1.c and bitmap.h of mdadm.

const mdMagic = 0xa92b4efc

// Bits of the feature map of version 1.
const (
	mdBitmap          = 1 << 0
	mdReshape         = 1 << 2
	mdReplacement     = 1 << 4
	mdNewOffset       = 1 << 6
	mdBitmapVersioned = 1 << 8 // a bitmap for clusters
	mdJournal         = 1 << 9
	mdPPL             = 1 << 10
	mdMultiplePPL     = 1 << 11
	mdRAID0Layout     = 1 << 12
	mdKnown           = 1<<13 - 1
)

// readRAID1 reads a superblock of version 1: at the start of the device (1.1),
// 4 KiB from it (1.2), or at least 8 KiB before its end (1.0).
func readRAID1(m medium) (*raidMember, error) {
	places := []struct {
		version string
		at      uint64
	}{{"1.2", 4096}, {"1.1", 0}, {"1.0", (m.size/512 - 16) &^ 7 * 512}}
	for _, p := range places {
		if m.size < 16<<10 {
			break
		}
		b, err := m.read(p.at, 256)
		if err != nil {
			return nil, err
		}
		le := binary.LittleEndian
		if le.Uint32(b) != mdMagic || le.Uint32(b[4:]) != 1 || le.Uint64(b[144:]) != p.at/512 {
			continue // another version's, or that of a device around or inside this one
		}
		member, err := parseRAID1(m, b, p.at)
		if err != nil {
			return nil, fmt.Errorf("md superblock %s at %d: %w", p.version, p.at, err)
		}
		member.RAID.Metadata = p.version
		return member, nil
	}
	return nil, errAbsent
}

func parseRAID1(m medium, b []byte, at uint64) (*raidMember, error) {
	le := binary.LittleEndian
	devices := le.Uint32(b[220:])
	if devices > (4096-256)/2 {
		return nil, fmt.Errorf("room for %d devices", devices)
	}
	b, err := m.read(at, 256+2*uint64(devices))
	if err != nil {
		return nil, err
	}
	if sum := mdSum1(b); sum != le.Uint32(b[216:]) {
		return nil, fmt.Errorf("checksum is %08x, should be %08x", le.Uint32(b[216:]), sum)
	}
	r := &raidMember{
		Array: ID(colons(b[16:32])), Device: colons(b[168:184]), Events: le.Uint64(b[200:]), Role: roleSpare, SuperOffset: at,
		WriteMostly: b[184]&1 != 0, FailFast: b[184]&2 != 0,
	}
	a := &r.RAID
	a.Devices = int(le.Uint32(b[92:]))
	if a.Devices > (4096-256)/2 {
		return nil, fmt.Errorf("%d devices", a.Devices)
	}
	if n := le.Uint32(b[160:]); n < devices {
		r.Role = mdRole(le.Uint16(b[256+2*n:]))
	}
	a.Homehost, a.Name = splitArrayName(untilNUL(b[32:64]))
	if !utf8.ValidString(a.Homehost + a.Name) {
		a.refuse("its name is no UTF-8")
	}
	a.Size, a.Chunk, a.DataOffset = le.Uint64(b[80:])*512, uint64(le.Uint32(b[88:]))*512, le.Uint64(b[128:])*512
	level, layout, features := int32(le.Uint32(b[72:])), le.Uint32(b[76:]), le.Uint32(b[8:])
	if level == 0 && features&mdRAID0Layout == 0 {
		layout = 0 // mdadm fills it in, and nobody looks at it
	}
	if err := a.setLevel(level, layout); err != nil {
		return nil, err
	}
	return r, r.features(m, features, int64(int32(le.Uint32(b[96:])))*512)
}

// features sets what the feature map tells.
func (r *raidMember) features(m medium, features uint32, bitmap int64) error {
	a := &r.RAID
	switch {
	case features&(mdReshape|mdNewOffset) != 0:
		a.refuse("it is being reshaped")
	case features&mdReplacement != 0:
		r.Replacement = true
	case features&mdBitmapVersioned != 0:
		a.refuse("arrays of a cluster")
	case features&^uint32(mdKnown) != 0:
		a.refuse(fmt.Sprintf("unknown features %#x", features&^uint32(mdKnown)))
	}
	switch {
	case features&(mdPPL|mdMultiplePPL) != 0: // it is where a bitmap would be
		a.Consistency = "ppl"
	case features&mdJournal != 0:
		a.Consistency = "journal"
	case features&mdBitmap != 0:
		a.Consistency, r.Bitmap = "bitmap", bitmap
		return r.readBitmap(m)
	case a.redundant():
		a.Consistency = "resync"
	}
	return nil
}

// readBitmap reads the head of the write-intent bitmap, which the superblock
// says is there. A spare's may be blank.
func (r *raidMember) readBitmap(m medium) error {
	at := int64(r.SuperOffset) + r.Bitmap
	if at < 0 {
		return fmt.Errorf("bitmap at %d", at)
	}
	b, err := m.read(uint64(at), 256)
	if err != nil {
		return fmt.Errorf("bitmap: %w", err)
	}
	le := binary.LittleEndian
	if string(b[:4]) != "bitm" {
		if r.Role == roleSpare {
			return nil
		}
		return fmt.Errorf("bitmap at %d: no head", at)
	}
	a := &r.RAID
	a.BitmapChunk, a.WriteBehind = uint64(le.Uint32(b[52:])), uint64(le.Uint32(b[60:]))
	r.BitmapSpace = uint64(le.Uint32(b[64:])) * 512
	if delay := uint64(le.Uint32(b[56:])); delay != 5 {
		a.BitmapDelay = delay
	}
	return nil
}

// mdRole is a role of version 1.
func mdRole(role uint16) int {
	switch role {
	case 0xffff:
		return roleSpare
	case 0xfffe:
		return roleFaulty
	case 0xfffd:
		return roleJournal
	}
	return int(role)
}

// mdSum1 adds the words of a superblock of version 1, its sum apart.
func mdSum1(b []byte) uint32 {
	var sum uint64
	le := binary.LittleEndian
	i := 0
	for ; i+4 <= len(b); i += 4 {
		if i != 216 {
			sum += uint64(le.Uint32(b[i:]))
		}
	}
	if i+2 <= len(b) {
		sum += uint64(le.Uint16(b[i:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// colons is a UUID as mdadm prints it.
func colons(b []byte) string {
	return fmt.Sprintf("%08x:%08x:%08x:%08x", b[:4], b[4:8], b[8:12], b[12:16])
}

// splitArrayName takes the home host off a name, as mdadm puts it on.
func splitArrayName(s string) (homehost, name string) {
	if homehost, name, ok := strings.Cut(s, ":"); ok {
		return homehost, name
	}
	return "", s
}

// Words of a superblock of version 0.90, counted in 32 bits.
const (
	md0Minor        = 2
	md0UUID0        = 5
	md0Level        = 7
	md0Size         = 8 // KiB
	md0Raid         = 10
	md0UUID1        = 13
	md0State        = 33
	md0Sum          = 38
	md0Events       = 39
	md0Layout       = 64
	md0Chunk        = 65 // bytes
	md0This         = 992
	md0Words        = 1024
	md0StateBitmap  = 1 << 8
	md0DiskFaulty   = 1 << 0
	md0DiskActive   = 1 << 1
	md0DiskMostly   = 1 << 9
	md0DiskFailFast = 1 << 10
	md0DiskJournal  = 1 << 18
)

// readRAID090 reads a superblock of version 0.90: 4 KiB in the last whole
// 64 KiB of the device but for those that follow, in the byte order of the
// machine that made it.
func readRAID090(m medium) (*raidMember, error) {
	if m.size < 128<<10 {
		return nil, errAbsent
	}
	at := m.size&^(64<<10-1) - 64<<10
	b, err := m.read(at, 4*md0Words)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(b) == mdMagic && binary.BigEndian.Uint32(b[4:]) == 0 {
		return &raidMember{Role: roleSpare, SuperOffset: at, RAID: RAID{Metadata: "0.90", Unsupported: "metadata of a big-endian machine"}}, nil
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	if word(0) != mdMagic || word(1) != 0 {
		return nil, errAbsent
	}
	member, err := parseRAID090(m, word, at)
	if err != nil {
		return nil, fmt.Errorf("md superblock 0.90 at %d: %w", at, err)
	}
	return member, nil
}

func parseRAID090(m medium, word func(int) uint32, at uint64) (*raidMember, error) {
	var sum uint64
	for i := range md0Words {
		if i != md0Sum {
			sum += uint64(word(i))
		}
	}
	if sum := uint32(sum) + uint32(sum>>32); sum != word(md0Sum) {
		return nil, fmt.Errorf("checksum is %08x, should be %08x", word(md0Sum), sum)
	}
	if word(md0Raid) > 27 {
		return nil, fmt.Errorf("%d devices", word(md0Raid))
	}
	r := &raidMember{
		Array:  ID(fmt.Sprintf("%08x:%08x:%08x:%08x", word(md0UUID0), word(md0UUID1), word(md0UUID1+1), word(md0UUID1+2))),
		Events: uint64(word(md0Events+1))<<32 | uint64(word(md0Events)), SuperOffset: at,
		RAID: RAID{Metadata: "0.90", Devices: int(word(md0Raid)), Size: uint64(word(md0Size)) << 10, Chunk: uint64(word(md0Chunk))},
	}
	// Version 0.91 is one that is being reshaped, which older kernels should
	// leave alone.
	if minor := word(md0Minor); minor != 90 {
		r.RAID.refuse(fmt.Sprintf("it is being reshaped (metadata 0.%d)", minor))
	}
	state := word(md0This + 4)
	r.WriteMostly, r.FailFast = state&md0DiskMostly != 0, state&md0DiskFailFast != 0
	switch {
	case state&md0DiskFaulty != 0:
		r.Role = roleFaulty
	case state&md0DiskJournal != 0:
		r.Role = roleJournal
	case state&md0DiskActive != 0:
		r.Role = int(word(md0This + 3))
	default:
		r.Role = roleSpare
	}
	if err := r.RAID.setLevel(int32(word(md0Level)), word(md0Layout)); err != nil {
		return nil, err
	}
	var features uint32
	if word(md0State)&md0StateBitmap != 0 {
		features = mdBitmap
	}
	return r, r.features(m, features, 4*md0Words)
}
