package wc

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"

	"rootwc/wc/metadata"
)

// CommitOptions chooses what [Work.PlanCommit] takes.
type CommitOptions struct {
	Paths []string // only these and what is below them; none means everything
	Add   bool     // unversioned paths as well
	Also  string   // a directory of which unversioned paths are taken in any case

	// Take, when it is set, decides about each entry instead, unversioned ones
	// included. It sees all of them, sorted.
	Take func(e *Entry) bool
	Auto []string // nothing but what these patterns cover, see [noise.Match]; unversioned paths as well
}

// takes tells whether an unversioned path is one to add.
func (opt CommitOptions) takes(path string) bool {
	return opt.Add || opt.Take != nil || len(opt.Auto) > 0 || opt.Also != "" && (path == opt.Also || strings.HasPrefix(path, opt.Also+"/"))
}

// Commit is what a commit is going to send, one revision for each repository.
type Commit struct {
	Gathered
	Changes   []Change // sorted by path
	Conflicts []string // paths that must be resolved first
	Sealed    []string // sent encrypted
	Notes     []string // what a person should know of what is sent

	// Hasty is for a commit that must not make anybody wait: a server that does
	// not answer at once is out of reach.
	Hasty bool

	// Away says why the server is not even asked, nil when it is: the commit is
	// queued.
	Away error

	parts []*commitPart
	list  bool // the list of withheld files changes
	files map[string]*withheldFile
	kept  *withheld // what was known of them before
	work  *Work

	sealing   []sealing
	unsealing []string // sealed files that go
	wasClear  bool     // the repository had content in clear that is sealed now

	queued *newest // what commits that wait have of each path; nil for a commit that cannot wait
	intent *Intent // that this one makes, nil for what is live
}

// Sends says whether a revision will be made. A commit that sends nothing may
// still take notice of withheld files that changed.
func (cm *Commit) Sends() bool {
	return slices.ContainsFunc(cm.parts, func(cp *commitPart) bool { return len(cp.targets) > 0 })
}

// Committed is one new revision, or what waits to become one.
type Committed struct {
	Repository    string // URL of its root
	Revision      int64
	WorkingCopies []string
	Queued        *Intent // the server was out of reach; nil when the revision is made
	Why           error   // why it is queued
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

	// spreads says that the commit changes what holds in directories that it
	// does not name.
	spreads bool

	// Of a commit that was queued: where the content lies instead of in the live
	// tree, and properties that were changed by hand since.
	from  *os.Root
	later map[string]edit

	stage *stage
	part  *part
}

func newCommitPart(c *Copy) *commitPart {
	return &commitPart{copy: c, edits: map[string]edit{}, targets: map[string]bool{}, bump: map[string]bool{}, acks: acks{}}
}

// edit is what changes in one path's properties.
type edit struct {
	set    map[string]string
	remove []string
}

// PlanCommit works out what a commit sends.
func (w *Work) PlanCommit(ctx context.Context, opt CommitOptions) (*Commit, error) {
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: opt.Paths, Noise: len(opt.Paths) > 0, commit: true})
	if err != nil {
		return nil, err
	}
	entries = takeQuiet(entries, opt.Paths)
	if len(opt.Auto) > 0 {
		entries = automatic(entries, opt.Auto)
	}
	if err := w.named(opt, entries); err != nil {
		return nil, err
	}
	queued, err := w.tree.newestQueued()
	if err != nil {
		return nil, err
	}
	back, err := w.turnedBack(ctx, queued, opt)
	if err != nil {
		return nil, err
	}
	entries = append(entries, back...)
	if opt.Take != nil {
		entries = slices.DeleteFunc(entries, func(e *Entry) bool { return !opt.Take(e) })
	}
	return w.planCommit(entries, queued, opt, false)
}

// planCommit takes these entries; clean ones are withheld files that are to be
// sealed anew. Without what is queued, the commit cannot wait.
func (w *Work) planCommit(entries []*Entry, queued *newest, opt CommitOptions, clean bool) (*Commit, error) {
	kept, err := w.tree.loadWithheld()
	if err != nil {
		return nil, err
	}
	if w.tree.BadPage != nil {
		return nil, Hint(Refuse("cannot commit: %w", w.tree.BadPage), "mend the file, or rootwc revert it")
	}
	if w.tree.Distrusted != nil {
		return nil, Hint(Refuse("cannot commit: %w", w.tree.Distrusted), "rootwc secrets trust shows what has changed, and agrees to it")
	}
	cm := &Commit{work: w, files: maps.Clone(kept.files), kept: kept, queued: queued}
	for _, e := range entries {
		if clean && e.Clean() && e.node != nil {
			continue
		}
		if err := cm.take(cm.part(e.copy), e, opt); err != nil {
			return nil, err
		}
	}
	if !clean {
		cm.takeGone(opt)
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
		known := c.record().node(rel) != nil
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
	cp.spreads = cp.spreads || e.Copied || e.Status == Deleted || e.Status == Obstructed || slices.ContainsFunc(e.Properties, spreadingProperty)
	change := Change{Letter: e.Status.Letter(), Path: e.Path, Note: e.Words()}
	if cm.waitsEntry(e) {
		return nil
	}
	if e.node == nil && e.Status != Unversioned && e.Withheld {
		return cm.takeWithheld(cp, e, opt)
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
		if opt.takes(e.Path) {
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
		if e.Encrypted { // of a versioned file: it is sealed instead
			cp.delete = append(cp.delete, e.rel)
			cm.withhold(cp, addition{e.rel, e.Kind, e.live.values})
			cm.wasClear = true
			break
		}
		if e.Withheld { // of a versioned file: its properties at most are sent
			cm.Withheld = append(cm.Withheld, e.Path)
			sum, err := e.copy.contentSum(e.rel)
			if err != nil {
				return fmt.Errorf("cannot read %q: %w", e.Path, cause(err))
			}
			cp.acks[e.Path] = &ack{SHA256: sum, Quiet: e.copy.quietSum(e.rel, sum)}
			if len(e.Metadata)+len(e.Properties) == 0 {
				delete(cp.targets, e.rel)
				return nil
			}
			cp.keep = append(cp.keep, e.rel)
		} else if e.quiet { // its properties alone are sent
			cp.keep = append(cp.keep, e.rel)
		} else {
			cp.content = append(cp.content, addition{e.rel, e.Kind, e.live.values})
		}
		cp.edit(t, e)
	}
	cm.Changes = append(cm.Changes, change)
	return nil
}

// spreadingProperty says whether a property of a directory concerns what is
// below it, or beside the working copy.
func spreadingProperty(name string) bool {
	switch name {
	case "svn:ignore", "svn:global-ignores", "svn:externals", metadata.PropDefaults:
		return true
	}
	return false
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
	queued := func(a addition) bool { return cm.waits(cp.copy, a.rel, &a.values) }
	for _, a := range slices.DeleteFunc(g.closed, queued) {
		cm.withhold(cp, a)
	}
	for _, a := range slices.DeleteFunc(g.add, queued) {
		cp.add = append(cp.add, a)
		cp.targets[a.rel] = true
		cm.Changes = append(cm.Changes, Change{Letter: 'A', Path: cp.copy.path(a.rel)})
		set, _ := metadata.Edits(propLookup(nil), svnKind(a.kind), a.values, cp.copy.defaultsAt(a.rel), t.Names)
		if slices.Contains(g.empty, a.rel) {
			if set == nil {
				set = map[string]string{}
			}
			set["svn:ignore"] = "*\n"
		}
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
		cm.unseal(path)
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
func (cm *Commit) takeWithheld(cp *commitPart, e *Entry, opt CommitOptions) error {
	if cm.leaves(e, opt) {
		return nil
	}
	switch e.Status {
	case Missing, Deleted:
		cm.unseal(e.Path)
		delete(cm.files, e.Path)
		cm.list = true
		cp.acks[e.Path] = nil
		cm.Changes = append(cm.Changes, Change{Letter: 'D', Path: e.Path, Note: e.Words()})
	case Obstructed:
		return cm.takeObstructed(cp, e)
	default:
		if open := !cm.work.tree.withholds(&e.live.values); open && (e.Status == Added || !cm.work.tree.Withhold) {
			// it was closed when it was added and is open by now; or content is
			// sent as it is by now
			cm.unseal(e.Path)
			cm.list = cm.list || cm.files[e.Path] != nil
			delete(cm.files, e.Path)
			cp.acks[e.Path] = nil
			return cm.addNew(cp, e.rel)
		}
		cm.withhold(cp, addition{e.rel, e.Kind, e.live.values})
		cm.Changes = append(cm.Changes, Change{Letter: e.Status.Letter(), Path: e.Path, Note: e.Words()})
	}
	return nil
}

// withhold lists a file with its metadata and remembers its content's hash.
func (cm *Commit) withhold(cp *commitPart, a addition) {
	t := cm.work.tree
	path := cp.copy.path(a.rel)
	f := &withheldFile{Path: path, Properties: metadata.Properties(a.values, metadata.StandardDefaults, t.Names)}
	sealed := cm.seal(cp, path, a.rel, f)
	if old := cm.files[path]; old == nil || fmt.Sprint(old.Properties) != fmt.Sprint(f.Properties) {
		cm.list = true
	}
	cm.files[path] = f
	if sealed {
		cm.Sealed = append(cm.Sealed, path)
		return
	}
	cm.unseal(path)
	cm.Withheld = append(cm.Withheld, path)
	if sum, err := cp.copy.contentSum(a.rel); err == nil {
		cp.acks[path] = &ack{SHA256: sum, Quiet: cp.copy.quietSum(a.rel, sum)}
	}
}

// finish sorts, and makes room for the list of withheld files in the root's
// own part.
func (cm *Commit) finish() {
	cm.Gathered.finish()
	sort.Strings(cm.Withheld)
	sort.Strings(cm.Sealed)
	for _, cp := range cm.parts {
		cm.ownDefaults(cp)
		for _, e := range cp.edits {
			cp.spreads = cp.spreads || hasKey(e.set, metadata.PropDefaults) || slices.Contains(e.remove, metadata.PropDefaults)
		}
	}
	if !cm.list {
		return
	}
	cp := cm.rootPart()
	root := cp.copy
	cm.targetSealed(cp)
	cm.noteOld()
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
