package wc

import (
	"errors"
	"io/fs"
	"sort"

	"golang.org/x/sys/unix"

	"rootwc/wc/index"
	"rootwc/wc/metadata"
)

// own judges the root of a working copy.
func (d *dirScan) own() {
	var l live
	if err := unix.Fstat(d.fd, &l.st); err != nil {
		d.warn("cannot read %s: %v", d.path, err)
		return
	}
	l.exists = true
	l.values = metadata.FromStat(&l.st)
	if d.path == "" || d.attributes(".", &l) {
		_, d.self = d.versioned("", d.node, l)
	}
}

// child compares one name of the directory: child is what is recorded, disk
// what is there, either may be nil.
func (d *dirScan) child(child *node, disk fs.DirEntry) {
	name := ""
	if child != nil {
		name = child.name
	} else {
		name = disk.Name()
	}
	rel := joinPath(d.rel, name)
	path := d.copy.path(rel)
	if name == AdminDir || !d.leads(path) || d.tree.State.holds(path) {
		return
	}
	if child == nil || !child.visible() {
		switch {
		case child != nil && child.actual != nil && child.actual.conflict != nil:
			d.stirred = true
			if d.wanted(path) {
				d.emit(&Entry{Path: path, Status: Conflicted, Kind: metadata.File, Note: "tree conflict", copy: d.copy, rel: rel, node: child})
			}
		case disk != nil && (child == nil || child.top().opDepth == 0):
			d.unversioned(rel, path, disk)
		case disk != nil: // deleted in a copy; svn tells of what is there now only what is in a directory
			d.stirred = true
			if disk.IsDir() && child.top().kind == kindDir && !d.nested[path] && !d.tree.Mounts[path] {
				d.descend(rel, child, index.Entry{})
			}
		}
		return
	}
	if d.nested[path] && child.top().kind != kindDir && !child.top().fileExt {
		d.stirred = true
		return
	}
	l, ok := d.lstat(name)
	if !ok {
		d.stirred = true
		return
	}
	if d.tree.Mounts[path] && l.exists && child.top().kind == kindDir && l.values.Kind == metadata.Dir {
		if e := d.entry(rel, child, l); d.wanted(path) {
			e.Status, e.Note = Obstructed, "mount point: a working copy does not cross it"
			d.emit(e)
		}
		d.stirred = true
		return
	}
	descend, self := d.versioned(rel, child, l)
	switch {
	case descend:
		d.descend(rel, child, self)
	case self.Name != "":
		d.entries = append(d.entries, self)
	}
}

// descend makes a job of a directory, but for one that the index proves whole.
func (d *dirScan) descend(rel string, n *node, self index.Entry) {
	x := d.index
	if x.valid && !x.dirty[rel] {
		if _, found := x.old.Find(rel); found {
			return
		}
	}
	self.Name = ""
	d.below = append(d.below, job{copy: d.copy, index: x, root: d.root, rel: rel, node: n, rules: d.rules, def: d.def, self: self})
}

// lstat reads what the disk has at a name; false when that cannot be told.
func (d *dirScan) lstat(name string) (live, bool) {
	var l live
	switch err := unix.Fstatat(d.fd, name, &l.st, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil:
		l.exists = true
	case errors.Is(err, unix.ENOENT):
		return l, true
	default:
		d.warn("cannot read %s: %v", joinPath(d.path, name), err)
		return l, false
	}
	l.values = metadata.FromStat(&l.st)
	if k, same := d.known(name, &l); same && k.Xattrs() == 0 {
		return l, true // it has none, as before
	}
	return l, d.attributes(name, &l)
}

// attributes adds ACLs and extended attributes to l; false and a warning when
// they cannot be read.
func (d *dirScan) attributes(name string, l *live) bool {
	if err := l.readXattrs(d.fd, name); err != nil {
		d.warn("cannot read attributes of %s: %v", joinPath(d.path, name), err)
		return false
	}
	return true
}

func (d *dirScan) entry(rel string, n *node, l live) *Entry {
	e := &Entry{Path: d.copy.path(rel), Status: Normal, copy: d.copy, rel: rel, node: n, live: l}
	if l.exists {
		e.Kind = l.values.Kind
	} else {
		e.Kind = expectedKind(n, n.props())
	}
	return e
}

// versioned compares one versioned path and says whether to look at its
// children. known is for the index; it has no name when there is nothing.
func (d *dirScan) versioned(rel string, n *node, l live) (descend bool, known index.Entry) {
	e := d.entry(rel, n, l)
	e.def = d.def
	top := n.top()
	props := n.props()
	want := expectedKind(n, props)
	isDir := top.kind == kindDir
	if l.exists {
		known = d.entryOf(n.name, &l)
	} else {
		d.stirred = true
	}
	switch {
	case n.scheduledDelete():
		told := d.deleted(e)
		descend = isDir && l.exists && l.values.Kind == metadata.Dir // it may hold what is not versioned
		if int(n.top().opDepth) != pathDepth(rel) {                  // the root of the deletion or replacement tells it
			d.stirred = true
			if told && d.wanted(e.Path) {
				d.emit(e)
			}
			if isDir && !descend {
				d.deletedBelow(rel)
			}
			return descend, known
		}
	case top.presence == presenceIncomplete:
		e.Status = Incomplete
		e.Note = "a checkout or update was interrupted"
		descend = isDir && l.exists
	case !l.exists:
		e.Status = Missing
	case l.values.Kind != want:
		e.Status = Obstructed
		e.Note = want.String() + " -> " + l.values.Kind.String()
	default:
		descend = isDir
		d.compare(e, want, props, &known)
		d.inClear(e)
		if e.Status == Modified && want == metadata.Symlink {
			if why := unstorableLink(d.fd, n.name); why != "" {
				e.Status, e.Note = Unstorable, why
			}
		}
	}
	if isDir && e.Status == Deleted && !descend {
		d.deletedBelow(rel)
	}
	if n.actual != nil && n.actual.conflict != nil {
		e.Status = Conflicted
	}
	d.conflict(e)
	d.propertyChanges(e)
	marked := d.marks(e)
	if marked || !e.Clean() || e.Withheld {
		d.stirred = d.stirred || !descend && isDir
	} else {
		known.Flags |= index.Clean
	}
	if d.wanted(e.Path) && (!e.Clean() || d.opt.All || d.opt.Review && marked || d.opt.Noise && e.quiet) {
		d.emit(e)
	}
	return descend, known
}

// compare settles the state of a path that is there and of the right kind.
func (d *dirScan) compare(e *Entry, want metadata.Kind, props map[string]string, known *index.Entry) {
	n, top := e.node, e.node.top()
	if top.opDepth > 0 {
		e.Copied = top.hasRepos && top.revision >= 0
		if int(top.opDepth) == pathDepth(e.rel) {
			e.Status = Added
			if n.replaces() {
				e.Status = Replaced
			}
			return
		}
	}
	if want != metadata.Dir && d.contentChanged(e, want, props, known) {
		e.Status = Modified
	}
	if top.opDepth == 0 && e.Path != "" { // the metadata of the machine's own root is not ours to judge
		base, unknown, problems := metadata.Wanted(propLookup(n.baseProps()), svnKind(want), d.def, d.tree.Names)
		for _, err := range problems {
			d.warn("%s: %v", e.Path, err)
		}
		d.lacks(e.Path, unknown)
		e.Metadata = metadata.Compare(base, e.live.values, d.tree.Names)
	}
}

// deleted notes a deletion, and says whether svn tells it even below another
// one, which says it already: it was moved before, or is marked.
func (d *dirScan) deleted(e *Entry) (told bool) {
	e.Status = Deleted
	if rare := e.node.top().rare; rare != nil && rare.movedTo != "" {
		e.Note, told = "moved to "+d.copy.path(rare.movedTo), true
	}
	return (d.marks(e) || told) && d.opt.Review
}

// deletedBelow tells what is to be told of a deleted directory that is not on
// disk any more.
func (d *dirScan) deletedBelow(dir string) {
	if !d.opt.Review {
		return
	}
	for _, n := range d.copy.record().children(dir) {
		if !n.visible() || !n.scheduledDelete() {
			continue
		}
		e := d.entry(joinPath(dir, n.name), n, live{})
		if d.deleted(e) && d.wanted(e.Path) {
			d.emit(e)
		}
		d.deletedBelow(e.rel)
	}
}

// marks notes what svn says of a path beside its changes.
func (d *dirScan) marks(e *Entry) bool {
	n, top, rec := e.node, e.node.top(), d.copy.record()
	if n.actual != nil {
		e.Changelist = n.actual.changelist
	}
	dir := d.node.base()
	if e.rel != "" && dir != nil && top.opDepth == 0 && !top.fileExt && (top.elsewhere() || dir.elsewhere()) {
		path := rec.reposPath(e.rel, top)
		if e.Switched = path != joinPath(rec.reposPath(d.rel, dir), n.name); e.Switched {
			e.From = path
		}
	}
	if b := n.base(); b != nil && len(rec.tokens) > 0 {
		e.Token = rec.tokens[rec.reposPath(e.rel, b)]
	}
	return e.Switched || e.Token || e.Changelist != ""
}

// propertyChanges notes the properties that differ from the recorded ones.
func (d *dirScan) propertyChanges(e *Entry) bool {
	n := e.node
	if n.actual == nil || !n.actual.propsSet || n.scheduledDelete() || e.Status == Added || e.Status == Replaced {
		return false
	}
	before, _ := parseProps(n.top().props)
	after, _ := parseProps(n.actual.props)
	e.Properties = changedNames(before, after)
	return len(e.Properties) > 0
}

func changedNames(before, after map[string]string) []string {
	var names []string
	for k, v := range after {
		if old, ok := before[k]; !ok || old != v {
			names = append(names, k)
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			names = append(names, k)
		}
	}
	sort.Strings(names)
	return names
}

// unversioned judges a name that svn does not know.
func (d *dirScan) unversioned(rel, path string, disk fs.DirEntry) {
	name := disk.Name()
	if !d.withheld.has(path) {
		ignored := d.rules.Verdict(name).Ignored
		d.others = append(d.others, index.Other{Name: name, Type: uint8(disk.Type() >> 24), Ignored: ignored})
		d.other(rel, path, name, disk.Type(), ignored)
		return
	}
	if d.nested[path] || d.tree.Mounts[path] || disk.Type()&fs.ModeSocket != 0 || !d.wanted(path) {
		d.stirred = true
		return
	}
	e := &Entry{Path: path, Status: Unversioned, Kind: kindOfType(disk.Type()), copy: d.copy, rel: rel}
	l, ok := d.lstat(name)
	if !ok || !l.exists {
		d.stirred = true
		return
	}
	e.live = l
	d.seen = append(d.seen, path)
	known := d.entryOf(name, &l)
	known.Flags |= index.Withheld
	d.lacks(path, d.withheld.judge(d.tree, e))
	if e.Clean() {
		known.Flags |= index.Clean
	}
	if e.quiet {
		known.Flags |= index.Noise
	}
	d.entries = append(d.entries, known)
	if !e.Clean() || d.opt.All || d.opt.Noise && e.quiet {
		d.emit(e)
	}
}

// other judges a name that is on disk only, from what its directory says of it.
func (d *dirScan) other(rel, path, name string, kind fs.FileMode, ignored bool) {
	if d.nested[path] || d.tree.Mounts[path] || kind&fs.ModeSocket != 0 || !d.wanted(path) {
		return
	}
	e := &Entry{Path: path, Status: Unversioned, Kind: kindOfType(kind), copy: d.copy, rel: rel}
	if d.conflict(e); e.Status == Conflicted {
		d.emit(e)
		return
	}
	if ignored {
		if !d.opt.NoIgnore {
			return
		}
		e.Status = Ignored
	} else if kind.IsDir() && d.tree.State.alone(path) {
		return
	} else if why := unstorable(name); why != "" {
		e.Status, e.Note = Unstorable, why
	} else if e.Kind == metadata.Symlink {
		if why := unstorableLink(d.fd, name); why != "" {
			e.Status, e.Note = Unstorable, why
		}
	}
	d.emit(e)
}

// conflict marks an entry that waits for a resolution.
func (d *dirScan) conflict(e *Entry) {
	if c := d.conflicts[e.Path]; c != nil {
		e.Status, e.Note = Conflicted, c.What
		d.met = append(d.met, e.Path)
	}
}
