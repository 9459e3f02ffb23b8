package metadata

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Tag is the type of an ACL entry, with the kernel's numbers
// (linux/posix_acl.h). Their order is the canonical order of entries.
type Tag uint16

// The entry tag types of acl(5).
const (
	TagUserObj  Tag = 0x01 // user::, the file's owner
	TagUser     Tag = 0x02 // user:anna:
	TagGroupObj Tag = 0x04 // group::, the file's group
	TagGroup    Tag = 0x08 // group:staff:
	TagMask     Tag = 0x10 // mask::, the most that all but owner and others get
	TagOther    Tag = 0x20 // other::
)

// named reports whether entries of this tag carry a number.
func (t Tag) named() bool { return t == TagUser || t == TagGroup }

// ACLEntry is one line of an ACL.
type ACLEntry struct {
	Tag  Tag
	Perm uint8  // read 4, write 2, execute 1
	ID   uint32 // uid or gid for TagUser and TagGroup, 0 otherwise
}

// ACL is a POSIX.1e access control list, acl(5), its entries in canonical
// order: by tag, then by number.
type ACL struct {
	Entries []ACLEntry
}

// Layout of linux/posix_acl_xattr.h, little endian: a header of one 32-bit
// version, then per entry tag (16 bits), permissions (16), id (32).
const (
	aclVersion   = 2
	aclHeaderLen = 4
	aclEntryLen  = 8
)

// ParseACL reads the kernel's system.posix_acl_access attribute. An ACL that
// says no more than the mode does (user::, group::, other:: alone) is nil, as
// is an empty one.
func ParseACL(xattr []byte) (*ACL, error) {
	a, err := ParseDefaultACL(xattr)
	if err != nil || a == nil || a.minimal() {
		return nil, err
	}
	return a, nil
}

// ParseDefaultACL reads the kernel's system.posix_acl_default attribute. Here
// the three base entries alone do say something; only an empty ACL is nil.
func ParseDefaultACL(xattr []byte) (*ACL, error) {
	if len(xattr) < aclHeaderLen {
		return nil, fmt.Errorf("ACL of %d bytes is too short", len(xattr))
	}
	if v := binary.LittleEndian.Uint32(xattr); v != aclVersion {
		return nil, fmt.Errorf("ACL has version %d, only %d is known", v, aclVersion)
	}
	body := xattr[aclHeaderLen:]
	if len(body)%aclEntryLen != 0 {
		return nil, fmt.Errorf("ACL of %d bytes ends within an entry", len(xattr))
	}
	if len(body) == 0 {
		return nil, nil
	}
	a := &ACL{Entries: make([]ACLEntry, 0, len(body)/aclEntryLen)}
	for ; len(body) > 0; body = body[aclEntryLen:] {
		e, err := parseACLEntry(body)
		if err != nil {
			return nil, err
		}
		a.Entries = append(a.Entries, e)
	}
	a.sort()
	if err := a.Valid(); err != nil {
		return nil, err
	}
	return a, nil
}

func parseACLEntry(b []byte) (ACLEntry, error) {
	perm := binary.LittleEndian.Uint16(b[2:])
	if perm > 7 {
		return ACLEntry{}, fmt.Errorf("ACL entry has permissions %#o", perm)
	}
	e := ACLEntry{Tag: Tag(binary.LittleEndian.Uint16(b)), Perm: uint8(perm)}
	if e.Tag.named() {
		e.ID = binary.LittleEndian.Uint32(b[4:])
	}
	return e, nil
}

// Xattr returns the ACL in the form that [ParseACL] reads and the kernel takes.
func (a *ACL) Xattr() []byte {
	b := make([]byte, 0, aclHeaderLen+aclEntryLen*len(a.Entries))
	b = binary.LittleEndian.AppendUint32(b, aclVersion)
	for _, e := range a.Entries {
		id := noID // ACL_UNDEFINED_ID
		if e.Tag.named() {
			id = e.ID
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b
}

// sort puts the entries into canonical order.
func (a *ACL) sort() { slices.SortFunc(a.Entries, compareEntries) }

func compareEntries(x, y ACLEntry) int {
	return cmp.Or(cmp.Compare(x.Tag, y.Tag), cmp.Compare(x.ID, y.ID))
}

// Valid checks what acl(5) asks of an ACL: one entry each for owner, group and
// others, a mask when users or groups are named, nobody named twice. It also
// asks for canonical order, which the kernel insists on.
func (a *ACL) Valid() error {
	var count [TagOther + 1]int
	for i, e := range a.Entries {
		switch e.Tag {
		case TagUserObj, TagUser, TagGroupObj, TagGroup, TagMask, TagOther:
		default:
			return fmt.Errorf("ACL entry has unknown tag %#x", uint16(e.Tag))
		}
		switch {
		case e.Perm > 7:
			return fmt.Errorf("ACL entry has permissions %#o", e.Perm)
		case e.Tag.named() && e.ID == noID:
			return errors.New("ACL names a user or group that this user namespace does not know")
		case !e.Tag.named() && e.ID != 0:
			return fmt.Errorf("ACL has a number for %s", e.Tag)
		case i > 0 && compareEntries(a.Entries[i-1], e) == 0:
			return fmt.Errorf("ACL repeats a %s entry", e.Tag)
		case i > 0 && compareEntries(a.Entries[i-1], e) > 0:
			return errors.New("ACL entries are not in canonical order")
		}
		count[e.Tag]++
	}
	for _, t := range []Tag{TagUserObj, TagGroupObj, TagOther} {
		if count[t] == 0 {
			return fmt.Errorf("ACL has no %s entry", t)
		}
	}
	if count[TagMask] == 0 && count[TagUser]+count[TagGroup] > 0 {
		return errors.New("ACL names users or groups and has no mask:: entry")
	}
	return nil
}

// Equal reports whether both hold the same entries; two nil ACLs are equal.
func (a *ACL) Equal(b *ACL) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(a.Entries, b.Entries)
}

// minimal reports whether the mode says it all (posix_acl_equiv_mode).
func (a *ACL) minimal() bool {
	return !slices.ContainsFunc(a.Entries, func(e ACLEntry) bool {
		return e.Tag.named() || e.Tag == TagMask
	})
}
