package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// doubtError says that a wc.db is not one that rootwc is sure to understand.
type doubtError struct{ err error }

func (e *doubtError) Error() string { return e.err.Error() }
func (e *doubtError) Unwrap() error { return e.err }

// asked is what svn itself says of a working copy whose database rootwc does
// not understand. A status can be told from it; nothing is written there.
type asked struct {
	why   error
	paths []askedPath
	props map[string]map[string]string
	base  map[string]map[string]string // as props, without the changes by hand
}

// askedPath is an entry of "svn status --xml".
type askedPath struct {
	Path  string `xml:"path,attr"`
	State struct {
		Item     string    `xml:"item,attr"`
		Props    string    `xml:"props,attr"`
		Tree     bool      `xml:"tree-conflicted,attr"`
		Copied   bool      `xml:"copied,attr"`
		Switched bool      `xml:"switched,attr"`
		MovedTo  string    `xml:"moved-to,attr"`
		Lock     *struct{} `xml:"lock"`
	} `xml:"wc-status"`

	list string // its changelist
}

// ask has svn read the working copy instead of rootwc, for the reason why.
func (c *Copy) ask(why error) error {
	c.tree.Detail("%s: asking svn for the status: %v", c.dir, why)
	a := &asked{why: why}
	fail := func(err error) error {
		err = fmt.Errorf("cannot read working copy %q: %w; svn, asked instead: %w", c.dir, why, err)
		if HasCode(err, "155037") { // SVN_ERR_WC_CLEANUP_REQUIRED
			err = Hint(&statusError{err, ExitRefused}, "when no svn is at work there: svn cleanup %s", c.dir)
		}
		return err
	}
	svn := func(args ...string) ([]byte, error) {
		return c.tree.Client.Run(context.Background(), Call{User: c.user, Dir: c.dir, Args: args})
	}
	out, err := svn("info", "--xml", ".")
	if err != nil {
		return fail(err)
	}
	info, err := parseInfo(bytes.NewReader(out))
	if err != nil {
		return fail(err)
	}
	listed := map[string]bool{}
	for _, more := range []string{"--no-ignore", "--verbose"} { // the second for clean paths; of a deletion it tells more
		if out, err = svn("status", "--xml", "--ignore-externals", more, "."); err != nil {
			return fail(err)
		}
		paths, err := parseStatus(bytes.NewReader(out))
		if err != nil {
			return fail(err)
		}
		for _, p := range paths {
			if !listed[p.Path] && (more == "--no-ignore" || p.State.Item == string(Normal)) {
				listed[p.Path] = true
				a.paths = append(a.paths, p)
			}
		}
	}
	if out, err = svn("proplist", "--xml", "--verbose", "--recursive", "."); err == nil {
		a.props, err = parsePropList(bytes.NewReader(out), "")
	}
	if err != nil {
		return fail(err)
	}
	if a.base = a.props; slices.ContainsFunc(a.paths, func(p askedPath) bool { return p.State.Props != "none" && p.State.Props != "normal" }) {
		if out, err = svn("proplist", "--xml", "--verbose", "--recursive", "--revision", "BASE", "."); err == nil {
			a.base, err = parsePropList(bytes.NewReader(out), "")
		}
		if err != nil {
			return fail(err)
		}
	}
	path := UnescapeURL(strings.TrimPrefix(strings.TrimPrefix(info.URL, info.Root), "/"))
	c.asked, c.rec, c.key = a, nil, nil // nothing to build an index on
	c.summary = summary{Path: path, Root: info.Root, UUID: info.UUID, Revision: info.Revision,
		Externals: &externalsSummary{Definitions: map[string]string{}, At: map[string]string{}}}
	for rel, props := range a.props {
		if v := props["svn:externals"]; v != "" {
			c.summary.Externals.Definitions[rel], c.summary.Externals.At[rel] = v, joinPath(path, rel)
		}
	}
	return nil
}

// parseStatus reads the output of "svn status --xml".
func parseStatus(r io.Reader) ([]askedPath, error) {
	var doc struct {
		Paths []askedPath `xml:"target>entry"`
		Lists []struct {
			Name  string      `xml:"name,attr"`
			Paths []askedPath `xml:"entry"`
		} `xml:"changelist"`
	}
	if err := decodeXML(r, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn status: %w", err)
	}
	for _, list := range doc.Lists {
		for _, p := range list.Paths {
			p.list = list.Name
			doc.Paths = append(doc.Paths, p)
		}
	}
	items := map[string]Status{}
	for i, p := range doc.Paths {
		if p.Path == "." {
			p.Path, doc.Paths[i].Path = "", ""
		}
		items[p.Path] = Status(p.State.Item)
	}
	return slices.DeleteFunc(doc.Paths, func(p askedPath) bool {
		above := items[parentOf(p.Path)]
		switch Status(p.State.Item) {
		case Missing, Deleted, Incomplete: // the directory that is not there tells it
			return above == Missing || above == Obstructed
		}
		return false
	}), nil
}

// versioned says whether svn has the path and does not delete it.
func (a *asked) versioned(rel string) bool {
	return slices.ContainsFunc(a.paths, func(p askedPath) bool {
		switch p.State.Item {
		case "unversioned", "ignored", "deleted", "none":
			return false
		}
		return p.Path == rel
	})
}

// defaults are those in force at rel, as [record.defaults] has them.
func (a *asked) defaults(rel string, names metadata.Names, def metadata.Defaults) metadata.Defaults {
	for i := 0; i < len(rel); i++ {
		if i > 0 && rel[i] != '/' {
			continue
		}
		if v := a.props[rel[:i]][metadata.PropDefaults]; v != "" {
			if d, _, err := metadata.ParseDefaults(v, def, names); err == nil {
				def = d
			}
		}
	}
	return def
}

// tell judges a working copy by what svn says of it. svn's word counts for
// content; metadata is compared as everywhere.
func (a *asked) tell(s *scan, j job) *dirScan {
	d := &dirScan{scan: s, job: j, path: j.copy.Path}
	for i := range a.paths {
		if s.ctx.Err() != nil {
			break
		}
		d.asked(a, &a.paths[i])
	}
	return d
}

// asked judges one path.
func (d *dirScan) asked(a *asked, p *askedPath) {
	path := d.copy.path(p.Path)
	if !d.leads(path) || d.tree.State.holds(path) {
		return
	}
	dir, name := splitPath(p.Path)
	l, ok := d.liveAt(dir, name)
	if !ok {
		return
	}
	e := &Entry{Path: path, copy: d.copy, rel: p.Path, live: l, Kind: metadata.File,
		Copied: p.State.Copied, Switched: p.State.Switched, Token: p.State.Lock != nil, Changelist: p.list}
	if l.exists {
		e.Kind = l.values.Kind
	}
	switch item := Status(p.State.Item); {
	case p.State.Tree || p.State.Props == "conflicted" || item == "none":
		e.Status = Conflicted
	case item == Unversioned || item == Ignored:
		if d.withheld.has(path) && l.exists {
			d.seen = append(d.seen, path)
			d.lacks(path, d.withheld.judge(d.tree, e))
			break
		}
		if d.nested[path] || d.tree.Mounts[path] || l.values.Kind == metadata.Socket || item == Ignored && !d.opt.NoIgnore {
			return
		}
		e.Status = item
	case item == "external" && d.nested[path]:
		return
	case item == "external": // not defined any more
		e.Status = Unversioned
	case item == "merged":
		e.Status = Modified
	default:
		e.Status = item
	}
	if p.State.Props == "modified" && e.Status != Added && e.Status != Replaced {
		e.Properties = changedNames(a.base[p.Path], a.props[p.Path])
	}
	if (e.Status == Normal || e.Status == Modified) && path != "" && !e.Withheld {
		d.compareAsked(a, e)
	}
	if p.State.MovedTo != "" {
		e.Note = "moved to " + d.copy.path(p.State.MovedTo)
	}
	d.conflict(e)
	marked := e.Switched || e.Token || e.Changelist != ""
	if d.wanted(path) && (!e.Clean() || d.opt.All || d.opt.Review && marked) {
		d.emit(e)
	}
}

// compareAsked compares the metadata of a path.
func (d *dirScan) compareAsked(a *asked, e *Entry) {
	if e.Status == Modified && d.tree.withholds(&e.live.values) {
		if e.Withheld = true; d.withheld.acknowledged(e) {
			e.Status = Normal
		}
	}
	def := a.defaults(e.rel, d.tree.Names, defaultsOf(d.copy.user))
	base, unknown, problems := metadata.Wanted(propLookup(a.base[e.rel]), svnKind(e.Kind), def, d.tree.Names)
	for _, err := range problems {
		d.warn("%s: %v", e.Path, err)
	}
	d.lacks(e.Path, unknown)
	e.Metadata = metadata.Compare(base, e.live.values, d.tree.Names)
}

// liveAt reads what the disk has at a name of a directory of the working copy;
// false when that cannot be told.
func (d *dirScan) liveAt(dir, name string) (l live, ok bool) {
	fd, err := openBeneath(d.root, dir)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return l, true
	}
	if err != nil {
		d.warn("cannot read %s: %v", filepath.Join(d.path, dir), err)
		return l, false
	}
	defer unix.Close(fd)
	d.fd = fd
	return d.lstat(orDot(name))
}
