package datasets

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"rootwc/internal/run"
)

// subversion is an svn repository. A copy, blob, selection or extension is a
// working copy of it; a buffer is a plain directory.
type subversion struct {
	*job
	url string
}

func (s *subversion) perform(ctx context.Context, what deed) error {
	if s.beside {
		s.url += extensionSuffix
		s.Repository += extensionSuffix
	}
	if _, err := s.dir.Lstat(".svn"); err == nil && s.interrupted {
		if _, err := s.svn(ctx, "cleanup", "--", "."); err != nil { // its locks outlive svn
			return err
		}
	}
	switch what {
	case pull, regain:
		return s.in(ctx, what == regain)
	case pick, repick:
		return s.pick(ctx, what == repick)
	case push:
		return s.out(ctx)
	case flush:
		return s.flush(ctx)
	}
	return fmt.Errorf("internal error: no deed %d for svn", what)
}

// svn runs the program in the dataset's directory.
func (s *subversion) svn(ctx context.Context, args ...string) ([]byte, error) {
	return s.run(ctx, nil, "svn", args...)
}

func (s *subversion) run(ctx context.Context, stdout io.Writer, program string, args ...string) ([]byte, error) {
	c := s.command(append([]string{program}, args...)...)
	c.Stdout = stdout
	out, err := s.Svn(ctx, c)
	var failed *run.Error
	if errors.As(err, &failed) && strings.Contains(failed.Stderr, "E170013") {
		err = &Away{s.Repository, err} // unable to connect, see svn_error_codes.h
	}
	return out, err
}

// isCopy says whether the directory is a working copy of the repository.
func (s *subversion) isCopy(ctx context.Context) (bool, error) {
	if _, err := s.dir.Lstat(".svn"); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	out, err := s.svn(ctx, "info", "--xml", "--", ".")
	if err != nil {
		return false, err
	}
	var doc struct {
		URL string `xml:"entry>url"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return false, fmt.Errorf("cannot read the output of svn info: %w", err)
	}
	if unescapeURL(doc.URL) != unescapeURL(s.url) {
		return false, refuse("%q is a working copy of %s, not of %s", s.Path, doc.URL, s.url)
	}
	return true, nil
}

func unescapeURL(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

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
		case e.local != "normal" && e.local != "none" && e.local != "missing":
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

// batchSize keeps argument lists far below what execve(2) takes.
const batchSize = 200

// targets shield leading dashes and at signs.
func targets(paths []string) []string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = "./" + p + "@"
	}
	return list
}

// tell reports the lines of a checkout or update: "A    path".
func (s *subversion) tell(out []byte) {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > 5 && strings.ContainsRune("ADUGCER", rune(line[0])) && line[1:5] == "    " {
			letter := line[0]
			if letter == 'G' || letter == 'E' {
				letter = 'U'
			}
			s.report.add(letter, []string{strings.TrimPrefix(line[5:], "./")}, "")
		}
	}
}

// revert takes back what changed here. The former content is lost, as the
// person asked.
func (s *subversion) revert(ctx context.Context) error {
	if s.DryRun {
		return nil
	}
	_, err := s.svn(ctx, "revert", "--recursive", "--quiet", "--", ".")
	return err
}

// entry is one path of svn status.
type entry struct {
	path     string
	local    string // of wc-status: "modified", "unversioned", …
	incoming bool   // the repository has something newer
}

func (s *subversion) status(ctx context.Context, ask bool) ([]entry, error) {
	args := []string{"status", "--xml", "--ignore-externals"}
	if ask {
		args = append(args, "--show-updates")
	}
	out, err := s.svn(ctx, append(args, "--", ".")...)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Entries []struct {
			Path  string `xml:"path,attr"`
			Local struct {
				Item  string `xml:"item,attr"`
				Props string `xml:"props,attr"`
			} `xml:"wc-status"`
			There *struct {
				Item string `xml:"item,attr"`
			} `xml:"repos-status"`
		} `xml:"target>entry"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn status: %w", err)
	}
	var entries []entry
	for _, e := range doc.Entries {
		p := path.Clean(e.Path)
		if p != "." && owned(path.Base(p)) {
			continue
		}
		entries = append(entries, entry{p, e.Local.Item, e.There != nil && e.There.Item != "none"})
	}
	return entries, nil
}

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
		if err := s.begin(ctx); err != nil || s.DryRun {
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
		case e.incoming && e.local != "normal" && e.local != "none" && e.local != "missing":
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

// begin makes the repository of an extension, beside the one it extends.
func (s *subversion) begin(ctx context.Context) error {
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

// list asks what the repository holds.
func (s *subversion) list(ctx context.Context) (listing, error) {
	there, _, err := s.listAt(ctx, "HEAD")
	return there, err
}

// listEntry is one of svn list --xml.
type listEntry struct {
	Kind string    `xml:"kind,attr"`
	Name string    `xml:"name"`
	Size int64     `xml:"size"`
	Date time.Time `xml:"commit>date"`
}

// pick makes the working copy hold the chosen part and nothing else. svn lets
// go only of files that are as they were committed.
func (s *subversion) pick(ctx context.Context, takeBack bool) error {
	there, err := s.list(ctx)
	if err != nil {
		return err
	}
	chosen := s.choose(there)
	copied, err := s.isCopy(ctx)
	if err == nil && !copied && !s.DryRun {
		copied, err = s.ready(ctx)
	}
	if err != nil {
		return err
	}
	if takeBack && copied {
		if err := s.revert(ctx); err != nil {
			return err
		}
	}
	here, local := map[string]bool{}, map[string]bool{}
	incoming := map[string]bool{}
	if copied {
		if here, err = s.present(ctx); err != nil {
			return err
		}
		entries, err := s.status(ctx, true)
		if err != nil {
			return err
		}
		for _, e := range entries {
			local[e.path] = e.local != "normal" && e.local != "none" && e.local != "missing"
			incoming[e.path] = e.incoming
		}
	}
	var fetch, drop []string
	for _, p := range sorted(chosen.paths()) {
		switch {
		case local[p] && (incoming[p] || !here[p]):
			s.report.add('C', []string{p}, "changed here and in the repository")
		case !here[p] || incoming[p]:
			fetch = append(fetch, p)
		}
	}
	for p := range here {
		if _, in := chosen[p]; !in && local[p] {
			s.report.add('C', []string{p}, "no longer chosen, but changed here")
		} else if !in {
			drop = append(drop, p)
		}
	}
	slices.Sort(drop)
	if s.DryRun {
		s.report.add('A', fetch, "")
		s.report.add('D', drop, "")
		return nil
	}
	for batch := range slices.Chunk(drop, batchSize) {
		if _, err := s.svn(ctx, append([]string{"update", "--quiet", "--set-depth", "exclude", "--"}, targets(batch)...)...); err != nil {
			return err
		}
	}
	s.report.add('D', drop, "here")
	return s.update(ctx, fetch, "--set-depth", "infinity")
}

// present are the files that the working copy holds.
func (s *subversion) present(ctx context.Context) (map[string]bool, error) {
	out, err := s.svn(ctx, "info", "--xml", "--recursive", "--", ".")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Entries []struct {
			Path string `xml:"path,attr"`
			Kind string `xml:"kind,attr"`
			Copy struct {
				Depth    string `xml:"depth"`
				Schedule string `xml:"schedule"`
			} `xml:"wc-info"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn info: %w", err)
	}
	here := map[string]bool{}
	for _, e := range doc.Entries {
		if e.Kind == "file" && e.Copy.Depth != "exclude" && e.Copy.Schedule != "add" {
			if _, err := s.dir.Lstat(path.Clean(e.Path)); err == nil {
				here[path.Clean(e.Path)] = true
			}
		}
	}
	return here, nil
}
