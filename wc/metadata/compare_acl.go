package metadata

import "strings"

// compareEntryLists writes the entries in which two ACLs differ, in getfacl(1)'s
// short text form. An entry that only the other side has is "no user:anna".
func compareEntryLists(b, w []ACLEntry, names Names) (base, working string) {
	var inBase, inWorking []string
	for len(b) > 0 || len(w) > 0 {
		switch order := firstEntry(b, w); {
		case order < 0:
			inBase = append(inBase, shortEntry(b[0], names))
			inWorking = append(inWorking, noEntry(b[0], names))
			b = b[1:]
		case order > 0:
			inBase = append(inBase, noEntry(w[0], names))
			inWorking = append(inWorking, shortEntry(w[0], names))
			w = w[1:]
		default:
			if b[0].Perm != w[0].Perm {
				inBase = append(inBase, shortEntry(b[0], names))
				inWorking = append(inWorking, shortEntry(w[0], names))
			}
			b, w = b[1:], w[1:]
		}
	}
	return strings.Join(inBase, ","), strings.Join(inWorking, ",")
}

func orNone(a *ACL, entries string) string {
	if a == nil {
		return none
	}
	return entries
}

// firstEntry says which of two sorted lists has the entry that comes first:
// below zero b, above zero w, zero both.
func firstEntry(b, w []ACLEntry) int {
	switch {
	case len(w) == 0:
		return -1
	case len(b) == 0:
		return 1
	}
	return compareEntries(b[0], w[0])
}

// list returns an ACL's entries, none for a nil one.
func (a *ACL) list() []ACLEntry {
	if a == nil {
		return nil
	}
	return a.Entries
}

// entries returns the access ACL's entries, of a missing one those that the
// mode stands for.
func (v *Values) entries() []ACLEntry {
	if v.ACL != nil {
		return v.ACL.Entries
	}
	return []ACLEntry{
		{Tag: TagUserObj, Perm: uint8(v.Mode >> 6 & 7)},
		{Tag: TagGroupObj, Perm: uint8(v.Mode >> 3 & 7)},
		{Tag: TagOther, Perm: uint8(v.Mode & 7)},
	}
}

// who is the part of a short entry before its permissions.
func (e ACLEntry) who(names Names) string {
	switch e.Tag {
	case TagUser:
		return "user:" + users(names).label(e.ID) + ":"
	case TagGroup:
		return "group:" + groups(names).label(e.ID) + ":"
	}
	return e.Tag.String()
}

func shortEntry(e ACLEntry, names Names) string { return e.who(names) + permText(e.Perm) }

func noEntry(e ACLEntry, names Names) string {
	return "no " + strings.TrimRight(e.who(names), ":")
}
