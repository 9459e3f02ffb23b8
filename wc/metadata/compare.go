package metadata

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Change is one difference in words. Name is kind, mode, owner, group, acl,
// default-acl, capabilities or "xattr user.foo". Base and Working are the
// two values, as "0640", "shadow", "user:anna:rw-,mask::rw-",
// "cap_net_raw=ep", or "none".
type Change struct {
	Name, Base, Working string
}

// none is written for an ACL, an attribute or capabilities that are not there.
const none = "none"

// Compare returns what differs, in the order of the names at [Change]; nil, and
// no allocation, when nothing does. Of two kinds only that is said. The mode of
// a symlink does not count, and that of a file with an ACL is its PlainMode.
func Compare(base, working Values, names Names) []Change {
	var changes []Change
	add := func(name, base, working string) {
		changes = append(changes, Change{Name: name, Base: base, Working: working})
	}
	if base.Kind != working.Kind {
		add("kind", base.Kind.String(), working.Kind.String())
		return changes
	}
	if b, w := base.PlainMode(), working.PlainMode(); b != w && base.Kind != Symlink {
		add("mode", formatMode(b), formatMode(w))
	}
	if base.UID != working.UID {
		b, w := users(names).labels(base.UID, working.UID)
		add("owner", b, w)
	}
	if base.GID != working.GID {
		b, w := groups(names).labels(base.GID, working.GID)
		add("group", b, w)
	}
	if base.Kind == Symlink {
		return changes
	}
	if !base.ACL.Equal(working.ACL) {
		b, w := compareEntryLists(base.entries(), working.entries(), names)
		add("acl", orNone(base.ACL, b), orNone(working.ACL, w))
	}
	if !base.DefaultACL.Equal(working.DefaultACL) {
		b, w := compareEntryLists(base.DefaultACL.list(), working.DefaultACL.list(), names)
		add("default-acl", orNone(base.DefaultACL, b), orNone(working.DefaultACL, w))
	}
	if len(base.Xattrs)+len(working.Xattrs) > 0 {
		changes = append(changes, compareXattrs(base.Xattrs, working.Xattrs)...)
	}
	return changes
}

// labels names two different ids, by number when one name has both.
func (r realm) labels(x, y uint32) (string, string) {
	a, b := r.label(x), r.label(y)
	if a == b {
		return fmt.Sprint(x), fmt.Sprint(y)
	}
	return a, b
}

// compareXattrs compares two sorted lists; capabilities come first.
func compareXattrs(base, working []Xattr) []Change {
	var changes []Change
	add := func(b, w *Xattr) {
		x := cmp.Or(b, w)
		if x.Name == xattrCapability {
			if bt, wt := capWords(b), capWords(w); bt != wt {
				changes = slices.Insert(changes, 0, Change{Name: "capabilities", Base: bt, Working: wt})
			}
			return
		}
		changes = append(changes, Change{"xattr " + quoteXattrName(x.Name), xattrWords(b), xattrWords(w)})
	}
	for len(base) > 0 || len(working) > 0 {
		switch {
		case len(working) == 0 || len(base) > 0 && base[0].Name < working[0].Name:
			add(&base[0], nil)
			base = base[1:]
		case len(base) == 0 || base[0].Name > working[0].Name:
			add(nil, &working[0])
			working = working[1:]
		default:
			if string(base[0].Value) != string(working[0].Value) {
				add(&base[0], &working[0])
			}
			base, working = base[1:], working[1:]
		}
	}
	return changes
}

func capWords(x *Xattr) string {
	if x == nil {
		return none
	}
	return CapText(x.Value)
}

// xattrWords quotes a value; a long one is told by its length and digest.
func xattrWords(x *Xattr) string {
	if x == nil {
		return none
	}
	if text := quoteXattrValue(x.Value); len(text) <= 64 {
		return text
	}
	return fmt.Sprintf("%d bytes, sha256 %.8x", len(x.Value), sha256.Sum256(x.Value))
}

// Words writes changes in one line, as
// "mode 0640 -> 0644, group shadow -> root".
func Words(changes []Change) string {
	var b strings.Builder
	for i, c := range changes {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name + " " + c.Base + " -> " + c.Working)
	}
	return b.String()
}
