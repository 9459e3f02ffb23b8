package accounts

import (
	"slices"
	"strconv"
	"strings"
)

// Fields of passwd(5) and group(5).
const (
	idField      = 2
	primaryGroup = 3 // of passwd
	groupMembers = 3 // of group
)

// line is one of a table.
type line struct {
	fields  []string
	entry   bool // of an account
	changed bool
	done    bool // it has its number
	raw     string
}

// parse splits a table into lines; one with other than so many fields, or
// without a number, is no entry. Zero takes any number of fields, and no numbers.
func parse(text []byte, fields int) (all []*line) {
	for raw := range strings.Lines(string(text)) {
		l := &line{raw: strings.TrimSuffix(raw, "\n")}
		l.fields = strings.Split(l.raw, ":")
		l.entry = fields > 0 && len(l.fields) == fields && l.name() != "" && !l.nis() && !strings.HasPrefix(l.raw, "#")
		if l.entry {
			_, err := strconv.ParseUint(l.fields[idField], 10, 32)
			l.entry = err == nil
		}
		all = append(all, l)
	}
	return all
}

func (l *line) name() string { return l.fields[0] }

// nis is a line that asks another source, see nsswitch.conf(5) on "compat".
func (l *line) nis() bool { return strings.HasPrefix(l.raw, "+") || strings.HasPrefix(l.raw, "-") }

func (l *line) id() uint32 {
	id, _ := strconv.ParseUint(l.fields[idField], 10, 32)
	return uint32(id)
}

func (l *line) setID(id uint32) {
	if l.id() != id {
		l.set(idField, strconv.FormatUint(uint64(id), 10))
	}
}

func (l *line) set(field int, value string) {
	if l.fields[field] != value {
		l.fields[field], l.changed = value, true
	}
}

// join adds members to a group.
func (l *line) join(members string) {
	have := split(l.fields[groupMembers])
	for _, m := range split(members) {
		if !slices.Contains(have, m) {
			have = append(have, m)
			l.set(groupMembers, strings.Join(have, ","))
		}
	}
}

func split(members string) []string {
	return slices.DeleteFunc(strings.Split(members, ","), func(s string) bool { return s == "" })
}

func (l *line) clone() *line {
	c := *l
	c.fields = slices.Clone(l.fields)
	return &c
}

// String is the line with its end, as it was where nothing has changed.
func (l *line) String() string {
	if l.changed {
		return strings.Join(l.fields, ":") + "\n"
	}
	return l.raw + "\n"
}
