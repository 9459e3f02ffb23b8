package wc

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"rootwc/internal/run"
)

const propMergeinfo = "svn:mergeinfo"

// mergeinfo is the property svn:mergeinfo: by path in the repository, "/" first,
// the ranges of revisions that were merged from there, as svn writes them:
// "3-5,7,9-12*", the star for what does not count below the node.
type mergeinfo map[string]string

// parseMergeinfo reads a property; a path may hold colons, ranges do not.
func parseMergeinfo(value string) (mergeinfo, error) {
	info := mergeinfo{}
	for line := range strings.Lines(value) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		i := strings.LastIndexByte(line, ':')
		if i < 1 || line[0] != '/' {
			return nil, fmt.Errorf("malformed %s %q", propMergeinfo, line)
		}
		info[line[:i]] = line[i+1:]
	}
	return info, nil
}

func (m mergeinfo) String() string {
	var b strings.Builder
	paths := make([]string, 0, len(m))
	for p := range m {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for i, p := range paths {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p + ":" + m[p])
	}
	return b.String()
}

// below is what a node at rel inherits of the mergeinfo of one above it.
func (m mergeinfo) below(rel string) mergeinfo {
	if rel == "" {
		return m
	}
	inherited := mergeinfo{}
	for path, ranges := range m {
		kept := slices.DeleteFunc(strings.Split(ranges, ","), func(r string) bool { return strings.HasSuffix(r, "*") })
		if len(kept) > 0 {
			inherited[path+"/"+rel] = strings.Join(kept, ",")
		}
	}
	return inherited
}

// span is a range of revisions, both ends in it.
type span struct {
	from, to int64
	own      bool // of the node alone, written with a star
}

// add notes revisions as merged from path.
func (m mergeinfo) add(path string, revisions ...int64) error {
	var spans []span
	for _, word := range strings.Split(m[path], ",") {
		if word == "" {
			continue
		}
		s, err := parseSpan(word)
		if err != nil {
			return err
		}
		spans = append(spans, s)
	}
	for _, r := range revisions {
		spans = append(spans, span{from: r, to: r})
	}
	words := []string{}
	for _, s := range joined(spans) {
		words = append(words, s.String())
	}
	m[path] = strings.Join(words, ",")
	return nil
}

func parseSpan(word string) (s span, err error) {
	word, s.own = strings.CutSuffix(word, "*")
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	s.from, err = strconv.ParseInt(from, 10, 64)
	if err == nil {
		s.to, err = strconv.ParseInt(to, 10, 64)
	}
	if err != nil || s.from < 1 || s.to < s.from {
		return s, fmt.Errorf("malformed %s range %q", propMergeinfo, word)
	}
	return s, nil
}

func (s span) String() string {
	word := strconv.FormatInt(s.from, 10)
	if s.to > s.from {
		word += "-" + strconv.FormatInt(s.to, 10)
	}
	if s.own {
		word += "*"
	}
	return word
}

// joined sorts spans and joins those that touch. Where one with a star overlaps
// one without, that without counts: svn wants ranges that do not overlap.
func joined(spans []span) []span {
	sort.SliceStable(spans, func(i, j int) bool {
		if spans[i].own != spans[j].own {
			return !spans[i].own
		}
		return spans[i].from < spans[j].from
	})
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].own == s.own && s.from <= out[n-1].to+1 {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		if s.own && slices.ContainsFunc(out, func(o span) bool { return !o.own && s.from <= o.to && o.from <= s.to }) {
			continue // part of it may be forgotten: svn then merges that again, and finds it done
		}
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].from < out[j].from })
	return out
}

// mergeinfoOf is what counts as merged for the root of a working copy: its own
// property, else what it inherits from above it in the repository.
func (rec *record) mergeinfoOf() (mergeinfo, error) {
	if value, own := rec.root.props()[propMergeinfo]; own {
		return parseMergeinfo(value)
	}
	b := rec.root.base()
	if b.rare == nil || !b.rare.inherits {
		return mergeinfo{}, nil
	}
	above, err := parseInherited(b.rare.inherited)
	if err != nil {
		return nil, err
	}
	for i := len(above) - 1; i >= 0; i-- { // the nearest comes last
		if value, has := above[i].props[propMergeinfo]; has {
			info, err := parseMergeinfo(value)
			if err != nil {
				return nil, err
			}
			return info.below(strings.Trim(strings.TrimPrefix(rec.rootPath, above[i].path), "/")), nil
		}
	}
	return mergeinfo{}, nil
}

// noteMerged is how svn:mergeinfo has to read, by path, when revisions of the
// branch at reposPath count as merged: on the root, and on the paths below it
// that have mergeinfo of their own.
func (rec *record) noteMerged(reposPath string, revisions []int64) (map[string]string, error) {
	values := map[string]string{}
	for rel, n := range rec.all() {
		if !n.visible() || n.scheduledDelete() || rel != "" && !hasKey(n.props(), propMergeinfo) {
			continue
		}
		info, err := parseMergeinfo(n.props()[propMergeinfo])
		if rel == "" {
			info, err = rec.mergeinfoOf()
		}
		if err == nil {
			err = info.add("/"+joinPath(reposPath, rel), revisions...)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", rel, err)
		}
		values[rel] = info.String()
	}
	return values, nil
}

// Eligible lists the revisions of the branch at one URL that were not merged
// to the one at another, oldest first; both at revision peg.
func (c *Client) Eligible(ctx context.Context, user *run.User, from, to string, peg int64) ([]int64, error) {
	out, err := c.Run(ctx, Call{User: user, Args: []string{"mergeinfo", "--show-revs", "eligible", "--", fmt.Sprintf("%s@%d", from, peg), fmt.Sprintf("%s@%d", to, peg)}})
	if err != nil {
		return nil, err
	}
	var revisions []int64
	for _, word := range strings.Fields(string(out)) {
		r, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(word, "r"), "*"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read the output of svn mergeinfo: %q", word)
		}
		revisions = append(revisions, r)
	}
	slices.Sort(revisions)
	return revisions, nil
}
