package wc

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// planner works out what a stage's result means for the live tree.
type planner struct {
	tree       *Tree
	stage      *stage
	live       *os.Root
	path       string               // of the working copy
	names      metadata.Names       // after the change: an incoming etc/passwd counts
	old, new   *record              // old is nil in a first checkout
	local      map[string]*Entry    // local changes by path relative to the working copy
	settled    map[string]bool      // clashes that the record stays with
	properties map[string][]string  // svn properties that change, by path
	making     map[string]bool      // directories that take the place of something else
	blocked    map[string]string    // directories nothing may be placed below, and why
	pending    map[string]*Conflict // conflicts from before, by path
	takeAll    bool                 // first checkout: the repository's version wins
	decided    map[string]bool      // files that get what was decided instead
	dropped    []string             // rels that were decided not to come
	exact      map[string]bool      // rels to plan; nil means all
	at         *heldDir             // of the live path that is planned; nil outside of plan
	isBeyond   map[string]bool      // what beyond has found of directories; nil outside of plan

	steps    []step
	clashes  []clash
	replaced []string // live files that other content takes the place of
	notes    []string
}

// clash is an incoming change that the live tree does not allow.
type clash struct {
	rel, why string
	refused  bool // for safety, not for a person's change
	recorded bool // the record keeps what came in: a file external cannot be taken back
}

// state is the repository's side of one path.
type state struct {
	n     *node
	row   *row
	props map[string]string
	kind  metadata.Kind
}

// stateOf is nil when the record has nothing of the repository at rel.
func stateOf(rec *record, rel string) *state {
	if rec == nil {
		return nil
	}
	n := rec.node(rel)
	if n == nil {
		return nil
	}
	b := n.base()
	if b == nil || b.presence != presenceNormal && b.presence != presenceIncomplete {
		return nil
	}
	s := &state{n: n, row: b, props: n.baseProps()}
	s.kind = metadata.File
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

func hasKey(m map[string]string, k string) bool { _, ok := m[k]; return ok }

func (s *state) same(o *state) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.row.kind == o.row.kind && s.row.checksum == o.row.checksum &&
		(s.row.props == o.row.props || maps.Equal(s.props, o.props)) // svn writes them in any order
}

// wanted is the metadata that the repository has for a path.
func (p *planner) wanted(rec *record, s *state, rel string) metadata.Values {
	v, unknown, problems := metadata.Wanted(propLookup(s.props), svnKind(s.kind), rec.defaults(rel, p.names, defaultsOf(p.stage.user)), p.names)
	p.tree.unknownNames(joinPath(p.path, rel), unknown)
	for _, problem := range problems {
		p.tree.Warn("%s: %v", joinPath(p.path, rel), problem)
	}
	return v
}

// plan compares the two records and fills steps and clashes, in an order that
// can be carried out.
func (p *planner) plan() error {
	p.begin()
	p.at, p.isBeyond = &heldDir{root: p.live}, map[string]bool{}
	defer func() { p.at.close(); p.at, p.isBeyond = nil, nil }()
	rels := map[string]bool{}
	for rel := range p.new.all() {
		rels[rel] = true
	}
	if p.old != nil {
		for rel := range p.old.all() {
			rels[rel] = true
		}
	}
	sorted := make([]string, 0, len(rels))
	for rel := range rels {
		if p.exact == nil || p.exact[rel] {
			sorted = append(sorted, rel)
		}
	}
	sort.Strings(sorted)
	for _, rel := range sorted {
		if n := p.new.node(rel); n != nil && n.actual != nil && n.actual.conflict != nil {
			l, err := p.lstat(rel)
			if err != nil {
				return err
			}
			if why := p.inTheWay(rel, &l); why != "" {
				p.refuse(rel, why)
			} else {
				p.clash(rel, p.clashWords(rel))
			}
		}
	}
	for _, rel := range sorted {
		if p.below(rel) {
			continue
		}
		was, is := stateOf(p.old, rel), stateOf(p.new, rel)
		if was.same(is) && p.old != nil {
			continue
		}
		if err := p.one(rel, was, is); err != nil {
			return err
		}
	}
	p.order()
	return nil
}

// begin forgets an earlier plan.
func (p *planner) begin() {
	p.steps, p.clashes, p.replaced, p.notes = nil, nil, nil, nil
	p.blocked, p.making, p.properties = map[string]string{}, map[string]bool{}, map[string][]string{}
}

// clashWords says what svn could not merge.
func (p *planner) clashWords(rel string) string {
	was, is := stateOf(p.old, rel), stateOf(p.new, rel)
	switch {
	case is == nil && was != nil:
		return "changed here, deleted in the repository"
	case is != nil && was == nil:
		return "added here and in the repository"
	}
	return "changed here and in the repository"
}

// below says whether rel is at or below a path that clashes already.
func (p *planner) below(rel string) bool {
	return slices.ContainsFunc(p.clashes, func(c clash) bool { return rel == c.rel || strings.HasPrefix(rel, c.rel+"/") })
}

func (p *planner) clash(rel, why string) {
	is := stateOf(p.new, rel)
	recorded := is != nil && is.row.fileExt
	if recorded && p.settled[rel] {
		return
	}
	p.clashes = append(p.clashes, clash{rel: rel, why: why, recorded: recorded})
}

func (p *planner) refuse(rel, why string) {
	p.clashes = append(p.clashes, clash{rel: rel, why: why, refused: true})
}

// one plans one path whose record changes.
func (p *planner) one(rel string, was, is *state) error {
	if is != nil {
		if p.new.node(rel).top().opDepth > 0 && p.old != nil {
			return nil // scheduled here for something else; svn has merged the two
		}
	} else if n := p.new.node(rel); n != nil && n.top().opDepth > 0 && n.visible() {
		return nil
	}
	return p.change(rel, was, is)
}

// change plans the way of one path from what the working copy had to what it
// is to have; nil for nothing.
func (p *planner) change(rel string, was, is *state) error {
	if is != nil {
		if why := unsafeName(rel); why != "" {
			p.refuse(rel, why)
			return nil
		}
		if p.tree.State.holds(joinPath(p.path, rel)) {
			p.refuse(rel, "rootwc's own state")
			return nil
		}
	}
	if is == nil && p.beyond(rel) {
		return nil
	}
	l, err := p.lstat(rel)
	if err != nil {
		return err
	}
	if why := p.inTheWay(rel, &l); why != "" {
		p.refuse(rel, why)
		return nil
	}
	if was != nil && is != nil {
		p.noteProperties(rel, was, is)
	}
	if k := p.pending[joinPath(p.path, rel)]; k != nil && k.Recorded {
		p.clash(rel, "in conflict since an earlier update")
		return nil
	}
	if is == nil {
		p.remove(rel, was, &l)
		return nil
	}
	if is.kind == metadata.Symlink && is.row.hasChecksum {
		link, err := p.isLink(is)
		if err != nil {
			return err
		}
		if !link {
			p.refuse(rel, "a device entry: device nodes belong to udev and are not made")
			return nil
		}
	}
	if path := joinPath(p.path, rel); (path == passwdPath || path == groupPath) && is.kind != metadata.File && is.kind != metadata.Symlink {
		p.refuse(rel, "a "+is.kind.String()+" cannot be a table of names")
		return nil
	}
	want := p.wanted(p.new, is, rel)
	if is.kind == metadata.Dir {
		p.dir(rel, was, is, &l, want)
		return nil
	}
	return p.file(rel, was, is, &l, want)
}

// noteProperties notes the properties that change beside the metadata.
func (p *planner) noteProperties(rel string, was, is *state) {
	names := slices.DeleteFunc(changedNames(was.props, is.props), func(n string) bool { return slices.Contains(metadata.PropertyNames[:], n) })
	if len(names) > 0 {
		p.properties[rel] = names
	}
}

// lstat reads the live path with its metadata.
func (p *planner) lstat(rel string) (live, error) {
	var l live
	if p.beyond(rel) {
		return l, nil
	}
	dir, name := splitPath(rel)
	if rel == "" {
		name = "."
	}
	at := p.at
	if at == nil {
		at = &heldDir{root: p.live}
		defer at.close()
	}
	d, err := at.dir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	switch err := unix.Fstatat(int(d.Fd()), name, &l.st, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return l, nil
	case err != nil:
		return l, err
	}
	l.exists = true
	l.values = metadata.FromStat(&l.st)
	if err := l.readXattrs(int(d.Fd()), name); err != nil {
		p.tree.Warn("cannot read attributes of %s: %v", joinPath(p.path, rel), err)
	}
	return l, nil
}

func parentOf(rel string) string { dir, _ := splitPath(rel); return dir }

// remove plans the removal of what the repository has no more.
func (p *planner) remove(rel string, was *state, l *live) {
	if was == nil || !l.exists {
		return
	}
	if was.row.fileExt {
		p.notes = append(p.notes, joinPath(p.path, rel)+" is no longer defined as an external; the file stays")
		return
	}
	if e := p.local[rel]; e != nil && (e.Status == Modified && !e.quiet || e.Status == Obstructed) {
		p.clash(rel, "changed here, deleted in the repository")
		return
	}
	if was.kind == metadata.Dir {
		if l.values.Kind == metadata.Dir {
			p.add(step{Act: actRmdir, Rel: rel, Expect: l.identity()})
		}
		return
	}
	if l.values.Kind == was.kind {
		p.add(step{Act: actRemove, Rel: rel, Expect: l.identity()})
	}
}

func (p *planner) add(s step) { p.steps = append(p.steps, s) }

// dir plans a directory that is new or has other metadata.
func (p *planner) dir(rel string, was, is *state, l *live, want metadata.Values) {
	switch {
	case !l.exists:
		p.add(step{Act: actMkdir, Rel: rel})
	case l.values.Kind != metadata.Dir:
		if !p.mayReplace(rel, was, l) {
			p.clash(rel, "a "+l.values.Kind.String()+" is in the way of a directory")
			return
		}
		p.add(step{Act: actMkdir, Rel: rel, Expect: l.identity()})
		p.making[rel] = true
	default:
		if p.path == "" && rel == "" {
			return // the machine's own root directory is not ours
		}
		p.meta(rel, was, l, want)
		return
	}
	p.add(step{Act: actMeta, Rel: rel, Want: &want})
}

// file plans a file, symlink or fifo that is new or changed.
func (p *planner) file(rel string, was, is *state, l *live, want metadata.Values) error {
	put := step{Act: actPut, Rel: rel, Expect: l.identity()}
	if e := p.local[rel]; e != nil && e.Status == Deleted {
		p.clash(rel, "to be deleted here, changed in the repository")
		return nil
	}
	if !l.exists {
		put.Want = &want
		p.add(put)
		return nil
	}
	same := false
	if l.values.Kind == is.kind {
		var err error
		if same, err = p.sameContent(rel, is.kind); err != nil {
			return err
		}
	}
	switch {
	case same:
		p.meta(rel, was, l, want)
		return nil
	case p.takeAll:
		if l.values.Kind == metadata.Dir && !p.empty(rel) {
			p.refuse(rel, "a directory that is not empty is in the way of a "+is.kind.String())
			return nil
		}
		if l.values.Kind == metadata.Device || l.values.Kind == metadata.Socket {
			p.refuse(rel, "a "+l.values.Kind.String()+" is in the way of a "+is.kind.String())
			return nil
		}
		if l.values.Kind != metadata.Dir {
			p.replaced = append(p.replaced, rel)
		}
	case was == nil:
		p.clash(rel, "not versioned here, added in the repository")
		return nil
	case l.values.Kind != was.kind:
		p.clash(rel, was.kind.String()+" became "+l.values.Kind.String()+" here, changed in the repository")
		return nil
	case l.values.Kind != is.kind && !p.mayReplace(rel, was, l):
		p.clash(rel, "changed here, replaced in the repository")
		return nil
	}
	want = p.merged(rel, was, l, want)
	put.Want = &want
	p.add(put)
	return nil
}

// isLink says whether a special node is a symlink: its text is "link TARGET".
// FSVS keeps devices as "cdev 0xMAJOR:0xMINOR" and "bdev …".
func (p *planner) isLink(s *state) (bool, error) {
	f, err := os.Open(pristinePath(p.stage.wc(), s.row.checksum))
	if err != nil {
		return false, err
	}
	defer f.Close()
	var begin [5]byte
	n, err := io.ReadFull(f, begin[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, err
	}
	return string(begin[:n]) == "link ", nil
}

// pristinePath is where svn keeps the text with a checksum.
func pristinePath(wc string, sum sha1Sum) string {
	hex := sum.String()
	return filepath.Join(wc, AdminDir, "pristine", hex[:2], hex+".svn-base")
}

// keepFullDirs drops the removal of directories that hold what is not
// versioned: they stay with it.
func (p *planner) keepFullDirs() {
	gone := map[string]bool{}
	sort.Slice(p.steps, func(i, j int) bool { return p.steps[i].Rel > p.steps[j].Rel })
	kept := p.steps[:0]
	for _, s := range p.steps {
		if s.Act == actRmdir && !p.allGone(s.Rel, gone) {
			continue
		}
		gone[s.Rel] = gone[s.Rel] || s.Act == actRemove || s.Act == actRmdir
		kept = append(kept, s)
	}
	p.steps = kept
}

// allGone says whether nothing stays in a live directory.
func (p *planner) allGone(rel string, gone map[string]bool) bool {
	d, err := openDir(p.live, rel)
	if err != nil {
		return true
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return err == nil && !slices.ContainsFunc(names, func(n string) bool { return !gone[joinPath(rel, n)] })
}

// order sorts the steps so that each finds what it needs: files go before
// their directories do, directories come before what is in them, and the
// metadata of directories is set last, since it may close them.
func (p *planner) order() {
	p.keepFullDirs()
	rank := map[action]int{actRemove: 0, actRmdir: 1, actMkdir: 2, actPut: 3, actMeta: 4}
	sort.SliceStable(p.steps, func(i, j int) bool {
		a, b := &p.steps[i], &p.steps[j]
		if rank[a.Act] != rank[b.Act] {
			return rank[a.Act] < rank[b.Act]
		}
		if a.Act == actRmdir || a.Act == actRemove || a.Act == actMeta {
			return a.Rel > b.Rel
		}
		return a.Rel < b.Rel
	})
}
