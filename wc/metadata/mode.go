package metadata

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bits of a mode, inode(7).
const (
	setuid   = unix.S_ISUID
	setgid   = unix.S_ISGID
	sticky   = unix.S_ISVTX
	permBits = 0o777
	modeBits = 0o7777
)

// formatMode writes a mode as svn_props.h asks: octal with a leading 0, five
// digits with setuid, setgid or sticky.
func formatMode(mode uint32) string { return fmt.Sprintf("0%03o", mode) }

// parseMode reads what formatMode wrote, and tolerates 644.
func parseMode(s string) (uint32, error) {
	text := strings.TrimSpace(s)
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || strings.Trim(text, "01234567") != "" || len(text) < 3 || len(text) > 5 || n > modeBits {
		return 0, fmt.Errorf("%.40q is no octal mode such as 0640 or 04755", s)
	}
	return uint32(n), nil
}

// PlainMode is Mode without the ACL's mask: its group bits are those that the
// owning group effectively has. Without an ACL it is Mode.
func (v *Values) PlainMode() uint32 {
	if v.ACL == nil {
		return v.Mode
	}
	return v.Mode&^permBits | v.ACL.plainBits()
}

// perm returns the permissions of an entry without number; ok is false when
// there is none.
func (a *ACL) perm(t Tag) (perm uint32, ok bool) {
	for _, e := range a.Entries {
		if e.Tag == t {
			return uint32(e.Perm), true
		}
	}
	return 0, false
}

// statBits are the nine bits that stat(2) reports for a file with this ACL:
// the mask stands in the group's place.
func (a *ACL) statBits() uint32 {
	user, _ := a.perm(TagUserObj)
	group, _ := a.perm(TagGroupObj)
	other, _ := a.perm(TagOther)
	if mask, ok := a.perm(TagMask); ok {
		group = mask
	}
	return user<<6 | group<<3 | other
}

// plainBits are the nine bits that grant owner, group and others what this ACL
// grants them.
func (a *ACL) plainBits() uint32 {
	group, _ := a.perm(TagGroupObj)
	return a.statBits() & (0o707 | group<<3)
}

// safeBits are the nine bits for a file system without ACLs: nobody gets more
// than from the ACL, not even those whom it names to give them less.
func (a *ACL) safeBits() uint32 {
	bits := a.plainBits()
	for _, e := range a.Entries {
		if e.Tag.named() {
			bits &= 0o700 | uint32(e.Perm)<<3 | uint32(e.Perm)
		}
	}
	return bits
}

// limited returns the ACL with owner, owning group and others cut down to the
// bits of a mode. It is the same ACL when that takes nothing away.
func (a *ACL) limited(bits uint32) *ACL {
	cut := &ACL{Entries: slices.Clone(a.Entries)}
	for i := range cut.Entries {
		e := &cut.Entries[i]
		switch e.Tag {
		case TagUserObj:
			e.Perm &= uint8(bits >> 6 & 7)
		case TagGroupObj:
			e.Perm &= uint8(bits >> 3 & 7)
		case TagOther:
			e.Perm &= uint8(bits & 7)
		}
	}
	if cut.Equal(a) {
		return a
	}
	return cut
}
