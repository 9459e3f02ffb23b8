package wc

import (
	"context"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// takeBack returns clashing paths to the revision that the working copy had,
// in the stage, and notes the conflicts. The next update tries them again.
func (w *Work) takeBack(ctx context.Context, p *planner, revision int64, r *Result) error {
	byRevision := map[back][]string{}
	var flat, deep []string
	for _, c := range p.clashes {
		path := joinPath(p.path, c.rel)
		if c.refused {
			r.Refused = append(r.Refused, Refused{path, c.why})
		} else {
			conflict, err := p.conflict(c, revision)
			if err != nil {
				return err
			}
			r.Conflicts = append(r.Conflicts, conflict)
		}
		if c.recorded {
			if p.settled == nil {
				p.settled = map[string]bool{}
			}
			p.settled[c.rel] = true
			r.Conflicts[len(r.Conflicts)-1].Recorded = true
			continue
		}
		group := back{p.revisionBefore(c.rel), p.flat(c.rel)}
		byRevision[group] = append(byRevision[group], p.reachable(c.rel))
		n := p.new.node(c.rel)
		switch {
		case n == nil || n.top().opDepth == 0 && n.actual == nil:
		case group.flat:
			flat = append(flat, c.rel)
		default:
			deep = append(deep, c.rel)
		}
	}
	if err := p.stage.svnTargets(ctx, flat, "revert", "--quiet"); err != nil {
		return err
	}
	if err := p.stage.svnTargets(ctx, deep, "revert", "--quiet", "--recursive"); err != nil {
		return err
	}
	for group, rels := range byRevision {
		args := []string{"update", "--quiet", "--ignore-externals", "--accept", "postpone", "--force", "--revision", strconv.FormatInt(group.revision, 10)}
		if group.flat {
			args = append(args, noDepth)
		}
		args = append(args, "--")
		for _, rel := range rels {
			args = append(args, target(rel))
		}
		if _, err := p.stage.svn(ctx, nil, args...); err != nil {
			return err
		}
	}
	return p.keepPropertyEdits(ctx)
}

// reachable is rel, or the directory above it from which svn can get there:
// above that one the new record has something else than a directory.
func (p *planner) reachable(rel string) string {
	for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
		if n := p.new.node(dir); n == nil || !n.visible() || n.top().kind != kindDir {
			rel = dir
		}
	}
	return rel
}

// back says to which revision clashing paths are taken back, and whether with
// everything below them.
type back struct {
	revision int64
	flat     bool
}

// flat says whether a clash concerns a directory's properties alone.
func (p *planner) flat(rel string) bool {
	was, is := stateOf(p.old, rel), stateOf(p.new, rel)
	return was != nil && is != nil && was.kind == metadata.Dir && is.kind == metadata.Dir && p.new.node(rel).top().opDepth == 0
}

// keepPropertyEdits makes the property edits of clashing paths again, which
// the revert has undone.
func (p *planner) keepPropertyEdits(ctx context.Context) error {
	for _, c := range p.clashes {
		if err := p.stage.editProperties(ctx, c.rel, p.old.node(c.rel)); err != nil {
			return err
		}
	}
	return nil
}

// editProperties makes the property edits of a node in the stage.
func (s *stage) editProperties(ctx context.Context, rel string, n *node) error {
	if n == nil || n.actual == nil || !n.actual.propsSet || n.base() == nil {
		return nil
	}
	before, _ := parseProps(n.top().props)
	after, _ := parseProps(n.actual.props)
	for _, name := range changedNames(before, after) {
		value, there := after[name]
		var err error
		if there {
			err = s.propset(ctx, []string{rel}, name, value)
		} else {
			err = s.propdel(ctx, []string{rel}, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// revisionBefore is the revision of rel, or of the nearest directory above it.
func (p *planner) revisionBefore(rel string) int64 {
	for q := rel; ; q = parentOf(q) {
		if s := stateOf(p.old, q); s != nil {
			return s.row.revision
		}
		if q == "" {
			return 0
		}
	}
}

// conflict gathers the three sides of a clash.
func (p *planner) conflict(c clash, revision int64) (*Conflict, error) {
	out := &Conflict{Path: joinPath(p.path, c.rel), What: c.why, From: p.revisionBefore(c.rel), To: revision, sides: map[string][]byte{}}
	pristine := func(side string, s *state) error {
		if s == nil || !s.row.hasChecksum {
			return nil
		}
		text, err := os.ReadFile(pristinePath(p.stage.wc(), s.row.checksum))
		if err != nil {
			return err
		}
		out.sides[side] = text
		return nil
	}
	if err := pristine("base", stateOf(p.old, c.rel)); err != nil {
		return nil, err
	}
	if err := pristine("theirs", stateOf(p.new, c.rel)); err != nil {
		return nil, err
	}
	f, err := p.live.OpenFile(orDot(c.rel), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return out, nil // gone or a symlink: there is no text of mine
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if out.sides["mine"], err = io.ReadAll(f); err != nil {
			return nil, err
		}
	}
	return out, nil
}
