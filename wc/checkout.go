package wc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/wc/metadata"
)

// CheckoutOptions says what [Work.Checkout] puts where.
type CheckoutOptions struct {
	Path     string // of the working copy, relative to the machine's root
	URL      string
	Revision string // "" is HEAD
	Peg      string // "" is HEAD
	DryRun   bool
}

// Checkout makes a working copy at a directory that may hold files already:
// it is staged, the repository's version of each versioned path takes its
// place, everything else stays, and last the .svn is grafted. Files that other
// content replaces are kept under the state directory. An interrupted checkout
// is taken up again.
func (w *Work) Checkout(ctx context.Context, opt CheckoutOptions) (*Result, error) {
	t := w.tree
	r := &Result{WorkingCopy: opt.Path}
	s, p, err := w.checkoutStage(opt)
	if err != nil {
		return nil, fmt.Errorf("cannot materialize %q: %w", t.abs(opt.Path), err)
	}
	defer s.live.Close()
	if err := w.checkout(ctx, s, opt); err != nil {
		if ctx.Err() == nil && !Unreachable(err) { // nothing that a later run could take up
			err = errors.Join(err, w.drop(p), s.unmake())
		}
		return nil, fmt.Errorf("cannot materialize %q: %w", t.abs(opt.Path), err)
	}
	plan := &planner{tree: t, stage: s, live: s.live, path: opt.Path, takeAll: true}
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	if err := w.fileExternals(ctx, s, plan.new.root.base().revision); err != nil {
		return nil, fmt.Errorf("cannot materialize %q: %w", t.abs(opt.Path), err)
	}
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	if err := checkDB(filepath.Join(s.wc(), AdminDir, "wc.db")); err != nil {
		return nil, err
	}
	plan.names = t.namesAfter(plan.new, s)
	r.Revision = plan.new.root.base().revision
	if err := as(s.user, plan.plan); err != nil {
		return nil, fmt.Errorf("cannot materialize %q: %w", t.abs(opt.Path), err)
	}
	for _, c := range plan.clashes {
		r.Refused = append(r.Refused, Refused{joinPath(opt.Path, c.rel), c.why})
	}
	r.Notes = plan.notes
	r.changes(plan)
	if len(s.made) > 0 { // what was made for it is no change
		r.Changes = slices.DeleteFunc(r.Changes, func(c Change) bool { return c.Path == opt.Path })
	}
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	if r.Saved, err = w.save(s, plan.replaced); err != nil {
		return nil, fmt.Errorf("cannot keep the files that are replaced: %w", err)
	}
	return r, w.placeAndReport(p, r)
}

// checkoutStage finds the stage of an interrupted checkout or makes a new one.
func (w *Work) checkoutStage(opt CheckoutOptions) (*stage, *part, error) {
	t := w.tree
	if t.State.holds(opt.Path) {
		return nil, nil, Refuse("rootwc's own state is there")
	}
	user, made, err := t.makeTarget(opt.Path)
	if err != nil {
		return nil, nil, err
	}
	live, err := t.openTarget(opt.Path)
	if err != nil {
		return nil, nil, err
	}
	if _, err := live.Lstat(AdminDir); err == nil {
		live.Close()
		return nil, nil, Refuse("it is a working copy already")
	}
	s := &stage{tree: t, path: opt.Path, live: live, user: user, made: made}
	p, err := w.interruptedCheckout(opt)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		if s.dir, err = t.freshStageDir(opt.Path, user); err != nil {
			return nil, nil, err
		}
		p = &part{Path: opt.Path, Stage: s.dir, User: user, Graft: true}
		if !opt.DryRun {
			p.URL = opt.URL
		}
		if err := w.note(p, s); err != nil { // first: what nobody knows of is never removed
			return nil, nil, err
		}
	}
	s.dir, w.stages[p] = p.Stage, s
	err = as(user, func() error {
		if err := os.MkdirAll(s.wc(), 0o700); err != nil {
			return err
		}
		s.root, err = os.OpenRoot(s.wc())
		return err
	})
	return s, p, err
}

// interruptedCheckout looks for the same checkout in the journal that an
// interrupted verb has left, nil for none. One of another URL is given up.
func (w *Work) interruptedCheckout(opt CheckoutOptions) (*part, error) {
	if err := w.openJournal(); err != nil {
		return nil, err
	}
	for i, p := range w.journal.Parts {
		switch {
		case p.Path != opt.Path || p.Place || w.stages[p] != nil:
		case p.URL == opt.URL:
			return p, nil
		default:
			w.journal.Parts = slices.Delete(w.journal.Parts, i, i+1)
			return nil, errors.Join(w.tree.removeStage(p), w.journal.write())
		}
	}
	return nil, nil
}

// makeTarget makes the directory of a working copy that is not there, and
// tells whose it is: the owner of the directory, or of the one it is made in.
func (t *Tree) makeTarget(path string) (user *run.User, made []string, err error) {
	if path == "" {
		return nil, nil, nil
	}
	at := path
	var st *unixStat
	for {
		info, err := t.fs.Stat(orDot(at))
		if err == nil {
			if !info.IsDir() {
				return nil, nil, Refuse("%q is no directory", t.abs(at))
			}
			st = info.Sys().(*unixStat)
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == "" {
			return nil, nil, fmt.Errorf("%q: %w", t.abs(at), cause(err))
		}
		if info, lerr := t.fs.Lstat(at); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, nil, Refuse("%q is a symlink that leads nowhere", t.abs(at))
		}
		made = append([]string{at}, made...)
		at = parentOf(at)
	}
	user = userOf(st.Uid, st.Gid, t.homeOf(st.Uid))
	for _, dir := range made {
		if user == nil { // it may be a home directory that nobody has made yet
			if person, ok := t.personAt(dir); ok && "/"+dir == person.dir && os.Geteuid() == 0 {
				if err := t.makeHome(dir, person); err != nil {
					return nil, nil, err
				}
				user = userOf(person.uid, person.gid, person.dir)
				continue
			}
		}
		err := as(user, func() error {
			if err := t.fs.Mkdir(dir, 0o755); err != nil {
				return err
			}
			return t.fs.Chmod(dir, 0o755) // the umask in force is 077
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return user, made, nil
}

// unmake removes the directories that a failed checkout has made.
func (s *stage) unmake() error {
	for i := len(s.made) - 1; i >= 0; i-- {
		err := s.tree.fs.Remove(s.made[i])
		if err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %q again: %w", s.made[i], cause(err))
		}
	}
	return nil
}

// makeHome makes a home directory, closed as useradd(8) makes it.
func (t *Tree) makeHome(dir string, person home) error {
	if err := t.fs.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return t.fs.Lchown(dir, int(person.uid), int(person.gid))
}

// freshStageDir names a private directory from which rename(2) reaches the
// target of a first checkout: in the state directory, else in the target. It is
// not made yet.
func (t *Tree) freshStageDir(path string, user *run.User) (string, error) {
	if user == nil {
		if err := os.MkdirAll(t.State.path(stageState), 0o700); err != nil {
			return "", err
		}
		if sameFileSystem(t.State.path(stageState), t.abs(path)) {
			return t.State.path(stageState, rand.Text()), nil
		}
	}
	return filepath.Join(t.abs(path), stageNear+rand.Text()), nil
}

// checkout fills the stage from the repository, or goes on filling it.
func (w *Work) checkout(ctx context.Context, s *stage, opt CheckoutOptions) error {
	revision := opt.Revision
	if revision == "" {
		revision = "HEAD"
	}
	// an ordinary user's begins with depth empty, see seed
	fill := []string{"update", "--ignore-externals", "--force", "--accept", "theirs-full", "--set-depth", "infinity", "--revision", revision, "."}
	if _, err := s.root.Lstat(AdminDir); err == nil {
		if _, err := s.svn(ctx, nil, "cleanup", "."); err == nil {
			return s.fetch(ctx, opt.URL, fill...)
		} else if ctx.Err() != nil {
			return err
		}
		if err := as(s.user, s.empty); err != nil { // cut off while svn made its database
			return err
		}
	}
	if s.user != nil {
		if err := w.seed(ctx, s, opt); err != nil {
			return err
		}
		return s.fetch(ctx, opt.URL, fill...)
	}
	err := s.fetch(ctx, opt.URL, "checkout", "--ignore-externals", "--force", "--revision", revision, "--", opt.URL+"@"+opt.Peg, ".")
	if err != nil && Unreachable(err) {
		return Hint(err, "the server of %s is not reachable; run the command again when it is", opt.URL)
	}
	return err
}

// empty removes everything from the stage's working copy.
func (s *stage) empty() error {
	found, err := os.ReadDir(s.wc())
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := s.root.RemoveAll(f.Name()); err != nil {
			return err
		}
	}
	return nil
}

// seed gives the stage of an ordinary user an empty working copy that was
// checked out apart. svn itself looks for a .svn in every directory above a
// new checkout, and stops at one that the user may not read, as the machine's
// own is (E000013).
func (w *Work) seed(ctx context.Context, s *stage, opt CheckoutOptions) error {
	apart, err := newTemporary(s.user)
	if err != nil {
		return err
	}
	defer apart.remove()
	revision := opt.Revision
	if revision == "" {
		revision = "HEAD"
	}
	call := Call{User: s.user, Dir: apart.dir, Args: []string{"checkout", "--quiet", "--ignore-externals", "--depth", "empty", "--revision", revision, "--", opt.URL + "@" + opt.Peg, "."}}
	if _, err := w.tree.Client.Run(ctx, call); err != nil {
		return err
	}
	return as(s.user, func() error { return os.CopyFS(s.wc(), os.DirFS(apart.dir)) })
}

// save copies live files that are about to be replaced to the state directory.
func (w *Work) save(s *stage, rels []string) (string, error) {
	if len(rels) == 0 {
		return "", nil
	}
	base := w.tree.State.path("replaced", time.Now().UTC().Format("20060102T150405Z"), s.path)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	out, err := os.OpenRoot(base)
	if err != nil {
		return "", err
	}
	defer out.Close()
	for _, rel := range rels {
		if err := saveOne(s, out, rel); err != nil {
			return "", fmt.Errorf("%q: %w", joinPath(s.path, rel), cause(err))
		}
	}
	return base, syncFS(base)
}

// saveOne copies one file or symlink with its metadata.
func saveOne(s *stage, out *os.Root, rel string) error {
	dir, name := splitPath(rel)
	if dir != "" {
		if err := out.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	l, err := (&planner{tree: s.tree, live: s.live, path: s.path}).lstat(rel)
	if err != nil || !l.exists {
		return err
	}
	switch l.values.Kind {
	case metadata.Symlink:
		link, err := s.live.Readlink(rel)
		if err != nil {
			return err
		}
		if err := out.Symlink(link, rel); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case metadata.File:
		if err := copyFile(s, out, rel); err != nil {
			return err
		}
	default:
		return nil // a fifo holds nothing
	}
	d, err := openDir(out, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, failed := range applyAt(int(d.Fd()), name, l.values, identity{}) {
		s.tree.Warn("the saved copy of %s: %v", joinPath(s.path, rel), failed)
	}
	return nil
}

func copyFile(s *stage, out *os.Root, rel string) error {
	var in *os.File
	err := as(s.user, func() (err error) {
		in, err = openRegular(s.live, rel)
		return err
	})
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := out.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(in)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// checkDB proves a fresh wc.db: svn writes it without fsync.
func checkDB(path string) error {
	conn, err := openDB(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	return quickCheck(conn)
}

// Blocker is something that would stop a materialize.
type Blocker struct{ Path, Why string }

// CheckTarget looks for what would stop a checkout at path before anything is
// fetched: permission, and space for twice what the repository holds.
func (t *Tree) CheckTarget(path string, need int64) []Blocker {
	var found []Blocker
	at := path
	for at != "" {
		if _, err := t.fs.Lstat(at); err == nil {
			break
		}
		at = parentOf(at)
	}
	dir := t.abs(at)
	if unix.Access(dir, unix.W_OK) != nil {
		found = append(found, Blocker{path, "no permission to write in " + dir})
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil {
		if free := int64(st.Bavail) * st.Bsize; free < need {
			found = append(found, Blocker{path, fmt.Sprintf("%d bytes are missing: %d are needed, %d are free", need-free, need, free)})
		}
	}
	if info, err := t.fs.Lstat(orDot(at)); err == nil && at == path && !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
		found = append(found, Blocker{path, "a file is in the way of the working copy's directory"})
	}
	if strings.Contains(path, "\n") {
		found = append(found, Blocker{path, "a newline in the path"})
	}
	return found
}

// PlanCheckout says what [Work.Checkout] would do. The directory need not be
// there; it is not made.
func (w *Work) PlanCheckout(ctx context.Context, opt CheckoutOptions) (*Result, error) {
	if _, err := w.tree.fs.Stat(orDot(opt.Path)); err == nil {
		opt.DryRun = true
		return w.Checkout(ctx, opt)
	}
	s, err := w.tree.Survey(ctx, opt.URL, opt.Revision, opt.Peg)
	if err != nil {
		return nil, fmt.Errorf("cannot plan %q: %w", w.tree.abs(opt.Path), err)
	}
	r := &Result{WorkingCopy: opt.Path, Revision: s.Revision}
	for _, n := range s.Nodes {
		r.Changes = append(r.Changes, Change{Letter: 'A', Path: joinPath(opt.Path, n.Path)})
	}
	return r, nil
}

// Discard deletes a working copy with its versioned files. The caller has
// made sure that nothing in it is uncommitted; what is not versioned stays.
func (w *Work) Discard(c *Copy) error {
	rels := make([]string, 0, len(c.rec.nodes))
	for rel, n := range c.rec.nodes {
		if rel != "" && n.visible() {
			rels = append(rels, rel)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(rels)))
	return as(c.user, func() error {
		for _, rel := range rels {
			err := c.fs.Remove(rel)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
				return fmt.Errorf("cannot delete %q: %w", c.path(rel), cause(err))
			}
		}
		if err := c.fs.RemoveAll(AdminDir); err != nil {
			return fmt.Errorf("cannot delete %q: %w", c.path(AdminDir), cause(err))
		}
		dir, err := w.tree.fs.OpenRoot(orDot(parentOf(c.Path)))
		if err != nil {
			return err
		}
		defer dir.Close()
		_, name := splitPath(c.Path)
		if err := dir.Remove(name); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("cannot delete %q: %w", c.Path, cause(err))
		}
		return nil
	})
}
