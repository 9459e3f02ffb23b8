package datasets

import (
	"context"
	"path"
	"slices"
	"strings"
)

// in makes the working copy, or updates it. What changed on both sides stays
// as it is: svn would write conflict markers.
func (s *subversion) in(ctx context.Context, takeBack bool) error {
	fresh, err := s.isFresh(ctx)
	if err != nil {
		return err
	}
	if copied, err := s.ready(ctx); err != nil || !copied {
		return err
	}
	if fresh { // what is here already counts as changed where it differs
		out, err := s.svn(ctx, "update", "--force", "--ignore-externals", "--accept", "postpone", "--set-depth", "infinity", "--", ".")
		if err != nil {
			return err
		}
		s.tell(out)
	}
	if takeBack {
		if err := s.revert(ctx); err != nil {
			return err
		}
	}
	here, err := s.status(ctx, true)
	if err != nil {
		return err
	}
	var incoming []string
	for _, e := range here {
		switch {
		case !e.incoming:
		case e.changed():
			s.report.add('C', []string{e.path}, "changed here and in the repository")
		default:
			incoming = append(incoming, e.path)
		}
	}
	if len(incoming) == 0 {
		return s.recount()
	}
	if s.DryRun {
		s.report.add('U', incoming, "")
		return nil
	}
	return s.update(ctx, incoming)
}

// isFresh says whether the working copy is only to be made, or its making was
// cut short.
func (s *subversion) isFresh(ctx context.Context) (bool, error) {
	copied, err := s.isCopy(ctx)
	if err != nil || !copied {
		return true, err
	}
	out, err := s.svn(ctx, "info", "--show-item", "depth", "--", ".")
	return strings.TrimSpace(string(out)) == "empty", err
}

// stageDir is where a checkout begins: svn makes none in a directory that
// another working copy, the machine's, has under version control.
const stageDir = ".rootwc-stage"

// ready makes sure that the directory is a working copy; an empty one, for
// which everything is incoming.
func (s *subversion) ready(ctx context.Context) (copied bool, err error) {
	if copied, err = s.isCopy(ctx); copied || err != nil {
		return copied, err
	}
	if s.DryRun {
		there, err := s.list(ctx)
		s.report.add('A', there.paths(), "")
		return false, err
	}
	if err := s.dir.RemoveAll(stageDir); err != nil {
		return false, err
	}
	defer s.dir.RemoveAll(stageDir)
	if _, err := s.svn(ctx, "checkout", "--quiet", "--ignore-externals", "--depth", "empty", "--", s.url+"@", stageDir); err != nil {
		return false, err
	}
	return true, s.dir.Rename(path.Join(stageDir, ".svn"), ".svn")
}

// update brings the named paths, parents first.
func (s *subversion) update(ctx context.Context, paths []string, options ...string) error {
	slices.Sort(paths)
	args := append([]string{"update", "--ignore-externals", "--accept", "postpone", "--parents"}, options...)
	for batch := range slices.Chunk(paths, batchSize) {
		out, err := s.svn(ctx, append(append(slices.Clone(args), "--"), targets(batch)...)...)
		if err != nil {
			return err
		}
		s.tell(out)
	}
	return s.recount()
}
