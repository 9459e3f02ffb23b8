package wc

import (
	"context"
	"maps"
	"slices"

	"rootwc/wc/metadata"
)

// settleNoise ends what svn calls conflicts, in the stage, between what came in
// and local changes that are no news. The repository's text wins; of the live
// one stay the lines that do not count, where svn can place them.
func (w *Work) settleNoise(ctx context.Context, s *stage, in *incoming, local map[string]*Entry) error {
	var rels []string
	for _, rel := range slices.Sorted(maps.Keys(local)) {
		if e := local[rel]; e.quiet && len(e.Properties) == 0 && in.touches(rel) {
			rels = append(rels, rel)
		}
	}
	if len(rels) == 0 {
		return nil
	}
	now, err := s.record()
	if err != nil {
		return err
	}
	var texts []string // that svn could not merge
	for _, rel := range rels {
		if inConflict(now, rel) && mergeable(now, rel) {
			texts = append(texts, rel)
		}
	}
	// svn goes on after one that it takes for binary (E155027)
	if err := s.svnTargets(ctx, texts, "resolve", "--quiet", "--accept", "theirs-conflict"); err != nil && !HasCode(err, "155027") {
		return err
	}
	if now, err = s.record(); err != nil {
		return err
	}
	var lost []string // gone, another kind, or merged into more than noise
	for _, rel := range rels {
		if now.node(rel) == nil {
			continue
		}
		quiet := false
		err := as(s.user, func() error { quiet = w.tree.stillQuiet(s, now, rel); return nil })
		if err != nil {
			return err
		}
		if inConflict(now, rel) || !quiet {
			lost = append(lost, rel)
		}
	}
	return s.svnTargets(ctx, lost, "revert", "--quiet")
}

func inConflict(rec *record, rel string) bool {
	n := rec.node(rel)
	return n != nil && n.actual != nil && n.actual.conflict != nil
}

// mergeable says whether the repository still has a file there.
func mergeable(rec *record, rel string) bool {
	is := stateOf(rec, rel)
	return is != nil && is.kind == metadata.File && rec.node(rel).top().opDepth == 0
}

// stillQuiet says whether the staged file differs from what the stage records
// in nothing but noise.
func (t *Tree) stillQuiet(s *stage, rec *record, rel string) bool {
	if !mergeable(rec, rel) {
		return false
	}
	is := stateOf(rec, rel)
	f, err := openRegular(s.root, rel)
	if err != nil {
		return false
	}
	defer f.Close()
	return t.Noise.Of(joinPath(s.path, rel)).Judge(func() (base, live []byte, ok bool) {
		base, ok = recordedText(pristinePath(s.wc(), is.row.checksum), is.row.checksum)
		if !ok {
			return nil, nil, false
		}
		live, ok = bounded(f)
		return base, normalForm(live, is.props["svn:eol-style"], is.props["svn:keywords"]), ok
	}).Quiet()
}
