package wc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/ignore"
	"rootwc/wc/metadata"
)

// addition is a path that comes under version control.
type addition struct {
	rel    string
	kind   metadata.Kind
	values metadata.Values
}

// Gathered is what a walk over unversioned paths found.
type Gathered struct {
	Withheld []string   // content stays here
	Skipped  []Refused  // left out by a stated policy, and why
	Links    [][]string // names of one inode each: they become separate files

	add    []addition
	closed []addition // withheld files
	empty  []string   // datasets: directories that come without what is in them
	inodes map[[2]uint64][]string
	policy func(dir string) (svnIgnore, globalIgnores string) // that dir will get; nil for none
}

// nestedRepositories are the administrative directories of other version
// control systems: the files around them are versioned, they are not.
var nestedRepositories = map[string]string{
	".git": "a Git repository", ".hg": "a Mercurial repository", ".bzr": "a Bazaar repository", "CVS": "CVS administration", "_darcs": "a Darcs repository",
}

// place is where a working copy is, or is going to be.
type place struct {
	path string // relative to the machine's root
	root *os.Root
}

func (c *Copy) place() place { return place{c.Path, c.fs} }

// gather walks an unversioned path with everything below it that can be
// versioned and is not ignored. rules are those of its directory.
func (t *Tree) gather(at place, rel string, rules ignore.Rules, g *Gathered) error {
	dir, name := splitPath(rel)
	d, err := openDir(at.root, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return t.gatherAt(at, int(d.Fd()), rel, name, rules, g)
}

func (t *Tree) gatherAt(at place, fd int, rel, name string, rules ignore.Rules, g *Gathered) error {
	path := joinPath(at.path, rel)
	skip := func(why string) error {
		g.Skipped = append(g.Skipped, Refused{path, why})
		return nil
	}
	if t.State.holds(path) || name == AdminDir {
		return nil
	}
	if why := unstorable(name); why != "" {
		return skip(why + ", which Subversion cannot store")
	}
	if t.Mounts[path] {
		return skip("a mount point: a working copy does not cross it")
	}
	var l live
	if err := unix.Fstatat(fd, name, &l.st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return &os.PathError{Op: "read", Path: path, Err: err}
	}
	l.exists, l.values = true, metadata.FromStat(&l.st)
	switch l.values.Kind {
	case metadata.Socket:
		return skip("a socket: its server makes it anew")
	case metadata.Device:
		return skip("a device node: it belongs to udev")
	}
	if what, nested := nestedRepositories[name]; nested && l.values.Kind == metadata.Dir {
		return skip(what + " of its own: not versioned, the files around it are")
	}
	if l.values.Kind == metadata.Symlink {
		if why := unstorableLink(fd, name); why != "" {
			return skip(why + ", which Subversion cannot store")
		}
	}
	if err := l.readXattrs(fd, name); err != nil {
		return skip(fmt.Sprintf("its attributes cannot be read: %v", cause(err)))
	}
	if l.values.Kind != metadata.Dir && l.st.Nlink > 1 {
		g.link(&l.st, path)
	}
	a := addition{rel, l.values.Kind, l.values}
	if t.withholds(&l.values) {
		g.Withheld = append(g.Withheld, path)
		g.closed = append(g.closed, a)
		return nil
	}
	if l.values.Kind != metadata.Dir {
		g.add = append(g.add, a)
		return nil
	}
	return t.gatherDir(at, fd, rel, name, a, rules, g)
}

func (t *Tree) gatherDir(at place, fd int, rel, name string, a addition, rules ignore.Rules, g *Gathered) error {
	path := joinPath(at.path, rel)
	sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		g.Skipped = append(g.Skipped, Refused{path, "cannot be read: " + err.Error()})
		return nil
	}
	f := os.NewFile(uintptr(sub), path)
	defer f.Close()
	found, err := f.ReadDir(-1)
	if err != nil {
		return &os.PathError{Op: "read directory", Path: path, Err: cause(err)}
	}
	for _, e := range found {
		if e.Name() == AdminDir && !t.Datasets[path] {
			if !t.attached(path) {
				g.Skipped = append(g.Skipped, Refused{path, "a working copy of its own that no external names"})
			}
			return nil
		}
	}
	g.add = append(g.add, a)
	if t.Datasets[path] {
		g.empty = append(g.empty, rel)
		return t.gatherSettings(at, sub, rel, g)
	}
	own, global := "", ""
	if g.policy != nil {
		own, global = g.policy(path)
	}
	below := rules.Child(path, own, global)
	sort.Slice(found, func(i, j int) bool { return found[i].Name() < found[j].Name() })
	for _, e := range found {
		if below.Verdict(e.Name()).Ignored {
			continue
		}
		if err := t.gatherAt(at, sub, joinPath(rel, e.Name()), e.Name(), below, g); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) attached(path string) bool {
	c, _ := t.CopyOf(path)
	return c != nil && c.Path == path
}

// link notes one name of an inode with several.
func (g *Gathered) link(st *unix.Stat_t, path string) {
	if g.inodes == nil {
		g.inodes = map[[2]uint64][]string{}
	}
	key := [2]uint64{uint64(st.Dev), st.Ino}
	g.inodes[key] = append(g.inodes[key], path)
}

// finish sorts what was found.
func (g *Gathered) finish() {
	for _, names := range g.inodes {
		sort.Strings(names)
		g.Links = append(g.Links, names)
	}
	g.inodes = nil
	sort.Slice(g.Links, func(i, j int) bool { return g.Links[i][0] < g.Links[j][0] })
	sort.Slice(g.add, func(i, j int) bool { return g.add[i].rel < g.add[j].rel })
}

// rulesAt are the ignore rules for the children of a versioned directory.
func (c *Copy) rulesAt(dir string) ignore.Rules {
	var rules ignore.Rules
	walk := func(d string) {
		if n := c.record().dir(d); n != nil && n.visible() {
			rules = n.rules(c.path(d), rules)
		}
	}
	walk("")
	for i := range dir {
		if dir[i] == '/' {
			walk(dir[:i])
		}
	}
	if dir != "" {
		walk(dir)
	}
	return rules
}

// AddOptions chooses what [Work.Add] takes.
type AddOptions struct {
	Paths  []string
	DryRun bool
}

// AddResult is what [Work.Add] scheduled.
type AddResult struct {
	Gathered
	Paths []string // scheduled for addition, sorted
}

// Add schedules unversioned paths, with all that is below them and can be
// versioned. Directories above them that are not versioned come along alone,
// with svn:ignore "*": /usr/local/bin/backup does not drag /usr in.
func (w *Work) Add(ctx context.Context, opt AddOptions) (*AddResult, error) {
	r := &AddResult{}
	byCopy := map[*Copy][]string{}
	for _, path := range opt.Paths {
		c, rel := w.tree.CopyOf(path)
		if c == nil {
			return nil, ErrNotWorkingCopy
		}
		if point, crosses := w.tree.Mounts.Crosses(c.Path, path); crosses {
			return nil, Hint(Refuse("cannot add %q: it lies below the mount point %q, which a working copy does not cross", path, point),
				"give that file system a working copy of its own: rootwc externals add URL %s", point)
		}
		if dir := w.tree.datasetAbove(path); dir != "" && !settings(path) {
			return nil, Refuse("cannot add %q: it is content of the dataset %q, which svn does not hold", path, dir)
		}
		if link := c.symlinkAbove(rel); link != "" {
			return nil, Refuse("cannot add %q: %q is a symlink", path, c.path(link))
		}
		if _, err := c.fs.Lstat(orDot(rel)); err != nil {
			return nil, fmt.Errorf("cannot add %q: %w", path, cause(err))
		}
		byCopy[c] = append(byCopy[c], rel)
	}
	for _, c := range w.tree.Copies {
		if rels := byCopy[c]; len(rels) > 0 {
			if err := w.addTo(ctx, c, rels, opt, r); err != nil {
				return nil, err
			}
		}
	}
	r.finish()
	sort.Strings(r.Paths)
	return r, nil
}

// symlinkAbove is the first symlink on the way down to rel, "" for none.
func (c *Copy) symlinkAbove(rel string) string {
	for i := range rel {
		if rel[i] != '/' {
			continue
		}
		if info, err := c.fs.Lstat(rel[:i]); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return rel[:i]
		}
	}
	return ""
}

func (w *Work) addTo(ctx context.Context, c *Copy, rels []string, opt AddOptions, r *AddResult) error {
	g := &Gathered{inodes: r.inodes}
	ways := map[string]bool{} // directories that are only a way down
	opened := map[string]bool{}
	err := as(c.user, func() error {
		for _, rel := range rels {
			if c.Versioned(rel) {
				if w.tree.Datasets[c.path(rel)] {
					if err := w.gatherSettingsBelow(c, rel, g); err != nil {
						return err
					}
					continue
				}
				if v, _ := c.Property(rel, "svn:ignore"); strings.TrimSpace(v) == "*" && rel != "" {
					opened[rel] = true
					if err := w.gatherBelow(c, rel, g); err != nil {
						return err
					}
				}
				continue
			}
			for dir := parentOf(rel); dir != "" && !c.Versioned(dir); dir = parentOf(dir) {
				ways[dir] = true
			}
			var rules ignore.Rules
			if c.Versioned(parentOf(rel)) {
				rules = c.globalRules(parentOf(rel))
			}
			if err := w.tree.gather(c.place(), rel, rules, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot add: %w", err)
	}
	for dir := range ways {
		l, err := w.tree.look(c, dir)
		if err != nil {
			return err
		}
		g.add = append(g.add, addition{dir, metadata.Dir, l.values})
	}
	g.finish()
	r.Withheld = append(r.Withheld, g.Withheld...)
	r.Skipped = append(r.Skipped, g.Skipped...)
	r.Links = append(r.Links, g.Links...)
	for _, a := range g.add {
		r.Paths = append(r.Paths, c.path(a.rel))
	}
	if opt.DryRun || len(g.add)+len(g.closed)+len(opened) == 0 {
		return nil
	}
	if len(g.add)+len(opened) == 0 {
		return w.tree.acknowledge(scheduled(c, g.closed))
	}
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	p.Acks = scheduled(c, g.closed)
	if err := w.schedule(ctx, s, g.add); err != nil {
		return fmt.Errorf("cannot add: %w", err)
	}
	if err := s.propset(ctx, append(keys(ways), g.empty...), "svn:ignore", "*\n"); err != nil {
		return err
	}
	if err := s.propdel(ctx, keys(opened), "svn:ignore"); err != nil {
		return err
	}
	return w.place(p)
}

// gatherBelow gathers the children of a versioned directory.
func (w *Work) gatherBelow(c *Copy, rel string, g *Gathered) error {
	d, err := openDir(c.fs, rel)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	sort.Strings(names)
	rules := c.globalRules(rel)
	for _, name := range names {
		if at := joinPath(rel, name); !c.Versioned(at) && !rules.Verdict(name).Ignored {
			if err := w.tree.gatherAt(c.place(), int(d.Fd()), at, name, rules, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// globalRules are the svn:global-ignores in force below a directory, without
// its svn:ignore: who names a path means it.
func (c *Copy) globalRules(dir string) ignore.Rules {
	return c.rulesAt(dir).Child(c.path(dir), "", "")
}

// scheduled marks withheld files as to be listed by the next commit.
func scheduled(c *Copy, closed []addition) acks {
	a := acks{}
	for _, f := range closed {
		a[c.path(f.rel)] = &ack{Scheduled: true}
	}
	return a
}

// schedule tells svn of additions, in the stage. svn looks at their kind and,
// for svn:mime-type, at the beginning of their content.
func (w *Work) schedule(ctx context.Context, s *stage, add []addition) error {
	var rels, fifos, links []string
	err := as(s.user, func() error {
		for _, a := range add {
			take := s.take
			switch a.kind {
			case metadata.Fifo:
				fifos = append(fifos, a.rel)
			case metadata.Symlink:
				links = append(links, a.rel)
				take = s.standIn
			}
			if err := take(a.rel, a.kind); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("cannot read %q: %w", joinPath(s.path, a.rel), cause(err))
			}
			rels = append(rels, a.rel)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, rels, "add", "--quiet", "--force", "--no-ignore", "--no-auto-props", noDepth); err != nil {
		return err
	}
	err = as(s.user, func() error {
		for _, rel := range links {
			if err := s.root.Remove(rel); err != nil {
				return err
			}
			if err := s.take(rel, metadata.Symlink); err != nil {
				return fmt.Errorf("cannot read %q: %w", joinPath(s.path, rel), cause(err))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.propset(ctx, fifos, metadata.PropSpecial, "fifo")
}

// standIn makes a symlink that leads nowhere for svn add, which follows the
// real one: in circles, or back into the stage.
func (s *stage) standIn(rel string, _ metadata.Kind) error {
	if err := s.mkdirs(parentOf(rel)); err != nil {
		return err
	}
	return s.root.Symlink("stand-in", rel)
}

// look reads one live path with its metadata.
func (t *Tree) look(c *Copy, rel string) (live, error) {
	p := planner{tree: t, live: c.fs, path: c.Path}
	return p.lstat(rel)
}

func keys(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
