package datasets

import (
	"context"
	"slices"
	"strings"
)

// out makes the repository follow the directory here.
func (m *mirror) out(ctx context.Context) error {
	there, dirs, here, err := m.both(ctx)
	if err != nil {
		return err
	}
	c := compare(here.listing, there, m.state.last)
	if err := m.settleEqual(ctx, &c, here.listing, there); err != nil {
		return err
	}
	if emptying(len(c.remove), len(there)) && !m.Emptying {
		return tooMany(len(c.remove), len(there), "in the repository")
	}
	if m.DryRun {
		m.tell(c, c.remove, '>')
		return nil
	}
	sent := m.transfer(ctx, c.add, "./", m.remote(), "--ignore-existing")
	if sent != nil && !isPartly(sent) {
		return sent
	}
	if err := m.transfer(ctx, c.replace, "./", m.remote(), "--existing"); isPartly(err) {
		sent = err
	} else if err != nil {
		return err
	}
	if err := m.removeThere(ctx, c.remove, here, dirs); err != nil {
		return err
	}
	if there, _, err = m.list(ctx, everything); err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(c.remove), func(p string) bool { _, in := there[p]; return in })
	m.tell(m.arrived(c, here.listing, there, sent), gone, '>')
	m.agree(here.listing, there)
	m.state.Held = m.state.Held || len(there) > 0
	m.state.counted(here.listing)
	for _, p := range here.other {
		m.report.note("%s is no file: it stays here", p)
	}
	return nil
}

// fresh says whether the repository of an extension is only to be made; the
// one beside it has been seen.
func (m *mirror) fresh(err error) bool {
	return err != nil && m.beside && m.action == Backup && strings.Contains(err.Error(), "No such file or directory")
}

// removeThere removes files from the repository that are gone here, then the
// directories that they leave empty, the deepest first.
func (m *mirror) removeThere(ctx context.Context, names []string, here *found, dirs []string) error {
	if len(names) == 0 {
		return nil
	}
	remove := func(names []string) error {
		err := m.rsync(ctx, names, nil, "--delete-missing-args", "--ignore-existing", "--", "./", m.remote())
		if isPartly(err) {
			return nil // told by what is still there
		}
		return err
	}
	if err := remove(names); err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, d := range here.dirs {
		kept[d] = true
	}
	levels := map[int][]string{}
	deepest := 0
	for _, d := range dirs {
		if !kept[d] && slices.ContainsFunc(names, func(p string) bool { return strings.HasPrefix(p, d+"/") }) {
			depth := strings.Count(d, "/")
			levels[depth] = append(levels[depth], d)
			deepest = max(deepest, depth)
		}
	}
	for depth := deepest; depth >= 0; depth-- {
		if len(levels[depth]) == 0 {
			continue
		}
		if err := remove(levels[depth]); err != nil {
			return err
		}
	}
	return nil
}
