package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"rootwc/wc/metadata"
)

// ResolveOptions says how [Work.Resolve] ends a conflict.
type ResolveOptions struct {
	Path   string
	Accept string // mine, theirs, base, working or [AcceptText]
	Text   []byte // what a person or a program has merged
	DryRun bool
}

// ErrNoConflict is returned by [Work.Resolve] for a path without a conflict.
var ErrNoConflict = errors.New("it is not in conflict")

// Accepts lists the words by which a person says how a conflict ends, svn's own
// among them. For merged and edit the caller makes the text, see [AcceptText].
var Accepts = map[string]string{
	"mine": "mine", "mine-full": "mine", "theirs": "theirs", "theirs-full": "theirs", "base": "base", "working": "working",
	"merged": "merged", "edit": "edit", "e": "edit",
}

// AcceptText takes [ResolveOptions.Text].
const AcceptText = "text"

// Resolve ends a conflict: "working" takes the live file as it is now, "mine"
// as it was when the conflict arose, "theirs" the repository's version, "base"
// the version that both came from, [AcceptText] the text of the options. The working
// copy then records the incoming revision. In a conflict with a package "mine"
// is the person's version and "theirs" the package's.
func (w *Work) Resolve(ctx context.Context, opt ResolveOptions) (*Result, error) {
	t := w.tree
	all, err := t.State.conflicts()
	if err != nil {
		return nil, err
	}
	conflict := all[opt.Path]
	c, rel := t.CopyOf(opt.Path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	if conflict == nil {
		return r, w.resolveSvn(ctx, c, rel, opt)
	}
	s, p, err := w.stage(c)
	if err != nil {
		return nil, err
	}
	if !conflict.Recorded {
		if err := w.advance(ctx, s, c, rel, conflict, opt.Accept); err != nil {
			return nil, fmt.Errorf("cannot resolve %q: %w", opt.Path, err)
		}
	}
	plan, err := w.planResolution(ctx, s, c, rel, conflict, opt)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %q: %w", opt.Path, err)
	}
	if len(plan.clashes) > 0 {
		return nil, Refuse("cannot resolve %q: %s", opt.Path, plan.clashes[0].why)
	}
	r.changes(plan)
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	p.Ends = []string{opt.Path}
	return r, w.placeAndReport(p, r)
}

// advance takes the stage's record of a path to the incoming revision.
func (w *Work) advance(ctx context.Context, s *stage, c *Copy, rel string, conflict *Conflict, accept string) error {
	if err := as(s.user, func() error { return s.mkdirs(parentOf(rel)) }); err != nil {
		return err
	}
	args := []string{"update", "--quiet", "--ignore-externals", "--accept", "theirs-full", "--force", "--revision", fmt.Sprint(conflict.To)}
	revert := []string{"revert", "--quiet", "--recursive"}
	flat := c.propertyConflict(rel)
	if flat {
		args, revert = append(args, noDepth), revert[:2]
	}
	n := c.record().node(rel)
	if n != nil && (n.top().opDepth > 0 || n.actual != nil) {
		if err := s.svnTargets(ctx, []string{rel}, revert...); err != nil {
			return err
		}
	}
	if _, err := s.svn(ctx, nil, append(args, "--", target(rel))...); err != nil {
		return err
	}
	if accept != "mine" && accept != "working" && accept != AcceptText {
		return nil
	}
	return s.editProperties(ctx, rel, n) // what a person has set by hand stays set
}

// propertyConflict says whether a conflict at rel concerns a directory that
// stays one: its properties alone.
func (c *Copy) propertyConflict(rel string) bool {
	n := c.record().node(rel)
	return n != nil && n.base() != nil && n.base().kind == kindDir && n.top().opDepth == 0 && n.visible()
}

func (w *Work) planResolution(ctx context.Context, s *stage, c *Copy, rel string, conflict *Conflict, opt ResolveOptions) (*planner, error) {
	accept := opt.Accept
	if conflict.Package != "" {
		return w.planPackage(s, rel, conflict, opt)
	}
	switch accept {
	case AcceptText:
		return w.planText(ctx, s, c, rel, opt.Text, false)
	case "working":
		plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path}
		return plan, w.adopt(ctx, s, c, rel)
	case "theirs":
		if conflict.Merged != nil {
			return w.planMerged(ctx, s, c, rel, conflict)
		}
		if conflict.Recorded { // the record has it: restore the text from there
			if err := s.svnTargets(ctx, []string{rel}, "revert", "--quiet", "--recursive"); err != nil {
				return nil, err
			}
		}
		if c.propertyConflict(rel) {
			return w.planExact(s, []string{rel}, nil)
		}
		plan, err := w.planExact(s, nil, []string{rel})
		if err != nil || stateOf(plan.new, rel) != nil {
			return plan, err
		}
		l, err := plan.lstat(rel) // deleted in the repository
		if err == nil && l.exists && l.values.Kind != metadata.Dir {
			plan.add(step{Act: actRemove, Rel: rel, Expect: l.identity()})
		}
		return plan, err
	case "mine", "base":
		return w.planSide(ctx, s, c, rel, conflict, accept)
	}
	return nil, fmt.Errorf("internal error: %q is no way to resolve", accept)
}

// planSide puts a kept text in place of the live file.
func (w *Work) planSide(ctx context.Context, s *stage, c *Copy, rel string, conflict *Conflict, side string) (*planner, error) {
	text, err := os.ReadFile(conflict.File(side))
	if errors.Is(err, os.ErrNotExist) {
		if side == "mine" { // there was no text: a deletion, a symlink, a directory
			return &planner{tree: w.tree, stage: s, live: s.live, path: s.path, takeAll: true}, w.adopt(ctx, s, c, rel)
		}
		return nil, errNoBase
	}
	if err != nil {
		return nil, err
	}
	return w.planText(ctx, s, c, rel, text, side == "base" && linkAt(c.record(), rel))
}

// planText is putText, and a path that the repository has no more is added again.
func (w *Work) planText(ctx context.Context, s *stage, c *Copy, rel string, text []byte, link bool) (*planner, error) {
	plan, err := w.putText(s, rel, text, link)
	if err == nil && len(plan.steps) == 0 {
		err = w.adopt(ctx, s, c, rel)
	}
	return plan, err
}

// planPackage resolves a conflict with a package, about which the repository
// has nothing to say: the file may even be one that is withheld.
func (w *Work) planPackage(s *stage, rel string, conflict *Conflict, opt ResolveOptions) (*planner, error) {
	switch opt.Accept {
	case "working":
		return &planner{tree: w.tree, stage: s, live: s.live, path: s.path}, nil
	case AcceptText:
		return w.putText(s, rel, opt.Text, false)
	}
	text, err := os.ReadFile(conflict.File(opt.Accept))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoBase
	}
	if err != nil {
		return nil, err
	}
	return w.putText(s, rel, text, false)
}

var errNoBase = errors.New("there is no common base of both sides")

// putText puts a text in place of the live file, when it differs; link says that
// svn's text of a symlink is to become one.
func (w *Work) putText(s *stage, rel string, text []byte, link bool) (*planner, error) {
	plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path, takeAll: true}
	err := as(s.user, func() error {
		if err := errors.Join(s.root.RemoveAll(rel), s.mkdirs(parentOf(rel))); err != nil {
			return err
		}
		if target, isLink := bytes.CutPrefix(text, []byte(linkText)); isLink && link {
			return s.root.Symlink(string(target), rel)
		}
		return s.root.WriteFile(rel, text, 0o600)
	})
	if err != nil {
		return nil, err
	}
	l, err := plan.lstat(rel)
	if err != nil {
		return nil, err
	}
	want := l.values
	if !l.exists {
		want = metadata.Values{Kind: metadata.File, Mode: 0o600, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	}
	if l.exists && l.values.Kind == metadata.File {
		if same, err := plan.sameContent(rel, metadata.File); err != nil || same {
			return plan, err
		}
	}
	plan.add(step{Act: actPut, Rel: rel, Expect: l.identity(), Want: &want})
	return plan, nil
}

// linkAt says whether the working copy has a symlink at rel.
func linkAt(rec *record, rel string) bool {
	w := workingOf(rec, rel)
	return w != nil && w.kind == metadata.Symlink
}

// adopt keeps the live path as it is: when the repository has it no more, it
// is scheduled for addition again.
func (w *Work) adopt(ctx context.Context, s *stage, c *Copy, rel string) error {
	rec, err := s.record()
	if err != nil || stateOf(rec, rel) != nil {
		return err
	}
	l, err := w.tree.look(c, rel)
	if err != nil || !l.exists || rec.node(parentOf(rel)) == nil {
		return err
	}
	return w.schedule(ctx, s, []addition{{rel, l.values.Kind, l.values}})
}

// resolveSvn ends a conflict that plain svn has recorded.
func (w *Work) resolveSvn(ctx context.Context, c *Copy, rel string, opt ResolveOptions) error {
	n := c.record().node(rel)
	if n == nil || n.actual == nil || n.actual.conflict == nil {
		return fmt.Errorf("cannot resolve %q: %w", opt.Path, ErrNoConflict)
	}
	if opt.DryRun {
		return nil
	}
	if opt.Accept != "working" {
		return Hint(Refuse("cannot resolve %q that way: the conflict was made by plain svn", opt.Path), "merge the file by hand, then: rootwc resolve --accept working %s", opt.Path)
	}
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	l, err := w.tree.look(c, rel)
	if err != nil {
		return err
	}
	if l.exists {
		if err := as(s.user, func() error { return s.take(rel, l.values.Kind) }); err != nil {
			return err
		}
	}
	if err := s.svnTargets(ctx, []string{rel}, "resolve", "--quiet", "--accept", "working"); err != nil {
		return fmt.Errorf("cannot resolve %q: %w", opt.Path, err)
	}
	for _, marker := range conflictMarkers(n.actual.conflict) {
		l, err := w.tree.look(c, marker)
		if err == nil && l.exists && l.values.Kind == metadata.File && !c.Versioned(marker) {
			p.Steps = append(p.Steps, step{Act: actRemove, Rel: marker, Expect: l.identity()})
		}
	}
	return w.place(p)
}

// conflictMarkers are the files that svn has put beside a conflict, from its
// record: ((WHY) ((text (OLD MINE THEIRS)) (prop (REJECTS) …) …)), as
// libsvn_wc/conflicts.h has it.
func conflictMarkers(conflict []byte) (rels []string) {
	s, err := parseSkel(conflict)
	if err != nil || len(s.list) < 2 {
		return nil
	}
	for _, kind := range s.list[1].list {
		if len(kind.list) < 2 {
			continue
		}
		for _, marker := range kind.list[1].list {
			if len(marker.atom) > 0 && !marker.isList {
				rels = append(rels, string(marker.atom))
			}
		}
	}
	return rels
}
