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

// revert takes back what changed here. svn puts a new file in the place of
// each: the former ones are kept by another name.
func (s *subversion) revert(ctx context.Context) error {
	if s.DryRun {
		return nil
	}
	entries, err := s.status(ctx, false)
	if err != nil {
		return err
	}
	aside, kept := newAside(), 0
	for _, e := range entries {
		if e.local != "modified" && e.local != "replaced" && e.local != "conflicted" {
			continue
		}
		if info, err := s.dir.Lstat(e.path); err != nil || info.IsDir() {
			continue
		}
		to := path.Join(aside, e.path)
		if err := s.dir.MkdirAll(path.Dir(to), 0o700); err != nil {
			return err
		}
		if err := s.dir.Link(e.path, to); err != nil {
			return fmt.Errorf("cannot keep %q: %w", path.Join(s.Path, e.path), cause(err))
		}
		kept++
	}
	if kept > 0 {
		s.noteAside(aside, kept)
	}
	_, err = s.svn(ctx, "revert", "--recursive", "--quiet", "--", ".")
	return err
}

// entry is one path of svn status.
type entry struct {
	path     string
	local    string // of wc-status: "modified", "unversioned", …
	incoming bool   // the repository has something newer
}

// changed says whether something is here that the repository does not have.
func (e entry) changed() bool {
	return e.local != "normal" && e.local != "none" && e.local != "missing"
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
