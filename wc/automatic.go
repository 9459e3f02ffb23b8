package wc

import (
	"slices"
	"strings"

	"rootwc/noise"
)

// automatic are the entries that a commit takes without a person: those that a
// pattern covers, but for what a person has to look at. A deletion is such: what
// is not there by accident, because a disk is not, would go from every machine
// that shares the path.
func automatic(entries []*Entry, patterns []string) []*Entry {
	var left []string // directories that the repository does not get
	covered := func(e *Entry) bool {
		switch e.Status {
		case Normal, Modified, Added, Unversioned:
		default:
			return false
		}
		return slices.ContainsFunc(patterns, func(p string) bool { return noise.Match(p, e.Path) }) &&
			!slices.ContainsFunc(left, func(dir string) bool { return strings.HasPrefix(e.Path, dir+"/") })
	}
	return slices.DeleteFunc(entries, func(e *Entry) bool { // sorted: directories come first
		if covered(e) {
			return false
		}
		if e.Status != Normal && e.Status != Modified {
			left = append(left, e.Path)
		}
		return true
	})
}
