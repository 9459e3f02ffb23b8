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
// given where the definitions stand, and returns values with these alone.
type FileDefinitions func(ctx context.Context, user *run.User, reposRoot string, urlOf func(dir string) string, values map[string]string) (map[string]string, error)

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
	at := &Copy{tree: w.tree, rec: rec}
	files, err := w.tree.FileDefinitions(ctx, s.user, rec.reposRoot, at.DirURL, values)
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
