package metadata

import (
	"fmt"
	"strings"
)

// maxACLEntries is more than the kernel's XATTR_SIZE_MAX of 64 KiB can hold.
const maxACLEntries = (64<<10 - aclHeaderLen) / aclEntryLen

// defaultPrefix marks the entries of a default ACL, as getfacl(1) does.
const defaultPrefix = "default:"

// String returns the tag as getfacl(1) begins its line: "user::" for the
// entries without a number, "user" and "group" for those with one.
func (t Tag) String() string {
	switch t {
	case TagUserObj:
		return "user::"
	case TagUser:
		return "user"
	case TagGroupObj:
		return "group::"
	case TagGroup:
		return "group"
	case TagMask:
		return "mask::"
	case TagOther:
		return "other::"
	}
	return fmt.Sprintf("tag %#x", uint16(t))
}

// permText writes permissions as "rw-".
func permText(perm uint8) string {
	b := []byte("---")
	for i, c := range []byte("rwx") {
		if perm&(4>>i) != 0 {
			b[i] = c
		}
	}
	return string(b)
}

// FormatACL writes both ACLs for the property rootwc:acl: getfacl(1)'s lines in
// canonical order, the default ACL's prefixed with "default:". Named users and
// groups stand as "user:1000 anna:rw-", number and name like in svn:owner. Two
// nil ACLs give the empty string.
func FormatACL(access, deflt *ACL, names Names) string {
	var b strings.Builder
	formatEntries(&b, "", access, names)
	formatEntries(&b, defaultPrefix, deflt, names)
	return b.String()
}

func formatEntries(b *strings.Builder, prefix string, a *ACL, names Names) {
	if a == nil {
		return
	}
	for _, e := range a.Entries {
		b.WriteString(prefix)
		switch e.Tag {
		case TagUser:
			fmt.Fprintf(b, "user:%s:", users(names).text(e.ID))
		case TagGroup:
			fmt.Fprintf(b, "group:%s:", groups(names).text(e.ID))
		default:
			b.WriteString(e.Tag.String())
		}
		b.WriteString(permText(e.Perm))
		b.WriteByte('\n')
	}
}

// ParseACLText reads what [FormatACL] wrote. Entries may come in any order;
// a qualifier may also be a name alone, as getfacl(1) prints it. The name wins
// over the number; names that are not known here fall back to the number and
// are returned in unknown, as "user anna". An access ACL that says no more than
// a mode is nil. Errors name the line.
func ParseACLText(text string, names Names) (access, deflt *ACL, unknown []string, err error) {
	var lists [2]ACL // access, default
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		body, isDefault := strings.CutPrefix(strings.TrimSpace(line), defaultPrefix)
		e, missing, err := parseEntryText(body, names)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		if missing != "" {
			unknown = append(unknown, missing)
		}
		to := &lists[0]
		if isDefault {
			to = &lists[1]
		}
		if to.Entries = append(to.Entries, e); len(to.Entries) > maxACLEntries {
			return nil, nil, nil, fmt.Errorf("line %d: more than %d entries", n, maxACLEntries)
		}
	}
	if access, err = finish(&lists[0]); err != nil {
		return nil, nil, nil, err
	}
	if deflt, err = finish(&lists[1]); err != nil {
		return nil, nil, nil, fmt.Errorf("default %w", err)
	}
	if access != nil && access.minimal() {
		access = nil
	}
	return access, deflt, unknown, nil
}

// finish sorts and checks an ACL read from text; one without entries is nil.
func finish(a *ACL) (*ACL, error) {
	if len(a.Entries) == 0 {
		return nil, nil
	}
	a.sort()
	if err := a.Valid(); err != nil {
		return nil, err
	}
	return a, nil
}

// parseEntryText reads "user:1000 anna:rw-" or "mask::rw-".
func parseEntryText(s string, names Names) (e ACLEntry, unknown string, err error) {
	word, rest, _ := strings.Cut(s, ":")
	who, perm, ok := strings.Cut(rest, ":")
	if !ok {
		return e, "", fmt.Errorf("%q is no ACL entry such as user::rw- or user:1000 anna:rw-", s)
	}
	if e.Perm, err = parsePerm(perm); err != nil {
		return e, "", err
	}
	switch {
	case word == "user" && who == "":
		e.Tag = TagUserObj
	case word == "group" && who == "":
		e.Tag = TagGroupObj
	case word == "mask" && who == "":
		e.Tag = TagMask
	case word == "other" && who == "":
		e.Tag = TagOther
	case word == "user":
		e.Tag = TagUser
		e.ID, unknown, err = users(names).qualifier(who)
	case word == "group":
		e.Tag = TagGroup
		e.ID, unknown, err = groups(names).qualifier(who)
	default:
		err = fmt.Errorf("%q is no ACL entry such as user::rw- or user:1000 anna:rw-", s)
	}
	return e, unknown, err
}

// qualifier reads "1000 anna", or the name alone.
func (r realm) qualifier(s string) (id uint32, unknown string, err error) {
	if s[0] >= '0' && s[0] <= '9' {
		return r.resolve(s)
	}
	if id, ok := r.id(s); ok {
		return id, "", nil
	}
	return 0, "", fmt.Errorf("%s %q is not known here and has no number", r.word, s)
}

func parsePerm(s string) (uint8, error) {
	var perm uint8
	if len(s) == 3 {
		for i, c := range []byte("rwx") {
			switch s[i] {
			case c:
				perm |= 4 >> i
			case '-':
			default:
				return 0, fmt.Errorf("permissions %q are not of the form rwx", s)
			}
		}
		return perm, nil
	}
	return 0, fmt.Errorf("permissions %q are not of the form rwx", s)
}
