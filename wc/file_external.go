package wc

import (
	"context"
	"fmt"
	"sort"
	"strconv"

	"rootwc/internal/run"
)

// FileDefinitions picks the file externals from svn:externals values, by
// directory: the definitions whose URL is a file of the same repository. It is
// given where the definitions stand, and returns values with these alone. A
// definition whose place is in no versioned directory is left out: svn would
// follow a symlink there.
type FileDefinitions func(ctx context.Context, user *run.User, at DefiningCopy, values map[string]string) (map[string]string, error)

// DefiningCopy is what is to be known of the working copy around definitions.
type DefiningCopy struct {
	RepositoryRoot string
	DirURL         func(dir string) string
	Versioned      func(dir string) bool // a directory that is versioned
}

// fileExternals brings the file externals of a stage up. A file external is a
// node of the working copy around it, so only svn can make one: for the length
// of one update the stage's svn:externals name nothing but file externals.
// Everything else in the stage is at the revision already.
func (w *Work) fileExternals(ctx context.Context, s *stage, revision int64) error {
	if w.tree.FileDefinitions == nil {
		return nil
	}
	rec, err := s.record()
	if err != nil {
		return err
	}
	values, had := rec.definitions(), false
	for _, n := range rec.all() {
		had = had || n.base() != nil && n.base().fileExt
	}
	if len(values) == 0 && !had {
		return nil
	}
	copied := &Copy{tree: w.tree, rec: rec, summary: summary{Root: rec.reposRoot}}
	at := DefiningCopy{RepositoryRoot: rec.reposRoot, DirURL: copied.DirURL, Versioned: func(dir string) bool {
		n := rec.node(dir)
		return n != nil && n.visible() && n.top().kind == kindDir
	}}
	files, err := w.tree.FileDefinitions(ctx, s.user, at, values)
	if err != nil {
		return fmt.Errorf("cannot look up the file externals: %w", err)
	}
	if len(files) == 0 && !had {
		return nil
	}
	var dirs []string
	for dir := range values {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		if files[dir] == "" {
			err = s.propdel(ctx, []string{dir}, "svn:externals")
		} else {
			err = s.propset(ctx, []string{dir}, "svn:externals", files[dir])
		}
		if err != nil {
			return err
		}
	}
	_, failed := s.svn(ctx, nil, "update", "--quiet", "--force", "--accept", "postpone", "--revision", strconv.FormatInt(revision, 10), ".")
	if failed != nil && !HasCode(failed, "205011") { // some external could not be had: the rest is there
		return failed
	}
	for _, dir := range dirs {
		if err := s.propset(ctx, []string{dir}, "svn:externals", values[dir]); err != nil {
			return err
		}
	}
	return nil
}

// definitions are the svn:externals values of a record, by directory.
func (rec *record) definitions() map[string]string {
	found := map[string]string{}
	for rel, n := range rec.all() {
		if n.top().kind != kindDir || !n.visible() || n.scheduledDelete() || n.top().props == "" && n.actual == nil {
			continue
		}
		if v := n.props()["svn:externals"]; v != "" {
			found[rel] = v
		}
	}
	return found
}

// IsFile says whether a checkout failed because its URL names a file.
func IsFile(err error) bool { return HasCode(err, "200007") }
