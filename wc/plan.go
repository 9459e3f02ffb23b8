package wc

import (
	"bytes"
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
	exact      map[string]bool      // rels to plan; nil means all

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
	n := rec.nodes[rel]
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
		(bytes.Equal(s.row.props, o.row.props) || maps.Equal(s.props, o.props)) // svn writes them in any order
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
	p.steps, p.clashes, p.replaced, p.notes = nil, nil, nil, nil
	p.blocked, p.making, p.properties = map[string]string{}, map[string]bool{}, map[string][]string{}
	rels := map[string]bool{}
	for rel := range p.new.nodes {
		rels[rel] = true
	}
	if p.old != nil {
		for rel := range p.old.nodes {
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
		if n := p.new.nodes[rel]; n != nil && n.actual != nil && n.actual.conflict != nil {
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
		if why := unsafeName(rel); why != "" {
			p.refuse(rel, why)
			return nil
		}
		if p.tree.State.holds(joinPath(p.path, rel)) {
			p.refuse(rel, "rootwc's own state")
			return nil
		}
		if p.new.nodes[rel].top().opDepth > 0 && p.old != nil {
			return nil // scheduled here for something else; svn has merged the two
		}
	} else if n := p.new.nodes[rel]; n != nil && n.top().opDepth > 0 && n.visible() {
		return nil
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

// unsafeName says why no path of a repository may be called so.
func unsafeName(rel string) string {
	for _, name := range strings.Split(rel, "/") {
		if strings.EqualFold(name, AdminDir) || name == ".." || name == "." {
			return "a name that only Subversion's own directory may have"
		}
	}
	return ""
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
	d, err := openDir(p.live, dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer d.Close()
	switch err := unix.Fstatat(int(d.Fd()), name, &l.st, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return l, nil
	case err != nil:
		return l, err
	}
	l.exists = true
	l.values = metadata.FromStat(&l.st)
	p.tree.readXattrs(int(d.Fd()), name, &l)
	return l, nil
}

// inTheWay says why the live path must not be touched: a mount point, an
// immutable or append-only file, or a symlink where a directory must be.
func (p *planner) inTheWay(rel string, l *live) string {
	if point, crosses := p.tree.Mounts.Crosses(p.path, joinPath(p.path, rel)); crosses {
		return "below the mount point " + point
	}
	for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
		why, known := p.blocked[dir]
		if !known {
			if info, err := p.live.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 && !p.making[dir] {
				why = "below " + dir + ", a symlink where the repository has a directory"
			}
			p.blocked[dir] = why
		}
		if why != "" {
			return why
		}
	}
	if !l.exists {
		return ""
	}
	var stx unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, filepath.Join(p.tree.abs(p.path), rel), unix.AT_SYMLINK_NOFOLLOW, 0, &stx) != nil {
		return ""
	}
	switch {
	case stx.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return "immutable (chattr +i)"
	case stx.Attributes&unix.STATX_ATTR_APPEND != 0:
		return "append-only (chattr +a)"
	case stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 && rel != "":
		return "a mount point"
	}
	return ""
}

func parentOf(rel string) string { dir, _ := splitPath(rel); return dir }

// beyond says whether something that is no directory stands above rel, such as
// a symlink: what is reached through it is not rel.
func (p *planner) beyond(rel string) bool {
	for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
		if info, err := p.live.Lstat(dir); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// remove plans the removal of what the repository has no more.
func (p *planner) remove(rel string, was *state, l *live) {
	if was == nil || !l.exists {
		return
	}
	if was.row.fileExt {
		p.notes = append(p.notes, joinPath(p.path, rel)+" is no longer defined as an external; the file stays")
		return
	}
	if e := p.local[rel]; e != nil && (e.Status == Modified || e.Status == Obstructed) {
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

// mayReplace says whether a live path of another kind may be taken away: the
// repository had just that there and nobody has changed it, or the
// repository's version wins anyway and the live one is kept aside.
func (p *planner) mayReplace(rel string, was *state, l *live) bool {
	if p.takeAll {
		if l.values.Kind == metadata.File || l.values.Kind == metadata.Symlink || l.values.Kind == metadata.Fifo {
			p.replaced = append(p.replaced, rel)
			return true
		}
		return l.values.Kind == metadata.Dir && p.empty(rel)
	}
	e := p.local[rel]
	return was != nil && was.kind == l.values.Kind && (e == nil || e.Status == Normal)
}

// empty says whether a live directory holds nothing.
func (p *planner) empty(rel string) bool {
	d, err := openDir(p.live, rel)
	if err != nil {
		return false
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	return err == io.EOF
}

// meta plans a change of metadata alone, merged with local changes.
func (p *planner) meta(rel string, was *state, l *live, want metadata.Values) {
	want = p.merged(rel, was, l, want)
	if changes := metadata.Compare(l.values, want, p.names); len(changes) > 0 {
		p.add(step{Act: actMeta, Rel: rel, Expect: l.identity(), Want: &want, Note: metadata.Words(changes)})
	}
}

// merged merges incoming metadata into the live path's: what a person changed
// here stays, and is news for the next commit.
func (p *planner) merged(rel string, was *state, l *live, want metadata.Values) metadata.Values {
	if was == nil || !l.exists || was.kind != l.values.Kind || p.takeAll {
		return want
	}
	base := p.wanted(p.old, was, rel)
	var kept []string
	if base.UID != l.values.UID {
		if want.UID != base.UID && want.UID != l.values.UID {
			kept = append(kept, "owner")
		}
		want.UID = l.values.UID
	}
	if base.GID != l.values.GID {
		if want.GID != base.GID && want.GID != l.values.GID {
			kept = append(kept, "group")
		}
		want.GID = l.values.GID
	}
	if !samePermissions(&base, &l.values) {
		if !samePermissions(&want, &base) && !samePermissions(&want, &l.values) {
			kept = append(kept, "mode")
		}
		want.Mode, want.ACL, want.DefaultACL = l.values.Mode, l.values.ACL, l.values.DefaultACL
	}
	if !sameXattrs(base.Xattrs, l.values.Xattrs) {
		if !sameXattrs(want.Xattrs, base.Xattrs) && !sameXattrs(want.Xattrs, l.values.Xattrs) {
			kept = append(kept, "xattr")
		}
		want.Xattrs = l.values.Xattrs
	}
	if len(kept) > 0 {
		p.notes = append(p.notes, joinPath(p.path, rel)+": "+strings.Join(kept, ", ")+" changed here and in the repository; kept as it is here")
	}
	return want
}

func samePermissions(a, b *metadata.Values) bool {
	return a.Mode == b.Mode && a.ACL.Equal(b.ACL) && a.DefaultACL.Equal(b.DefaultACL)
}

func sameXattrs(a, b []metadata.Xattr) bool {
	return slices.EqualFunc(a, b, func(x, y metadata.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
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

// sameContent compares the staged and the live path, which are of one kind.
func (p *planner) sameContent(rel string, kind metadata.Kind) (bool, error) {
	switch kind {
	case metadata.Fifo:
		return true, nil
	case metadata.Symlink:
		a, err := p.stage.root.Readlink(rel)
		if err != nil {
			return false, err
		}
		b, err := p.live.Readlink(rel)
		return a == b, err
	}
	a, err := p.stage.root.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := p.live.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return sameText(a, b)
}

// sameText compares two files.
func sameText(a, b *os.File) (bool, error) {
	ai, err := a.Stat()
	if err != nil {
		return false, err
	}
	bi, err := b.Stat()
	if err != nil || ai.Size() != bi.Size() {
		return false, err
	}
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err = errors.Join(err, err2); err != nil {
			return false, err
		}
	}
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
