package metadata

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	anna := acl(t, "user::rw-", "user:1000:rw-", "group::r--", "mask::rw-", "other::r--")
	both := acl(t, "user::rw-", "user:1000:r--", "user:1001:rw-", "group::r--", "mask::rw-", "other::r--")
	silenced := acl(t, "user::rw-", "user:1000:rw-", "group::r--", "mask::---", "other::---")
	deflt := &ACL{Entries: []ACLEntry{{Tag: TagUserObj, Perm: 7}, {Tag: TagGroupObj}, {Tag: TagOther}}}
	plain := Values{Kind: File, Mode: 0o644}
	with := func(a *ACL) Values { return Values{Kind: File, Mode: a.statBits(), ACL: a} }
	attr := func(pairs ...string) Values {
		v := plain
		for i := 0; i < len(pairs); i += 2 {
			v.Xattrs = append(v.Xattrs, Xattr{pairs[i], []byte(pairs[i+1])})
		}
		sortXattrs(v.Xattrs)
		return v
	}
	const raw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	const chown = "\x01\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for name, test := range map[string]struct {
		base, working Values
		want          string
	}{
		"equal":      {plain, plain, ""},
		"shadow":     {Values{Kind: File, Mode: 0o640, GID: 42}, plain, "mode 0640 -> 0644, group shadow -> root"},
		"numbers":    {plain, Values{Kind: File, Mode: 0o4644, UID: 77, GID: 77}, "mode 0644 -> 04644, owner root -> 77, group root -> 77"},
		"kind":       {plain, Values{Kind: Symlink, UID: 5}, "kind file -> symlink"},
		"symlink":    {Values{Kind: Symlink, Mode: 0o777}, Values{Kind: Symlink, UID: 1000}, "owner root -> anna"},
		"new acl":    {plain, with(anna), "acl none -> user:anna:rw-,mask::rw-"},
		"acl gone":   {with(anna), plain, "acl user:anna:rw-,mask::rw- -> none"},
		"acl grown":  {with(anna), with(both), "acl user:anna:rw-,no user:bob -> user:anna:r--,user:bob:rw-"},
		"acl fallen": {with(both), with(anna), "acl user:anna:r--,user:bob:rw- -> user:anna:rw-,no user:bob"},
		"chmod 0600": {with(anna), with(silenced), "mode 0644 -> 0600, acl mask::rw-,other::r-- -> mask::---,other::---"},
		"default": {Values{Kind: Dir, Mode: 0o755}, Values{Kind: Dir, Mode: 0o755, DefaultACL: deflt},
			"default-acl none -> user::rwx,group::---,other::---"},
		"xattr":        {plain, attr("user.a", "b"), `xattr user.a none -> "b"`},
		"xattr gone":   {attr("user.a", "b"), plain, `xattr user.a "b" -> none`},
		"xattrs":       {attr("user.a", "1", "user.b", "1", "user.c", "1"), attr("user.a", "1", "user.b", "", "user.d", "\n"), `xattr user.b "1" -> "", xattr user.c "1" -> none, xattr user.d none -> 0sCg==`},
		"odd name":     {plain, attr("user.\n", ""), `xattr user.\012 none -> ""`},
		"long value":   {plain, attr("user.a", strings.Repeat("x", 100)), `xattr user.a none -> 100 bytes, sha256 09ecb6ebc8bcefc7`},
		"capabilities": {attr(xattrCapability, chown), attr("trusted.a", "", xattrCapability, raw), `capabilities cap_chown=ep -> cap_net_raw=ep, xattr trusted.a none -> ""`},
		"other revision": {attr(xattrCapability, raw),
			attr(xattrCapability, strings.Replace(raw, "\x02", "\x03", 1)+"\x00\x00\x00\x00"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			changes := Compare(test.base, test.working, testNames)
			if got := Words(changes); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if back := Compare(test.working, test.base, testNames); len(back) != len(changes) {
				t.Errorf("the other way: %s", Words(back))
			}
		})
	}
}

func TestCompareSameName(t *testing.T) {
	twice := mustNames("anna:x:1000:1::/:\nanna:x:1001:1::/:\n", "")
	got := Words(Compare(Values{Kind: File, UID: 1000}, Values{Kind: File, UID: 1001}, twice))
	if want := "owner 1000 -> 1001"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
