package datasets

import (
	"context"
	"fmt"
	"slices"

	"rootwc/internal/fault"
)

// mirror is a vfs repository: a directory that rsync reaches.
type mirror struct {
	*job
	location string // "/path" or "host:path"
}

func (m *mirror) perform(ctx context.Context, what deed) error {
	if err := m.reach(ctx); err != nil {
		return err
	}
	switch what {
	case pull, regain, pick, repick:
		return m.in(ctx, what)
	case push:
		return m.out(ctx)
	case flush:
		return m.flush(ctx)
	}
	return fmt.Errorf("internal error: no deed %d for a directory", what)
}

// in makes the directory here follow the repository, or the chosen part of it.
func (m *mirror) in(ctx context.Context, what deed) error {
	there, _, here, err := m.both(ctx)
	if err != nil {
		return err
	}
	chosen, c, err := m.plan(ctx, there, here.listing, what)
	if err != nil {
		return err
	}
	drop := c.remove
	if m.DryRun {
		m.tell(c, drop, 'A')
		return nil
	}
	fault.At("dataset-listed")
	fetchErr := m.fetch(ctx, c, here, what)
	if fetchErr != nil && !isPartly(fetchErr) {
		return fetchErr
	}
	fault.At("dataset-sent")
	gone, err := m.remove(drop, here)
	if err != nil {
		return err
	}
	now, err := m.walk()
	if err == nil {
		err = m.removeEmpty(above(without(m.state.last, now.listing)))
	}
	if err == nil {
		err = m.sync() // what is remembered must not be newer than what is on disk
	}
	if err != nil {
		return err
	}
	m.tell(m.arrived(c, chosen, now.listing, fetchErr), gone, 'A')
	m.agree(now.listing, there)
	m.state.counted(now.listing)
	return nil
}

// both lists both sides.
func (m *mirror) both(ctx context.Context) (there listing, dirs []string, here *found, err error) {
	there, dirs, err = m.list(ctx, everything)
	if m.fresh(err) {
		there, dirs, err = listing{}, nil, nil
	}
	if err == nil {
		err = m.seen(len(there)+len(dirs) == 0)
	}
	if err == nil {
		here, err = m.walk()
	}
	return there, dirs, here, err
}

// plan tells what is to come here, and what makes here follow that.
func (m *mirror) plan(ctx context.Context, there, here listing, what deed) (chosen listing, c changes, err error) {
	chosen = there
	if what == pick || what == repick {
		chosen = m.choose(there)
	}
	c = compare(chosen, here, m.state.last)
	if err := m.settleEqual(ctx, &c, chosen, here); err != nil {
		return nil, c, err
	}
	if what == regain || what == repick {
		c.takeBack(chosen)
	}
	if what == pick || what == repick {
		return chosen, c, m.drop(ctx, &c, chosen, there)
	}
	if emptying(len(c.remove), len(here)) && !m.Emptying {
		return nil, c, tooMany(len(c.remove), len(here), "here")
	}
	return chosen, c, nil
}

// settleEqual looks into files that differ in size or time alone by what is
// known, and have the same content all the same: those are no conflicts.
func (m *mirror) settleEqual(ctx context.Context, c *changes, from, to listing) error {
	var same []string
	for _, p := range c.conflict {
		if from[p].Kind == to[p].Kind && from[p].Size == to[p].Size {
			same = append(same, p)
		}
	}
	proven, _, err := m.prove(ctx, same)
	if err != nil {
		return err
	}
	// their times may differ: taking over those is a replacement by the same
	c.conflict = slices.DeleteFunc(c.conflict, func(p string) bool { return proven[p] })
	for p := range proven {
		c.replace = append(c.replace, p)
	}
	slices.Sort(c.replace)
	return nil
}

// drop decides on what a selection has no more use for: it goes when the
// repository, which is asked now, holds the same. What differs there is a
// conflict, what is not there stays.
func (m *mirror) drop(ctx context.Context, c *changes, chosen, there listing) error {
	var candidates, own []string
	for _, p := range sorted(c.remove, c.own) {
		_, kept := chosen[p]
		_, in := there[p]
		if in && !kept {
			candidates = append(candidates, p)
		} else {
			own = append(own, p)
		}
	}
	proven, _, err := m.prove(ctx, candidates)
	if err != nil {
		return err
	}
	c.remove, c.own = only(candidates, proven), own
	for _, p := range candidates {
		if !proven[p] {
			c.conflict = append(c.conflict, p)
		}
	}
	slices.Sort(c.conflict)
	return nil
}

// arrived strikes out what did not come, with the reason.
func (m *mirror) arrived(c changes, from, to listing, why error) changes {
	missing := func(p string) bool { return !from[p].same(to[p]) }
	for _, p := range slices.Concat(c.add, c.replace) {
		if missing(p) {
			m.report.add('!', []string{p}, reason(why))
		}
	}
	c.add, c.replace = slices.DeleteFunc(c.add, missing), slices.DeleteFunc(c.replace, missing)
	return c
}

func reason(err error) string {
	if err == nil {
		return "changed meanwhile"
	}
	return err.Error()
}

// without are the paths of one listing that are not in another.
func without(was, now listing) []string {
	var gone []string
	for p := range was {
		if _, in := now[p]; !in {
			gone = append(gone, p)
		}
	}
	return gone
}

// agree remembers in what both sides are equal. Of what differs it keeps what
// was known.
func (m *mirror) agree(here, there listing) {
	last := equal(here, there)
	for p, s := range m.state.last {
		_, known := last[p]
		_, ours := here[p]
		_, theirs := there[p]
		if !known && (ours || theirs) {
			last[p] = s
		}
	}
	m.state.remember(last)
}

// tell reports changes: letter is for what is added.
func (m *mirror) tell(c changes, gone []string, letter byte) {
	replaced := byte('U')
	removed, where := "", "here"
	if letter == '>' {
		replaced, removed, where = '>', "removed from the repository", "in the repository"
	}
	m.report.add(letter, c.add, "")
	m.report.add(replaced, c.replace, "")
	m.report.add('D', gone, removed)
	m.report.add('C', c.conflict, "differs here and in the repository")
	if len(c.own) > 0 {
		m.report.note("%s: %s changed only %s, and left so", m.Path, Files(len(c.own)), where)
	}
}

// Files is a number of them for people.
func Files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func tooMany(gone, all int, where string) error {
	return refuseHint("look at it with --dry-run; --emptying lets it happen", "it would remove %d of %d files %s", gone, all, where)
}

// sorted joins lists.
func sorted(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}
