package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// out commits what changed here: new files, changed ones, and those that are
// gone.
func (s *subversion) out(ctx context.Context) error {
	if copied, err := s.isCopy(ctx); err != nil || !copied {
		if err == nil && !s.beside {
			err = refuseHint("rootwc dataset checkout "+s.Path, "%q is no working copy yet", s.Path)
		}
		if err != nil {
			return err
		}
		if err := s.makeBeside(ctx); err != nil || s.DryRun {
			return err
		}
	}
	entries, err := s.status(ctx, true)
	if err != nil {
		return err
	}
	var fresh, gone, changed []string
	for _, e := range entries {
		switch {
		case e.incoming && e.changed():
			s.report.add('C', []string{e.path}, "changed here and in the repository")
		case e.local == "unversioned":
			fresh = append(fresh, e.path)
		case e.local == "missing":
			gone = append(gone, e.path)
		case e.local == "modified" || e.local == "added" || e.local == "deleted" || e.local == "replaced":
			changed = append(changed, e.path)
		}
	}
	all, err := s.versioned(ctx)
	if err != nil {
		return err
	}
	if emptying(len(gone), all) && !s.Emptying {
		return tooMany(len(gone), all, "in the repository")
	}
	if s.DryRun {
		s.report.add('>', sorted(fresh, changed), "")
		s.report.add('D', gone, "removed from the repository")
		return nil
	}
	if err := s.schedule(ctx, fresh, gone); err != nil {
		return err
	}
	return s.commit(ctx)
}

// makeBeside makes the repository of an extension, beside the one it extends.
func (s *subversion) makeBeside(ctx context.Context) error {
	if _, err := s.svn(ctx, "info", "--", s.url+"@"); err != nil {
		if s.DryRun {
			return nil
		}
		if _, err := s.svn(ctx, "mkdir", "--quiet", "--message", s.message(), "--", s.url+"@"); err != nil {
			return err
		}
	}
	return s.in(ctx, false)
}

// versioned counts the files of the working copy.
func (s *subversion) versioned(ctx context.Context) (int, error) {
	out, err := s.svn(ctx, "info", "--recursive", "--show-item", "kind", "--", ".")
	return strings.Count(string(out), "file "), err
}

// schedule tells svn what is new and what is gone.
func (s *subversion) schedule(ctx context.Context, fresh, gone []string) error {
	for batch := range slices.Chunk(fresh, batchSize) {
		// the one pattern, in the place of svn's, keeps ddm's files out
		args := []string{"add", "--quiet", "--force", "--no-auto-props", "--config-option", "config:miscellany:global-ignores=.ddm* .rootwc-*", "--"}
		if _, err := s.svn(ctx, append(args, targets(batch)...)...); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(gone, batchSize) {
		if _, err := s.svn(ctx, append([]string{"delete", "--quiet", "--force", "--"}, targets(batch)...)...); err != nil {
			return err
		}
	}
	return nil
}

// commit sends everything but what is in conflict.
func (s *subversion) commit(ctx context.Context) error {
	conflict := map[string]bool{}
	for _, c := range s.report.Changes {
		conflict[c.Path] = true
	}
	entries, err := s.status(ctx, false)
	if err != nil {
		return err
	}
	var send []string
	for _, e := range entries {
		if !conflict[e.path] && (e.local == "modified" || e.local == "added" || e.local == "deleted" || e.local == "replaced") {
			send = append(send, e.path)
			letter, note := byte('>'), ""
			if e.local == "deleted" {
				letter, note = 'D', "removed from the repository"
			}
			s.report.add(letter, []string{e.path}, note)
		}
	}
	if len(send) == 0 {
		return s.recount()
	}
	list, err := s.writeList(targets(send))
	if err != nil {
		return err
	}
	defer s.dir.Remove(list)
	if _, err := s.svn(ctx, "commit", "--quiet", "--depth", "empty", "--message", s.message(), "--targets", list); err != nil {
		s.report.Changes = nil
		return err
	}
	return s.recount()
}

func (s *subversion) message() string {
	if s.Message != "" {
		return s.Message
	}
	return fmt.Sprintf("dataset %s: %s", s.action, s.Path)
}

// listName is a list of arguments for svn's --targets or svnmucc's
// --extra-args: one revision for everything.
const listName = ".rootwc-list"

func (s *subversion) writeList(lines []string) (string, error) {
	_ = s.dir.Remove(listName)
	f, err := s.dir.OpenFile(listName, createNew, 0o600)
	if err != nil {
		return "", fmt.Errorf("cannot write %s: %w", listName, cause(err))
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	if err == nil && s.user != nil {
		err = f.Chown(int(s.user.UID), int(s.user.GID))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return listName, err
}
