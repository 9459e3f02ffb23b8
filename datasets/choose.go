package datasets

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// matches says whether a pattern names a path or a directory above it. A
// pattern without a slash is for names at any depth.
func matches(pattern, rel string) bool {
	anyDepth := !strings.Contains(pattern, "/")
	for at := rel; at != "."; at = path.Dir(at) {
		name := at
		if anyDepth {
			name = path.Base(at)
		}
		if doublestar.MatchUnvalidated(pattern, name) {
			return true
		}
	}
	return false
}

func matchesAny(patterns []string, rel string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, rel) })
}

// excluded says whether a path is never transferred.
func (j *job) excluded(rel string) bool { return matchesAny(j.Exclude, rel) }

// choose is the part of a repository that the dataset selects: what the
// patterns include; of that the newest, as many and as far as the budget goes.
func (j *job) choose(there listing) listing {
	budget, _ := j.Budget.Bytes() // checked with the description
	chosen := listing{}
	for rel, s := range there {
		if len(j.Include) == 0 || matchesAny(j.Include, rel) {
			chosen[rel] = s
		}
	}
	if j.Newest == 0 && budget == 0 {
		return chosen
	}
	newest := chosen.paths()
	slices.SortStableFunc(newest, func(a, b string) int { return cmp.Compare(chosen[b].Time, chosen[a].Time) })
	if j.Newest > 0 {
		newest = newest[:min(j.Newest, len(newest))]
	}
	kept, left := listing{}, budget
	for _, rel := range newest {
		size := uint64(chosen[rel].Size)
		if budget > 0 && size > left {
			continue // a smaller one may fit
		}
		kept[rel] = chosen[rel]
		left -= size
	}
	return kept
}
