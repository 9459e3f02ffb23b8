package wc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"rootwc/wc/metadata"
)

// hostNames looks names up in the root's own tables first and then, for the
// running machine's root alone, where its nsswitch.conf(5) says.
type hostNames struct {
	*metadata.Table
	homes map[uint32]string
	nss   bool
}

// loadNames reads etc/passwd and etc/group below a root, through it: symlinks
// may not lead outside. A root without them has no names.
func loadNames(root *os.Root, path string) (*hostNames, error) {
	passwd, err := readTable(root, "etc/passwd")
	if err != nil {
		return nil, err
	}
	group, err := readTable(root, "etc/group")
	if err != nil {
		return nil, err
	}
	return newNames(passwd, group, path == "/")
}

func newNames(passwd, group string, nss bool) (*hostNames, error) {
	table, err := metadata.LoadNames(strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		return nil, err
	}
	return &hostNames{Table: table, homes: homes(passwd), nss: nss}, nil
}

func readTable(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read %s of the root: %w", name, cause(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("cannot read %s of the root: no regular file", name)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return "", fmt.Errorf("cannot read %s of the root: %w", name, cause(err))
	}
	return string(text), nil
}

// homes maps user ids to home directories, passwd(5) field six.
func homes(passwd string) map[uint32]string {
	found := map[uint32]string{}
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 7 {
			continue
		}
		uid, err := strconv.ParseUint(f[2], 10, 32)
		if _, seen := found[uint32(uid)]; err == nil && !seen {
			found[uint32(uid)] = f[5]
		}
	}
	return found
}

// homeOf is the home directory of a user, "/" when unknown.
func (t *Tree) homeOf(uid uint32) string {
	if n, ok := t.Names.(*hostNames); ok && n.homes[uid] != "" {
		return n.homes[uid]
	}
	return "/"
}

func (n *hostNames) UserName(uid uint32) (string, bool) {
	if name, ok := n.Table.UserName(uid); ok || !n.nss {
		return name, ok
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return "", false
	}
	return u.Username, true
}

func (n *hostNames) GroupName(gid uint32) (string, bool) {
	if name, ok := n.Table.GroupName(gid); ok || !n.nss {
		return name, ok
	}
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10))
	if err != nil {
		return "", false
	}
	return g.Name, true
}

func (n *hostNames) UID(name string) (uint32, bool) {
	if uid, ok := n.Table.UID(name); ok || !n.nss {
		return uid, ok
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(uid), err == nil
}

func (n *hostNames) GID(name string) (uint32, bool) {
	if gid, ok := n.Table.GID(name); ok || !n.nss {
		return gid, ok
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err == nil
}
