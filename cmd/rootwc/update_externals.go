package main

import (
	"fmt"
	"maps"

	"rootwc/externals"
	"rootwc/wc"
)

// externals updates those that are there, puts up those that are not with
// what these bring along, and keeps the files of those that are no longer
// defined.
func (u *updater) externals() error {
	for more := true; more; {
		if err := u.present(); err != nil {
			return err
		}
		tried := len(u.tried)
		if !u.dryRun {
			if err := u.missing(); err != nil {
				return err
			}
		}
		more = len(u.tried) > tried // they may have brought some that are there
	}
	now := externals.Discover(u.tree)
	u.unusable(now)
	u.app.externals = now
	u.removed(now)
	return nil
}

// present updates those that are there. One that comes with other definitions
// is looked at again before the rest: some may not be wanted any more.
func (u *updater) present() error {
	for again := true; again; {
		again = false
		for _, e := range externals.Discover(u.tree) {
			if e.Copy == nil || u.tried[e.Path] || !u.wants(e.Path) {
				continue
			}
			u.tried[e.Path] = true
			before := maps.Clone(e.Copy.Definitions())
			if err := u.external(e); err != nil {
				return err
			}
			if again = !maps.Equal(before, e.Copy.Definitions()); again {
				break
			}
		}
	}
	return nil
}

func (u *updater) external(e externals.External) error {
	opt := wc.UpdateOptions{Revision: revisionOf(e)}
	if e.State == externals.Switched {
		if e.Copy.RepositoryRoot() == "" || !sameRepository(e) {
			return nil
		}
		opt.URL = e.URL
	}
	return u.one(e.Copy, opt)
}

// missing puts up those that are not there, with what they bring along.
func (u *updater) missing() error {
	g := &gatherer{app: u.app, tree: u.tree, work: u.work,
		wanted: func(e externals.External) bool {
			return e.State == externals.Missing && !u.tried[e.Path] && u.wants(e.Path)
		},
		took: func(e externals.External, r *wc.Result) {
			u.tried[e.Path] = true
			u.results = append(u.results, r)
			u.app.tellResult(r)
			fmt.Fprintf(u.app.out, "Checked out revision %d%s.\n", r.Revision, ofCopy(e.Path))
		},
		failed: func(e externals.External, err error) {
			u.tried[e.Path] = true
			u.failed = append(u.failed, err)
			u.app.warn("%v", err)
		},
	}
	return g.run()
}

// unusable names those that can be neither updated nor put up.
func (u *updater) unusable(now []externals.External) {
	for _, e := range now {
		switch e.State {
		case externals.Invalid, externals.Obstructed, externals.Unreadable:
			if u.wants(e.Path) && !u.tried[e.Path] {
				err := fmt.Errorf("external %q is %s", e.Path, externalWords(e))
				u.failed = append(u.failed, err)
				u.app.warn("%v", err)
			}
		}
	}
}

// sameRepository says whether the new URL of a switched external lies in the
// repository that the working copy comes from.
func sameRepository(e externals.External) bool {
	root := e.Copy.RepositoryRoot()
	return e.URL == root || len(e.URL) > len(root) && e.URL[:len(root)+1] == root+"/"
}

// removed tells of externals whose definition is gone. Plain svn would delete
// their files; here they stay.
func (u *updater) removed(now []externals.External) {
	defined := map[string]bool{}
	for _, e := range now {
		defined[e.Path] = true
	}
	for _, e := range u.before {
		if !defined[e.Path] && e.Copy != nil {
			u.app.warn("%s is no longer defined as an external; its files stay (rootwc externals remove --delete %s takes them away)", e.Path, e.Path)
		}
	}
}
