package wc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/ignore"
	"rootwc/wc/metadata"
)

// StatusOptions chooses what [Tree.Status] lists.
type StatusOptions struct {
	Paths    []string // only these and what is below them; none means everything
	All      bool     // clean paths as well
	NoIgnore bool     // ignored paths as well

	beneath bool // what conflicts hide: the state of the live path itself
}

// Status lists what differs between the working copies and what they record
// from their repositories, sorted by path. It asks no server and writes
// nothing. What cannot be read is reported through Warn and left out.
func (t *Tree) Status(ctx context.Context, opt StatusOptions) ([]*Entry, error) {
	conflicts, err := t.State.conflicts()
	if err != nil {
		return nil, err
	}
	if opt.beneath {
		conflicts = nil
	}
	kept, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	s := &scan{ctx: ctx, tree: t, opt: opt, conflicts: conflicts, withheld: kept, nested: map[string]bool{}}
	for _, c := range t.Copies {
		for p := c.Path; p != ""; p, _ = splitPath(p) {
			s.nested[p] = true
		}
	}
	for place := range t.places {
		s.nested[place] = true
	}
	for _, c := range t.Copies {
		if err := s.scanCopy(c); err != nil {
			return nil, err
		}
	}
	s.withheldMissing()
	s.conflictsElsewhere()
	sort.Slice(s.out, func(i, j int) bool { return s.out[i].Path < s.out[j].Path })
	return s.out, nil
}

// scan is one run over all working copies.
type scan struct {
	ctx       context.Context
	tree      *Tree
	opt       StatusOptions
	conflicts map[string]*Conflict
	withheld  *withheld
	nested    map[string]bool // working copies and the directories above them
	out       []*Entry

	copy *Copy
	rec  *record
}

// wanted says whether the options ask for path.
func (s *scan) wanted(path string) bool { return covers(s.opt.Paths, path) }

// covers says whether path is one of these or below one. No paths cover all.
func covers(paths []string, path string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool {
		return p == "" || p == path || strings.HasPrefix(path, p+"/")
	})
}

// leads says whether something asked for is at or below path.
func (s *scan) leads(path string) bool {
	return s.wanted(path) || slices.ContainsFunc(s.opt.Paths, func(p string) bool { return path == "" || strings.HasPrefix(p, path+"/") })
}

func (s *scan) scanCopy(c *Copy) error {
	if !s.leads(c.Path) {
		return nil
	}
	s.copy, s.rec = c, c.rec
	fd, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: c.dir, Err: err}
	}
	root := s.rec.root
	rules := s.rec.inheritedRules()
	def := defaultsOf(c.user)
	var own live
	if err := unix.Fstat(fd, &own.st); err == nil {
		own.exists = true
		own.values = metadata.FromStat(&own.st)
	}
	if c.Path != "" { // the machine's own root directory is not ours to judge
		if s.tree.readXattrs(fd, ".", &own) {
			s.versioned("", root, own, fd, def)
		}
	} else if e := s.entry("", root, own); s.propertyChanges(e) && s.wanted("") {
		s.emit(e)
	}
	return s.dir("", root, fd, rules, def)
}

// dir compares one versioned directory with the disk and closes fd.
func (s *scan) dir(rel string, n *node, fd int, rules ignore.Rules, def metadata.Defaults) error {
	f := os.NewFile(uintptr(fd), rel)
	defer f.Close()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	found, err := f.ReadDir(-1)
	if err != nil {
		return &os.PathError{Op: "read directory", Path: s.copy.path(rel), Err: cause(err)}
	}
	slices.SortFunc(found, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	props := n.props()
	rules = rules.Child(s.copy.path(rel), props["svn:ignore"], props["svn:global-ignores"])
	if v := props["rootwc:defaults"]; v != "" {
		var unknown []string
		if def, unknown, err = metadata.ParseDefaults(v, def, s.tree.Names); err != nil {
			s.tree.Warn("%s: property rootwc:defaults: %v", s.copy.path(rel), err)
		}
		s.tree.unknownNames(s.copy.path(rel), unknown)
	}
	children := s.rec.dirs[rel]
	for i, k := 0, 0; i < len(children) || k < len(found); {
		order := 0
		switch {
		case i == len(children):
			order = 1
		case k == len(found):
			order = -1
		default:
			order = strings.Compare(children[i].name, found[k].Name())
		}
		var child *node
		var disk fs.DirEntry
		if order <= 0 {
			child = children[i]
			i++
		}
		if order >= 0 {
			disk = found[k]
			k++
		}
		if err := s.child(rel, child, disk, fd, rules, def); err != nil {
			return err
		}
	}
	return nil
}

// child compares one name of a directory: child is what is recorded, disk
// what is there, either may be nil.
func (s *scan) child(dir string, child *node, disk fs.DirEntry, fd int, rules ignore.Rules, def metadata.Defaults) error {
	name := ""
	if child != nil {
		name = child.name
	} else {
		name = disk.Name()
	}
	rel := joinPath(dir, name)
	path := s.copy.path(rel)
	if name == AdminDir || !s.leads(path) || s.tree.State.holds(path) {
		return nil
	}
	if child == nil || !child.visible() {
		if disk != nil {
			s.unversioned(rel, path, disk, fd, rules)
		} else if child.actual != nil && child.actual.conflict != nil {
			s.emit(&Entry{Path: path, Status: Conflicted, Kind: metadata.File, Note: "tree conflict", copy: s.copy, rel: rel, node: child})
		}
		return nil
	}
	if s.nested[path] && child.top().kind != kindDir && !child.top().fileExt {
		return nil
	}
	l, ok := s.lstat(fd, name)
	if !ok {
		return nil
	}
	descend := s.versioned(rel, child, l, fd, def)
	if !descend {
		return nil
	}
	if s.tree.Mounts[path] {
		if s.wanted(path) {
			e := s.entry(rel, child, l)
			e.Status, e.Note = Obstructed, "mount point: a working copy does not cross it"
			s.emit(e)
		}
		return nil
	}
	sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		s.tree.Warn("cannot read %s: %v", path, err)
		return nil
	}
	return s.dir(rel, child, sub, rules, def)
}

// lstat reads what the disk has at name in the directory fd; false when that
// cannot be told.
func (s *scan) lstat(fd int, name string) (live, bool) {
	var l live
	switch err := unix.Fstatat(fd, name, &l.st, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil:
		l.exists = true
	case errors.Is(err, unix.ENOENT):
		return l, true
	default:
		s.tree.Warn("cannot read %s: %v", name, err)
		return l, false
	}
	l.values = metadata.FromStat(&l.st)
	return l, s.tree.readXattrs(fd, name, &l)
}

// readXattrs adds ACLs and extended attributes to l; false and a warning when
// they cannot be read.
func (t *Tree) readXattrs(fd int, name string, l *live) bool {
	err := l.values.ReadXattrs(fd, name)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		t.Warn("cannot read attributes of %s: %v", name, err)
		return false
	}
	return true
}

func (s *scan) entry(rel string, n *node, l live) *Entry {
	e := &Entry{Path: s.copy.path(rel), Status: Normal, copy: s.copy, rel: rel, node: n, live: l}
	if l.exists {
		e.Kind = l.values.Kind
	} else {
		e.Kind = expectedKind(n, n.props())
	}
	return e
}

// versioned compares one versioned path, in the open directory fd, and says
// whether to look at its children.
func (s *scan) versioned(rel string, n *node, l live, fd int, def metadata.Defaults) (descend bool) {
	e := s.entry(rel, n, l)
	e.def = def
	top := n.top()
	props := n.props()
	want := expectedKind(n, props)
	isDir := top.kind == kindDir
	switch {
	case n.scheduledDelete():
		e.Status = Deleted
		if parent, _ := splitPath(rel); rel != "" && s.rec.node(parent) != nil && s.rec.node(parent).scheduledDelete() {
			return false // the root of the deletion tells it
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
		s.compare(e, want, props, def)
		if e.Status == Modified && want == metadata.Symlink {
			if why := unstorableLink(fd, n.name); why != "" {
				e.Status, e.Note = Unstorable, why
			}
		}
	}
	if n.actual != nil && n.actual.conflict != nil {
		e.Status = Conflicted
	}
	s.conflict(e)
	if s.wanted(e.Path) && (s.propertyChanges(e) || !e.Clean() || s.opt.All) {
		s.emit(e)
	}
	return descend
}

// compare settles the state of a path that is there and of the right kind.
func (s *scan) compare(e *Entry, want metadata.Kind, props map[string]string, def metadata.Defaults) {
	n, top := e.node, e.node.top()
	if top.opDepth > 0 {
		e.Copied = top.hasRepos && top.revision >= 0
		if int(top.opDepth) == pathDepth(e.rel) {
			e.Status = Added
			if b := n.base(); b != nil && (b.presence == presenceNormal || b.presence == presenceIncomplete) || len(n.layers) > 2 {
				e.Status = Replaced
			}
			return
		}
	}
	if want != metadata.Dir && s.contentChanged(e, want, props) {
		e.Status = Modified
	}
	if top.opDepth == 0 {
		base, unknown, problems := metadata.Wanted(propLookup(n.baseProps()), svnKind(want), def, s.tree.Names)
		for _, err := range problems {
			s.tree.Warn("%s: %v", e.Path, err)
		}
		s.tree.unknownNames(e.Path, unknown)
		e.Metadata = metadata.Compare(base, e.live.values, s.tree.Names)
	}
}

// propertyChanges notes the properties that differ from the recorded ones.
func (s *scan) propertyChanges(e *Entry) bool {
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

// unversioned judges a name that is on disk only.
func (s *scan) unversioned(rel, path string, disk fs.DirEntry, fd int, rules ignore.Rules) {
	if s.nested[path] || s.tree.Mounts[path] || disk.Type()&fs.ModeSocket != 0 || !s.wanted(path) {
		return
	}
	e := &Entry{Path: path, Status: Unversioned, Kind: kindOfType(disk.Type()), copy: s.copy, rel: rel}
	if s.withheld.has(path) {
		l, ok := s.lstat(fd, disk.Name())
		if !ok {
			return
		}
		e.live = l
		s.withheld.judge(s.tree, e)
		if !e.Clean() || s.opt.All {
			s.emit(e)
		}
		return
	}
	if s.conflict(e); e.Status == Conflicted {
		s.emit(e)
		return
	}
	v := rules.Verdict(disk.Name())
	if v.Ignored {
		if !s.opt.NoIgnore {
			return
		}
		e.Status = Ignored
	} else if disk.IsDir() && s.tree.State.alone(path) {
		return
	} else if why := unstorable(disk.Name()); why != "" {
		e.Status, e.Note = Unstorable, why
	} else if e.Kind == metadata.Symlink {
		if why := unstorableLink(fd, disk.Name()); why != "" {
			e.Status, e.Note = Unstorable, why
		}
	}
	s.emit(e)
}

// conflict marks an entry that waits for a resolution.
func (s *scan) conflict(e *Entry) {
	if c := s.conflicts[e.Path]; c != nil {
		e.Status, e.Note = Conflicted, c.What
		delete(s.conflicts, e.Path)
	}
}

// conflictsElsewhere reports the conflicts of paths that are neither on disk
// nor recorded.
func (s *scan) conflictsElsewhere() {
	for path, k := range s.conflicts {
		c, rel := s.tree.CopyOf(path)
		if c != nil && s.wanted(path) {
			s.emit(&Entry{Path: path, Status: Conflicted, Kind: metadata.File, Note: k.What, copy: c, rel: rel})
		}
	}
}

// withheldMissing reports withheld files that are gone.
func (s *scan) withheldMissing() {
	for _, path := range s.withheld.unseen() {
		c, rel := s.tree.CopyOf(path)
		if c == nil || !s.wanted(path) {
			continue
		}
		dir, _ := splitPath(rel)
		if !c.Versioned(dir) || c.Versioned(rel) {
			continue
		}
		if _, err := c.fs.Lstat(rel); err == nil {
			continue // there, but inside something that is obstructed or another mount
		}
		s.emit(&Entry{Path: path, Status: Missing, Kind: metadata.File, Withheld: true, copy: c, rel: rel})
	}
}

func (s *scan) emit(e *Entry) { s.out = append(s.out, e) }

func kindOfType(m fs.FileMode) metadata.Kind {
	switch {
	case m.IsDir():
		return metadata.Dir
	case m&fs.ModeSymlink != 0:
		return metadata.Symlink
	case m&fs.ModeNamedPipe != 0:
		return metadata.Fifo
	case m&fs.ModeSocket != 0:
		return metadata.Socket
	case m&fs.ModeDevice != 0:
		return metadata.Device
	}
	return metadata.File
}

// pathDepth is the op_depth of an operation whose root is rel.
func pathDepth(rel string) int {
	if rel == "" {
		return 0
	}
	return strings.Count(rel, "/") + 1
}

// unknownNames warns once about a name that this root has no number for.
func (t *Tree) unknownNames(path string, names []string) {
	for _, n := range names {
		if t.warned[n] {
			continue
		}
		if t.warned == nil {
			t.warned = map[string]bool{}
		}
		t.warned[n] = true
		t.Warn("%s: %s is unknown on this machine, its number is used", path, n)
	}
}
