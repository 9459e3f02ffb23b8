package noise

import (
	"bytes"
	"slices"
)

// MaxText is the largest text that is compared line by line, in bytes: what is
// larger, or holds a zero byte, has no lines, and a change of it is news to
// every rule that names some.
const MaxText = 256 << 10

// Verdict is what rules say of a change.
type Verdict struct {
	Rules  []*Rule // those that explain it; none for news
	Revert bool    // it is to be put back
}

// Quiet says that the change is no news.
func (v Verdict) Quiet() bool { return len(v.Rules) > 0 }

// Judge judges a change of the content, from the recorded text to the live
// one. texts is asked for them when they matter; false is for texts that cannot
// be compared.
func (s Set) Judge(texts func() (base, live []byte, ok bool)) Verdict {
	whole, byLines := s.only((*Rule).whole), s.only((*Rule).byLines)
	revert := byLines.only((*Rule).reverts)
	if len(byLines) == 0 || len(whole) > 0 && len(revert) == 0 {
		return Verdict{Rules: whole}
	}
	base, live, ok := texts()
	if !ok || !hasLines(base) || !hasLines(live) {
		return Verdict{Rules: whole}
	}
	if used := revert.explain(base, live); len(used) > 0 {
		return Verdict{used, true}
	}
	if used := byLines.explain(base, live); len(used) > 0 {
		return Verdict{Rules: used}
	}
	return Verdict{Rules: whole}
}

func (s Set) only(accept func(*Rule) bool) Set {
	return slices.DeleteFunc(slices.Clone(s), func(r *Rule) bool { return !accept(r) })
}

func hasLines(text []byte) bool {
	return len(text) <= MaxText && bytes.IndexByte(text, 0) < 0
}

// explain returns the rules that the lines match which differ, none when
// others differ as well, or nothing does. It goes through both texts at once:
// between two lines that do not match, each may have any lines that do.
func (s Set) explain(base, live []byte) (used []*Rule) {
	a, b := differing(lines(base), lines(live))
	for {
		x, y := s.leading(a), s.leading(b)
		used = s.note(used, a[:x], b[:y])
		a, b = a[x:], b[y:]
		switch {
		case len(a) == 0 && len(b) == 0:
			return used
		case len(a) == 0 || len(b) == 0 || !bytes.Equal(a[0], b[0]):
			return nil
		}
		a, b = a[1:], b[1:]
	}
}

// lines are those of a text, with their ends: a last line without one is
// another line than the same with one.
func lines(text []byte) [][]byte { return slices.Collect(bytes.Lines(text)) }

// differing leaves out what both have in common at the beginning and the end.
func differing(a, b [][]byte) ([][]byte, [][]byte) {
	for len(a) > 0 && len(b) > 0 && bytes.Equal(a[0], b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && bytes.Equal(a[len(a)-1], b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// leading is the number of lines at the beginning that match.
func (s Set) leading(all [][]byte) int {
	n := slices.IndexFunc(all, func(line []byte) bool { return s.first(line) == nil })
	if n < 0 {
		return len(all)
	}
	return n
}

// first is the first rule that a line matches.
func (s Set) first(line []byte) *Rule {
	for _, r := range s {
		if r.matches(line) {
			return r
		}
	}
	return nil
}

// note adds the rules of lines that match and differ.
func (s Set) note(used []*Rule, a, b [][]byte) []*Rule {
	a, b = differing(a, b)
	for _, line := range slices.Concat(a, b) {
		if r := s.first(line); !slices.Contains(used, r) {
			used = append(used, r)
		}
	}
	return used
}

// ByLines says whether a rule has patterns of lines.
func (s Set) ByLines() bool { return slices.ContainsFunc(s, (*Rule).byLines) }

// Whole says whether a rule hides every change.
func (s Set) Whole() bool { return slices.ContainsFunc(s, (*Rule).whole) }

// Lines are all patterns of lines, in their order.
func (s Set) Lines() (patterns []string) {
	for _, r := range s {
		patterns = append(patterns, r.Lines...)
	}
	return patterns
}

// Rest is a text without the lines that match: two texts with the same rest
// differ in nothing but such lines. Not ok for a text that has no lines.
func (s Set) Rest(text []byte) (rest []byte, ok bool) {
	if !hasLines(text) {
		return nil, false
	}
	for line := range bytes.Lines(text) {
		if s.first(line) == nil {
			rest = append(rest, line...)
		}
	}
	return rest, true
}
