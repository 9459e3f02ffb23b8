package wc

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// RestoreOptions says what [Work.Restore] brings back from where.
type RestoreOptions struct {
	Path     string
	Revision string // number, or {DATE}
	DryRun   bool
}

// Restore puts the content and metadata that a path had at a revision into
// the live tree. The working copy goes on recording its own revision, so the
// result shows as a local change, ready to be reviewed and committed. Local
// changes that are overwritten are kept under the state directory.
func (w *Work) Restore(ctx context.Context, opt RestoreOptions) (*Result, error) {
	t := w.tree
	c, rel := t.CopyOf(opt.Path)
	if c == nil {
		return nil, ErrNotWorkingCopy
	}
	r := &Result{WorkingCopy: c.Path, Revision: c.Revision()}
	local, err := t.localChanges(ctx, c)
	if err != nil {
		return nil, err
	}
	dir, name := splitPath(rel)
	if link := c.symlinkAbove(rel); link != "" {
		return nil, Refuse("cannot restore %q: %q is a symlink", opt.Path, c.path(link))
	}
	if info, err := c.fs.Lstat(orDot(dir)); err == nil && !info.IsDir() {
		return nil, Refuse("cannot restore %q: %q is no directory", opt.Path, c.path(dir))
	}
	s, p, err := w.scratch(c, dir)
	if err != nil {
		return nil, err
	}
	if err := w.fetchOld(ctx, s, c, dir, name, opt.Revision); err != nil {
		return nil, fmt.Errorf("cannot restore %q as of %s: %w", opt.Path, opt.Revision, err)
	}
	plan, err := w.planExact(s, nil, []string{name})
	if err != nil {
		return nil, fmt.Errorf("cannot restore %q: %w", opt.Path, err)
	}
	if n := plan.new.node(name); name != "" && (n == nil || stateOf(plan.new, name) == nil) {
		return nil, fmt.Errorf("cannot restore %q: it was not there at %s", opt.Path, opt.Revision)
	}
	r.changes(plan)
	for _, cl := range plan.clashes {
		r.Refused = append(r.Refused, Refused{joinPath(s.path, cl.rel), cl.why})
	}
	p.Steps = plan.steps
	if opt.DryRun {
		return r, w.drop(p)
	}
	var changed []string
	for _, rel := range plan.replaced {
		if e := local[joinPath(dir, rel)]; e != nil || !c.Versioned(joinPath(dir, rel)) {
			changed = append(changed, rel)
		}
	}
	if r.Saved, err = w.save(s, changed); err != nil {
		return nil, err
	}
	return r, w.placeAndReport(p, r)
}

// scratch makes a stage for the directory dir of a working copy whose record
// is never put in place.
func (w *Work) scratch(c *Copy, dir string) (*stage, *part, error) {
	if err := w.openJournal(); err != nil {
		return nil, nil, err
	}
	s := &stage{tree: w.tree, path: c.path(dir), user: c.user}
	var err error
	if s.dir, err = c.stageDir(); err != nil {
		return nil, nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	p := &part{Path: s.path, Stage: s.dir, User: s.user, Files: true}
	if err := w.note(p, s); err != nil {
		return nil, nil, err
	}
	err = as(c.user, func() error {
		var err error
		if s.live, err = c.fs.OpenRoot(orDot(dir)); err != nil {
			return err
		}
		if err := os.MkdirAll(s.wc(), 0o700); err != nil {
			return err
		}
		s.root, err = os.OpenRoot(s.wc())
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	return s, p, nil
}

// fetchOld checks a path out as it was at a revision. The path is looked for
// under the name it has now, then under the name it had then.
func (w *Work) fetchOld(ctx context.Context, s *stage, c *Copy, dir, name, revision string) error {
	url := c.DirURL(dir)
	pegs := []string{revision}
	if n := c.record().node(joinPath(dir, name)); n != nil && n.base() != nil && n.visible() {
		pegs = []string{fmt.Sprint(n.base().revision), revision}
	}
	var failed error
	for _, peg := range pegs {
		if name == "" {
			_, failed = s.svn(ctx, nil, "checkout", "--ignore-externals", "--force", "--quiet", "--revision", revision, "--", url+"@"+peg, ".")
			return failed
		}
		if _, failed = s.svn(ctx, nil, "checkout", "--ignore-externals", "--force", "--quiet", "--depth", "empty", "--revision", revision, "--", url+"@"+peg, "."); failed == nil {
			_, failed = s.svn(ctx, nil, "update", "--ignore-externals", "--quiet", "--set-depth", "infinity", "--revision", revision, "--", target(name))
			return failed
		}
	}
	return failed
}

// RevisionWord turns what a person types after --at into what svn takes:
// a number, HEAD, or a date in braces.
func RevisionWord(s string) string {
	trimmed := strings.TrimPrefix(s, "r")
	if trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
		return trimmed
	}
	if strings.EqualFold(s, "HEAD") {
		return "HEAD"
	}
	if strings.HasPrefix(s, "{") {
		return s
	}
	return "{" + s + "}"
}

// datePattern is the beginning of every date that svn reads: a year or a time.
var datePattern = regexp.MustCompile(`^\{?\d[\d:TZ .+-]*\}?$`)

// CheckRevisionWord says what is wrong with a word that [RevisionWord] gets.
func CheckRevisionWord(s string) error {
	if word := RevisionWord(s); word[0] == '{' && !datePattern.MatchString(s) {
		return Hint(fmt.Errorf("%q is neither a revision nor a date", s), "a number, HEAD, 2026-05-01 or 2026-05-01T12:00")
	}
	return nil
}
