package wc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rootwc/wc/metadata"
)

// A promotion makes paths on a common branch what they are on this one. It is
// allowed when this branch has all that the common one has at these paths, so
// that nothing there is taken back and nothing has to be merged where nobody
// looks: what both sides have changed was merged here before, by
// [Work.MergeBranch].
//
// What is merged is recorded on this branch (svn:mergeinfo gets the promotion's
// revision), and on the common one only where that is safe: at its root, for
// revisions that have been carried whole, up to the first that has not, and
// when this branch has everything from there. Mergeinfo of single paths, as
// "svn merge" into them leaves it, makes a later plain "svn merge" of the
// common branch fail (E195016: it takes the merge for a reintegration, and
// then finds revisions missing; svn 1.14.2).

// PromoteOptions says what [Work.PlanPromotion] carries where.
type PromoteOptions struct {
	Paths []string // in one working copy; its own path is all of it
	To    string   // see [Copy.Branch]
}

// Promotion is what goes to another branch.
type Promotion struct {
	Changes   []Change   // sorted by path
	LeftOut   []Refused  // what stays on this branch unless it is named
	Revisions []LogEntry // of this branch, that are carried; oldest first
	From, To  string     // URLs of the branches

	work   *Work
	copy   *Copy
	opt    PromoteOptions
	paths  []string // relative to the working copy
	peg    int64    // revision that both branches were looked at
	carry  map[string]*difference
	whole  []int64        // revisions that the other branch has whole afterwards
	top    map[int64]bool // revisions that touch the branch's own directory
	unsure []int64        // promotions from here that this branch does not record yet
}

// Empty says that there is nothing to send and nothing to record.
func (pr *Promotion) Empty() bool { return len(pr.carry) == 0 && len(pr.unsure) == 0 }

// PlanPromotion works out what a promotion sends. Only what is committed and
// up to date is promoted; else it is refused.
func (w *Work) PlanPromotion(ctx context.Context, opt PromoteOptions) (*Promotion, error) {
	pr := &Promotion{work: w, opt: opt}
	if err := pr.locate(); err != nil {
		return nil, err
	}
	if err := pr.committed(ctx); err != nil {
		return nil, err
	}
	return pr, pr.compare(ctx)
}

// locate finds the one working copy of the paths, and the other branch.
func (pr *Promotion) locate() (err error) {
	for _, p := range pr.opt.Paths {
		c, rel := pr.work.tree.CopyOf(p)
		if c == nil {
			return ErrNotWorkingCopy
		}
		if pr.copy != nil && pr.copy != c {
			return Refuse("cannot promote %q together with %q: they are in different working copies", p, pr.opt.Paths[0])
		}
		pr.copy = c
		pr.paths = append(pr.paths, rel)
	}
	pr.From = pr.copy.URL()
	pr.To, err = pr.copy.Branch(pr.opt.To)
	return err
}

// committed makes sure that nothing at the paths waits for a commit, nor a
// merge that has not been committed.
func (pr *Promotion) committed(ctx context.Context) error {
	w, c := pr.work, pr.copy
	if c.asked != nil {
		return Refuse("working copy %q: %w", c.dir, c.asked.why)
	}
	root := c.record().root
	switch changed := changedNames(root.baseProps(), root.props()); {
	case slices.Contains(changed, propMergeinfo):
		return Hint(Refuse("cannot promote: a merge into %q is not committed", c.dir), "rootwc commit, then promote")
	case len(changed) > 0: // they would go with the record of the promotion
		return Hint(Refuse("cannot promote: property %s of %q is not committed", strings.Join(changed, ", "), c.dir), "rootwc commit, then promote")
	}
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: pr.opt.Paths})
	if err != nil {
		return err
	}
	var waiting []string
	for _, e := range entries {
		if e.copy == c && e.node != nil && e.Status != Unversioned {
			waiting = append(waiting, e.Path)
		}
	}
	if len(waiting) > 0 {
		return Hint(Refuse("cannot promote what is not committed: %s", list(waiting)), "rootwc commit first, or promote --commit")
	}
	for i, rel := range pr.paths {
		if c.record().node(rel) != nil || rel == "" {
			continue
		}
		if _, err := c.fs.Lstat(rel); err == nil {
			return Hint(fmt.Errorf("cannot promote %q: it is not under version control", pr.opt.Paths[i]), "rootwc add and commit it first")
		}
	}
	return nil
}

// compare asks the server what the branches have that the other has not.
func (pr *Promotion) compare(ctx context.Context) error {
	c, client := pr.copy, pr.work.tree.Client
	info, err := client.Info(ctx, c.user, pr.To, "")
	var gone *notThereError
	switch {
	case errors.As(err, &gone):
		return Hint(Refuse("cannot promote to %s: there is nothing", pr.To), "name the common branch with --to ^/PATH, from the repository's root")
	case err != nil:
		return fmt.Errorf("cannot promote: %w", err)
	}
	pr.peg = info.Revision
	theirs, err := client.Eligible(ctx, c.user, pr.To, pr.From, pr.peg)
	if err != nil {
		return fmt.Errorf("cannot promote: %w", err)
	}
	ours, err := client.Eligible(ctx, c.user, pr.From, pr.To, pr.peg)
	if err != nil {
		return fmt.Errorf("cannot promote: %w", err)
	}
	their, err := pr.log(ctx, pr.To, slices.Concat(theirs, ours))
	if err != nil {
		return err
	}
	missing, err := pr.lacks(their, theirs)
	if err != nil {
		return err
	}
	found, err := client.differences(ctx, c.user, pr.To, pr.From, pr.peg)
	if err != nil {
		return fmt.Errorf("cannot promote: %w", err)
	}
	pr.choose(found)
	if err := pr.found(); err != nil {
		return err
	}
	our, err := pr.log(ctx, pr.From, ours)
	if err != nil {
		return err
	}
	if err := pr.current(our); err != nil {
		return err
	}
	pr.Revisions = pr.carried(our, ours, their)
	if !missing {
		pr.whole = pr.wholly(our, ours, found)
	}
	return nil
}

// found refuses paths that are on neither branch.
func (pr *Promotion) found() error {
	for i, rel := range pr.paths {
		gone := func(other string) bool { return covers([]string{rel}, other) }
		if pr.copy.record().node(rel) == nil && !slices.ContainsFunc(pr.sorted(), gone) {
			return fmt.Errorf("cannot find %q: it is neither on this branch nor on the other", pr.opt.Paths[i])
		}
	}
	return nil
}

// log reads what the revisions from the lowest of some on have changed on a
// branch; nothing for none.
func (pr *Promotion) log(ctx context.Context, url string, from []int64) ([]LogEntry, error) {
	if len(from) == 0 {
		return nil, nil
	}
	entries, err := pr.work.tree.Client.Log(ctx, pr.copy.user, "--verbose", "--with-all-revprops", "--revision", fmt.Sprintf("%d:%d", slices.Min(from), pr.peg), "--", fmt.Sprintf("%s@%d", url, pr.peg))
	if err != nil {
		return nil, fmt.Errorf("cannot promote: %w", err)
	}
	return entries, nil
}

// lacks refuses when the other branch has changes at the paths that this one
// has not; missing says that it has any, wherever. Promotions from here that
// this branch does not record were cut off before they could be.
func (pr *Promotion) lacks(their []LogEntry, eligible []int64) (missing bool, err error) {
	for _, e := range their {
		if !slices.Contains(eligible, e.Revision) {
			continue
		}
		if _, own := e.promotedFrom(pr.copy.summary.Path); own {
			pr.unsure = append(pr.unsure, e.Revision)
			continue
		}
		missing = true
		for _, at := range pr.touched(e, pr.To) {
			if !pr.concerns(at) {
				continue
			}
			return true, Hint(Refuse("cannot promote: r%d of %s changes %q, and this branch does not have it", e.Revision, pr.To, orDot(pr.copy.path(at.Path))),
				"rootwc update --from %s %s, look at it, rootwc commit, and promote again", pr.opt.To, orDot(pr.copy.Path))
		}
	}
	return missing, nil
}

// concerns says whether a change is one of the paths to promote: at them, or
// to a directory above them if that came or went.
func (pr *Promotion) concerns(at LogPath) bool {
	return covers(pr.paths, at.Path) || at.Action != "M" && slices.ContainsFunc(pr.paths, func(p string) bool { return covers([]string{at.Path}, p) })
}

// current refuses when the working copy is behind its own branch at what is
// carried, since its texts are what is sent, and when a text is withheld.
func (pr *Promotion) current(our []LogEntry) error {
	rec := pr.copy.record()
	behind := func(rel string) error {
		return Hint(Refuse("cannot promote %q: the working copy is not up to date there", pr.copy.path(rel)), "rootwc update, then promote")
	}
	for rel, d := range pr.carry {
		s := stateOf(rec, rel)
		if (s == nil) != (d.deleted && !d.added) {
			return behind(rel)
		}
		if s == nil || s.kind != metadata.File {
			continue
		}
		l, err := pr.work.tree.look(pr.copy, rel)
		if err != nil {
			return fmt.Errorf("cannot promote %q: %w", pr.copy.path(rel), cause(err))
		}
		if l.exists && pr.work.tree.withholds(&l.values) {
			return Refuse("cannot promote %q: its content is withheld here, the branch may have an older one", pr.copy.path(rel))
		}
	}
	for _, e := range our {
		for _, at := range pr.touched(e, pr.From) {
			if s := stateOf(rec, at.Path); pr.carry[at.Path] != nil && s != nil && s.row.revision < e.Revision {
				return behind(at.Path)
			}
		}
	}
	return nil
}
