package wc

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// promotionMark is the revision property of a promotion: the path of the branch
// that it came from, "@", and the revision up to which it did.
const promotionMark = "rootwc:promoted"

// promotedFrom tells a promotion from the branch at a path, and up to which
// revision of it.
func (e *LogEntry) promotedFrom(branch string) (upTo int64, own bool) {
	i := strings.LastIndexByte(e.Properties[promotionMark], '@')
	if i < 0 || e.Properties[promotionMark][:i] != branch {
		return 0, false
	}
	upTo, err := strconv.ParseInt(e.Properties[promotionMark][i+1:], 10, 64)
	return upTo, err == nil
}

// below is what a revision has changed on a branch, with paths relative to it.
// What was done to a directory above the branch was done to the branch, "".
func (e *LogEntry) below(branch string) (found []LogPath) {
	for _, p := range e.Paths {
		at := strings.TrimPrefix(p.Path, "/")
		switch {
		case at == branch, strings.HasPrefix(branch, at+"/") && p.Action != "M":
			p.Path = ""
		case branch == "":
			p.Path = at
		case strings.HasPrefix(at, branch+"/"):
			p.Path = at[len(branch)+1:]
		default:
			continue
		}
		found = append(found, p)
	}
	return found
}

// touched is what a revision has changed on the branch at url.
func (pr *Promotion) touched(e LogEntry, url string) []LogPath { return e.below(pr.copy.pathOf(url)) }

// carried are the revisions of this branch that are on the way: those that
// have changed what is carried since it was promoted the last time.
func (pr *Promotion) carried(our []LogEntry, eligible []int64, their []LogEntry) (found []LogEntry) {
	last := map[string]int64{} // up to which revision each path was promoted
	for _, e := range their {
		if upTo, own := e.promotedFrom(pr.copy.summary.Path); own {
			for _, at := range pr.touched(e, pr.To) {
				last[at.Path] = max(last[at.Path], upTo)
			}
		}
	}
	for _, e := range our {
		news := func(at LogPath) bool { return pr.carry[at.Path] != nil && e.Revision > last[at.Path] }
		if slices.Contains(eligible, e.Revision) && slices.ContainsFunc(pr.touched(e, pr.From), news) {
			found = append(found, e)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Revision < found[j].Revision })
	return found
}

// wholly are the eligible revisions, from the oldest on, of which the other
// branch has everything after the promotion. Those that touch the branch's own
// directory are noted: its properties are not carried.
func (pr *Promotion) wholly(our []LogEntry, eligible []int64, found map[string]*difference) []int64 {
	var remains []string
	for rel := range found {
		if rel != "" && pr.carry[rel] == nil {
			remains = append(remains, rel)
		}
	}
	open := map[int64]bool{}
	pr.top = map[int64]bool{}
	for _, e := range our {
		for _, at := range pr.touched(e, pr.From) {
			if at.Path == "" {
				pr.top[e.Revision] = true
				continue
			}
			touches := func(r string) bool { return covers([]string{at.Path}, r) || covers([]string{r}, at.Path) }
			open[e.Revision] = open[e.Revision] || slices.ContainsFunc(remains, touches)
		}
	}
	return before(eligible, open)
}

// before are the revisions up to the first of those that stop them.
func before(revisions []int64, stop map[int64]bool) []int64 {
	for i, r := range revisions {
		if stop[r] {
			return revisions[:i]
		}
	}
	return revisions
}
