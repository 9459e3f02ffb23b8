package wc

import (
	"bytes"
	"slices"
	"strings"

	"rootwc/wc/metadata"
)

// meta plans a change of metadata alone, merged with local changes.
func (p *planner) meta(rel string, was *state, l *live, want metadata.Values) {
	want = p.merged(rel, was, l, want)
	if changes := metadata.Compare(l.values, want, p.names); len(changes) > 0 {
		p.add(step{Act: actMeta, Rel: rel, Expect: l.identity(), Want: &want, Note: metadata.Words(changes)})
	}
}

// merged merges incoming metadata into the live path's: what a person changed
// here stays, and is news for the next commit.
func (p *planner) merged(rel string, was *state, l *live, want metadata.Values) metadata.Values {
	if was == nil || !l.exists || was.kind != l.values.Kind || p.takeAll {
		return want
	}
	base := p.wanted(p.old, was, rel)
	var kept []string
	if base.UID != l.values.UID {
		if want.UID != base.UID && want.UID != l.values.UID {
			kept = append(kept, "owner")
		}
		want.UID = l.values.UID
	}
	if base.GID != l.values.GID {
		if want.GID != base.GID && want.GID != l.values.GID {
			kept = append(kept, "group")
		}
		want.GID = l.values.GID
	}
	if !samePermissions(&base, &l.values) {
		if !samePermissions(&want, &base) && !samePermissions(&want, &l.values) {
			kept = append(kept, "mode")
		}
		want.Mode, want.ACL, want.DefaultACL = l.values.Mode, l.values.ACL, l.values.DefaultACL
	}
	if !sameXattrs(base.Xattrs, l.values.Xattrs) {
		if !sameXattrs(want.Xattrs, base.Xattrs) && !sameXattrs(want.Xattrs, l.values.Xattrs) {
			kept = append(kept, "xattr")
		}
		want.Xattrs = l.values.Xattrs
	}
	if len(kept) > 0 {
		p.notes = append(p.notes, joinPath(p.path, rel)+": "+strings.Join(kept, ", ")+" changed here and in the repository; kept as it is here")
	}
	return want
}

func samePermissions(a, b *metadata.Values) bool {
	return a.Mode == b.Mode && a.ACL.Equal(b.ACL) && a.DefaultACL.Equal(b.DefaultACL)
}

func sameXattrs(a, b []metadata.Xattr) bool {
	return slices.EqualFunc(a, b, func(x, y metadata.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
}
