package wc

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"rootwc/internal/run"
)

// news is what a repository has said about everything that comes from it.
type news struct {
	info    Info // of the place that was asked about
	one     bool // which is the only working copy's; else the repository's root
	err     error
	since   int64      // entries hold every revision after it
	entries []LogEntry // newest first; nil when nobody wanted to know
}

// asker is a repository as one user may read it.
type asker struct {
	root string
	uid  uint32
}

func (c *Copy) asker() asker {
	a := asker{root: c.RepositoryRoot()}
	if c.user != nil {
		a.uid = c.user.UID
	}
	return a
}

// mostRevisions is how far back a log is worth its transfer; for a working copy
// that is older its own last change is asked for.
const mostRevisions = 5000

// Ask asks the repositories of the working copies for their youngest revision,
// side by side and each of them once, and those that have a newer one for the
// paths that changed since. [Work.Update] of the tree then answers from that.
func (t *Tree) Ask(ctx context.Context, copies []*Copy) {
	groups := map[asker][]*Copy{}
	for _, c := range copies {
		if c.asked == nil {
			groups[c.asker()] = append(groups[c.asker()], c)
		}
	}
	t.news = map[asker]*news{}
	var wait sync.WaitGroup
	for key, group := range groups {
		n := &news{}
		t.news[key] = n
		wait.Go(func() { n.ask(ctx, t, key.root, group) })
	}
	wait.Wait()
}

func (n *news) ask(ctx context.Context, t *Tree, root string, group []*Copy) {
	user, url := group[0].user, root
	if n.one = len(group) == 1; n.one {
		url = group[0].URL()
	}
	if n.info, n.err = t.info(ctx, user, url, ""); n.err != nil || n.one {
		return
	}
	youngest := n.info.Revision
	n.since = youngest
	for _, c := range group {
		if low, _, _ := c.revisions(); low >= 0 && youngest-low <= mostRevisions {
			n.since = min(n.since, low)
		}
	}
	if n.since == youngest {
		return
	}
	// beginning with a revision that is there: svn fails when it has none
	entries, err := t.Client.Log(ctx, user, "--verbose", "--quiet", "--revision", fmt.Sprintf("%d:%d", youngest, n.since+1), "--", fmt.Sprintf("%s@%d", root, youngest))
	if err != nil {
		n.since = youngest
		return
	}
	n.entries = entries
}

// info is [Client.Info] that does not give a server up at once.
func (t *Tree) info(ctx context.Context, user *run.User, url, peg string) (info Info, err error) {
	err = t.Servers.Persist(ctx, url, user, func() (bool, error) {
		info, err = t.Client.Info(ctx, user, url, peg)
		return false, err
	})
	return info, err
}

// newsOf is what is known for a working copy; nil when it has to be asked for.
func (t *Tree) newsOf(c *Copy, opt UpdateOptions) *news {
	if opt.Revision != "" || opt.URL != "" && opt.URL != c.URL() {
		return nil
	}
	n := t.news[c.asker()]
	if n != nil && n.err != nil && !Unreachable(n.err) { // the root may be closed to a user, see authz
		return nil
	}
	return n
}

// after returns the log of everything after a revision, false when it is not
// known so far back.
func (n *news) after(revision int64) ([]LogEntry, bool) {
	if n == nil || n.one || n.err != nil || revision < n.since {
		return nil, false
	}
	for i, e := range n.entries {
		if e.Revision <= revision {
			return n.entries[:i], true
		}
	}
	return n.entries, true
}

// below says whether one of the entries changes path, or something below or
// above it.
func below(entries []LogEntry, path string) bool {
	for _, e := range entries {
		for _, changed := range e.Paths {
			at := strings.TrimPrefix(changed.Path, "/")
			if path == "" || at == path || strings.HasPrefix(at, path+"/") || strings.HasPrefix(path, at+"/") && changed.Action != "M" {
				return true
			}
		}
	}
	return false
}
