package system

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Driver is the program that talks to a dataset's repository.
type Driver string

// The drivers, which begin a repository's address.
const (
	VFS   Driver = "vfs"       // a directory, reached by rsync: "vfs:/net/audio", "vfs:host:audio"
	SVN   Driver = "svn"       // a Subversion repository: "svn:https://host/svn/audio"
	Annex Driver = "git-annex" // a git repository with git-annex: "git-annex:host:audio"
	DDM   Driver = "ddm"       // whatever the directory's .ddm file names: "ddm:"
)

// Source splits the repository's address. Both are empty for a dataset that
// has none (a cache).
func (d Dataset) Source() (driver Driver, location string) {
	name, location, _ := strings.Cut(d.Repository, ":")
	return Driver(name), location
}

const repositoryForms = `vfs:/path, vfs:host:path, svn:URL, git-annex:URL or ddm:`

// host is [user@]name; neither can be taken for an option.
var host = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*$`)

func checkRepository(s string) error {
	if !printable(s) || strings.HasPrefix(s, "-") {
		return fmt.Errorf("repository %.60q could be misread: it begins with - or has control characters", s)
	}
	driver, location := Dataset{Repository: s}.Source()
	good := false
	switch driver {
	case VFS:
		good = isPlace(location)
	case SVN:
		good = isURL(location, "svn", "svn+ssh", "http", "https", "file")
	case Annex: // git would run a program for "ext::…"
		good = isPlace(location) || isURL(location, "http", "https", "ssh", "git", "file")
	case DDM:
		good = location == ""
	}
	if !good {
		return fmt.Errorf("repository %.60q is not known; write %s", s, repositoryForms)
	}
	return nil
}

// isPlace takes an absolute path, or one on another host.
func isPlace(s string) bool {
	if strings.HasPrefix(s, "/") {
		return path.Clean(s) == strings.TrimSuffix(s, "/") && path.Clean(s) != "/"
	}
	name, at, remote := strings.Cut(s, ":")
	return remote && host.MatchString(name) && at != "" && !strings.HasPrefix(at, ":") && !strings.HasPrefix(at, "-") && !strings.HasPrefix(at, "//")
}

func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains(schemes, u.Scheme) && strings.HasPrefix(s, u.Scheme+"://") &&
		!strings.HasPrefix(u.Host, "-") && (u.User == nil || !strings.HasPrefix(u.User.Username(), "-"))
}

// checkSettings refuses what a dataset has no use for.
func (d Dataset) checkSettings() error {
	driver, _ := d.Source()
	switch {
	case d.Repository == "" && d.Type != Cache:
		return errors.New("repository is missing")
	case d.Type != Selection && (len(d.Include) > 0 || d.Newest != 0 || d.Budget != ""):
		return fmt.Errorf("include, newest and budget are for a selection, not for a %s", d.Type)
	case d.Newest < 0:
		return fmt.Errorf("newest %d is no number of files", d.Newest)
	case len(d.Exclude) > 0 && driver != VFS:
		return errors.New("exclude is for a vfs repository")
	case d.Limit != "" && driver != VFS:
		return errors.New("limit is for a vfs repository")
	case driver == Annex && d.Type != Copy && d.Type != Blob && d.Type != Selection:
		return fmt.Errorf("git-annex is for a copy, blob or selection, not for a %s", d.Type)
	case driver == Annex && (d.Newest > 0 || d.Budget != ""):
		return errors.New("git-annex knows no times; choose by include alone")
	case driver == DDM && (len(d.Include) > 0 || d.Newest != 0 || d.Budget != ""):
		return errors.New("what ddm selects is told in the .ddm file")
	}
	return nil
}

func checkBudget(s string) error {
	if _, err := Amount(s).Bytes(); err != nil {
		return fmt.Errorf("budget %w", err)
	}
	return nil
}

// checkLimit takes what rsync can count in: KiB.
func checkLimit(s string) error {
	n, err := Amount(s).Bytes()
	if err != nil {
		return fmt.Errorf("limit %w", err)
	}
	if s != "" && n < 1<<10 {
		return fmt.Errorf("limit %.60q is less than 1 KiB in a second", s)
	}
	return nil
}

// encode writes the table as [Description.Encode] does.
func (d Dataset) encode(b *strings.Builder) {
	fmt.Fprintf(b, "\n[[dataset]]\npath = %s\ntype = %s\n", quote(d.Path), quote(string(d.Type)))
	if d.Repository != "" {
		fmt.Fprintf(b, "repository = %s\n", quote(d.Repository))
	}
	if len(d.Include) > 0 {
		fmt.Fprintf(b, "include = %s\n", quoteList(d.Include))
	}
	if len(d.Exclude) > 0 {
		fmt.Fprintf(b, "exclude = %s\n", quoteList(d.Exclude))
	}
	if d.Newest > 0 {
		fmt.Fprintf(b, "newest = %d\n", d.Newest)
	}
	if d.Budget != "" {
		fmt.Fprintf(b, "budget = %s\n", quote(string(d.Budget)))
	}
	if d.Limit != "" {
		fmt.Fprintf(b, "limit = %s\n", quote(string(d.Limit)))
	}
}
