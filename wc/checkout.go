package wc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// CheckoutOptions says what [Work.Checkout] puts where.
type CheckoutOptions struct {
	Path     string // of the working copy, relative to the machine's root
	URL      string
	Revision string // "" is HEAD
	Peg      string // "" is HEAD
	DryRun   bool
	Decide   Decider // about what the installation may know better; nil: the repository's takes its place
	// Accounts decides about etc/passwd and etc/group before the rest is planned,
	// as that has the owners that they name; nil for no decision.
	Accounts func(*Rivals) (map[string]*Decision, error)
	// Arrived hears of what was fetched before any of it is placed, and may stop
	// that; not in a dry run. nil for nobody.
	Arrived func(*Rivals) error
}

// Checkout is a first checkout under way. Its three steps are [Work.Prepare],
// [Checkout.Fetch], of which several may run at a time, and [Checkout.Place].
type Checkout struct {
	work  *Work
	opt   CheckoutOptions
	stage *stage
	part  *part
}

// Checkout makes a working copy at a directory that may hold files already:
// it is staged, the repository's version of each versioned path takes its
// place, everything else stays, and last the .svn is grafted. Files that other
// content replaces are kept under the state directory. An interrupted checkout
// is taken up again.
func (w *Work) Checkout(ctx context.Context, opt CheckoutOptions) (*Result, error) {
	c, err := w.Prepare(opt)
	if err != nil {
		return nil, err
	}
	return c.Place(ctx, c.Fetch(ctx, nil))
}

// Prepare makes the stage of a first checkout, or finds that of an interrupted
// one. [Checkout.Place] has to follow, whatever becomes of the fetching.
func (w *Work) Prepare(opt CheckoutOptions) (*Checkout, error) {
	s, p, err := w.checkoutStage(opt)
	if err != nil {
		return nil, fmt.Errorf("cannot materialize %q: %w", w.tree.abs(opt.Path), err)
	}
	return &Checkout{w, opt, s, p}, nil
}

// Fetch fills the stage; nothing live is touched. It is safe to call while
// other checkouts of the same work fetch, or one of them is placed. fetched
// hears of each path that comes; nil for nobody.
func (c *Checkout) Fetch(ctx context.Context, fetched func()) error {
	s := c.stage
	if fetched == nil {
		count := 0
		fetched = func() { count++; s.tree.Progress("fetching", count, 0) }
	}
	s.fetched = fetched
	return s.tree.Servers.Persist(ctx, c.opt.URL, s.user, func() (came bool, err error) {
		s.came = 0
		err = c.fill(ctx)
		return s.came > 0, err
	})
}

// fill tries once to bring everything into the stage, and proves it.
func (c *Checkout) fill(ctx context.Context) error {
	w, s := c.work, c.stage
	if err := w.checkout(ctx, s, c.opt); err != nil {
		return err
	}
	rec, err := s.record()
	if err != nil {
		return err
	}
	if err := w.fileExternals(ctx, s, rec.root.base().revision); err != nil {
		return err
	}
	s.rec.close() // those that wait to be placed need no open files
	return checkDB(filepath.Join(s.wc(), AdminDir, "wc.db"))
}

// Place puts what was fetched in place; with the error of the fetching it
// gives the checkout up, but for what a later run can take up again.
func (c *Checkout) Place(ctx context.Context, fetching error) (*Result, error) {
	r, err := c.place(ctx, fetching)
	if err != nil {
		return nil, fmt.Errorf("cannot materialize %q: %w", c.work.tree.abs(c.opt.Path), err)
	}
	return r, nil
}

func (c *Checkout) place(ctx context.Context, fetching error) (*Result, error) {
	w, s, p, opt := c.work, c.stage, c.part, c.opt
	defer s.live.Close()
	if fetching != nil {
		_, nothing := s.root.Lstat(AdminDir)
		if nothing != nil || !errors.Is(fetching, context.Canceled) && !Unreachable(fetching) { // nothing that a later run could take up
			fetching = errors.Join(fetching, w.drop(p), s.unmake())
		}
		return nil, fetching
	}
	t := w.tree
	r := &Result{WorkingCopy: opt.Path}
	plan := &planner{tree: t, stage: s, live: s.live, path: opt.Path, takeAll: true}
	var err error
	if plan.new, err = s.record(); err != nil {
		return nil, err
	}
	r.Revision = plan.new.root.base().revision
	rivals := &Rivals{tree: t, plan: plan, url: opt.URL, peg: fmt.Sprint(r.Revision)}
	var accounts map[string]*Decision
	if opt.Accounts != nil {
		if accounts, err = opt.Accounts(rivals); err != nil {
			return nil, err
		}
	}
	plan.names = t.namesAfter(plan.new, s, accounts)
	if err := as(s.user, plan.plan); err != nil {
		return nil, err
	}
	for _, c := range plan.clashes {
		r.Refused = append(r.Refused, Refused{joinPath(opt.Path, c.rel), c.why})
	}
	if err := w.decide(ctx, plan, opt, rivals, accounts, r); err != nil {
		return nil, err
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
		return nil, fmt.Errorf("the files that are replaced cannot be kept: %w", err)
	}
	if opt.Arrived != nil {
		if err := opt.Arrived(rivals); err != nil {
			return nil, err
		}
	}
	return r, w.placeAndReport(p, r)
}

// checkoutStage finds the stage of an interrupted checkout or makes a new one.
func (w *Work) checkoutStage(opt CheckoutOptions) (*stage, *part, error) {
	t := w.tree
	if t.State.holds(opt.Path) {
		return nil, nil, Refuse("rootwc's own state is there")
	}
	target, made, err := t.makeTarget(opt.Path)
	if err != nil {
		return nil, nil, err
	}
	live, user := target.dir, target.user
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
			p.URL, p.Boot = opt.URL, bootID()
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
// interrupted verb has left, nil for none. One of another URL is given up; so is
// one that a power cut may have torn: svn writes neither files nor its database
// with fsync(2), and believes what the database says of them.
func (w *Work) interruptedCheckout(opt CheckoutOptions) (*part, error) {
	if err := w.openJournal(); err != nil {
		return nil, err
	}
	for i, p := range w.journal.Parts {
		switch {
		case p.Path != opt.Path || p.Place || w.stages[p] != nil:
		case p.URL == opt.URL && p.Boot != "" && p.Boot == bootID():
			return p, nil
		default:
			w.journal.Parts = slices.Delete(w.journal.Parts, i, i+1)
			return nil, errors.Join(w.tree.removeStage(p), w.journal.write())
		}
	}
	return nil, nil
}

// bootID names the time since the machine was started: random(4). It is "" where
// that cannot be told.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
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
			// what was merged into the stage before is to be merged again
			if _, err := s.svn(ctx, nil, "revert", "--quiet", "--recursive", "."); err != nil {
				return err
			}
			return s.fetch(ctx, opt.URL, fill...)
		} else if ctx.Err() != nil {
			return err
		}
		if err := as(s.user, s.empty); err != nil { // cut off while svn made its database
			return err
		}
	}
	if err := w.seed(ctx, s, opt); err != nil {
		return err
	}
	how := fill
	if s.user == nil {
		how = []string{"checkout", "--ignore-externals", "--force", "--revision", revision, "--", opt.URL + "@" + opt.Peg, "."}
	}
	if !w.tree.Unwatched {
		return s.fetch(ctx, opt.URL, how...)
	}
	err := s.fetchQuietly(ctx, opt.URL, how)
	if !HasCode(err, tooLong) {
		return err
	}
	// Once more, with names: svn does not say over which path it failed.
	if err := errors.Join(as(s.user, s.empty), w.seed(ctx, s, opt)); err != nil {
		return err
	}
	return s.fetch(ctx, opt.URL, how...)
}

// fetchQuietly is [stage.fetch] into an empty stage with nobody watching: svn
// names no path, which is a tenth of its time.
func (s *stage) fetchQuietly(ctx context.Context, url string, args []string) error {
	_, err := s.svn(ctx, nil, slices.Insert(slices.Clone(args), 1, "--quiet")...)
	if err != nil {
		found, _ := os.ReadDir(s.wc())
		s.came = len(found)
	}
	return s.named(err, url, "")
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
	if s.user == nil {
		return nil
	}
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

// checkDB proves a fresh wc.db: svn writes it without fsync.
func checkDB(path string) error {
	conn, err := openDB(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	return quickCheck(conn)
}

// PlanCheckout says what [Work.Checkout] would do. The directory need not be
// there; it is not made.
func (w *Work) PlanCheckout(ctx context.Context, opt CheckoutOptions) (*Result, error) {
	if _, err := w.tree.fs.Stat(orDot(opt.Path)); err == nil {
		opt.DryRun = true
		return w.Checkout(ctx, opt)
	}
	s, err := w.tree.Survey(ctx, opt.Path, opt.URL, opt.Revision, opt.Peg)
	if err != nil {
		return nil, fmt.Errorf("cannot plan %q: %w", w.tree.abs(opt.Path), err)
	}
	r := &Result{WorkingCopy: opt.Path, Revision: s.Revision}
	for _, n := range s.Nodes {
		r.Changes = append(r.Changes, Change{Letter: 'A', Path: joinPath(opt.Path, n.Path)})
	}
	return r, nil
}
