package main

import (
	"strings"
	"sync"

	"rootwc/externals"
	"rootwc/wc"
)

// surveyed is a working copy that a materialize would bring up.
type surveyed struct {
	external externals.External
	survey   *wc.Survey
	err      error
}

// mostSurveys bounds a repository whose externals lead on for ever.
const mostSurveys = 1000

// surveyAll asks the servers for the machine's directory and for everything
// that its externals name: what one brings along after it, all else side by
// side. The root comes first, and then each external after its owner.
func surveyAll(a *app, t *wc.Tree, url, revision string) []surveyed {
	var all []surveyed
	seen := map[string]bool{}
	next := []surveyed{{external: externals.External{Resolved: externals.Resolved{URL: url}}}}
	for len(next) > 0 && len(all) < mostSurveys {
		surveyEach(a, t, next, revision)
		all = append(all, next...)
		owners := next
		next = nil
		for _, owner := range owners {
			if owner.survey == nil {
				continue
			}
			for _, e := range externals.OfSurvey(owner.external.Path, owner.survey) {
				if e.Err == nil && seen[e.Path] {
					continue
				}
				seen[e.Path] = true
				if endless(e, all) {
					e.Err = externals.ErrEndless
				}
				next = append(next, surveyed{external: e, err: e.Err})
			}
		}
	}
	return all
}

// surveyEach asks for those that have no error yet.
func surveyEach(a *app, t *wc.Tree, some []surveyed, revision string) {
	var wait sync.WaitGroup
	free := make(chan struct{}, mostFetches)
	for i := range some {
		one := &some[i]
		if one.err != nil {
			continue
		}
		opt := checkoutOptions(one.external)
		if one.external.Path == "" {
			opt.Revision = revision
		}
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			one.survey, one.err = t.Survey(a.ctx, opt.Path, one.external.URL, opt.Revision, opt.Peg)
		})
	}
	wait.Wait()
}

// endless says whether an external holds one that it lies in.
func endless(e externals.External, all []surveyed) bool {
	for _, above := range all {
		at := above.external.Path
		if (at == "" || strings.HasPrefix(e.Path, at+"/")) && externals.Holds(e.URL, above.external.URL) {
			return true
		}
	}
	return false
}
