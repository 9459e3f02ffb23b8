package wc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Result is what an update, revert or materialize did to one working copy.
type Result struct {
	WorkingCopy string   // path
	Revision    int64    // it is at this revision now
	Changes     []Change // sorted by path
	Conflicts   []*Conflict
	Refused     []Refused // left alone for safety
	Unset       []string  // metadata that could not be set
	Saved       string    // directory with the files that were replaced, "" for none
	Notes       []string
}

// Complete says that everything was done.
func (r *Result) Complete() bool {
	return len(r.Conflicts) == 0 && len(r.Refused) == 0 && len(r.Unset) == 0
}

// Change is one path that a writing verb changed, with svn's letter: A, D, U
// (updated), G (merged), R (another kind) or M (metadata alone).
type Change struct {
	Letter byte
	Path   string
	Note   string
}

// Refused is a path that was left alone, and why.
type Refused struct{ Path, Why string }

// UpdateOptions chooses what [Work.Update] brings in.
type UpdateOptions struct {
	Revision string // number, HEAD or {DATE}; "" is HEAD
	URL      string // switch the working copy to this URL
	Files    bool   // look at file externals even when nothing is new
	Emptying bool   // even when most of the tree goes
	DryRun   bool
}

// Update brings a working copy to a revision: fetched and merged in a stage,
// then placed, then recorded. Local changes that do not merge stay as they
// are, with a [Conflict] that waits for [Work.Resolve], and the working copy
// then still records their old revision.
func (w *Work) Update(ctx context.Context, c *Copy, opt UpdateOptions) (*Result, error) {
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	in, err := w.tree.incoming(ctx, c, opt)
	if err == nil {
		err = w.tree.incomingFiles(ctx, c, in)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot update %q: %w", w.tree.abs(c.Path), err)
	}
	r.Revision = in.revision
	if in.nothing && !opt.Files {
		return r, nil
	}
	s, p, err := w.stage(c)
	if err != nil {
		return nil, err
	}
	plan, err := w.fetch(ctx, s, in, opt, r)
	if errors.Is(err, errUnforeseen) {
		if err := w.drop(p); err != nil {
			return nil, err
		}
		if s, p, err = w.stage(c); err != nil {
			return nil, err
		}
		in.all = true
		plan, err = w.fetch(ctx, s, in, opt, r)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot update %q: %w", w.tree.abs(c.Path), err)
	}
	r.Notes = plan.notes
	r.changes(plan)
	sort.Slice(r.Conflicts, func(i, j int) bool { return r.Conflicts[i].Path < r.Conflicts[j].Path })
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	if gone, all := plan.losses(); !opt.Emptying && gone > all/2 && gone >= emptyingFrom {
		return nil, Hint(Refuse("cannot update %q: revision %d deletes %d of its %d files", w.tree.abs(c.Path), in.revision, gone, all),
			"look at it with --dry-run; --emptying lets it happen")
	}
	for _, conflict := range r.Conflicts {
		if err := w.tree.State.storeConflict(conflict, conflict.sides); err != nil {
			return nil, err
		}
	}
	fault.At("conflict-stored")
	p.Ends = w.settled(c, plan, r)
	return r, w.placeAndReport(p, r)
}

// emptyingFrom is the number of files from which on an update that takes away
// more than half of a working copy is taken for a mistake.
const emptyingFrom = 5

// losses counts the files that the plan removes, and all that are recorded.
func (p *planner) losses() (gone, all int) {
	for rel := range p.old.nodes {
		if s := stateOf(p.old, rel); s != nil && s.kind != metadata.Dir {
			all++
		}
	}
	for i := range p.steps {
		if p.steps[i].Act == actRemove {
			gone++
		}
	}
	return gone, all
}

// settled are the conflicts that this update merges after all: somebody has
// edited the live file meanwhile.
func (w *Work) settled(c *Copy, plan *planner, r *Result) (paths []string) {
	for path, old := range plan.pending {
		at, rel := w.tree.CopyOf(path)
		again := slices.ContainsFunc(r.Conflicts, func(k *Conflict) bool { return k.Path == path })
		if at != c || old.Recorded || again || plan.revisionBefore(rel) >= old.To {
			continue
		}
		if n := stateOf(plan.new, rel); n != nil && n.row.revision >= old.To {
			paths = append(paths, path)
		}
	}
	return paths
}

// placeAndReport places a part and takes over what could not be done.
func (w *Work) placeAndReport(p *part, r *Result) error {
	w.Unset, w.Late = nil, nil
	if err := w.place(p); err != nil {
		return err
	}
	r.Unset = w.Unset
	for _, path := range w.Late {
		r.Conflicts = append(r.Conflicts, &Conflict{Path: path, What: changedMeanwhile, Recorded: true})
	}
	return nil
}

// drop gives up a part: its stage goes, nothing was touched.
func (w *Work) drop(p *part) error {
	s := w.stages[p]
	if s.copy != nil {
		if err := as(s.user, s.forgetPristines); err != nil {
			w.tree.Warn("texts that nothing refers to stay in %s: %v", s.copy.admin("pristine"), err)
		}
	}
	s.remove()
	return w.done(p)
}

// incoming is what the repository has for a working copy.
type incoming struct {
	revision int64
	nothing  bool
	all      bool            // everything may change
	paths    map[string]bool // changed paths relative to the working copy; with everything below
}

// touches says whether the change may concern rel.
func (in *incoming) touches(rel string) bool {
	if in.all {
		return true
	}
	for p := rel; ; p = parentOf(p) {
		if in.paths[p] && (p == rel || p != "") {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// errUnforeseen says that an update touched what the log had not announced.
// There the stage held a stand-in, which svn took for a local change.
var errUnforeseen = errors.New("the log does not tell all that changed")

// unforeseen says whether the update has changed such a path.
func (in *incoming) unforeseen(p *planner) bool {
	for rel := range p.new.nodes {
		is := stateOf(p.new, rel)
		if !in.touches(rel) && !stateOf(p.old, rel).same(is) && (is == nil || !is.row.fileExt) {
			return true
		}
	}
	for rel := range p.old.nodes {
		if !in.touches(rel) && stateOf(p.old, rel) != nil && stateOf(p.new, rel) == nil {
			return true
		}
	}
	return false
}

// incoming asks first and fetches second: one question for what changed last
// answers the update that has nothing to do.
func (t *Tree) incoming(ctx context.Context, c *Copy, opt UpdateOptions) (*incoming, error) {
	url := c.URL()
	if opt.URL != "" {
		url = opt.URL
	}
	info, err := t.Client.Info(ctx, c.user, url, opt.Revision)
	if err != nil {
		if Unreachable(err) {
			return nil, Hint(err, "the server of %s is not reachable; nothing was changed", c.RepositoryRoot())
		}
		return nil, err
	}
	if info.UUID != c.UUID() {
		return nil, Refuse("%s is another repository now (%s, the working copy is of %s)", info.Root, info.UUID, c.UUID())
	}
	in := &incoming{revision: info.Revision, paths: map[string]bool{}}
	if opt.Revision != "" && opt.Revision != "HEAD" {
		in.revision = info.Revision
	}
	low, high, mixed := c.revisions()
	switch {
	case opt.URL != "" && opt.URL != c.URL() || mixed:
		in.all = true
		return in, nil
	case in.revision >= high && info.LastChanged <= low:
		in.nothing = true
		return in, nil
	}
	from, to := min(low, in.revision)+1, max(high, in.revision)
	if from > to {
		in.nothing = true
		return in, nil
	}
	entries, err := t.Client.Log(ctx, c.user, "--verbose", "--quiet", "--revision", fmt.Sprintf("%d:%d", from, to), "--", fmt.Sprintf("%s@%d", url, to))
	if err != nil {
		in.all = true // the path was not there in between: look at everything
		return in, nil
	}
	root := c.rec.root.base().reposPath
	for _, e := range entries {
		for _, changed := range e.Paths {
			path := strings.TrimPrefix(changed.Path, "/")
			switch {
			case path == root:
				in.paths[""] = true
				in.all = in.all || changed.Action != "M"
			case root == "":
				in.paths[path] = true
			case strings.HasPrefix(path, root+"/"):
				in.paths[path[len(root)+1:]] = true
			case strings.HasPrefix(root, path+"/"):
				in.all = in.all || changed.Action != "M"
			}
		}
	}
	return in, nil
}

// incomingFiles adds the file externals that have changed where they come from.
func (t *Tree) incomingFiles(ctx context.Context, c *Copy, in *incoming) error {
	for rel, n := range c.rec.nodes {
		b := n.base()
		if b == nil || !b.fileExt {
			continue
		}
		info, err := t.Client.Info(ctx, c.user, c.urlOf(b.reposPath), "")
		if err != nil {
			return err
		}
		if info.LastChanged > b.revision {
			in.paths[rel] = true
			in.nothing = false
		}
	}
	return nil
}

// revisions returns the lowest and highest revision in the working copy, and
// whether part of it is switched to another URL.
func (c *Copy) revisions() (low, high int64, switched bool) {
	low = -1
	root := c.rec.root.base()
	for rel, n := range c.rec.nodes {
		b := n.base()
		if b == nil || b.fileExt || b.presence != presenceNormal && b.presence != presenceIncomplete {
			continue
		}
		if low < 0 || b.revision < low {
			low = b.revision
		}
		high = max(high, b.revision)
		if b.presence == presenceIncomplete || b.reposPath != joinPath(root.reposPath, rel) {
			switched = true
		}
	}
	return low, high, switched
}

// fetch lets svn update the stage and plans what that means here. Paths that
// clash are taken back to the revision that they had.
func (w *Work) fetch(ctx context.Context, s *stage, in *incoming, opt UpdateOptions, r *Result) (*planner, error) {
	c := s.copy
	local, err := w.tree.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	before := c.rec
	if err := as(c.user, func() error { return s.mirror(in, local) }); err != nil {
		return nil, err
	}
	scheduled, err := w.unschedule(ctx, s, in, local)
	if err != nil {
		return nil, err
	}
	args := []string{"update", "--ignore-externals", "--accept", "postpone", "--force"}
	if opt.URL != "" {
		args = []string{"switch", "--ignore-externals", "--ignore-ancestry", "--accept", "postpone", "--force"}
	}
	args = append(args, "--revision", strconv.FormatInt(in.revision, 10))
	url := c.URL()
	if opt.URL != "" {
		url = opt.URL
		args = append(args, "--", url+"@"+strconv.FormatInt(in.revision, 10), ".")
	}
	if err := s.fetch(ctx, url, args...); err != nil {
		return nil, err
	}
	if err := w.fileExternals(ctx, s, in.revision); err != nil {
		return nil, err
	}
	fault.At("fetched")
	live, err := w.tree.openTarget(c.Path)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	p := &planner{tree: w.tree, stage: s, live: live, path: c.Path, old: before, local: local}
	if p.pending, err = w.tree.State.conflicts(); err != nil {
		return nil, err
	}
	const rounds = 20 // each takes at least one clash back
	for range rounds {
		if p.new, err = s.record(); err != nil {
			return nil, err
		}
		p.names = w.tree.namesAfter(p.new, s)
		if in.unforeseen(p) {
			return nil, errUnforeseen
		}
		if err := as(c.user, p.plan); err != nil {
			return nil, err
		}
		if len(p.clashes) == 0 {
			return p, w.reschedule(ctx, p, scheduled)
		}
		if err := w.takeBack(ctx, p, in.revision, r); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("internal error: clashes remain after %d rounds: %q", rounds, p.clashes[0].rel)
}

// unschedule takes local additions and deletions that the server may have
// news for out of the stage's record: svn calls each such pair a tree conflict,
// even of equal content.
func (w *Work) unschedule(ctx context.Context, s *stage, in *incoming, local map[string]*Entry) ([]*Entry, error) {
	var taken []*Entry
	var rels []string
	for rel, e := range local {
		if (e.Status == Added && !e.Copied || e.Status == Deleted) && e.node != nil && in.touches(rel) {
			taken = append(taken, e)
			rels = append(rels, rel)
		}
	}
	sort.Slice(taken, func(i, j int) bool { return taken[i].rel < taken[j].rel })
	return taken, s.svnTargets(ctx, rels, "revert", "--quiet", "--recursive")
}

// reschedule is the other way, for what the update left of it.
func (w *Work) reschedule(ctx context.Context, p *planner, scheduled []*Entry) error {
	var adds, deletes []string
	for _, e := range scheduled {
		is := stateOf(p.new, e.rel)
		switch {
		case e.Status == Added && is == nil:
			if err := as(p.stage.user, func() error { return p.stage.take(e.rel, e.Kind) }); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
			adds = append(adds, e.rel)
		case e.Status == Deleted && is != nil:
			deletes = append(deletes, e.rel)
		}
	}
	if err := p.stage.svnTargets(ctx, adds, "add", "--quiet", "--force", "--no-ignore", "--no-auto-props", noDepth); err != nil {
		return err
	}
	return p.stage.svnTargets(ctx, deletes, "delete", "--quiet", "--force", "--keep-local")
}

// localChanges are the entries of a working copy that are not clean, by path
// relative to it.
func (t *Tree) localChanges(ctx context.Context, c *Copy) (map[string]*Entry, error) {
	paths := []string{c.Path}
	if c.Path == "" {
		paths = nil
	}
	entries, err := t.Status(ctx, StatusOptions{Paths: paths, beneath: true})
	if err != nil {
		return nil, err
	}
	local := map[string]*Entry{}
	for _, e := range entries {
		if e.copy == c {
			local[e.rel] = e
		}
	}
	return local, nil
}

// mirror gives the stage what svn update has to see of the live tree: nothing
// of what may change but the local edits, and a stand-in for the rest.
func (s *stage) mirror(in *incoming, local map[string]*Entry) error {
	err := s.fill(func(rel string) bool {
		e := local[rel]
		return in.touches(rel) || e != nil && (e.Status == Added || e.Status == Replaced)
	})
	if err != nil {
		return err
	}
	for rel, e := range local {
		switch {
		case e.node == nil:
		case e.Status == Added && !e.Copied && in.touches(rel):
		case e.Status == Added || e.Status == Replaced, e.Status == Modified && in.touches(rel):
			if err := s.take(rel, e.Kind); err != nil {
				return err
			}
		}
	}
	return nil
}

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
		n := p.new.nodes[c.rel]
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
		if n := p.new.nodes[dir]; n == nil || !n.visible() || n.top().kind != kindDir {
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
	return was != nil && is != nil && was.kind == metadata.Dir && is.kind == metadata.Dir && p.new.nodes[rel].top().opDepth == 0
}

// keepPropertyEdits makes the property edits of clashing paths again, which
// the revert has undone.
func (p *planner) keepPropertyEdits(ctx context.Context) error {
	for _, c := range p.clashes {
		if err := p.stage.editProperties(ctx, c.rel, p.old.nodes[c.rel]); err != nil {
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

// changes turns a plan's steps into what a person is told.
func (r *Result) changes(p *planner) {
	told := map[string]bool{}
	for i := range p.steps {
		s := &p.steps[i]
		ch := Change{Path: joinPath(p.path, s.Rel)}
		switch s.Act {
		case actRemove, actRmdir:
			ch.Letter = 'D'
		case actMkdir, actPut:
			ch.Letter = p.letter(s)
		case actMeta:
			ch.Letter, ch.Note = 'M', s.Note
		}
		if told[ch.Path] {
			continue // a directory's metadata after its making
		}
		told[ch.Path] = true
		r.Changes = append(r.Changes, ch)
	}
	for rel, names := range p.properties {
		note := "property " + strings.Join(names, ", ")
		if i := slices.IndexFunc(r.Changes, func(c Change) bool { return c.Path == joinPath(p.path, rel) }); i < 0 {
			r.Changes = append(r.Changes, Change{Letter: 'M', Path: joinPath(p.path, rel), Note: note})
		} else if r.Changes[i].Note == "" {
			r.Changes[i].Note = note
		} else {
			r.Changes[i].Note += ", " + note
		}
	}
	sort.Slice(r.Changes, func(i, j int) bool { return r.Changes[i].Path < r.Changes[j].Path })
}

func (p *planner) letter(s *step) byte {
	was, is := stateOf(p.old, s.Rel), stateOf(p.new, s.Rel)
	switch {
	case !s.Expect.Exists:
		return 'A'
	case was != nil && is != nil && was.kind != is.kind:
		return 'R'
	}
	if e := p.local[s.Rel]; e != nil && e.Status == Modified {
		return 'G'
	}
	return 'U'
}
