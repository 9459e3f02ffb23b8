package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Promoted is what a promotion has made.
type Promoted struct {
	Revision int64 // of the other branch; 0 when there was nothing to send
	Recorded int64 // of this branch, which now says that it has that; 0 for none
}

// Run sends the promotion and records it on this branch. A promotion that was
// overtaken by another commit is worked out anew; it goes, or is refused.
func (pr *Promotion) Run(ctx context.Context, message string) (done Promoted, err error) {
	const attempts = 3
	for i := 1; len(pr.carry) > 0; i++ {
		done.Revision, err = pr.send(ctx, message)
		if err == nil {
			break
		}
		switch overtaken := HasCode(err, "155011", "160024", "160028", "170004", "160042", "160013", "160020"); {
		case overtaken && i == attempts:
			return done, Hint(Refuse("cannot promote: %s has changed %d times meanwhile", pr.To, attempts), "promote again")
		case !overtaken:
			return done, commitError(err, pr.copy)
		}
		again, err := pr.work.PlanPromotion(ctx, pr.opt)
		if err != nil {
			return done, err
		}
		*pr = *again
	}
	fault.At("promoted")
	revisions := slices.Clone(pr.unsure)
	if done.Revision > 0 {
		revisions = append(revisions, done.Revision)
	}
	if len(revisions) == 0 {
		return done, nil
	}
	if done.Recorded, err = pr.record(ctx, revisions); err != nil {
		return done, Hint(Partial("cannot record the promotion on %s: %w", pr.From, err), "rootwc update, then the same again: it only records")
	}
	return done, nil
}

// send commits the changes on the other branch, from a private working copy
// that holds just what changes.
func (pr *Promotion) send(ctx context.Context, message string) (revision int64, err error) {
	w := pr.work
	s, p, err := w.scratch(pr.copy, "")
	if err != nil {
		return 0, err
	}
	defer func() {
		s.live.Close()
		err = errors.Join(err, w.drop(p))
	}()
	if err := pr.fetch(ctx, s); err != nil {
		return 0, err
	}
	if err := pr.apply(ctx, s); err != nil {
		return 0, err
	}
	fault.At("fetched")
	text := filepath.Join(s.dir, "message")
	if err := as(s.user, func() error { return os.WriteFile(text, []byte(pr.words(message)), 0o600) }); err != nil {
		return 0, err
	}
	from := pr.copy.pathOf(pr.From) + "@" + strconv.FormatInt(pr.peg, 10)
	out, err := s.svn(ctx, nil, "commit", "--file", text, "--force-log", "--encoding", "UTF-8", "--with-revprop", promotedFrom+"="+from)
	if err != nil {
		return 0, err
	}
	fault.At("committed")
	m := committedRevision.FindSubmatch(out)
	if m == nil { // they differed in mergeinfo alone, which is not carried
		return 0, nil
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

// words is the log message: a person's own, then the branch and the revisions
// that come from it.
func (pr *Promotion) words(message string) string {
	var b strings.Builder
	if message = strings.TrimRight(message, "\n"); message != "" {
		b.WriteString(message + "\n\n")
	}
	fmt.Fprintf(&b, "Promoted from /%s:\n", pr.copy.pathOf(pr.From))
	for _, e := range pr.Revisions {
		first, _, _ := strings.Cut(strings.ReplaceAll(e.Message, "\r", "\n"), "\n") // svn takes no CR in a message
		fmt.Fprintf(&b, "r%d (%s): %s\n", e.Revision, e.Author, first)
	}
	return b.String()
}

// fetch checks out what the promotion changes, and nothing else of the branch.
func (pr *Promotion) fetch(ctx context.Context, s *stage) error {
	at := strconv.FormatInt(pr.peg, 10)
	if _, err := s.svn(ctx, nil, "checkout", "--quiet", "--ignore-externals", noDepth, "--", pr.To+"@"+at, "."); err != nil {
		return err
	}
	var rels []string
	for rel, d := range pr.carry {
		switch parent := parentOf(rel); {
		case d.deleted && pr.carry[parent] != nil && pr.carry[parent].deleted: // goes with its directory
		case d.deleted || !d.added:
			rels = append(rels, rel)
		case parent != "" && (pr.carry[parent] == nil || !pr.carry[parent].added):
			rels = append(rels, parent)
		}
	}
	slices.Sort(rels)
	for batch := range slices.Chunk(slices.Compact(rels), 500) { // update knows no --targets; keep below ARG_MAX
		args := []string{"update", "--quiet", "--ignore-externals", "--parents", noDepth, "--revision", at, "--"}
		for _, rel := range batch {
			args = append(args, target(rel))
		}
		if _, err := s.svn(ctx, nil, args...); err != nil {
			return err
		}
	}
	return nil
}

// apply makes the private working copy what this branch is.
func (pr *Promotion) apply(ctx context.Context, s *stage) error {
	rec, err := s.record()
	if err != nil {
		return err
	}
	var gone, made []string
	groups, removals := propertyGroups{}, map[string][]string{}
	copies := map[string][]string{} // by directory
	for _, rel := range pr.sorted() {
		d, is := pr.carry[rel], stateOf(pr.copy.record(), rel)
		was := stateOf(rec, rel)
		replaced := d.added && d.deleted || is != nil && was != nil && is.kind != was.kind
		if d.deleted || replaced {
			gone = append(gone, rel)
		}
		switch {
		case is == nil:
		case d.added || replaced:
			switch {
			case pr.carry[parentOf(rel)] != nil && pr.wholeDir(parentOf(rel)): // it comes with its directory
			case is.kind != metadata.Dir || pr.wholeDir(rel):
				copies[parentOf(rel)] = append(copies[parentOf(rel)], rel)
			default:
				made = append(made, rel)
				editsOf(rel, nil, is.props, groups, removals)
			}
		default:
			if d.modified {
				if err := as(s.user, func() error { return pr.write(s, rel, is) }); err != nil {
					return fmt.Errorf("%q: %w", pr.copy.path(rel), cause(err))
				}
			}
			editsOf(rel, was.props, is.props, groups, removals)
		}
	}
	if err := s.svnTargets(ctx, topmost(gone), "delete", "--quiet", "--force"); err != nil {
		return err
	}
	if err := as(s.user, func() error { return s.mkdirsAll(made) }); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, made, "add", "--quiet", "--no-ignore", "--no-auto-props", noDepth); err != nil {
		return err
	}
	if err := pr.copyIn(ctx, s, copies); err != nil {
		return err
	}
	if err := pr.noteWhole(rec, groups); err != nil {
		return err
	}
	if err := groups.apply(ctx, s); err != nil {
		return err
	}
	for name, rels := range removals {
		if err := s.propdel(ctx, rels, name); err != nil {
			return err
		}
	}
	return nil
}

func (pr *Promotion) sorted() []string {
	rels := make([]string, 0, len(pr.carry))
	for rel := range pr.carry {
		rels = append(rels, rel)
	}
	sort.Strings(rels)
	return rels
}

// wholeDir says whether a new directory is carried with all that this branch
// has in it, so that it can be copied as one.
func (pr *Promotion) wholeDir(dir string) bool {
	d := pr.carry[dir]
	if d == nil || !d.added || !d.dir {
		return false
	}
	for rel := range pr.copy.record().all() {
		if strings.HasPrefix(rel, dir+"/") && stateOf(pr.copy.record(), rel) != nil && pr.carry[rel] == nil {
			return false
		}
	}
	return true
}

// editsOf notes how the properties of a path have to change. Mergeinfo tells of
// a branch and stays there.
func editsOf(rel string, was, is map[string]string, groups propertyGroups, removals map[string][]string) {
	for _, name := range changedNames(was, is) {
		value, there := is[name]
		switch {
		case name == propMergeinfo:
		case there:
			groups.set(rel, name, value)
		default:
			removals[name] = append(removals[name], rel)
		}
	}
}

// write puts this branch's text of a file or symlink into the private working
// copy, as the repository has it: svn takes that for the working form too.
func (pr *Promotion) write(s *stage, rel string, is *state) error {
	text, err := os.ReadFile(pristinePath(pr.copy.dir, is.row.checksum))
	if err != nil {
		return err
	}
	if is.kind == metadata.Symlink {
		link, ok := bytes.CutPrefix(text, []byte(linkText))
		if !ok {
			return errors.New("a device entry")
		}
		if err := s.root.Remove(rel); err != nil {
			return err
		}
		return s.root.Symlink(string(link), rel)
	}
	return s.root.WriteFile(rel, text, 0o600)
}

// mkdirsAll makes several directories.
func (s *stage) mkdirsAll(rels []string) error {
	for _, rel := range rels {
		if err := s.mkdirs(rel); err != nil {
			return err
		}
	}
	return nil
}

// copyIn copies what is new from this branch, with its history: one svn for
// each directory.
func (pr *Promotion) copyIn(ctx context.Context, s *stage, copies map[string][]string) error {
	dirs := make([]string, 0, len(copies))
	for dir := range copies {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		for batch := range slices.Chunk(copies[dir], 500) { // keep below ARG_MAX
			args := []string{"copy", "--quiet", "--ignore-externals", "--"}
			for _, rel := range batch {
				args = append(args, fmt.Sprintf("%s/%s@%d", pr.From, EscapeURL(rel), pr.peg))
			}
			if _, err := s.svn(ctx, nil, append(args, target(dir))...); err != nil {
				return err
			}
		}
	}
	return pr.clearCopies(ctx, s, copies)
}

// clearCopies takes away the mergeinfo that svn copy gives to what comes from
// another branch (repos_to_wc_copy, libsvn_client/copy.c): as mergeinfo of
// single paths it would make every later merge look at each of them.
func (pr *Promotion) clearCopies(ctx context.Context, s *stage, copies map[string][]string) error {
	rec, err := s.record()
	if err != nil {
		return err
	}
	var given []string
	for _, rels := range copies {
		for _, rel := range rels {
			if n := rec.node(rel); n != nil && hasKey(n.props(), propMergeinfo) {
				given = append(given, rel)
			}
		}
	}
	return s.propdel(ctx, given, propMergeinfo)
}

// noteWhole records at the root of the other branch which revisions of this
// one it has whole.
func (pr *Promotion) noteWhole(rec *record, groups propertyGroups) error {
	whole := pr.whole
	own := func(props map[string]string) map[string]string {
		props = maps.Clone(props)
		delete(props, propMergeinfo)
		return props
	}
	if !maps.Equal(own(rec.root.baseProps()), own(pr.copy.record().root.baseProps())) {
		whole = before(whole, pr.top)
	}
	if len(whole) == 0 {
		return nil
	}
	info, err := rec.mergeinfoOf()
	if err == nil {
		err = info.add("/"+pr.copy.pathOf(pr.From), whole...)
	}
	if err != nil {
		return err
	}
	groups.set("", propMergeinfo, info.String())
	return nil
}

// record commits on this branch that it has revisions of the other one.
func (pr *Promotion) record(ctx context.Context, revisions []int64) (int64, error) {
	c := pr.copy
	values, err := c.record().noteMerged(pr.copy.pathOf(pr.To), revisions)
	if err != nil {
		return 0, err
	}
	cp := &commitPart{copy: c, edits: map[string]edit{}, targets: map[string]bool{}, bump: map[string]bool{}, acks: acks{}}
	for rel, value := range values {
		cp.edits[rel] = edit{set: map[string]string{propMergeinfo: value}}
		cp.targets[rel] = true
		if c.record().node(rel).top().kind == kindDir {
			cp.bump[rel] = false
		} else {
			cp.keep = append(cp.keep, rel)
		}
	}
	words := make([]string, len(revisions))
	for i, r := range revisions {
		words[i] = fmt.Sprintf("r%d", r)
	}
	message := fmt.Sprintf("Record %s of /%s, which came from here, as merged.\n", strings.Join(words, ", "), pr.copy.pathOf(pr.To))
	done, err := pr.work.commitGroup(ctx, &Commit{work: pr.work, parts: []*commitPart{cp}}, []*commitPart{cp}, message)
	return done.Revision, err
}
