package wc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	"rootwc/wc/metadata"
)

// RevertOptions chooses what [Work.Revert] and [Work.Repair] undo.
type RevertOptions struct {
	Paths        []string // these and what is below them
	MetadataOnly bool
	DryRun       bool
}

// Revert puts paths back to what the working copies record: content,
// metadata and svn's own scheduling. Unversioned files are never touched.
func (w *Work) Revert(ctx context.Context, opt RevertOptions) ([]*Result, error) {
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: opt.Paths})
	if err != nil {
		return nil, err
	}
	byCopy := map[*Copy][]*Entry{}
	for _, e := range entries {
		if e.Status != Unversioned && e.Status != Unstorable {
			byCopy[e.copy] = append(byCopy[e.copy], e)
		}
	}
	var results []*Result
	for _, c := range w.tree.Copies {
		if len(byCopy[c]) == 0 {
			continue
		}
		r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
		results = append(results, r)
		if err := w.revertCopy(ctx, c, byCopy[c], opt, r); err != nil {
			return results, err
		}
		sort.Slice(r.Changes, func(i, j int) bool { return r.Changes[i].Path < r.Changes[j].Path })
	}
	return results, nil
}

func (w *Work) revertCopy(ctx context.Context, c *Copy, entries []*Entry, opt RevertOptions, r *Result) error {
	var deep []*Entry
	for _, e := range entries {
		switch {
		case e.Withheld && e.Status != Normal && e.node == nil:
			r.Refused = append(r.Refused, Refused{e.Path, "its content is withheld: the repository does not have it"})
		case e.Withheld && e.node == nil, e.Status == Normal && len(e.Properties) == 0, opt.MetadataOnly:
			if len(e.Metadata) > 0 {
				w.repairOne(e, opt, r)
			}
		case e.node == nil:
		case w.tree.Mounts[e.Path]:
			r.Refused = append(r.Refused, Refused{e.Path, e.Note})
		default:
			deep = append(deep, e)
		}
	}
	if len(deep) == 0 || opt.MetadataOnly {
		return nil
	}
	return w.revertDeep(ctx, c, deep, opt, r)
}

// repairOne sets one path's recorded metadata in place.
func (w *Work) repairOne(e *Entry, opt RevertOptions, r *Result) {
	t := w.tree
	props := map[string]string{}
	if e.node != nil {
		props = e.node.baseProps()
	} else if kept, err := t.loadWithheld(); err == nil && kept.files[e.Path] != nil {
		props = kept.files[e.Path].Properties
	}
	def := e.def
	if e.node == nil {
		def = metadata.StandardDefaults
	}
	want, _, _ := metadata.Wanted(propLookup(props), svnKind(e.Kind), def, t.Names)
	if e.node == nil {
		want.Mode &^= 0o6000 // a list makes no program
	}
	r.Changes = append(r.Changes, Change{Letter: 'M', Path: e.Path, Note: metadata.Words(metadata.Compare(e.live.values, want, t.Names))})
	if opt.DryRun {
		return
	}
	dir, name := splitPath(e.rel)
	if e.rel == "" {
		name = "."
	}
	err := as(e.copy.user, func() error {
		d, err := openDir(e.copy.fs, dir)
		if err != nil {
			return err
		}
		defer d.Close()
		p := &part{Path: e.copy.Path, User: e.copy.user}
		want, dropped := guarded(want, p)
		r.Unset = append(r.Unset, left(p, e.rel, dropped)...)
		for _, failed := range applyAt(int(d.Fd()), name, want, e.live.identity()) {
			r.Unset = append(r.Unset, fmt.Sprintf("%s: %v", e.Path, failed))
		}
		return nil
	})
	if err != nil {
		r.Unset = append(r.Unset, fmt.Sprintf("%s: %v", e.Path, cause(err)))
	}
}

// revertDeep lets svn revert paths in a stage and places what comes out.
func (w *Work) revertDeep(ctx context.Context, c *Copy, entries []*Entry, opt RevertOptions, r *Result) error {
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	var flat, deep []string
	err = as(s.user, func() error {
		for _, e := range entries {
			if e.Status == Normal || e.Status == Modified || e.Status == Conflicted && e.Kind != metadata.Dir {
				flat = append(flat, e.rel)
			} else {
				deep = append(deep, e.rel)
			}
			dir := parentOf(e.rel)
			if e.node.top().kind == kindDir && e.Status == Normal {
				dir = e.rel
			}
			if err := s.mkdirs(dir); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, flat, "revert", "--quiet"); err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	if err := s.svnTargets(ctx, topmost(deep), "revert", "--quiet", "--recursive"); err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	plan, err := w.planExact(s, flat, deep)
	if err != nil {
		return fmt.Errorf("cannot revert: %w", err)
	}
	r.changes(plan)
	r.unscheduled(entries)
	for _, cl := range plan.clashes {
		r.Refused = append(r.Refused, Refused{c.path(cl.rel), cl.why})
	}
	p.Steps = plan.steps
	if opt.DryRun {
		return w.drop(p)
	}
	if r.Saved, err = w.save(s, withheldIn(entries)); err != nil {
		return fmt.Errorf("cannot keep what is replaced: %w", err)
	}
	for _, e := range entries {
		p.Ends = append(p.Ends, e.Path)
	}
	return w.placeAndReport(p, r)
}

// topmost drops the paths that lie below others of the list.
func topmost(rels []string) []string {
	sort.Strings(rels)
	var top []string
	for _, rel := range rels {
		if len(top) == 0 || !covers(top, rel) {
			top = append(top, rel)
		}
	}
	return top
}

// unscheduled names the paths of which a revert changes only what svn was
// going to do with them.
func (r *Result) unscheduled(entries []*Entry) {
	told := map[string]bool{}
	for _, c := range r.Changes {
		told[c.Path] = true
	}
	for _, e := range entries {
		switch {
		case told[e.Path]:
		case e.Status == Added:
			r.Changes = append(r.Changes, Change{Letter: '?', Path: e.Path, Note: "not to be added any more"})
		case e.Status == Deleted:
			r.Changes = append(r.Changes, Change{Letter: 'A', Path: e.Path, Note: "not to be deleted any more"})
		case len(e.Properties) > 0:
			r.Changes = append(r.Changes, Change{Letter: 'M', Path: e.Path, Note: "property " + strings.Join(e.Properties, ", ")})
		}
	}
}

// withheldIn are the files whose content no repository has.
func withheldIn(entries []*Entry) []string {
	var rels []string
	for _, e := range entries {
		if e.Withheld && e.live.exists {
			rels = append(rels, e.rel)
		}
	}
	return rels
}

// planExact plans to place the stage's version of just these paths: the flat
// ones alone, the deep ones with everything below them.
func (w *Work) planExact(s *stage, flat, deep []string) (*planner, error) {
	plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path, names: w.tree.Names, takeAll: true, exact: map[string]bool{}}
	var err error
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	for _, rel := range flat {
		plan.exact[rel] = true
	}
	for rel := range plan.new.nodes {
		if len(deep) > 0 && covers(deep, rel) {
			plan.exact[rel] = true
		}
	}
	return plan, as(s.user, plan.plan)
}

// Repair restores the metadata that the working copies record and leaves
// content alone; it also closes .svn directories that others can read.
func (w *Work) Repair(ctx context.Context, opt RevertOptions) ([]*Result, error) {
	opt.MetadataOnly = true
	return w.Revert(ctx, opt)
}

// RestoreOptions says what [Work.Restore] brings back from where.
type RestoreOptions struct {
	Path     string
	Revision string // number, or {DATE}
	DryRun   bool
}

// Restore puts the content and metadata that a path had at a revision into
// the live tree. The working copy goes on recording its own revision, so the
// result shows as a local change, ready to be reviewed and committed. Local
// changes that are overwritten are kept under the state directory.
func (w *Work) Restore(ctx context.Context, opt RestoreOptions) (*Result, error) {
	t := w.tree
	c, rel := t.CopyOf(opt.Path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	local, err := t.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	dir, name := splitPath(rel)
	if link := c.symlinkAbove(rel); link != "" {
		return nil, Refuse("cannot restore %q: %q is a symlink", opt.Path, c.path(link))
	}
	if info, err := c.fs.Lstat(orDot(dir)); err == nil && !info.IsDir() {
		return nil, Refuse("cannot restore %q: %q is no directory", opt.Path, c.path(dir))
	}
	s, p, err := w.scratch(c, dir)
	if err != nil {
		return nil, err
	}
	if err := w.fetchOld(ctx, s, c, dir, name, opt.Revision); err != nil {
		return nil, fmt.Errorf("cannot restore %q as of %s: %w", opt.Path, opt.Revision, err)
	}
	plan, err := w.planExact(s, nil, []string{name})
	if err != nil {
		return nil, fmt.Errorf("cannot restore %q: %w", opt.Path, err)
	}
	if n := plan.new.nodes[name]; name != "" && (n == nil || stateOf(plan.new, name) == nil) {
		return nil, fmt.Errorf("cannot restore %q: it was not there at %s", opt.Path, opt.Revision)
	}
	r.changes(plan)
	for _, cl := range plan.clashes {
		r.Refused = append(r.Refused, Refused{joinPath(s.path, cl.rel), cl.why})
	}
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	var changed []string
	for _, rel := range plan.replaced {
		if e := local[joinPath(dir, rel)]; e != nil || !c.Versioned(joinPath(dir, rel)) {
			changed = append(changed, rel)
		}
	}
	if r.Saved, err = w.save(s, changed); err != nil {
		return nil, err
	}
	return r, w.placeAndReport(p, r)
}

// scratch makes a stage for the directory dir of a working copy whose record
// is never put in place.
func (w *Work) scratch(c *Copy, dir string) (*stage, *part, error) {
	if err := w.openJournal(); err != nil {
		return nil, nil, err
	}
	s := &stage{tree: w.tree, path: c.path(dir), user: c.user}
	var err error
	if s.dir, err = c.stageDir(); err != nil {
		return nil, nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	p := &part{Path: s.path, Stage: s.dir, User: s.user, Files: true}
	if err := w.note(p, s); err != nil {
		return nil, nil, err
	}
	err = as(c.user, func() error {
		var err error
		if s.live, err = c.fs.OpenRoot(orDot(dir)); err != nil {
			return err
		}
		if err := os.MkdirAll(s.wc(), 0o700); err != nil {
			return err
		}
		s.root, err = os.OpenRoot(s.wc())
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	return s, p, nil
}

// fetchOld checks a path out as it was at a revision. The path is looked for
// under the name it has now, then under the name it had then.
func (w *Work) fetchOld(ctx context.Context, s *stage, c *Copy, dir, name, revision string) error {
	url := c.DirURL(dir)
	pegs := []string{revision}
	if n := c.rec.nodes[joinPath(dir, name)]; n != nil && n.base() != nil && n.visible() {
		pegs = []string{fmt.Sprint(n.base().revision), revision}
	}
	var failed error
	for _, peg := range pegs {
		if name == "" {
			_, failed = s.svn(ctx, nil, "checkout", "--ignore-externals", "--force", "--quiet", "--revision", revision, "--", url+"@"+peg, ".")
			return failed
		}
		if _, failed = s.svn(ctx, nil, "checkout", "--ignore-externals", "--force", "--quiet", "--depth", "empty", "--revision", revision, "--", url+"@"+peg, "."); failed == nil {
			_, failed = s.svn(ctx, nil, "update", "--ignore-externals", "--quiet", "--set-depth", "infinity", "--revision", revision, "--", target(name))
			return failed
		}
	}
	return failed
}

// ResolveOptions says how [Work.Resolve] ends a conflict.
type ResolveOptions struct {
	Path   string
	Accept string // mine, theirs, base or working
	DryRun bool
}

// ErrNoConflict is returned by [Work.Resolve] for a path without a conflict.
var ErrNoConflict = errors.New("it is not in conflict")

// Resolve ends a conflict: "working" takes the live file as it is now, "mine"
// as it was when the conflict arose, "theirs" the repository's version, "base"
// the version that both came from. The working copy then records the incoming
// revision.
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
	plan, err := w.planResolution(ctx, s, c, rel, conflict, opt.Accept)
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
	n := c.rec.nodes[rel]
	if n != nil && (n.top().opDepth > 0 || n.actual != nil) {
		if err := s.svnTargets(ctx, []string{rel}, revert...); err != nil {
			return err
		}
	}
	if _, err := s.svn(ctx, nil, append(args, "--", target(rel))...); err != nil {
		return err
	}
	if accept != "mine" && accept != "working" {
		return nil
	}
	return s.editProperties(ctx, rel, n) // what a person has set by hand stays set
}

// propertyConflict says whether a conflict at rel concerns a directory that
// stays one: its properties alone.
func (c *Copy) propertyConflict(rel string) bool {
	n := c.rec.nodes[rel]
	return n != nil && n.base() != nil && n.base().kind == kindDir && n.top().opDepth == 0 && n.visible()
}

func (w *Work) planResolution(ctx context.Context, s *stage, c *Copy, rel string, conflict *Conflict, accept string) (*planner, error) {
	switch accept {
	case "working":
		plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path}
		return plan, w.adopt(ctx, s, c, rel)
	case "theirs":
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
	return nil, fmt.Errorf("%q is no way to resolve: mine, theirs, base or working", accept)
}

// planSide puts a kept text in place of the live file, when it differs.
func (w *Work) planSide(ctx context.Context, s *stage, c *Copy, rel string, conflict *Conflict, side string) (*planner, error) {
	plan := &planner{tree: w.tree, stage: s, live: s.live, path: s.path, takeAll: true}
	text, err := os.ReadFile(conflict.File(side))
	if errors.Is(err, os.ErrNotExist) {
		if side == "mine" { // there was no text: a deletion, a symlink, a directory
			return plan, w.adopt(ctx, s, c, rel)
		}
		return nil, errors.New("there is no common base of both sides")
	}
	if err != nil {
		return nil, err
	}
	err = as(s.user, func() error {
		if err := s.root.RemoveAll(rel); err != nil {
			return err
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
			return plan, errors.Join(err, w.adopt(ctx, s, c, rel))
		}
	}
	plan.add(step{Act: actPut, Rel: rel, Expect: l.identity(), Want: &want})
	return plan, nil
}

// adopt keeps the live path as it is: when the repository has it no more, it
// is scheduled for addition again.
func (w *Work) adopt(ctx context.Context, s *stage, c *Copy, rel string) error {
	rec, err := s.record()
	if err != nil || stateOf(rec, rel) != nil {
		return err
	}
	l, err := w.tree.look(c, rel)
	if err != nil || !l.exists || rec.nodes[parentOf(rel)] == nil {
		return err
	}
	return w.schedule(ctx, s, []addition{{rel, l.values.Kind, l.values}})
}

// resolveSvn ends a conflict that plain svn has recorded.
func (w *Work) resolveSvn(ctx context.Context, c *Copy, rel string, opt ResolveOptions) error {
	n := c.rec.nodes[rel]
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
	return w.place(p)
}

// Accepts lists the words for [ResolveOptions.Accept], svn's own among them.
var Accepts = map[string]string{
	"mine": "mine", "mine-full": "mine", "theirs": "theirs", "theirs-full": "theirs", "base": "base", "working": "working",
}

// RevisionWord turns what a person types after --at into what svn takes:
// a number, HEAD, or a date in braces.
func RevisionWord(s string) string {
	trimmed := strings.TrimPrefix(s, "r")
	if trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
		return trimmed
	}
	if strings.EqualFold(s, "HEAD") {
		return "HEAD"
	}
	if strings.HasPrefix(s, "{") {
		return s
	}
	return "{" + s + "}"
}

// datePattern is the beginning of every date that svn reads: a year or a time.
var datePattern = regexp.MustCompile(`^\{?\d[\d:TZ .+-]*\}?$`)

// CheckRevisionWord says what is wrong with a word that [RevisionWord] gets.
func CheckRevisionWord(s string) error {
	if word := RevisionWord(s); word[0] == '{' && !datePattern.MatchString(s) {
		return Hint(fmt.Errorf("%q is neither a revision nor a date", s), "a number, HEAD, 2026-05-01 or 2026-05-01T12:00")
	}
	return nil
}
