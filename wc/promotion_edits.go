package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"

	"rootwc/wc/metadata"
)

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

// promotionEdits is what has to be done in the private working copy.
type promotionEdits struct {
	gone   []string            // deleted, or replaced
	made   []string            // new directories of which not everything is carried
	copies map[string][]string // what is copied from this branch, by directory
	write  []string            // files and symlinks with another text
	set    propertyGroups
	remove map[string][]string // properties, by name
}

// edits compares the branches at what is carried; rec is of the private
// working copy.
func (pr *Promotion) edits(rec *record) (*promotionEdits, error) {
	e := &promotionEdits{copies: map[string][]string{}, set: propertyGroups{}, remove: map[string][]string{}}
	partial := pr.partial()
	whole := func(dir string) bool { d := pr.carry[dir]; return d != nil && d.added && !partial[dir] }
	for _, rel := range pr.sorted() {
		d, was, is := pr.carry[rel], stateOf(rec, rel), stateOf(pr.copy.record(), rel)
		replaced := d.added && d.deleted || is != nil && was != nil && is.kind != was.kind
		if d.deleted || replaced {
			e.gone = append(e.gone, rel)
		}
		switch fresh := d.added || replaced; {
		case is == nil, fresh && whole(parentOf(rel)): // it goes, or comes, with its directory
		case fresh && (is.kind != metadata.Dir || whole(rel)):
			e.copies[parentOf(rel)] = append(e.copies[parentOf(rel)], rel)
		case fresh:
			e.made = append(e.made, rel)
			e.properties(rel, nil, is.props)
		case was == nil:
			return nil, fmt.Errorf("%s/%s cannot be read", pr.To, EscapeURL(rel))
		default:
			if d.modified {
				e.write = append(e.write, rel)
			}
			e.properties(rel, was.props, is.props)
		}
	}
	return e, nil
}

// properties notes how the properties of a path have to change. Mergeinfo tells
// of a branch and stays there.
func (e *promotionEdits) properties(rel string, was, is map[string]string) {
	for _, name := range changedNames(was, is) {
		value, there := is[name]
		switch {
		case name == propMergeinfo:
		case there:
			e.set.set(rel, name, value)
		default:
			e.remove[name] = append(e.remove[name], rel)
		}
	}
}

// apply makes the private working copy what this branch is.
func (pr *Promotion) apply(ctx context.Context, s *stage) error {
	rec, err := s.record()
	if err != nil {
		return err
	}
	e, err := pr.edits(rec)
	if err != nil {
		return err
	}
	if err := pr.noteWhole(rec, e.set); err != nil {
		return err
	}
	if err := s.svnTargets(ctx, topmost(e.gone), "delete", "--quiet", "--force"); err != nil {
		return err
	}
	err = as(s.user, func() error {
		for _, rel := range e.made {
			if err := s.mkdirs(rel); err != nil {
				return err
			}
		}
		for _, rel := range e.write {
			if err := pr.write(s, rel); err != nil {
				return fmt.Errorf("%q: %w", pr.copy.path(rel), cause(err))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.svnTargets(ctx, e.made, "add", "--quiet", "--no-ignore", "--no-auto-props", noDepth); err != nil {
		return err
	}
	if err := pr.copyIn(ctx, s, e.copies); err != nil {
		return err
	}
	if err := e.set.apply(ctx, s); err != nil {
		return err
	}
	for name, rels := range e.remove {
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

// partial are the directories of which this branch has something that is not
// carried. A new one that is none of them can be copied as a whole.
func (pr *Promotion) partial() map[string]bool {
	dirs := map[string]bool{}
	rec := pr.copy.record()
	for rel := range rec.all() {
		if pr.carry[rel] != nil || stateOf(rec, rel) == nil {
			continue
		}
		for dir := parentOf(rel); dir != "" && !dirs[dir]; dir = parentOf(dir) {
			dirs[dir] = true
		}
	}
	return dirs
}

// write puts this branch's text of a file or symlink into the private working
// copy, as the repository has it: svn takes that for the working form too.
func (pr *Promotion) write(s *stage, rel string) error {
	is := stateOf(pr.copy.record(), rel)
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
