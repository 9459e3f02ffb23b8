package wc

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"
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

// promotedFrom is the revision property of a promotion: the path of the branch
// that it came from, "@", and the revision up to which it did.
const promotedFrom = "rootwc:promoted"

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

// touched is what a revision has changed on the branch at url.
func (pr *Promotion) touched(e LogEntry, url string) []LogPath { return e.below(pr.copy.pathOf(url)) }

// below is what a revision has changed on a branch, with paths relative to it.
// What was done to a directory above the branch was done to the branch, "".
func (e *LogEntry) below(branch string) (found []LogPath) {
	for _, p := range e.Paths {
		at := strings.TrimPrefix(p.Path, "/")
		switch {
		case at == branch, strings.HasPrefix(branch, at+"/") && p.Action != "M":
			p.Path = ""
		case branch == "":
			p.Path = at
		case strings.HasPrefix(at, branch+"/"):
			p.Path = at[len(branch)+1:]
		default:
			continue
		}
		found = append(found, p)
	}
	return found
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

// promotedFrom tells a promotion from the branch at a path, and up to which
// revision of it.
func (e *LogEntry) promotedFrom(branch string) (upTo int64, own bool) {
	i := strings.LastIndexByte(e.Properties[promotedFrom], '@')
	if i < 0 || e.Properties[promotedFrom][:i] != branch {
		return 0, false
	}
	upTo, err := strconv.ParseInt(e.Properties[promotedFrom][i+1:], 10, 64)
	return upTo, err == nil
}

// choose takes the differences at the paths, but for what belongs to this host.
func (pr *Promotion) choose(found map[string]*difference) {
	pr.carry = map[string]*difference{}
	var out []string
	for rel, d := range found {
		if rel == "" || !covers(pr.paths, rel) {
			continue
		}
		if why := pr.stays(rel, d); why != "" && !slices.Contains(pr.paths, rel) {
			out = append(out, rel)
			pr.LeftOut = append(pr.LeftOut, Refused{pr.copy.path(rel), why})
			continue
		}
		pr.carry[rel] = d
	}
	for _, rel := range out { // the directory that it is in does not go, either
		for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
			if d := pr.carry[dir]; d != nil && d.deleted {
				delete(pr.carry, dir)
			}
		}
	}
	for rel := range pr.carry { // a new file needs the directories above it
		for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
			if d := found[dir]; d != nil && d.added {
				pr.carry[dir] = d
			}
		}
	}
	for rel, d := range pr.carry {
		pr.Changes = append(pr.Changes, Change{Letter: d.letter(), Path: pr.copy.path(rel)})
	}
	sort.Slice(pr.Changes, func(i, j int) bool { return pr.Changes[i].Path < pr.Changes[j].Path })
	sort.Slice(pr.LeftOut, func(i, j int) bool { return pr.LeftOut[i].Path < pr.LeftOut[j].Path })
}

func (d *difference) letter() byte {
	switch {
	case d.added && d.deleted:
		return 'R'
	case d.added:
		return 'A'
	case d.deleted:
		return 'D'
	}
	return 'M'
}

// stays says why a path is not promoted with a directory above it: it tells
// about this host, or others may not read it.
func (pr *Promotion) stays(rel string, d *difference) string {
	if pr.copy.Path == "" && ofThisHost(rel) {
		return "it belongs to this host; name it to promote it"
	}
	s := stateOf(pr.copy.record(), rel)
	if d.deleted && !d.added || s == nil || s.kind != metadata.File {
		return ""
	}
	t := pr.work.tree
	v, _, _ := metadata.Wanted(propLookup(s.props), svnKind(s.kind), pr.copy.defaultsAt(rel), t.Names)
	if v.Mode&0o004 == 0 {
		return "others may not read it; name it to promote it"
	}
	return ""
}

// hostFiles are what is another on every machine: rootwc's own pages, names,
// keys, disks. hostname(5), machine-id(5), fstab(5), crypttab(5), mdadm.conf(5),
// interfaces(5), hwclock(8), sshd(8).
var hostFiles = []string{
	".rootwc", "etc/hostname", "etc/mailname", "etc/machine-id", "etc/machine-info", "etc/hosts", "etc/fstab", "etc/crypttab", "etc/adjtime",
	"etc/mdadm.conf", "etc/mdadm/mdadm.conf", "etc/network/interfaces", "etc/ssh/ssh_host_*", "etc/udev/rules.d/70-persistent-*",
}

func ofThisHost(rel string) bool {
	return slices.ContainsFunc(hostFiles, func(pattern string) bool {
		for at := rel; at != ""; at = parentOf(at) {
			if ok, _ := path.Match(pattern, at); ok {
				return true
			}
		}
		return false
	})
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

// carried are the revisions of this branch that are on the way: those that
// have changed what is carried since it was promoted the last time.
func (pr *Promotion) carried(our []LogEntry, eligible []int64, their []LogEntry) (found []LogEntry) {
	last := map[string]int64{} // up to which revision each path was promoted
	for _, e := range their {
		if upTo, own := e.promotedFrom(pr.copy.summary.Path); own {
			for _, at := range pr.touched(e, pr.To) {
				last[at.Path] = max(last[at.Path], upTo)
			}
		}
	}
	for _, e := range our {
		news := func(at LogPath) bool { return pr.carry[at.Path] != nil && e.Revision > last[at.Path] }
		if slices.Contains(eligible, e.Revision) && slices.ContainsFunc(pr.touched(e, pr.From), news) {
			found = append(found, e)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Revision < found[j].Revision })
	return found
}

// wholly are the eligible revisions, from the oldest on, of which the other
// branch has everything after the promotion. Those that touch the branch's own
// directory are noted: its properties are not carried.
func (pr *Promotion) wholly(our []LogEntry, eligible []int64, found map[string]*difference) []int64 {
	var remains []string
	for rel := range found {
		if rel != "" && pr.carry[rel] == nil {
			remains = append(remains, rel)
		}
	}
	open := map[int64]bool{}
	pr.top = map[int64]bool{}
	for _, e := range our {
		for _, at := range pr.touched(e, pr.From) {
			if at.Path == "" {
				pr.top[e.Revision] = true
				continue
			}
			touches := func(r string) bool { return covers([]string{at.Path}, r) || covers([]string{r}, at.Path) }
			open[e.Revision] = open[e.Revision] || slices.ContainsFunc(remains, touches)
		}
	}
	return before(eligible, open)
}

// before are the revisions up to the first of those that stop them.
func before(revisions []int64, stop map[int64]bool) []int64 {
	for i, r := range revisions {
		if stop[r] {
			return revisions[:i]
		}
	}
	return revisions
}
