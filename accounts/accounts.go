// Package accounts brings the users and groups of two installations of one
// machine together: what the machine had (mine), and what the packages of a
// fresh installation have made (theirs). Neither file can take the other's
// place: with the old one, packages lose users whose numbers their files carry
// already; with the fresh one, people lose theirs.
//
// People keep their numbers, and system accounts have those of the fresh
// installation: its files carry them, and the machine's own come back by name.
package accounts

import (
	"fmt"
	"slices"
	"strings"
)

// Tables are the texts of an installation's passwd(5), group(5), shadow(5) and
// gshadow(5), nil for one that is not there or is not to be merged.
type Tables struct {
	Passwd, Group, Shadow, GShadow []byte
}

// Merge brings two installations together. The notes are sentences on accounts
// that did not come through as they were. Lines that are no entries, comments and
// those of NIS, stay as the machine had them.
func Merge(mine, theirs Tables) (merged Tables, notes []string) {
	groups := merge("group", table{parse(mine.Group, 4), parse(theirs.Group, 4)})
	users := merge("user", table{parse(mine.Passwd, 7), parse(theirs.Passwd, 7)})
	for _, u := range users.all {
		groups.follow(u)
	}
	for _, g := range groups.all {
		if g.mine != nil && g.theirs != nil && isSystem(g.id()) {
			g.join(g.theirs.fields[groupMembers])
		}
	}
	merged = Tables{Passwd: users.text(mine.Passwd), Group: groups.text(mine.Group)}
	merged.Shadow = users.secrets(mine.Shadow, theirs.Shadow)
	merged.GShadow = groups.secrets(mine.GShadow, theirs.GShadow)
	return merged, append(users.notes, groups.notes...)
}

// isSystem says whether a number belongs to the system: below 1000, where people
// begin, or in the ranges that Debian and systemd keep for it (Debian policy
// 9.2.2, systemd's UIDS-GIDS).
func isSystem(id uint32) bool { return id < 1000 || id >= 60000 && id <= 65535 }

// table is one file in both installations.
type table struct{ mine, theirs []*line }

// merged is a table in the making.
type merged struct {
	kind  string // "user", "group", for notes
	all   []*account
	byID  map[uint32]*account // of the result
	named map[string]*account
	notes []string
	table table
}

// account is one of the result.
type account struct {
	*line              // what it becomes
	mine, theirs *line // what it was; nil where it was not
}

func merge(kind string, t table) *merged {
	m := &merged{kind: kind, byID: map[uint32]*account{}, named: map[string]*account{}, table: t}
	for _, l := range t.mine {
		if l.entry && m.named[l.name()] == nil {
			m.add(&account{line: l.clone(), mine: l})
		}
	}
	for _, l := range t.theirs {
		if !l.entry {
			continue
		}
		if a := m.named[l.name()]; a == nil {
			m.add(&account{line: l.clone(), theirs: l})
		} else if a.theirs == nil {
			a.theirs = l
		}
	}
	m.number()
	return m
}

func (m *merged) add(a *account) {
	m.all = append(m.all, a)
	m.named[a.name()] = a
}

// number gives each account its number, those first that nobody can change.
func (m *merged) number() {
	moved := map[uint32]uint32{} // the machine's numbers that are others now
	for _, a := range m.all {
		if a.theirs != nil && isSystem(a.theirs.id()) && (a.mine == nil || isSystem(a.mine.id())) {
			m.take(a, a.theirs.id(), moved)
		}
	}
	for _, a := range m.all {
		if a.mine != nil && !isSystem(a.mine.id()) {
			m.take(a, a.mine.id(), moved)
		}
	}
	for _, a := range m.all {
		if a.mine == nil || a.done {
			continue
		}
		id := a.mine.id()
		if to, alias := moved[id]; alias { // several names have one number
			id = to
		} else if holder := m.byID[id]; holder != nil {
			id = m.free()
			m.note("%s %s gets number %d: %d belongs to %s here", m.kind, a.name(), id, a.mine.id(), holder.name())
		}
		m.take(a, id, moved)
	}
	m.all = slices.DeleteFunc(m.all, func(a *account) bool {
		if a.done {
			return false
		}
		if holder := m.byID[a.theirs.id()]; holder != nil {
			m.note("%s %s of the new installation is left out: its number %d belongs to %s", m.kind, a.name(), a.theirs.id(), holder.name())
			delete(m.named, a.name())
			return true
		}
		m.take(a, a.theirs.id(), moved)
		return false
	})
}

func (m *merged) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

func (m *merged) take(a *account, id uint32, moved map[uint32]uint32) {
	if a.mine != nil {
		if _, known := moved[a.mine.id()]; !known {
			moved[a.mine.id()] = id
		}
	}
	if m.byID[id] == nil {
		m.byID[id] = a
	}
	a.setID(id)
	a.done = true
}

// free is a number for a system account that nobody has, on either side, chosen
// from the top as adduser(8) does.
func (m *merged) free() uint32 {
	used := map[uint32]bool{}
	for _, side := range [][]*line{m.table.mine, m.table.theirs} {
		for _, l := range side {
			if l.entry {
				used[l.id()] = true
			}
		}
	}
	for id := uint32(999); id >= 100; id-- {
		if !used[id] && m.byID[id] == nil {
			return id
		}
	}
	for id := uint32(60000); ; id++ { // no machine has so many
		if !used[id] && m.byID[id] == nil {
			return id
		}
	}
}

// follow gives a user's primary group the number that the group has now.
func (m *merged) follow(u *account) {
	from, side := u.mine, m.table.mine
	if from == nil {
		from, side = u.theirs, m.table.theirs
	}
	was := from.fields[primaryGroup]
	for _, g := range side {
		if g.entry && g.fields[idField] == was {
			if now := m.named[g.name()]; now != nil {
				u.set(primaryGroup, now.fields[idField])
			}
			return
		}
	}
}

// text is the file: the machine's lines in their order, then what is new, but
// before the lines of NIS, which end the file.
func (m *merged) text(mine []byte) []byte {
	if mine == nil {
		return nil
	}
	var b strings.Builder
	added := func() {
		for _, a := range m.all {
			if a.mine == nil {
				b.WriteString(a.String())
			}
		}
		m.all = slices.DeleteFunc(m.all, func(a *account) bool { return a.mine == nil })
	}
	for _, l := range m.table.mine {
		if l.nis() {
			added()
		}
		if a := m.named[l.name()]; l.entry && a != nil && a.mine == l {
			l = a.line
		}
		b.WriteString(l.String())
	}
	added()
	return []byte(b.String())
}

// secrets is the file of passwords: the machine's, with the lines of the other
// installation for accounts that have none.
func (m *merged) secrets(mine, theirs []byte) []byte {
	if mine == nil {
		return nil
	}
	var b strings.Builder
	known := map[string]bool{}
	for _, l := range parse(mine, 0) {
		known[l.name()] = true
		b.WriteString(l.String())
	}
	for _, l := range parse(theirs, 0) {
		if m.named[l.name()] != nil && !known[l.name()] {
			known[l.name()] = true
			b.WriteString(l.String())
		}
	}
	return []byte(b.String())
}
