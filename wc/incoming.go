package wc

import (
	"context"
	"errors"
	"fmt"
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
// answers the update that has nothing to do.
func (t *Tree) incoming(ctx context.Context, c *Copy, opt UpdateOptions) (*incoming, error) {
	url := c.URL()
	if opt.URL != "" {
		url = opt.URL
	}
	info, err := t.Client.Info(ctx, c.user, url, opt.Revision)
	if err != nil {
		if Unreachable(err) {
			return nil, Hint(err, "the server of %s is not reachable; nothing was changed", c.RepositoryRoot())
		}
		return nil, err
	}
	if info.UUID != c.UUID() {
		return nil, Refuse("%s is another repository now (%s, the working copy is of %s)", info.Root, info.UUID, c.UUID())
	}
	in := &incoming{revision: info.Revision, paths: map[string]bool{}}
	if opt.Revision != "" && opt.Revision != "HEAD" {
		in.revision = info.Revision
	}
	low, high, mixed := c.revisions()
	switch {
	case opt.URL != "" && opt.URL != c.URL() || mixed:
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
	root := c.record().rootPath
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
	return in, nil
}

// incomingFiles adds the file externals that have changed where they come from.
func (t *Tree) incomingFiles(ctx context.Context, c *Copy, in *incoming) error {
	for rel, n := range c.record().all() {
		b := n.base()
		if b == nil || !b.fileExt {
			continue
		}
		info, err := t.Client.Info(ctx, c.user, c.urlOf(c.record().reposPath(rel, b)), "")
		if err != nil {
			return err
		}
		if info.LastChanged > b.revision {
			in.paths[rel] = true
			in.nothing = false
		}
	}
	return nil
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
