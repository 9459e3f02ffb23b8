package wc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Run sends a planned commit: one revision for each repository, and each
// owner of working copies in it. What is for a server that is out of reach is
// queued, see [Work.Deliver]; so is what comes after it.
func (cm *Commit) Run(ctx context.Context, message string) ([]Committed, error) {
	w := cm.work
	if err := cm.acknowledgeOnly(); err != nil {
		return nil, err
	}
	groups := map[string][]*commitPart{}
	var order []string
	for _, cp := range cm.parts {
		if len(cp.targets) == 0 {
			continue
		}
		key := cp.copy.UUID()
		if cp.copy.user != nil {
			key += " " + strconv.FormatUint(uint64(cp.copy.user.UID), 10)
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], cp)
	}
	var done []Committed
	for _, key := range order {
		one, err := w.commitGroup(ctx, cm, groups[key], message)
		if err != nil {
			if len(done) > 0 {
				err = Partial("%d of %d %s committed: %w", len(done), len(order), whose(groups), err)
			}
			return done, err
		}
		if one.Revision > 0 || one.Queued != nil {
			done = append(done, one)
		}
	}
	return done, nil
}

// whose is the word for what a commit is split by.
func whose(groups map[string][]*commitPart) string {
	repositories := map[string]bool{}
	for _, g := range groups {
		repositories[g[0].copy.UUID()] = true
	}
	if len(repositories) < len(groups) {
		return "owners' working copies"
	}
	return "repositories"
}

// acknowledgeOnly records parts that send nothing: only withheld content
// changed.
func (cm *Commit) acknowledgeOnly() error {
	for _, cp := range cm.parts {
		if len(cp.targets) == 0 && len(cp.acks) > 0 {
			if err := cm.work.tree.acknowledge(cp.acks); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Work) commitGroup(ctx context.Context, cm *Commit, group []*commitPart, message string) (Committed, error) {
	first := group[0].copy
	done := Committed{Repository: first.RepositoryRoot()}
	mayWait := cm.queued != nil
	if mayWait && cm.queued.uuids[first.UUID()] {
		done.Why = errBehind
	} else if mayWait && cm.Away != nil {
		done.Why = cm.Away
	} else if mayWait && cm.Hasty {
		if err := w.reach(ctx, first); offline(err) {
			done.Why = err
		}
	}
	for _, cp := range group {
		var err error
		if cp.stage, cp.part, err = w.stage(cp.copy); err != nil {
			return done, err
		}
		if cp.from != nil {
			cp.stage.live = cp.from
		}
		if done.Why == nil {
			if err = cp.bumpDirs(ctx); mayWait && offline(err) {
				done.Why, err = err, nil
			}
		}
		if err == nil {
			err = w.prepareCommit(ctx, cm, cp)
		}
		if err != nil {
			return done, fmt.Errorf("cannot commit %q: %w", w.tree.abs(cp.copy.Path), err)
		}
		cp.part.Acks = cp.acks
		done.WorkingCopies = append(done.WorkingCopies, cp.copy.Path)
	}
	if done.Why == nil {
		err := w.sendGroup(ctx, cm, group, message, &done)
		if !mayWait || !offline(err) || !notSent(err) {
			return done, err
		}
		done.Why = err
	}
	var err error
	if done.Queued, err = w.queue(cm, group, message); err != nil {
		return done, errors.Join(err, done.Why)
	}
	return done, w.dropAll(group)
}

// dropAll gives the parts of a group up.
func (w *Work) dropAll(group []*commitPart) error {
	for _, cp := range group {
		if err := w.drop(cp.part); err != nil {
			return err
		}
	}
	return nil
}

// sendGroup makes the revision of a group whose stages are prepared. When the
// server was out of reach they still are.
func (w *Work) sendGroup(ctx context.Context, cm *Commit, group []*commitPart, message string, done *Committed) error {
	mark, err := w.markCommit(cm, group)
	if err != nil {
		return err
	}
	revision, err := w.send(ctx, group, message, mark)
	if err != nil {
		if notSent(err) {
			err = errors.Join(err, w.unmarkCommit(cm))
		}
		if cm.queued != nil && offline(err) && notSent(err) {
			return err
		}
		return errors.Join(err, w.dropAll(group))
	}
	fault.At("committed")
	done.Revision = revision
	for _, cp := range group {
		if err := cp.stage.edit(ctx, cp.later); err != nil {
			return err
		}
		if err := w.settle(ctx, cp); err != nil {
			return err
		}
	}
	return w.tree.State.sure()
}

// prepareCommit brings the stage into the state that is to be sent.
func (w *Work) prepareCommit(ctx context.Context, cm *Commit, cp *commitPart) error {
	s := cp.stage
	if err := s.svnTargets(ctx, cp.unadd, "revert", "--quiet"); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, cp.keep, "revert", "--quiet"); err != nil {
		return err
	}
	for _, rel := range cp.keep { // a revert takes properties back as well
		if err := s.editProperties(ctx, rel, cp.copy.record().node(rel)); err != nil {
			return err
		}
	}
	if err := s.svnTargets(ctx, cp.delete, "delete", "--quiet", "--force", "--keep-local"); err != nil {
		return err
	}
	err := as(s.user, func() error {
		for _, rel := range cp.delete { // a directory may have been put up for the paths below it
			if err := s.root.RemoveAll(rel); err != nil {
				return err
			}
		}
		for _, a := range cp.content {
			if err := s.take(a.rel, a.kind); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%q: %w", cp.copy.path(a.rel), cause(err))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.schedule(ctx, s, cp.add); err != nil {
		return err
	}
	if err := cm.sealAll(ctx, cp); err != nil {
		return err
	}
	if err := cm.writeList(ctx, cp); err != nil {
		return err
	}
	return s.edit(ctx, cp.edits)
}

// edit changes the properties of paths.
func (s *stage) edit(ctx context.Context, edits map[string]edit) error {
	groups, removals := propertyGroups{}, map[string][]string{}
	for rel, e := range edits {
		for name, value := range e.set {
			groups.set(rel, name, value)
		}
		for _, name := range e.remove {
			removals[name] = append(removals[name], rel)
		}
	}
	for _, rels := range groups {
		sort.Strings(rels)
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

// bumpDirs brings directories up to date whose properties or entries change:
// the repository counts a directory as changed with everything in it, and
// refuses an older one (E160028). What really changed there stops the commit.
func (cp *commitPart) bumpDirs(ctx context.Context) error {
	var flat, deep []string
	for rel, below := range cp.bump {
		if n := cp.copy.record().node(rel); n == nil || n.base() == nil {
			continue
		}
		if below {
			deep = append(deep, rel)
		} else {
			flat = append(flat, rel)
		}
	}
	update := func(rels []string, depth ...string) error {
		if len(rels) == 0 {
			return nil
		}
		sort.Strings(rels)
		args := append([]string{"update", "--quiet", "--ignore-externals", "--accept", "postpone"}, depth...)
		args = append(args, "--")
		for _, r := range rels {
			args = append(args, target(r))
			if err := as(cp.stage.user, func() error { return cp.stage.mkdirs(r) }); err != nil {
				return err
			}
		}
		_, err := cp.stage.svn(ctx, nil, args...)
		return err
	}
	if err := update(flat, noDepth); err != nil {
		return err
	}
	if err := update(deep); err != nil {
		return err
	}
	if len(flat)+len(deep) == 0 {
		return nil
	}
	now, err := cp.stage.record()
	if err != nil {
		return err
	}
	before := cp.copy.record()
	changed := func(rel string) error {
		if stateOf(before, rel).same(stateOf(now, rel)) {
			return nil
		}
		return outOfDate(fmt.Errorf("%q has changed in the repository", cp.copy.path(rel)))
	}
	for _, rel := range flat {
		if err := changed(rel); err != nil {
			return err
		}
	}
	if len(deep) == 0 {
		return nil
	}
	for rel := range before.all() {
		if covers(deep, rel) {
			if err := changed(rel); err != nil {
				return err
			}
		}
	}
	for rel := range now.all() {
		if covers(deep, rel) && before.node(rel) == nil {
			return outOfDate(fmt.Errorf("%q is new in the repository", cp.copy.path(rel)))
		}
	}
	return nil
}

func outOfDate(err error) error {
	return Hint(fmt.Errorf("out of date: %w", err), "rootwc update, then commit again")
}

// writeList puts the list of withheld files into the stage and notes that it
// has to be placed.
func (cm *Commit) writeList(ctx context.Context, cp *commitPart) error {
	if !cp.targets[WithheldPath] || !cm.list {
		return nil
	}
	text, err := formatWithheld(cm.files)
	if err != nil {
		return err
	}
	s := cp.stage
	versioned := cp.copy.Versioned(WithheldPath)
	if text == nil {
		text = []byte(withheldHeader + "format = \"1.0.0\"\n")
	}
	err = as(s.user, func() error {
		if err := s.mkdirs(".rootwc"); err != nil {
			return err
		}
		return s.root.WriteFile(WithheldPath, text, 0o600)
	})
	if err != nil || versioned {
		return err
	}
	return s.svnTargets(ctx, []string{WithheldPath}, "add", "--quiet", "--force", "--parents", "--no-ignore", "--no-auto-props")
}

var committedRevision = regexp.MustCompile(`(?m)^Committed revision (\d+)\.`)

// send runs the one svn commit.
func (w *Work) send(ctx context.Context, group []*commitPart, message, mark string) (int64, error) {
	if w.tree.broken != nil {
		return 0, w.tree.broken
	}
	s := group[0].stage
	var targets strings.Builder
	total := 0
	for _, cp := range group {
		rels := keys(cp.targets)
		total += len(rels)
		for _, rel := range rels {
			fmt.Fprintf(&targets, "%s@\n", filepath.Join(cp.stage.wc(), rel))
		}
	}
	list, text := filepath.Join(s.dir, "commit-targets"), filepath.Join(s.dir, "message")
	err := as(s.user, func() error {
		if err := os.WriteFile(list, []byte(targets.String()), 0o600); err != nil {
			return err
		}
		return os.WriteFile(text, []byte(message), 0o600)
	})
	if err != nil {
		return 0, err
	}
	sent := 0
	out, err := s.svn(ctx, func(string) { sent++; w.tree.Progress("sending", min(sent, total), total) },
		"commit", noDepth, "--targets", list, "--file", text, "--force-log", "--encoding", "UTF-8", "--with-revprop", commitMark+"="+mark)
	if err != nil {
		return 0, commitError(err, group[0].copy)
	}
	m := committedRevision.FindSubmatch(out)
	if m == nil {
		return 0, nil // svn found nothing to send
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

// notSent says whether a failed commit surely made no revision: the server
// could not be reached at all, or has refused it.
func notSent(err error) bool {
	return HasCode(err, "170013", "155011", "160020", "160024", "160028", "160042", "170001", "170004", "215004", "220004", "165001")
}

// commitError says what to do about the common failures.
func commitError(err error, c *Copy) error {
	switch {
	case HasCode(err, "155011", "160024", "160028", "170004", "160042"):
		return outOfDate(err)
	case Unreachable(err):
		return Hint(fmt.Errorf("cannot commit: %w", err), "the server of %s is not reachable; nothing was changed", c.RepositoryRoot())
	case HasCode(err, "170001", "175013", "220004", "215004"):
		return Hint(fmt.Errorf("cannot commit: %w", err), "the server wants to know who you are: --username NAME, and --password-from-stdin")
	}
	return fmt.Errorf("cannot commit: %w", err)
}

// settle takes over what the commit left in the stage: files that svn has
// written anew (keywords), the list of withheld files, and the record.
func (w *Work) settle(ctx context.Context, cp *commitPart) error {
	c, p := cp.copy, cp.part
	p.Commit = ""
	var rec *record // of the stage
	for rel := range cp.targets {
		if n := c.record().node(rel); isSealed(rel) || rel != WithheldPath && (n == nil || n.props()["svn:keywords"] == "") {
			continue
		}
		if rec == nil {
			var err error
			if rec, err = cp.stage.record(); err != nil {
				return err
			}
		}
		if st := stateOf(rec, rel); st == nil || st.kind != metadata.File {
			continue
		}
		l, err := w.tree.look(c, rel)
		if err != nil {
			return err
		}
		if later, err := cp.editedSince(rel, &l); err != nil || later {
			if err != nil {
				return err
			}
			continue
		}
		want := l.values
		if !l.exists {
			want = metadata.Values{Kind: metadata.File, Mode: 0o644}
			if info, err := c.fs.Stat("."); err == nil {
				own := info.Sys().(*unixStat)
				want.UID, want.GID = own.Uid, own.Gid
			}
		} else if same, err := w.sameAsStaged(cp, rel); err != nil || same {
			if err != nil {
				return err
			}
			continue
		}
		p.Steps = append(p.Steps, step{Act: actPut, Rel: rel, Expect: l.identity(), Want: &want})
	}
	if err := w.placeSealed(cp); err != nil {
		return err
	}
	doubted, externals := c.holds(c.lastIndex()), c.summary.Externals
	staged := cp.stage.stamp()
	if err := w.place(p); err != nil || cp.spreads {
		return err
	}
	if now := stampOf(c.db); staged != nil && now != nil && *staged == *now { // nobody has used svn since
		c.carryIndex(doubted, externals, keys(cp.targets))
	}
	return nil
}

func (w *Work) sameAsStaged(cp *commitPart, rel string) (bool, error) {
	p := planner{tree: w.tree, stage: cp.stage, live: cp.copy.fs, path: cp.copy.Path}
	return p.sameContent(rel, metadata.File)
}
