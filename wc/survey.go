package wc

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// Survey is what a repository directory holds, asked for without a checkout.
type Survey struct {
	Info
	Nodes      []SurveyNode                 // sorted by path
	Properties map[string]map[string]string // by path; "" is the directory itself
	Passwd     string                       // content of etc/passwd and etc/group, if there
	Group      string

	Description string // content of [DescriptionPath], if there
}

// SurveyNode is one path below the directory.
type SurveyNode struct {
	Path string
	Dir  bool
	Size int64 // bytes
}

// Bytes is the size of all files together.
func (s *Survey) Bytes() int64 {
	var sum int64
	for _, n := range s.Nodes {
		sum += n.Size
	}
	return sum
}

// Survey asks the server of url for everything below it, as it would be at path.
// It is safe for concurrent use.
func (t *Tree) Survey(ctx context.Context, path, url, revision, peg string) (s *Survey, err error) {
	err = t.Servers.Persist(ctx, url, nil, func() (bool, error) {
		s, err = t.Client.survey(ctx, path, url, revision, peg)
		return false, err
	})
	return s, err
}

func (c *Client) survey(ctx context.Context, path, url, revision, peg string) (*Survey, error) {
	s := &Survey{}
	var err error
	if s.Info, err = c.Info(ctx, nil, url, peg); err != nil {
		return nil, err
	}
	if s.Kind != "dir" {
		return nil, fmt.Errorf("%s is no directory", url)
	}
	if revision == "" {
		revision = "HEAD"
	}
	at := []string{"--revision", revision, "--", url + "@" + peg}
	list, err := c.Run(ctx, Call{Args: append([]string{"list", "--xml", "--recursive"}, at...)})
	if err != nil {
		return nil, err
	}
	if s.Nodes, err = parseList(bytes.NewReader(list)); err != nil {
		return nil, err
	}
	props, err := c.Run(ctx, Call{Args: append([]string{"proplist", "--xml", "--verbose", "--recursive"}, at...)})
	if err != nil {
		return nil, err
	}
	if s.Properties, err = parsePropList(bytes.NewReader(props), s.URL); err != nil {
		return nil, err
	}
	texts := map[string]*string{}
	if path == "" {
		texts[DescriptionPath] = &s.Description
	}
	if BringsNames(path) {
		texts[passwdPath], texts[groupPath] = &s.Passwd, &s.Group
	}
	for name, text := range texts {
		name = strings.TrimPrefix(strings.TrimPrefix(name, path), "/")
		for _, n := range s.Nodes {
			if n.Path == name && !n.Dir {
				out, err := c.Run(ctx, Call{Args: []string{"cat", "--revision", revision, "--", url + "/" + name + "@" + peg}})
				if err != nil {
					return nil, err
				}
				*text = string(out)
			}
		}
	}
	return s, nil
}

func parseList(r io.Reader) ([]SurveyNode, error) {
	var doc struct {
		Entries []struct {
			Kind string `xml:"kind,attr"`
			Name string `xml:"name"`
			Size int64  `xml:"size"`
		} `xml:"list>entry"`
	}
	if err := decodeXML(r, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn list: %w", err)
	}
	var nodes []SurveyNode
	for _, e := range doc.Entries {
		nodes = append(nodes, SurveyNode{e.Name, e.Kind == "dir", e.Size})
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Path < nodes[j].Path })
	return nodes, nil
}

// parsePropList reads "svn proplist --xml --verbose", by path relative to url;
// without a url, of a working copy that was asked for as ".".
func parsePropList(r io.Reader, url string) (map[string]map[string]string, error) {
	var doc struct {
		Targets []struct {
			Path       string `xml:"path,attr"`
			Properties []struct {
				Name     string `xml:"name,attr"`
				Encoding string `xml:"encoding,attr"`
				Value    string `xml:",chardata"`
			} `xml:"property"`
		} `xml:"target"`
	}
	if err := decodeXML(r, &doc); err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read the output of svn proplist: %w", err)
	}
	all := map[string]map[string]string{}
	for _, t := range doc.Targets {
		rel := t.Path
		if url != "" {
			rel = UnescapeURL(strings.TrimPrefix(strings.TrimPrefix(rel, url), "/"))
		} else if rel == "." {
			rel = ""
		}
		props := map[string]string{}
		for _, p := range t.Properties {
			value := p.Value
			if p.Encoding == "base64" {
				text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
				if err != nil {
					return nil, fmt.Errorf("cannot read property %s of %q: %w", p.Name, rel, err)
				}
				value = string(text)
			}
			props[p.Name] = value
		}
		all[rel] = props
	}
	return all, nil
}

// Blockers finds everything that would stop a materialize of the survey at
// path: all of it in one run, before anything is written. [Tree.Foresee] comes
// before it.
func (t *Tree) Blockers(path string, s *Survey) ([]Blocker, error) {
	found := t.CheckTarget(path, 2*s.Bytes()) // the files and their pristine texts
	names := t.Names
	if at := t.nobodysHome(path); at != "" && !s.owned() {
		found = append(found, Blocker{path, fmt.Sprintf("no user has the home directory /%s: its files would be root's; make the user first", at)})
	}
	unknown := map[string]string{}
	dirs := map[string]bool{"": true}
	for _, n := range s.Nodes {
		dirs[n.Path] = n.Dir
	}
	for rel, props := range s.Properties {
		kind := metadata.File
		switch {
		case dirs[rel]:
			kind = metadata.Dir
		case hasKey(props, "svn:special"):
			kind = metadata.Symlink
		}
		_, below, _ := metadata.ParseDefaults(props[metadata.PropDefaults], metadata.StandardDefaults, names) // what is wrong with it is told elsewhere
		_, missing, problems := metadata.Wanted(propLookup(props), kind, s.defaults(rel, names), names)
		for _, m := range append(below, missing...) {
			if at, seen := unknown[m]; !seen || joinPath(path, rel) < at {
				unknown[m] = joinPath(path, rel)
			}
		}
		for _, p := range problems {
			found = append(found, Blocker{joinPath(path, rel), p.Error()})
		}
	}
	for name, at := range unknown {
		found = append(found, Blocker{at, name + " is unknown here; the number would be used"})
	}
	for _, n := range s.Nodes {
		if why := t.inTheWay(joinPath(path, n.Path), n.Dir); why != "" {
			found = append(found, Blocker{joinPath(path, n.Path), why})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Path+found[i].Why < found[j].Path+found[j].Why })
	return found, nil
}

// Foresee has the names of users and groups looked up in the tables that the
// survey brings, if it does.
func (t *Tree) Foresee(s *Survey) error {
	if s.Passwd == "" {
		return nil
	}
	names, err := newNames(s.Passwd, s.Group, t.Root == "/")
	t.Names = names
	return err
}

// owned says whether the repository tells whose the directory is.
func (s *Survey) owned() bool {
	return hasKey(s.Properties[""], metadata.PropDefaults) || hasKey(s.Properties[""], metadata.PropOwner)
}

// defaults are those in force at rel, from the directories above it.
func (s *Survey) defaults(rel string, names metadata.Names) metadata.Defaults {
	def := metadata.StandardDefaults
	for i := range rel {
		if i > 0 && rel[i] != '/' {
			continue
		}
		if v := s.Properties[rel[:i]][metadata.PropDefaults]; v != "" {
			if d, _, err := metadata.ParseDefaults(v, def, names); err == nil {
				def = d
			}
		}
	}
	return def
}

// inTheWay says what of the live tree the repository's path cannot replace.
func (t *Tree) inTheWay(path string, dir bool) string {
	if why := unsafeName(path); why != "" {
		return why
	}
	info, err := t.fs.Lstat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			return ""
		}
		return cause(err).Error()
	}
	var stx unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, t.abs(path), unix.AT_SYMLINK_NOFOLLOW, 0, &stx) == nil {
		if stx.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
			return "immutable or append-only (chattr)"
		}
	}
	switch {
	case t.Mounts[path]:
		return "a mount point: a working copy does not cross it"
	case !dir && info.IsDir() && t.Exists(path):
		return "a directory that is not empty is in the way of a file"
	case info.Mode()&(fs.ModeDevice|fs.ModeSocket) != 0:
		return "a device or socket is in the way"
	}
	return ""
}
