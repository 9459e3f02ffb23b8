package metadata

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// rich is a value for every field of a file.
func rich(t *testing.T) Values {
	t.Helper()
	a := acl(t, "user::rwx", "user:1000:rw-", "user:1001:r--", "group::---", "group:50:r-x", "mask::rwx", "other::r--")
	return Values{Kind: File, Mode: 0o4774, UID: 1000, GID: 42, ACL: a, Xattrs: []Xattr{
		{xattrCapability, []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
		{"trusted.t", []byte("\x00\xff")},
		{"user.empty", []byte{}},
		{"user.u", []byte("text")},
	}}
}

// wants returns values that differ from each other in every field.
func wants(t *testing.T) map[string]Values {
	t.Helper()
	other := rich(t)
	other.UID, other.GID, other.Mode = 0, 50, 0o2664
	other.ACL = acl(t, "user::rw-", "user:1001:rw-", "group::r--", "mask::rw-", "other::r--")
	other.Xattrs = []Xattr{{"user.u", []byte("other")}, {"user.v", []byte("new")}}
	return map[string]Values{
		"plain":   {Kind: File, Mode: 0o644},
		"secret":  {Kind: File, Mode: 0o600, UID: 1000, GID: 1000},
		"setuid":  {Kind: File, Mode: 0o6755},
		"setgid":  {Kind: File, Mode: 0o2755, UID: 1001, GID: 42},
		"nothing": {Kind: File},
		"rich":    rich(t),
		"other":   other,
	}
}

// TestApplyAll goes from every value to every other one, by name and by
// descriptor.
func TestApplyAll(t *testing.T) {
	needRoot(t)
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			dirfd := openDir(t, dir)
			path := file(t, dir, "f", 0o600)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var st unix.Stat_t
			if err := unix.Fstat(dirfd, &st); err != nil {
				t.Fatal(err)
			}
			for from, base := range wants(t) {
				for to, want := range wants(t) {
					if err := Apply(int(f.Fd()), base); err != nil {
						t.Fatalf("%s: %v", from, err)
					}
					if err := ApplyAt(dirfd, "f", want, Options{}); err != nil {
						t.Fatalf("%s to %s: %v", from, to, err)
					}
					if got := read(t, path); Compare(want, got, testNames) != nil || got.Mode != want.Mode {
						t.Errorf("%s to %s: %s, mode %#o", from, to, Words(Compare(want, got, testNames)), got.Mode)
					}
				}
			}
		})
	}
}

// access is what the rules of acl(5) grant to a user with one group.
func access(v Values, uid, gid uint32) uint32 {
	if uid == v.UID {
		return v.Mode >> 6 & 7
	}
	if v.ACL == nil {
		if gid == v.GID {
			return v.Mode >> 3 & 7
		}
		return v.Mode & 7
	}
	mask, _ := v.ACL.perm(TagMask)
	granted, matched := uint32(0), false
	for _, e := range v.ACL.Entries {
		switch {
		case e.Tag == TagUser && e.ID == uid:
			return uint32(e.Perm) & mask
		case e.Tag == TagGroup && e.ID == gid, e.Tag == TagGroupObj && gid == v.GID:
			granted, matched = granted|uint32(e.Perm)&mask, true
		}
	}
	if matched {
		return granted
	}
	return v.Mode & 7
}

// TestApplyNeverLooser looks at the file after every single system call: nobody
// may have what they had neither before nor have afterwards.
func TestApplyNeverLooser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path := file(t, dir, "f", 0o600)
	states := wants(t)
	states["denied"] = Values{Kind: File, Mode: 0o664, UID: 1001, GID: 50,
		ACL: acl(t, "user::rw-", "user:1000:---", "group::r--", "group:42:---", "mask::rw-", "other::r--")}
	states["absent owner"] = Values{Kind: File, Mode: 0o070, UID: 1000, GID: 42,
		ACL: acl(t, "user::---", "group::---", "group:50:rwx", "mask::rwx", "other::---")}
	states["group"] = Values{Kind: File, Mode: 0o660, UID: 1001, GID: 7}
	states["owner denied"] = Values{Kind: File, Mode: 0o044, UID: 1000, GID: 42}
	states["denied too"] = Values{Kind: File, Mode: 0o674, UID: 1001, GID: 50,
		ACL: acl(t, "user::rw-", "user:1000:rwx", "group::r--", "group:42:r-x", "mask::rwx", "other::r--")}
	for from, base := range states {
		for to, want := range states {
			h, err := openPath(openDir(t, dir), "f")
			if err != nil {
				t.Fatal(err)
			}
			st, _ := h.stat()
			if err := apply(h, &st, base); err != nil {
				t.Fatal(err)
			}
			steps := 0
			h.trace = func() {
				steps++
				v := read(t, path)
				for _, uid := range []uint32{1000, 1001, 5555} {
					for _, gid := range []uint32{0, 7, 42, 50, 1000} {
						if got := access(v, uid, gid); got&^access(base, uid, gid) != 0 && got&^access(want, uid, gid) != 0 {
							t.Errorf("%s to %s, step %d: %d:%d has %o, before %o, after %o", from, to, steps, uid, gid,
								got, access(base, uid, gid), access(want, uid, gid))
						}
					}
				}
				for _, power := range []struct{ bit, id, base, want uint32 }{
					{setuid, v.UID, base.UID, want.UID}, {setgid, v.GID, base.GID, want.GID},
				} {
					had := base.Mode&power.bit != 0 && power.id == power.base
					will := want.Mode&power.bit != 0 && power.id == power.want
					if v.Mode&power.bit != 0 && !had && !will {
						t.Errorf("%s to %s, step %d: mode %#o for %d", from, to, steps, v.Mode, power.id)
					}
				}
				if v.Capability() != nil && (base.Capability() == nil || v.UID != base.UID) && want.Capability() == nil {
					t.Errorf("%s to %s, step %d: capabilities", from, to, steps)
				}
			}
			st, _ = h.stat()
			if err := apply(h, &st, want); err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			if from == to && steps > 0 {
				t.Errorf("%s: %d changes where none is needed", from, steps)
			}
			h.close()
		}
	}
}

func TestApplyDir(t *testing.T) {
	needRoot(t)
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			sub := filepath.Join(dir, "sub")
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
			deflt := &ACL{Entries: []ACLEntry{{Tag: TagUserObj, Perm: 7}, {Tag: TagGroupObj, Perm: 5}, {Tag: TagOther}}}
			a := acl(t, "user::rwx", "user:1000:rwx", "group::r-x", "mask::rwx", "other::---")
			fd := openDir(t, sub)
			for _, want := range []Values{
				{Kind: Dir, Mode: 0o3770, UID: 1000, GID: 50, ACL: a, DefaultACL: deflt, Xattrs: []Xattr{{"user.d", []byte("x")}}},
				{Kind: Dir, Mode: 0o2775, GID: 50, DefaultACL: a},
				{Kind: Dir, Mode: 0o1777},
				{Kind: Dir, Mode: 0o755},
			} {
				if err := Apply(fd, want); err != nil {
					t.Fatal(err)
				}
				if got := read(t, sub); Compare(want, got, testNames) != nil || got.Mode != want.Mode {
					t.Errorf("%s, mode %#o", Words(Compare(want, got, testNames)), got.Mode)
				}
				if err := ApplyAt(fd, ".", want, Options{}); err != nil {
					t.Errorf("again: %v", err)
				}
			}
		})
	}
}

func TestApplyOtherKinds(t *testing.T) {
	needRoot(t)
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			dirfd := openDir(t, dir)
			tree(t, dir)
			a := acl(t, "user::rw-", "user:1000:rw-", "group::r--", "mask::rw-", "other::---")
			for name, want := range map[string]Values{
				"fifo":     {Kind: Fifo, Mode: 0o660, UID: 1000, GID: 50, ACL: a, Xattrs: []Xattr{{"trusted.f", []byte("x")}}},
				"symlink":  {Kind: Symlink, Mode: 0o777, UID: 1000, GID: 50},
				"dangling": {Kind: Symlink, Mode: 0o777, UID: 1001},
			} {
				if err := ApplyAt(dirfd, name, want, Options{}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if got := read(t, filepath.Join(dir, name)); Compare(want, got, testNames) != nil {
					t.Errorf("%s: %s", name, Words(Compare(want, got, testNames)))
				}
			}
			if v := read(t, filepath.Join(dir, "file")); v.UID != 0 || v.Mode != 0o640 {
				t.Errorf("the symlink's target was changed: %+v", v)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	dir := t.TempDir()
	dirfd := openDir(t, dir)
	path := file(t, dir, "file", 0o640)
	victim := file(t, t.TempDir(), "victim", 0o600)
	if err := os.Symlink(victim, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	st := func(path string) Options {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		return Options{Dev: uint64(st.Dev), Ino: st.Ino}
	}
	want := Values{Kind: File, Mode: 0o644, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	for name, test := range map[string]struct {
		entry string
		opt   Options
		want  Values
		err   error
	}{
		"symlink":     {"link", Options{}, want, ErrChanged},
		"other inode": {"file", st(victim), want, ErrChanged},
		"other kind":  {"file", Options{}, Values{Kind: Dir, Mode: 0o755}, ErrChanged},
		"missing":     {"gone", Options{}, want, unix.ENOENT},
	} {
		if err := ApplyAt(dirfd, test.entry, test.want, test.opt); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", name, err, test.err)
		}
	}
	for _, name := range []string{"", "..", "../x", "dir/x"} {
		if err := ApplyAt(dirfd, name, want, Options{}); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	if err := os.Link(path, filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	if err := ApplyAt(dirfd, "file", want, Options{}); !errors.Is(err, ErrHardLink) || err.Error() != `"file" has several hard links` {
		t.Errorf("hard link: %v", err)
	}
	if v := read(t, path); v.Mode != 0o640 {
		t.Errorf("a refused file has mode %#o now", v.Mode)
	}
	if v := read(t, victim); v.Mode != 0o600 {
		t.Errorf("the link's target has mode %#o now", v.Mode)
	}
	opt := st(path)
	opt.HardLinks = true
	if err := ApplyAt(dirfd, "file", want, opt); err != nil {
		t.Error(err)
	}
}

// problemNames lists what an Apply complained about.
func problemNames(err error) []string {
	var problems Problems
	if !errors.As(err, &problems) {
		return nil
	}
	var names []string
	for _, p := range problems {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// TestApplyAsUser is what an ordinary user gets: as much as is theirs to give,
// and never the bits that were meant for another owner or group.
func TestApplyAsUser(t *testing.T) {
	needRoot(t)
	for where, dir := range dirs(t) {
		t.Run(where, func(t *testing.T) {
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			dirfd := openDir(t, dir)
			mine := func(name string) {
				if err := os.Chown(file(t, dir, name, 0o600), 1000, 1000); err != nil {
					t.Fatal(err)
				}
			}
			for name, test := range map[string]struct {
				want     Values
				mode     uint32
				problems []string
			}{
				"own":      {Values{Kind: File, Mode: 0o444, UID: 1000, GID: 1000, Xattrs: []Xattr{{"user.a", []byte("x")}}}, 0o444, nil},
				"setuid":   {Values{Kind: File, Mode: 0o4755, UID: 0, GID: 1000}, 0o755, []string{"mode", "owner"}},
				"setgid":   {Values{Kind: File, Mode: 0o2755, UID: 1000, GID: 42}, 0o755, []string{"group", "mode"}},
				"shadow":   {Values{Kind: File, Mode: 0o640, UID: 0, GID: 42}, 0o600, []string{"group", "mode", "owner"}},
				"open":     {Values{Kind: File, Mode: 0o664, UID: 1000, GID: 42}, 0o644, []string{"group", "mode"}},
				"caps":     {Values{Kind: File, Mode: 0o755, UID: 1000, GID: 1000, Xattrs: rich(t).Xattrs[:1]}, 0o755, []string{"capabilities"}},
				"foreign":  {rich(t), 0o4774, []string{"capabilities", "group", "xattr trusted.t"}},
				"with acl": {Values{Kind: File, Mode: 0o660, UID: 1000, GID: 42, ACL: acl(t, "user::rw-", "user:1001:rw-", "group::r--", "mask::rw-", "other::---")}, 0o660, []string{"group"}},
			} {
				mine(name)
				var err error
				asUser(t, 1000, 1000, func() { err = ApplyAt(dirfd, name, test.want, Options{}) })
				if got := problemNames(err); !slices.Equal(got, test.problems) {
					t.Errorf("%s: problems %q, want %q", name, got, test.problems)
				}
				if err != nil && !errors.Is(err, unix.EPERM) && name != "setgid" {
					t.Errorf("%s: %v", name, err)
				}
				v := read(t, filepath.Join(dir, name))
				if v.Mode != test.mode {
					t.Errorf("%s: mode %#o, want %#o (%v)", name, v.Mode, test.mode, err)
				}
				if group, _ := v.ACL.group(); group != 0 {
					t.Errorf("%s: the wrong group may %s", name, permText(uint8(group)))
				}
			}
			// Somebody else's file: nothing changes.
			file(t, dir, "root's", 0o640)
			var err error
			asUser(t, 1000, 1000, func() { err = ApplyAt(dirfd, "root's", Values{Kind: File, Mode: 0o600}, Options{}) })
			if got := problemNames(err); !slices.Equal(got, []string{"mode"}) || err.Error() != "mode: operation not permitted" {
				t.Errorf("root's file: %v", err)
			}
		})
	}
}

// group is the owning group's entry, nothing for no ACL.
func (a *ACL) group() (uint32, bool) {
	if a == nil {
		return 0, false
	}
	return a.perm(TagGroupObj)
}

// TestApplyWithoutXattr uses a file system that has neither ACLs nor
// attributes: the mode must grant no more than the ACL would have.
func TestApplyWithoutXattr(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "ramfs", 0, ""); err != nil {
		t.Skipf("cannot mount ramfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	path := file(t, dir, "f", 0o600)
	if v := read(t, path); v.Xattrs != nil || v.ACL != nil {
		t.Fatalf("%+v", v)
	}
	want := rich(t)
	err := ApplyAt(openDir(t, dir), "f", want, Options{})
	if !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("error %v", err)
	}
	if got, want := problemNames(err), []string{"acl", "capabilities", "mode", "xattr trusted.t", "xattr user.empty", "xattr user.u"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	v := read(t, path)
	// Owner and others as the ACL has it; its owning group may do nothing.
	if v.Mode != 0o4704 || v.UID != 1000 || v.GID != 42 {
		t.Errorf("%#o %d %d", v.Mode, v.UID, v.GID)
	}
}

func TestSafeBits(t *testing.T) {
	for want, a := range map[uint32]*ACL{
		0o644: acl(t, "user::rw-", "user:1000:rw-", "group::r--", "mask::rw-", "other::r--"),
		0o600: acl(t, "user::rw-", "user:1000:---", "group::r--", "mask::rw-", "other::r--"),
		0o610: acl(t, "user::rw-", "group::r-x", "group:50:--x", "mask::rwx", "other::r--"),
	} {
		if got := a.safeBits(); got != want {
			t.Errorf("%s gives %#o, want %#o", FormatACL(a, nil, testNames), got, want)
		}
	}
}

// TestApplyKeepsOthers leaves attributes that are not versioned alone.
func TestApplyKeepsOthers(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path := file(t, dir, "f", 0o644)
	if err := unix.Setxattr(path, "security.other", []byte("label"), 0); err != nil {
		t.Skip(err)
	}
	if err := ApplyAt(openDir(t, dir), "f", Values{Kind: File, Mode: 0o600}, Options{}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := unix.Getxattr(path, "security.other", buf); err != nil || string(buf[:n]) != "label" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
