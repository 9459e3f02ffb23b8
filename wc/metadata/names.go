package metadata

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names translates between numbers and names of users and groups.
// The second result is false for a number or name that is not known.
type Names interface {
	UserName(uid uint32) (string, bool)
	GroupName(gid uint32) (string, bool)
	UID(user string) (uint32, bool)
	GID(group string) (uint32, bool)
}

// Table is [Names] read from passwd(5) and group(5) files. It does not change
// after [LoadNames] and may be shared. The zero Table knows no names.
type Table struct {
	users, groups list
}

// list is one direction and the other of one file.
type list struct {
	name map[uint32]string
	id   map[string]uint32
}

// maxLine bounds one line of passwd or group, where a group of thousands of
// members is still one line.
const maxLine = 1 << 20

// LoadNames reads a passwd(5) and a group(5) file. Of two entries with one
// name, or one number, the first counts, as in the C library. Lines that are
// no entries are skipped: comments, NIS lines beginning with + or -, bad
// numbers, names that could not be written into a property. An error is one
// of reading, or a line longer than 1 MiB.
func LoadNames(passwd, group io.Reader) (*Table, error) {
	users, err := loadList(passwd)
	if err != nil {
		return nil, fmt.Errorf("passwd: %w", err)
	}
	groups, err := loadList(group)
	if err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	return &Table{users: users, groups: groups}, nil
}

// loadList reads name and number, the first and third field of both files.
func loadList(r io.Reader) (list, error) {
	l := list{name: map[uint32]string{}, id: map[string]uint32{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		name, id, ok := parseEntry(lines.Text())
		if !ok {
			continue
		}
		if _, taken := l.id[name]; !taken {
			l.id[name] = id
		}
		if _, taken := l.name[id]; !taken {
			l.name[id] = name
		}
	}
	return l, lines.Err()
}

func parseEntry(line string) (name string, id uint32, ok bool) {
	fields := strings.SplitN(line, ":", 4)
	if len(fields) < 4 || !usableName(fields[0]) {
		return "", 0, false
	}
	id, err := parseID(fields[2])
	return fields[0], id, err == nil
}

// usableName reports whether a name survives in a property: it is UTF-8
// (Subversion asks that of svn:*), one line, without blanks at the ends,
// without the colon that separates an ACL's fields, and without a comma or
// the + and - of NIS. Blanks inside occur in domains.
func usableName(name string) bool {
	if name == "" || strings.TrimSpace(name) != name || !utf8.ValidString(name) {
		return false
	}
	if strings.ContainsAny(name, ":,") || strings.ContainsAny(name[:1], "+-#") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// noID is (uid_t)-1, which chown(2) takes for "leave it alone".
const noID = ^uint32(0)

// parseID reads a decimal user or group number.
func parseID(s string) (uint32, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%q is no user or group number", s)
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || uint32(n) == noID {
		return 0, fmt.Errorf("number %s is out of range", s)
	}
	return uint32(n), nil
}

// UserName returns the name of the first passwd entry with this number.
func (t *Table) UserName(uid uint32) (string, bool) { n, ok := t.users.name[uid]; return n, ok }

// GroupName returns the name of the first group entry with this number.
func (t *Table) GroupName(gid uint32) (string, bool) { n, ok := t.groups.name[gid]; return n, ok }

// UID returns the number of the first passwd entry with this name.
func (t *Table) UID(user string) (uint32, bool) { id, ok := t.users.id[user]; return id, ok }

// GID returns the number of the first group entry with this name.
func (t *Table) GID(group string) (uint32, bool) { id, ok := t.groups.id[group]; return id, ok }

// realm is the users or the groups of some Names.
type realm struct {
	word string // "user" or "group"
	name func(uint32) (string, bool)
	id   func(string) (uint32, bool)
}

func users(n Names) realm  { return realm{"user", n.UserName, n.UID} }
func groups(n Names) realm { return realm{"group", n.GroupName, n.GID} }

// text writes a number for a property: "1000 anna", or "1000" when the number
// has no name, or one that would not lead back to it.
func (r realm) text(id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	if name, ok := r.name(id); ok && usableName(name) {
		if back, ok := r.id(name); ok && back == id {
			return number + " " + name
		}
	}
	return number
}

// resolve reads what text wrote. The name wins over the number; a name that is
// not known here is returned as unknown, as "user anna", beside the number.
// Blanks are tolerated as svn_props.h asks: any number between the two, and
// a number with an empty name, as FSVS wrote it.
func (r realm) resolve(s string) (id uint32, unknown string, err error) {
	number, name, _ := strings.Cut(strings.TrimSpace(s), " ")
	if id, err = parseID(number); err != nil {
		return 0, "", err
	}
	if name = strings.TrimSpace(name); name == "" {
		return id, "", nil
	}
	if known, ok := r.id(name); ok {
		return known, "", nil
	}
	return id, r.word + " " + name, nil
}

// label is what a person calls the id: its name, else the number.
func (r realm) label(id uint32) string {
	if name, ok := r.name(id); ok {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}
