package wc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/wc/metadata"
)

// hostNames looks names up in the root's own tables first and then, for the
// running machine's root alone, where its nsswitch.conf(5) says.
type hostNames struct {
	*metadata.Table
	homes  []home
	groups map[string][]uint32 // that a user is a member of, by name
	nss    bool
	digest string // of the tables
}

// passwdPath and groupPath are the tables of a root, see passwd(5), group(5).
const (
	passwdPath = "etc/passwd"
	groupPath  = "etc/group"
)

// loadNames reads the tables below a root, through it: symlinks may not lead
// outside. A root without them has no names, nor has one whose tables cannot be
// read: the names are good in any case, the error is for a warning.
func loadNames(root *os.Root, at string) (*hostNames, error) {
	passwd, err := readTable(root, passwdPath)
	group, gerr := readTable(root, groupPath)
	names, nerr := newNames(passwd, group, at == "/")
	return names, errors.Join(err, gerr, nerr)
}

// newNames reads the texts of the two tables; the names are good in any case.
func newNames(passwd, group string, nss bool) (*hostNames, error) {
	table, err := metadata.LoadNames(strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		table, err = &metadata.Table{}, fmt.Errorf("cannot read the names of users and groups: %w", err)
	}
	sum := sha256.Sum256([]byte(passwd + "\x00" + group))
	return &hostNames{Table: table, homes: homes(passwd), groups: memberships(group), nss: nss, digest: hex.EncodeToString(sum[:])}, err
}

// ReloadNames reads the tables again, after others may have come.
func (t *Tree) ReloadNames() {
	names, err := loadNames(t.fs, t.Root)
	if err != nil {
		t.Warn("%v", err)
	}
	t.Names = names
}

// namesAfter are the names that will be in force: an update or checkout may
// bring other tables, or decide about them.
func (t *Tree) namesAfter(rec *record, s *stage, decided map[string]*Decision) metadata.Names {
	if !BringsNames(s.path) {
		return t.Names
	}
	read := func(name string) (string, error) {
		if d := decided[name]; d != nil && d.Text != nil {
			return string(d.Text), nil
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, s.path), "/")
		kept := decided[name] != nil && decided[name].Keep
		if st := stateOf(rec, rel); !kept && st != nil && st.row.hasChecksum && st.kind == metadata.File {
			text, err := os.ReadFile(pristinePath(s.wc(), st.row.checksum))
			return string(text), err
		}
		return readTable(t.fs, name)
	}
	passwd, err := read(passwdPath)
	group, gerr := read(groupPath)
	names, nerr := newNames(passwd, group, t.Root == "/")
	if err := errors.Join(err, gerr, nerr); err != nil {
		t.Warn("%v", err)
	}
	return names
}

// BringsNames says whether a working copy at path may hold the tables of users
// and groups: [Tree.ReloadNames] once it is there.
func BringsNames(path string) bool {
	return path == "" || strings.HasPrefix(passwdPath, path+"/")
}

func readTable(root *os.Root, name string) (string, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
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

// home is one user's home directory.
type home struct {
	user     string
	uid, gid uint32
	dir      string // absolute, below the machine's root
}

// homes lists the home directories of passwd(5), whose fields are name,
// password, uid, gid, comment, directory and shell.
func homes(passwd string) []home {
	var found []home
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 7 || !path.IsAbs(f[5]) {
			continue
		}
		uid, err := strconv.ParseUint(f[2], 10, 32)
		gid, gerr := strconv.ParseUint(f[3], 10, 32)
		if err == nil && gerr == nil {
			found = append(found, home{f[0], uint32(uid), uint32(gid), path.Clean(f[5])})
		}
	}
	return found
}

// memberships are the supplementary groups of group(5), whose fields are name,
// password, gid and members.
func memberships(group string) map[string][]uint32 {
	found := map[string][]uint32{}
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 4 {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		for member := range strings.SplitSeq(f[3], ",") {
			if member = strings.TrimSpace(member); err == nil && member != "" {
				found[member] = append(found[member], uint32(gid))
			}
		}
	}
	return found
}

// ownerOf gives the ids to run programs with in a directory that a user owns: the
// user's, the directory's group and the groups of the user, who may give files to
// these; nil when the user is the caller. The home directory is "/" when unknown.
func (t *Tree) ownerOf(st *unixStat) *run.User {
	u := userOf(st.Uid, st.Gid, "/")
	n, ok := t.Names.(*hostNames)
	if u == nil || !ok {
		return u
	}
	for _, h := range n.homes {
		if h.uid == st.Uid {
			u.Home, u.Groups = h.dir, append(u.Groups, h.gid)
			u.Groups = append(u.Groups, n.groups[h.user]...)
			break
		}
	}
	slices.Sort(u.Groups)
	u.Groups = slices.Compact(u.Groups)
	return u
}

// firstPerson is the lowest uid of a person, UID_MIN in login.defs(5).
const firstPerson = 1000

// personAt is whose home directory holds path.
func (t *Tree) personAt(at string) (home, bool) {
	n, ok := t.Names.(*hostNames)
	if !ok {
		return home{}, false
	}
	for _, h := range n.homes {
		if h.uid >= firstPerson && h.dir != "/" && ("/"+at == h.dir || strings.HasPrefix("/"+at, h.dir+"/")) {
			return h, true
		}
	}
	return home{}, false
}

// nobodysHome is the directory in home/ that path is, or is below, when it is
// not there and no user has it as home directory; "" otherwise.
func (t *Tree) nobodysHome(at string) string {
	p := parts(at)
	if len(p) < 2 || p[0] != "home" {
		return ""
	}
	dir := joinPath(p[0], p[1])
	if _, err := t.fs.Lstat(dir); err == nil {
		return ""
	}
	if _, ok := t.personAt(dir); ok {
		return ""
	}
	return dir
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
