package wc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// incoming is what the repository has for a working copy.
type incoming struct {
	revision int64
	nothing  bool
	all      bool            // everything may change
	paths    map[string]bool // changed paths relative to the working copy; with everything below
}

// touches says whether the change may concern rel.
func (in *incoming) touches(rel string) bool {
	if in.all {
		return true
	}
	for p := rel; ; p = parentOf(p) {
		if in.paths[p] && (p == rel || p != "") {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// errUnforeseen says that an update touched what the log had not announced.
// There the stage held a stand-in, which svn took for a local change.
var errUnforeseen = errors.New("the log does not tell all that changed")

// unforeseen says whether the update has changed such a path.
func (in *incoming) unforeseen(p *planner) bool {
	for rel := range p.new.all() {
		is := stateOf(p.new, rel)
		if !in.touches(rel) && !stateOf(p.old, rel).same(is) && (is == nil || !is.row.fileExt) {
			return true
		}
	}
	for rel := range p.old.all() {
		if !in.touches(rel) && stateOf(p.old, rel) != nil && stateOf(p.new, rel) == nil {
			return true
		}
	}
	return false
}

// incoming asks first and fetches second: one question for what changed last
// answers the update that has nothing to do, and [Tree.Ask] asks it for all
// working copies of a repository.
func (t *Tree) incoming(ctx context.Context, c *Copy, opt UpdateOptions) (*incoming, error) {
	url := c.URL()
	if opt.URL != "" {
		url = opt.URL
	}
	low, high, mixed := c.revisions()
	elsewhere := url != c.URL() || mixed
	if pinned, err := strconv.ParseInt(opt.Revision, 10, 64); err == nil && pinned == low && pinned == high && !elsewhere {
		return &incoming{revision: pinned, nothing: true}, nil
	}
	n := t.newsOf(c, opt)
	if n != nil && n.err == nil && n.info.UUID == c.UUID() && !elsewhere && n.info.Revision >= high {
		if entries, ok := n.after(low); ok {
			in := &incoming{revision: n.info.Revision, paths: map[string]bool{}}
			if in.nothing = !below(entries, c.record().rootPath); in.nothing {
				return in, nil
			}
			if in.announce(c.record().rootPath, entries); !in.all { // else the directory may be gone
				return in, nil
			}
		}
	}
	info, err := t.ownInfo(ctx, c, n, url, opt.Revision)
	if err != nil {
		return nil, err
	}
	if info.UUID != c.UUID() {
		return nil, Refuse("%s is another repository now (%s, the working copy is of %s)", info.Root, info.UUID, c.UUID())
	}
	in := &incoming{revision: info.Revision, paths: map[string]bool{}}
	switch {
	case elsewhere:
		in.all = true
		return in, nil
	case in.revision >= high && info.LastChanged <= low:
		in.nothing = true
		return in, nil
	}
	from, to := min(low, in.revision)+1, max(high, in.revision)
	if from > to {
		in.nothing = true
		return in, nil
	}
	entries, err := t.Client.Log(ctx, c.user, "--verbose", "--quiet", "--revision", fmt.Sprintf("%d:%d", from, to), "--", fmt.Sprintf("%s@%d", url, to))
	if err != nil {
		in.all = true // the path was not there in between: look at everything
		return in, nil
	}
	in.announce(c.record().rootPath, entries)
	return in, nil
}

// ownInfo is what a server says of a working copy's own URL.
func (t *Tree) ownInfo(ctx context.Context, c *Copy, n *news, url, revision string) (Info, error) {
	if n != nil && (n.one || n.err != nil) {
		return n.info, n.err
	}
	return t.info(ctx, c.user, url, revision)
}

// announce notes what a log says of the directory at root.
func (in *incoming) announce(root string, entries []LogEntry) {
	for _, e := range entries {
		for _, changed := range e.Paths {
			path := strings.TrimPrefix(changed.Path, "/")
			switch {
			case path == root:
				in.paths[""] = true
				in.all = in.all || changed.Action != "M"
			case root == "":
				in.paths[path] = true
			case strings.HasPrefix(path, root+"/"):
				in.paths[path[len(root)+1:]] = true
			case strings.HasPrefix(root, path+"/"):
				in.all = in.all || changed.Action != "M"
			}
		}
	}
}

// incomingFiles adds the file externals that have changed where they come from.
func (t *Tree) incomingFiles(ctx context.Context, c *Copy, in *incoming) error {
	for rel, n := range c.record().all() {
		b := n.base()
		if b == nil || !b.fileExt {
			continue
		}
		news, err := t.newer(ctx, c, c.record().reposPath(rel, b), b.revision)
		if err != nil {
			return err
		}
		if news {
			in.paths[rel] = true
			in.nothing = false
		}
	}
	return nil
}

// newer says whether a path has changed since a revision.
func (t *Tree) newer(ctx context.Context, c *Copy, reposPath string, revision int64) (bool, error) {
	if entries, ok := t.newsOf(c, UpdateOptions{}).after(revision); ok {
		return below(entries, reposPath), nil
	}
	info, err := t.info(ctx, c.user, c.urlOf(reposPath), "")
	return info.LastChanged > revision, err
}

// revisions returns the lowest and highest revision in the working copy, and
// whether part of it is switched to another URL.
func (c *Copy) revisions() (low, high int64, switched bool) {
	low = -1
	for _, n := range c.record().all() {
		b := n.base()
		if b == nil || b.fileExt || b.presence != presenceNormal && b.presence != presenceIncomplete {
			continue
		}
		if low < 0 || b.revision < low {
			low = b.revision
		}
		high = max(high, b.revision)
		if b.presence == presenceIncomplete || b.rare != nil && b.rare.elsewhere {
			switched = true
		}
	}
	return low, high, switched
}
