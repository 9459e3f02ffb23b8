package wc

import (
	"fmt"
	"strings"

	"rootwc/wc/metadata"
)

// obstructed refuses the whole merge when something is in its way that svn does
// not know of.
func (p *planner) obstructed() error {
	if len(p.clashes) == 0 {
		return nil
	}
	words := make([]string, len(p.clashes))
	for i, c := range p.clashes {
		words[i] = fmt.Sprintf("%s is in the way (%s)", joinPath(p.path, c.rel), c.why)
	}
	return Hint(Refuse("%s", strings.Join(words, "; ")), "move it away, then again")
}

// workingOf is what the working copy is to have at rel, with what is scheduled
// there; nil for nothing. Its row tells no checksum of what was merged.
func workingOf(rec *record, rel string) *state {
	n := rec.node(rel)
	if n == nil || n.scheduledDelete() {
		return nil
	}
	b := n.top()
	if b.presence != presenceNormal && b.presence != presenceIncomplete {
		return nil
	}
	s := &state{n: n, row: b, props: n.props(), kind: metadata.File}
	switch {
	case b.kind == kindDir:
		s.kind = metadata.Dir
	case s.props["rootwc:special"] == "fifo":
		s.kind = metadata.Fifo
	case hasKey(s.props, "svn:special") || b.kind == kindSymlink:
		s.kind = metadata.Symlink
	}
	return s
}

// planWorking plans to place what the stage's working copy has at the paths
// that touches names.
func (p *planner) planWorking(touches func(rel string) bool) error {
	p.begin()
	all := map[string]bool{}
	for _, rec := range []*record{p.old, p.new} {
		for rel := range rec.all() {
			if touches(rel) {
				all[rel] = true
			}
		}
	}
	for _, rel := range keys(all) {
		was, is := workingOf(p.old, rel), workingOf(p.new, rel)
		if was == nil && is == nil || p.below(rel) {
			continue
		}
		if err := p.change(rel, was, is); err != nil {
			return err
		}
	}
	p.order()
	return nil
}
