package wc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// CommitOptions chooses what [Work.PlanCommit] takes.
type CommitOptions struct {
	Paths []string // only these and what is below them; none means everything
	Add   bool     // unversioned paths as well
}

// Commit is what a commit is going to send, one revision for each repository.
type Commit struct {
	Gathered
	Changes   []Change // sorted by path
	Conflicts []string // paths that must be resolved first

	parts []*commitPart
	list  bool // the list of withheld files changes
	files map[string]*withheldFile
	work  *Work
}

// Sends says whether a revision will be made. A commit that sends nothing may
// still take notice of withheld files that changed.
func (cm *Commit) Sends() bool {
	return slices.ContainsFunc(cm.parts, func(cp *commitPart) bool { return len(cp.targets) > 0 })
}

// Committed is one new revision.
type Committed struct {
	Repository    string // URL of its root
	Revision      int64
	WorkingCopies []string
}

// commitPart is the share of one working copy.
type commitPart struct {
	copy    *Copy
	add     []addition
	delete  []string   // svn rm --keep-local
	content []addition // copied from the live tree
	keep    []string   // restored from the pristine text: only properties are sent
	unadd   []string   // scheduled for addition, but to be withheld
	edits   map[string]edit
	targets map[string]bool
	bump    map[string]bool // directories that svn wants up to date: true with everything below
	acks    acks

	stage *stage
	part  *part
}

// edit is what changes in one path's properties.
type edit struct {
	set    map[string]string
	remove []string
}

// PlanCommit works out what a commit sends.
func (w *Work) PlanCommit(ctx context.Context, opt CommitOptions) (*Commit, error) {
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: opt.Paths})
	if err != nil {
		return nil, err
	}
	if err := w.named(opt, entries); err != nil {
		return nil, err
	}
	kept, err := w.tree.loadWithheld()
	if err != nil {
		return nil, err
	}
	if w.tree.BadPage != nil {
		return nil, Hint(Refuse("cannot commit: %w", w.tree.BadPage), "mend the file, or rootwc revert it")
	}
	cm := &Commit{work: w, files: kept.files}
	byCopy := map[*Copy]*commitPart{}
	for _, e := range entries {
		cp := byCopy[e.copy]
		if cp == nil {
			cp = &commitPart{copy: e.copy, edits: map[string]edit{}, targets: map[string]bool{}, bump: map[string]bool{}, acks: acks{}}
			byCopy[e.copy] = cp
			cm.parts = append(cm.parts, cp)
		}
		if err := cm.take(cp, e, opt); err != nil {
			return nil, err
		}
	}
	if len(cm.Conflicts) > 0 {
		return nil, Hint(Refuse("cannot commit: %s in conflict", list(cm.Conflicts)), "rootwc resolve --accept mine|theirs PATH, or merge by hand and --accept working")
	}
	cm.finish()
	sort.Slice(cm.Changes, func(i, j int) bool { return cm.Changes[i].Path < cm.Changes[j].Path })
	return cm, nil
}

// named checks the paths that a person named: one that is not versioned is a
// mistake unless unversioned ones are asked for.
func (w *Work) named(opt CommitOptions, entries []*Entry) error {
	for _, path := range opt.Paths {
		c, rel := w.tree.CopyOf(path)
		if c == nil {
			return ErrNotWorkingCopy
		}
		known := c.rec.nodes[rel] != nil
		for _, e := range entries {
			known = known || e.Path == path && (e.Status != Unversioned || opt.Add) || strings.HasPrefix(e.Path, path+"/")
		}
		if known || w.tree.withheldKnown(path) {
			continue
		}
		if _, err := c.fs.Lstat(orDot(rel)); err != nil {
			return fmt.Errorf("cannot commit %q: %w", path, cause(err))
		}
		return Hint(fmt.Errorf("cannot commit %q: it is not under version control", path), "rootwc add %s, or commit --add", path)
	}
	return nil
}

// withheldKnown says whether path is a withheld file: known, though not
// to svn.
func (t *Tree) withheldKnown(path string) bool {
	w, err := t.loadWithheld()
	return err == nil && w.has(path)
}

// take sorts one entry into its part.
func (cm *Commit) take(cp *commitPart, e *Entry, opt CommitOptions) error {
	t := cm.work.tree
	change := Change{Letter: e.Status.Letter(), Path: e.Path, Note: e.Words()}
	if e.node == nil && e.Status != Unversioned && e.Withheld {
		cm.takeWithheld(cp, e)
		return nil
	}
	switch e.Status {
	case Conflicted:
		cm.Conflicts = append(cm.Conflicts, e.Path)
		return nil
	case Incomplete:
		return Hint(fmt.Errorf("cannot commit %q: its directory is incomplete", e.Path), "rootwc update")
	case Unstorable:
		cm.Skipped = append(cm.Skipped, Refused{e.Path, e.Note + ", which Subversion cannot store"})
		return nil
	case Unversioned:
		if opt.Add {
			return cm.addNew(cp, e.rel)
		}
		return nil
	case Missing:
		change.Letter = 'D'
		cp.delete = append(cp.delete, e.rel)
		fallthrough
	case Deleted:
		cp.targets[e.rel] = true
		if e.node.top().kind == kindDir {
			cp.bump[e.rel] = true
		}
	case Obstructed:
		return cm.takeObstructed(cp, e)
	case Added, Replaced:
		cp.targets[e.rel] = true
		if t.withholds(&e.live.values) && !e.Copied {
			cp.unadd = append(cp.unadd, e.rel)
			cm.withhold(cp, addition{e.rel, e.Kind, e.live.values})
			delete(cp.targets, e.rel)
			break
		}
		cp.content = append(cp.content, addition{e.rel, e.Kind, e.live.values})
		cp.edit(t, e)
	default:
		cp.targets[e.rel] = true
		if e.Kind == metadata.Dir {
			if _, deep := cp.bump[e.rel]; !deep {
				cp.bump[e.rel] = false
			}
		}
		if e.Withheld { // of a versioned file: its properties at most are sent
			cm.Withheld = append(cm.Withheld, e.Path)
			sum, err := e.copy.contentSum(e.rel)
			if err != nil {
				return fmt.Errorf("cannot read %q: %w", e.Path, cause(err))
			}
			cp.acks[e.Path] = &ack{SHA256: sum}
			if len(e.Metadata)+len(e.Properties) == 0 {
				delete(cp.targets, e.rel)
				return nil
			}
			cp.keep = append(cp.keep, e.rel)
		} else {
			cp.content = append(cp.content, addition{e.rel, e.Kind, e.live.values})
		}
		cp.edit(t, e)
	}
	cm.Changes = append(cm.Changes, change)
	return nil
}

// edit notes how a path's properties have to change to record its metadata.
func (cp *commitPart) edit(t *Tree, e *Entry) {
	props := e.node.props()
	def := e.def
	if e.Status == Added || e.Status == Replaced {
		def = cp.copy.defaultsAt(e.rel)
	}
	if cp.copy.Path == "" && e.rel == "" {
		return // the machine's own root directory is not ours
	}
	set, remove := metadata.Edits(propLookup(props), svnKind(e.Kind), e.live.values, def, t.Names)
	if len(set)+len(remove) > 0 {
		cp.edits[e.rel] = edit{set, remove}
	}
}

// addNew takes an unversioned path with all that is below it.
func (cm *Commit) addNew(cp *commitPart, rel string) error {
	t := cm.work.tree
	g := &Gathered{inodes: cm.inodes}
	rules := cp.copy.rulesAt(parentOf(rel))
	if err := as(cp.copy.user, func() error { return t.gather(cp.copy.place(), rel, rules, g) }); err != nil {
		return fmt.Errorf("cannot add %q: %w", cp.copy.path(rel), cause(err))
	}
	cm.Skipped = append(cm.Skipped, g.Skipped...)
	cm.inodes = g.inodes
	for _, a := range g.closed {
		cm.withhold(cp, a)
	}
	for _, a := range g.add {
		cp.add = append(cp.add, a)
		cp.targets[a.rel] = true
		cm.Changes = append(cm.Changes, Change{Letter: 'A', Path: cp.copy.path(a.rel)})
		set, _ := metadata.Edits(propLookup(nil), svnKind(a.kind), a.values, cp.copy.defaultsAt(a.rel), t.Names)
		if len(set) > 0 {
			cp.edits[a.rel] = edit{set: set}
		}
	}
	return nil
}

// takeObstructed turns a change of kind into a deletion and an addition.
func (cm *Commit) takeObstructed(cp *commitPart, e *Entry) error {
	path := e.Path
	switch {
	case cm.work.tree.Mounts[path]:
		cm.Skipped = append(cm.Skipped, Refused{path, e.Note})
		return nil
	case e.node == nil: // a withheld file that became something else
		cm.files[path] = nil
		delete(cm.files, path)
		cm.list = true
		cp.acks[path] = nil
		return cm.addNew(cp, e.rel)
	}
	before := len(cm.Changes)
	if err := cm.addNew(cp, e.rel); err != nil {
		return err
	}
	cp.delete = append(cp.delete, e.rel)
	cp.targets[e.rel] = true
	if e.node.top().kind == kindDir {
		cp.bump[e.rel] = true
	}
	if len(cm.Changes) > before {
		cm.Changes[before].Letter, cm.Changes[before].Note = 'R', e.Note
	} else { // it became a socket, a device or a closed file: what was there goes
		cm.Changes = append(cm.Changes, Change{Letter: 'D', Path: path, Note: e.Note})
	}
	return nil
}

// takeWithheld takes a change of a file that svn does not know.
func (cm *Commit) takeWithheld(cp *commitPart, e *Entry) {
	switch e.Status {
	case Missing:
		delete(cm.files, e.Path)
		cm.list = true
		cp.acks[e.Path] = nil
		cm.Changes = append(cm.Changes, Change{Letter: 'D', Path: e.Path, Note: "withheld"})
	case Obstructed:
		_ = cm.takeObstructed(cp, e)
	default:
		if !cm.work.tree.withholds(&e.live.values) && e.Status == Added {
			// it was closed when it was added and is open by now
			cp.acks[e.Path] = nil
			_ = cm.addNew(cp, e.rel)
			return
		}
		cm.withhold(cp, addition{e.rel, e.Kind, e.live.values})
		cm.Changes = append(cm.Changes, Change{Letter: e.Status.Letter(), Path: e.Path, Note: e.Words()})
	}
}

// withhold lists a file with its metadata and remembers its content's hash.
func (cm *Commit) withhold(cp *commitPart, a addition) {
	t := cm.work.tree
	path := cp.copy.path(a.rel)
	f := &withheldFile{Path: path, Properties: metadata.Properties(a.values, metadata.StandardDefaults, t.Names)}
	if old := cm.files[path]; old == nil || fmt.Sprint(old.Properties) != fmt.Sprint(f.Properties) {
		cm.list = true
	}
	cm.files[path] = f
	cm.Withheld = append(cm.Withheld, path)
	if sum, err := cp.copy.contentSum(a.rel); err == nil {
		cp.acks[path] = &ack{SHA256: sum}
	}
}

// finish sorts, and makes room for the list of withheld files in the root's
// own part.
func (cm *Commit) finish() {
	cm.Gathered.finish()
	sort.Strings(cm.Withheld)
	for _, cp := range cm.parts {
		cm.ownDefaults(cp)
	}
	if !cm.list {
		return
	}
	root := cm.work.tree.Copies[0]
	var cp *commitPart
	for _, p := range cm.parts {
		if p.copy == root {
			cp = p
		}
	}
	if cp == nil {
		cp = &commitPart{copy: root, edits: map[string]edit{}, targets: map[string]bool{}, bump: map[string]bool{}, acks: acks{}}
		cm.parts = append(cm.parts, cp)
	}
	letter := byte('M')
	if !root.Versioned(WithheldPath) {
		letter = 'A'
	}
	cp.targets[WithheldPath] = true
	for _, dir := range []string{".rootwc"} {
		if !root.Versioned(dir) {
			cp.targets[dir] = true
		}
	}
	for i := range cm.Changes {
		if cm.Changes[i].Path == WithheldPath {
			return
		}
	}
	cm.Changes = append(cm.Changes, Change{Letter: letter, Path: WithheldPath})
}

// ownDefaults records whose files a working copy of an ordinary user holds.
func (cm *Commit) ownDefaults(cp *commitPart) {
	value := cp.copy.ownerDefaults()
	if value == "" || len(cp.targets) == 0 {
		return
	}
	own := cp.edits[""]
	if own.set == nil {
		own.set = map[string]string{}
	}
	own.set[metadata.PropDefaults] = value
	cp.edits[""] = own
	if !cp.targets[""] {
		cp.targets[""] = true
		cp.bump[""] = false
		cm.Changes = append(cm.Changes, Change{Letter: 'M', Path: cp.copy.Path, Note: "property " + metadata.PropDefaults})
	}
}

// Run sends a planned commit: one revision for each repository, and each
// owner of working copies in it.
func (cm *Commit) Run(ctx context.Context, message string) ([]Committed, error) {
	w := cm.work
	if err := cm.acknowledgeOnly(); err != nil {
		return nil, err
	}
	groups := map[string][]*commitPart{}
	var order []string
	for _, cp := range cm.parts {
		if len(cp.targets) == 0 {
			continue
		}
		key := cp.copy.UUID()
		if cp.copy.user != nil {
			key += " " + strconv.FormatUint(uint64(cp.copy.user.UID), 10)
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], cp)
	}
	var done []Committed
	for _, key := range order {
		one, err := w.commitGroup(ctx, cm, groups[key], message)
		if err != nil {
			if len(done) > 0 {
				err = Partial("%d of %d %s committed: %w", len(done), len(order), whose(groups), err)
			}
			return done, err
		}
		if one.Revision > 0 {
			done = append(done, one)
		}
	}
	return done, nil
}

// whose is the word for what a commit is split by.
func whose(groups map[string][]*commitPart) string {
	repositories := map[string]bool{}
	for _, g := range groups {
		repositories[g[0].copy.UUID()] = true
	}
	if len(repositories) < len(groups) {
		return "owners' working copies"
	}
	return "repositories"
}

// acknowledgeOnly records parts that send nothing: only withheld content
// changed.
func (cm *Commit) acknowledgeOnly() error {
	for _, cp := range cm.parts {
		if len(cp.targets) == 0 && len(cp.acks) > 0 {
			if err := cm.work.tree.acknowledge(cp.acks); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Work) commitGroup(ctx context.Context, cm *Commit, group []*commitPart, message string) (Committed, error) {
	first := group[0].copy
	done := Committed{Repository: first.RepositoryRoot()}
	for _, cp := range group {
		var err error
		if cp.stage, cp.part, err = w.stage(cp.copy); err != nil {
			return done, err
		}
		if err := w.prepareCommit(ctx, cm, cp); err != nil {
			return done, fmt.Errorf("cannot commit %q: %w", w.tree.abs(cp.copy.Path), err)
		}
		cp.part.Acks = cp.acks
		done.WorkingCopies = append(done.WorkingCopies, cp.copy.Path)
	}
	mark, err := w.markCommit(group)
	if err != nil {
		return done, err
	}
	revision, err := w.send(ctx, group, message, mark)
	if err != nil {
		if notSent(err) {
			err = errors.Join(err, w.tree.State.sure())
		}
		for _, cp := range group {
			if derr := w.drop(cp.part); derr != nil {
				return done, errors.Join(err, derr)
			}
		}
		return done, err
	}
	fault.At("committed")
	done.Revision = revision
	for _, cp := range group {
		if err := w.settle(ctx, cp); err != nil {
			return done, err
		}
	}
	return done, w.tree.State.sure()
}

// prepareCommit brings the stage into the state that is to be sent.
func (w *Work) prepareCommit(ctx context.Context, cm *Commit, cp *commitPart) error {
	s := cp.stage
	if err := cp.bumpDirs(ctx); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, cp.unadd, "revert", "--quiet"); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, cp.keep, "revert", "--quiet"); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, cp.delete, "delete", "--quiet", "--force", "--keep-local"); err != nil {
		return err
	}
	err := as(s.user, func() error {
		for _, rel := range cp.delete { // a directory may have been put up for the paths below it
			if err := s.root.RemoveAll(rel); err != nil {
				return err
			}
		}
		for _, a := range cp.content {
			if err := s.take(a.rel, a.kind); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%q: %w", cp.copy.path(a.rel), cause(err))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.schedule(ctx, s, cp.add); err != nil {
		return err
	}
	if err := cm.writeList(ctx, cp); err != nil {
		return err
	}
	groups, removals := propertyGroups{}, map[string][]string{}
	for rel, e := range cp.edits {
		for name, value := range e.set {
			groups.set(rel, name, value)
		}
		for _, name := range e.remove {
			removals[name] = append(removals[name], rel)
		}
	}
	for _, rels := range groups {
		sort.Strings(rels)
	}
	if err := groups.apply(ctx, s); err != nil {
		return err
	}
	for name, rels := range removals {
		if err := s.propdel(ctx, rels, name); err != nil {
			return err
		}
	}
	return nil
}

// bumpDirs brings directories up to date whose properties or entries change:
// the repository counts a directory as changed with everything in it, and
// refuses an older one (E160028). What really changed there stops the commit.
func (cp *commitPart) bumpDirs(ctx context.Context) error {
	var flat, deep []string
	for rel, below := range cp.bump {
		if n := cp.copy.rec.nodes[rel]; n == nil || n.base() == nil {
			continue
		}
		if below {
			deep = append(deep, rel)
		} else {
			flat = append(flat, rel)
		}
	}
	update := func(rels []string, depth ...string) error {
		if len(rels) == 0 {
			return nil
		}
		sort.Strings(rels)
		args := append([]string{"update", "--quiet", "--ignore-externals", "--accept", "postpone"}, depth...)
		args = append(args, "--")
		for _, r := range rels {
			args = append(args, target(r))
			if err := as(cp.stage.user, func() error { return cp.stage.mkdirs(r) }); err != nil {
				return err
			}
		}
		_, err := cp.stage.svn(ctx, nil, args...)
		return err
	}
	if err := update(flat, noDepth); err != nil {
		return err
	}
	if err := update(deep); err != nil {
		return err
	}
	if len(flat)+len(deep) == 0 {
		return nil
	}
	now, err := cp.stage.record()
	if err != nil {
		return err
	}
	for rel := range cp.copy.rec.nodes {
		if stateOf(cp.copy.rec, rel).same(stateOf(now, rel)) || !slices.Contains(flat, rel) && (len(deep) == 0 || !covers(deep, rel)) {
			continue
		}
		return outOfDate(fmt.Errorf("%q has changed in the repository", cp.copy.path(rel)))
	}
	for rel := range now.nodes {
		if cp.copy.rec.nodes[rel] == nil && len(deep) > 0 && covers(deep, rel) {
			return outOfDate(fmt.Errorf("%q is new in the repository", cp.copy.path(rel)))
		}
	}
	return nil
}

func outOfDate(err error) error {
	return Hint(fmt.Errorf("out of date: %w", err), "rootwc update, then commit again")
}

// writeList puts the list of withheld files into the stage and notes that it
// has to be placed.
func (cm *Commit) writeList(ctx context.Context, cp *commitPart) error {
	if !cp.targets[WithheldPath] || !cm.list {
		return nil
	}
	text, err := formatWithheld(cm.files)
	if err != nil {
		return err
	}
	s := cp.stage
	versioned := cp.copy.Versioned(WithheldPath)
	if text == nil {
		text = []byte(withheldHeader + "format = \"1.0.0\"\n")
	}
	err = as(s.user, func() error {
		if err := s.mkdirs(".rootwc"); err != nil {
			return err
		}
		return s.root.WriteFile(WithheldPath, text, 0o600)
	})
	if err != nil || versioned {
		return err
	}
	return s.svnTargets(ctx, []string{WithheldPath}, "add", "--quiet", "--force", "--parents", "--no-ignore", "--no-auto-props")
}

// markCommit notes in the journal that a commit is about to be sent, and
// under which mark (a revision property) the repository will know it.
func (w *Work) markCommit(group []*commitPart) (string, error) {
	mark := rand.Text()
	for _, cp := range group {
		cp.part.Commit = mark
	}
	if err := w.journal.write(); err != nil {
		return "", err
	}
	// Until every working copy records the revision, nobody can be sure: the
	// answer may get lost, this process be killed, the disk be full.
	seen := acks{}
	for _, cp := range group {
		maps.Copy(seen, cp.acks)
	}
	text, err := json.Marshal(unsureCommit{mark, group[0].copy.UUID(), seen})
	if err != nil {
		return "", err
	}
	return mark, w.tree.State.writeDurable(unsureFile, text)
}

// unsureFile holds the commit of which it is not known whether the repository
// took it.
const unsureFile = "unsure-commit"

type unsureCommit struct {
	Mark string `json:"mark"`
	UUID string `json:"uuid"` // of the repository
	Acks acks   `json:"acks,omitempty"`
}

// sure forgets the commit that was unsure.
func (s *State) sure() error {
	err := os.Remove(s.path(unsureFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var committedRevision = regexp.MustCompile(`(?m)^Committed revision (\d+)\.`)

// commitMark is the revision property by which an interrupted commit is found
// again.
const commitMark = "rootwc:commit"

// send runs the one svn commit.
func (w *Work) send(ctx context.Context, group []*commitPart, message, mark string) (int64, error) {
	s := group[0].stage
	var targets strings.Builder
	total := 0
	for _, cp := range group {
		rels := keys(cp.targets)
		total += len(rels)
		for _, rel := range rels {
			fmt.Fprintf(&targets, "%s@\n", filepath.Join(cp.stage.wc(), rel))
		}
	}
	list, text := filepath.Join(s.dir, "commit-targets"), filepath.Join(s.dir, "message")
	err := as(s.user, func() error {
		if err := os.WriteFile(list, []byte(targets.String()), 0o600); err != nil {
			return err
		}
		return os.WriteFile(text, []byte(message), 0o600)
	})
	if err != nil {
		return 0, err
	}
	sent := 0
	out, err := s.svn(ctx, func(string) { sent++; w.tree.Progress("sending", min(sent, total), total) },
		"commit", noDepth, "--targets", list, "--file", text, "--force-log", "--encoding", "UTF-8", "--with-revprop", commitMark+"="+mark)
	if err != nil {
		return 0, commitError(err, group[0].copy)
	}
	m := committedRevision.FindSubmatch(out)
	if m == nil {
		return 0, nil // svn found nothing to send
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

// notSent says whether a failed commit surely made no revision: the server
// could not be reached at all, or has refused it.
func notSent(err error) bool {
	return HasCode(err, "170013", "155011", "160020", "160024", "160028", "160042", "170001", "170004", "215004", "220004", "165001")
}

// commitError says what to do about the common failures.
func commitError(err error, c *Copy) error {
	switch {
	case HasCode(err, "155011", "160024", "160028", "170004", "160042"):
		return outOfDate(err)
	case Unreachable(err):
		return Hint(fmt.Errorf("cannot commit: %w", err), "the server of %s is not reachable; nothing was changed", c.RepositoryRoot())
	case HasCode(err, "170001", "175013", "220004", "215004"):
		return Hint(fmt.Errorf("cannot commit: %w", err), "the server wants to know who you are: --username NAME, and --password-from-stdin")
	}
	return fmt.Errorf("cannot commit: %w", err)
}

// settle takes over what the commit left in the stage: files that svn has
// written anew (keywords), the list of withheld files, and the record.
func (w *Work) settle(ctx context.Context, cp *commitPart) error {
	c, p := cp.copy, cp.part
	p.Commit = ""
	rec, err := cp.stage.record()
	if err != nil {
		return err
	}
	for rel := range cp.targets {
		st := stateOf(rec, rel)
		if st == nil || st.kind != metadata.File || st.props["svn:keywords"] == "" && rel != WithheldPath {
			continue
		}
		l, err := w.tree.look(c, rel)
		if err != nil {
			return err
		}
		want := l.values
		if !l.exists {
			want = metadata.Values{Kind: metadata.File, Mode: 0o644}
			if info, err := c.fs.Stat("."); err == nil {
				own := info.Sys().(*unixStat)
				want.UID, want.GID = own.Uid, own.Gid
			}
		} else if same, err := w.sameAsStaged(cp, rel); err != nil || same {
			if err != nil {
				return err
			}
			continue
		}
		p.Steps = append(p.Steps, step{Act: actPut, Rel: rel, Expect: l.identity(), Want: &want})
	}
	return w.place(p)
}

func (w *Work) sameAsStaged(cp *commitPart, rel string) (bool, error) {
	p := planner{tree: w.tree, stage: cp.stage, live: cp.copy.fs, path: cp.copy.Path}
	return p.sameContent(rel, metadata.File)
}

// UnsureCommit looks for a commit that was cut off while it was sent. When the
// repository has it, the working copies are brought up to it; the caller holds
// the lock.
func (w *Work) UnsureCommit(ctx context.Context) error {
	text, err := os.ReadFile(w.tree.State.path(unsureFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var unsure unsureCommit
	if err == nil {
		err = json.Unmarshal(text, &unsure)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s of an interrupted commit: %w", w.tree.State.path(unsureFile), cause(err))
	}
	told := false
	for _, c := range w.tree.Copies {
		if c.UUID() != unsure.UUID {
			continue
		}
		low, _, _ := c.revisions()
		found, err := w.tree.Client.Log(ctx, c.user, "--with-revprop", commitMark, "--revision", fmt.Sprintf("HEAD:%d", max(low, 1)), "--", c.URL()+"@HEAD")
		if err != nil {
			return fmt.Errorf("cannot tell whether an interrupted commit reached the repository: %w", err)
		}
		for _, e := range found {
			if e.Properties[commitMark] != unsure.Mark {
				continue
			}
			if !told {
				told = true
				w.tree.Warn("the interrupted commit did reach the repository as revision %d", e.Revision)
			}
			if _, err := w.Update(ctx, c, UpdateOptions{Revision: strconv.FormatInt(e.Revision, 10)}); err != nil {
				return err
			}
			break
		}
	}
	if told {
		if err := w.tree.acknowledge(unsure.Acks); err != nil {
			return err
		}
	}
	return w.tree.State.sure()
}
