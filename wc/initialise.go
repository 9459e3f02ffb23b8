package wc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"

	"golang.org/x/sys/unix"

	"rootwc/ignore"
	"rootwc/wc/metadata"
)

// DescriptionPath is the versioned description of the machine.
const DescriptionPath = ".rootwc/system.toml"

// InitOptions says what [Work.Init] makes.
type InitOptions struct {
	URL         string
	Paths       []string             // to schedule, such as etc
	Policy      ignore.DefaultPolicy // ignore patterns by directory
	Description []byte               // the content of DescriptionPath
}

// InitResult is what [Work.Init] did.
type InitResult struct {
	Gathered
	Created   bool // the URL was made in the repository
	Scheduled int  // paths that the first commit adds
}

// Init makes the root a working copy of URL, which must be empty or not there
// yet. Nothing that exists below the root is changed, its times included; what
// comes are .svn, the description and the state directory.
func (w *Work) Init(ctx context.Context, opt InitOptions) (*InitResult, error) {
	t := w.tree
	if _, err := t.fs.Lstat(AdminDir); err == nil {
		return nil, Hint(Refuse("cannot init %q: it is a working copy already", t.Root), "rootwc status")
	}
	r := &InitResult{}
	there, err := t.CheckInitURL(ctx, opt.URL)
	if err != nil {
		return nil, err
	}
	if !there {
		_, err = t.Client.Run(ctx, Call{Args: []string{"mkdir", "--quiet", "--parents", "--message", "rootwc init: place for a machine", "--", opt.URL + "@"}})
		if err != nil {
			return nil, Hint(fmt.Errorf("cannot make %s: %w", opt.URL, err), "where only an administrator may: svn mkdir --parents %s", opt.URL)
		}
		r.Created = true
	}
	s, p, err := w.checkoutStage(CheckoutOptions{URL: opt.URL})
	if err != nil {
		return nil, fmt.Errorf("cannot init %q: %w", t.Root, err)
	}
	defer s.live.Close()
	p.URL = "" // nothing worth taking up again after a crash
	if err := w.checkout(ctx, s, CheckoutOptions{URL: opt.URL}); err != nil {
		return nil, fmt.Errorf("cannot init %q: %w", t.Root, err)
	}
	if err := w.populate(ctx, s, p, opt, r); err != nil {
		return nil, fmt.Errorf("cannot init %q: %w", t.Root, err)
	}
	return r, w.place(p)
}

// CheckInitURL says whether url is there, and refuses one that is no empty
// directory. It changes nothing.
func (t *Tree) CheckInitURL(ctx context.Context, url string) (there bool, err error) {
	info, err := t.Client.Info(ctx, nil, url, "")
	switch {
	case err == nil && info.Kind != "dir":
		return false, Refuse("cannot init: %s is a file", url)
	case err == nil:
		out, err := t.Client.Run(ctx, Call{Args: []string{"list", "--", url + "@"}})
		if err != nil {
			return false, fmt.Errorf("cannot look into %s: %w", url, err)
		}
		if len(out) > 0 {
			return false, Hint(Refuse("cannot init: %s is not empty", url), "to bring that machine back: rootwc materialize %s", url)
		}
		return true, nil
	case HasCode(err, "170000", "160013", "200009"):
		return false, nil
	case Unreachable(err):
		return false, Hint(fmt.Errorf("cannot init: %w", err), "is the repository there? svnadmin create makes one")
	}
	return false, fmt.Errorf("cannot init: %w", err)
}

// populate schedules the first content in the stage.
func (w *Work) populate(ctx context.Context, s *stage, p *part, opt InitOptions, r *InitResult) error {
	t := w.tree
	g := &r.Gathered
	g.policy = func(dir string) (string, string) { return opt.Policy.Ignore[dir], opt.Policy.GlobalIgnores[dir] }
	rules := ignore.NewRules().Child("", "", opt.Policy.GlobalIgnores[""])
	at := place{"", s.live}
	ways := map[string]bool{}
	for _, path := range opt.Paths {
		if err := t.way(at, path, ways, g); err != nil {
			return err
		}
		if _, err := t.fs.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			t.Warn("%s is not there: nothing of it is scheduled", t.abs(path))
			continue
		}
		if err := t.gather(at, path, rules, g); err != nil {
			return err
		}
	}
	g.finish()
	if err := w.schedule(ctx, s, g.add); err != nil {
		return err
	}
	if err := s.root.MkdirAll(".rootwc", 0o700); err != nil {
		return err
	}
	if err := s.root.WriteFile(DescriptionPath, opt.Description, 0o600); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, []string{".rootwc"}, "add", "--quiet", "--force", "--no-ignore", "--no-auto-props"); err != nil {
		return err
	}
	if err := policyProperties(g, opt.Policy, ways).apply(ctx, s); err != nil {
		return err
	}
	r.Scheduled = len(g.add) + 2
	p.Acks = acks{}
	for _, a := range g.closed {
		p.Acks[a.rel] = &ack{Scheduled: true}
	}
	return p.putNew(t, ".rootwc", DescriptionPath)
}

// way takes the directories above a path along, each alone.
func (t *Tree) way(at place, path string, ways map[string]bool, g *Gathered) error {
	for dir := parentOf(path); dir != ""; dir = parentOf(dir) {
		if ways[dir] {
			continue
		}
		l, err := (&planner{tree: t, live: at.root}).lstat(dir)
		if err != nil || !l.exists || l.values.Kind != metadata.Dir {
			return errors.Join(err, fmt.Errorf("%q is no directory", dir))
		}
		ways[dir] = true
		g.add = append(g.add, addition{dir, metadata.Dir, l.values})
	}
	return nil
}

// policyProperties are the ignore properties of the directories that are there.
func policyProperties(g *Gathered, policy ignore.DefaultPolicy, ways map[string]bool) propertyGroups {
	groups := propertyGroups{}
	dirs := []string{""}
	for _, a := range g.add {
		if a.kind == metadata.Dir {
			dirs = append(dirs, a.rel)
		}
	}
	for _, dir := range dirs {
		if v := policy.Ignore[dir]; ways[dir] {
			groups.set(dir, ignore.PropIgnore, "*\n")
		} else if v != "" {
			groups.set(dir, ignore.PropIgnore, v)
		}
		if v := policy.GlobalIgnores[dir]; v != "" {
			groups.set(dir, ignore.PropGlobalIgnores, v)
		}
	}
	return groups
}

// putNew adds the steps that place a new directory and a file in it, owned by
// whoever runs rootwc.
func (p *part) putNew(t *Tree, dir, file string) error {
	own := metadata.Values{Kind: metadata.Dir, Mode: 0o755, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if _, err := t.fs.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		p.Steps = append(p.Steps, step{Act: actMkdir, Rel: dir})
		want := own
		p.Steps = append(p.Steps, step{Act: actMeta, Rel: dir, Want: &want})
	}
	want := own
	want.Kind, want.Mode = metadata.File, 0o644
	info, err := t.fs.Lstat(file)
	now := identity{}
	if err == nil {
		now = identityOfInfo(info)
	}
	p.Steps = append(p.Steps, step{Act: actPut, Rel: file, Expect: now, Want: &want})
	return nil
}

// KeepTimes notes the times of directories and returns what puts them back:
// that entries came into them is no change of what was there.
func (t *Tree) KeepTimes(dirs ...string) (restore func()) {
	before := map[string]unix.Stat_t{}
	for _, dir := range dirs {
		var st unix.Stat_t
		if name := t.abs(dir); unix.Lstat(name, &st) == nil {
			before[name] = st
		}
	}
	return func() {
		for name, st := range before {
			times := []unix.Timespec{st.Atim, st.Mtim}
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				t.Warn("cannot put back the times of %s: %v", name, err)
			}
		}
	}
}

// ReadFile reads a file below the root; no symlink leads out of it.
// What is no regular file is an error: a fifo must not hang rootwc.
func (t *Tree) ReadFile(path string) ([]byte, error) {
	f, err := openRegular(t.fs, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Readlink reads a symlink below the root.
func (t *Tree) Readlink(path string) (string, error) { return t.fs.Readlink(path) }

// SetProperty sets one svn property of a versioned path, for the next commit;
// an empty value removes it.
func (w *Work) SetProperty(ctx context.Context, path, name, value string) error {
	c, rel := w.tree.CopyOf(path)
	if c == nil || !c.Versioned(rel) {
		return Hint(fmt.Errorf("cannot set %s on %q: it is not under version control", name, path), "rootwc add %s", path)
	}
	s, p, err := w.stage(c)
	if err != nil {
		return err
	}
	kind := expectedKind(c.record().node(rel), c.record().node(rel).props())
	err = as(s.user, func() error {
		if kind == metadata.Dir {
			return s.mkdirs(rel)
		}
		return s.take(rel, kind)
	})
	if err != nil {
		return err
	}
	if value == "" {
		err = s.propdel(ctx, []string{rel}, name)
	} else {
		err = s.propset(ctx, []string{rel}, name, value)
	}
	if err != nil {
		return fmt.Errorf("cannot set %s on %q: %w", name, path, err)
	}
	return w.place(p)
}

// Forget takes paths out of version control and leaves them on disk. What was
// committed goes from the repository with the next commit.
func (w *Work) Forget(ctx context.Context, paths []string, dryRun bool) error {
	byCopy := map[*Copy][]string{}
	forgotten := acks{}
	kept, err := w.tree.loadWithheld()
	if err != nil {
		return err
	}
	for _, path := range paths {
		c, rel := w.tree.CopyOf(path)
		if c != nil && !c.Versioned(rel) && kept.has(path) {
			forgotten[path] = nil
			if kept.files[path] != nil { // a commit has listed it
				forgotten[path] = &ack{Forgotten: true}
			}
			continue
		}
		if c == nil || rel == "" || !c.Versioned(rel) {
			return fmt.Errorf("cannot forget %q: it is not under version control", path)
		}
		byCopy[c] = append(byCopy[c], rel)
	}
	if dryRun {
		return nil
	}
	for _, c := range w.tree.Copies {
		rels := byCopy[c]
		if len(rels) == 0 {
			continue
		}
		s, p, err := w.stage(c)
		if err != nil {
			return err
		}
		if err := s.svnTargets(ctx, rels, "delete", "--quiet", "--force", "--keep-local"); err != nil {
			return fmt.Errorf("cannot forget %s: %w", list(rels), err)
		}
		if err := w.place(p); err != nil {
			return err
		}
	}
	return w.tree.acknowledge(forgotten)
}

// PlanInit walks what [Work.Init] would schedule and changes nothing.
func (t *Tree) PlanInit(paths []string, policy ignore.DefaultPolicy) (*Gathered, error) {
	g := &Gathered{policy: func(dir string) (string, string) { return policy.Ignore[dir], policy.GlobalIgnores[dir] }}
	rules := ignore.NewRules().Child("", "", policy.GlobalIgnores[""])
	ways := map[string]bool{}
	for _, path := range paths {
		if err := t.way(place{"", t.fs}, path, ways, g); err != nil {
			return nil, err
		}
		if err := t.gather(place{"", t.fs}, path, rules, g); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	g.finish()
	return g, nil
}

// Paths are the paths that come under version control, sorted.
func (g *Gathered) Paths() []string {
	var paths []string
	for _, a := range g.add {
		paths = append(paths, a.rel)
	}
	sort.Strings(paths)
	return paths
}
