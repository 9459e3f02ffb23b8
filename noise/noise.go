// Package noise says which changes of a file's content are no news.
//
// A [Rule] speaks for the paths that its pattern matches. With patterns of
// lines, a change is no news when both texts are the same once the lines that
// match are left out: then there is a line diff of the two in which every
// differing line, removed or added, matches. Without them, every change of the
// content is none. Owners, modes and properties are none of its business: a
// program that rewrites its file has no reason to change those.
//
// The package touches no file. What [New] returns is safe for concurrent use.
package noise

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Rule is one row of the description, or one of [Defaults].
type Rule struct {
	Path   string   // pattern of the paths that it speaks for; see [Match]
	Lines  []string // regular expressions (RE2); none for every change of the content
	Revert bool     // a change that such rules alone explain is put back
	Origin string   // the file that it stands in; of a default, what writes such lines and where that is documented
	Line   int      // in that file, from 1; 0 for a default

	once     sync.Once
	patterns []*regexp.Regexp // of Lines, once they are needed
}

// matches says whether a line is one that does not count, whatever its end. The
// patterns are compiled for the first one: most rules are for files that have
// not changed.
func (r *Rule) matches(line []byte) bool {
	r.once.Do(func() {
		for _, text := range r.Lines {
			if p, err := regexp.Compile(text); err == nil { // checked before
				r.patterns = append(r.patterns, p)
			}
		}
	})
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	return slices.ContainsFunc(r.patterns, func(p *regexp.Regexp) bool { return p.Match(line) })
}

// Rules are all that hold on a machine. The nil Rules have none.
type Rules struct {
	own, defaults []*Rule
	without       []string // patterns of paths for which defaults do not speak
	digest        [sha256.Size]byte
}

// New takes the rules that a description has, and rootwc's own for all paths
// but those that a pattern in without matches.
func New(own, defaults []*Rule, without []string) *Rules {
	type decides struct {
		Path  string
		Lines []string
	}
	all := [2][]decides{}
	for i, rules := range [][]*Rule{own, defaults} {
		for _, r := range rules {
			all[i] = append(all[i], decides{r.Path, r.Lines})
		}
	}
	text, _ := json.Marshal([]any{all, without}) // strings, which have no error
	return &Rules{own: own, defaults: defaults, without: without, digest: sha256.Sum256(text)}
}

// Digest tells rules that judge otherwise.
func (r *Rules) Digest() [sha256.Size]byte {
	if r == nil {
		return [sha256.Size]byte{}
	}
	return r.digest
}

// Revert says whether a rule wants changes to be put back.
func (r *Rules) Revert() bool {
	return r != nil && slices.ContainsFunc(r.own, (*Rule).reverts)
}

func (r *Rule) reverts() bool { return r.Revert }
func (r *Rule) byLines() bool { return len(r.Lines) > 0 }
func (r *Rule) whole() bool   { return len(r.Lines) == 0 }

// Set are the rules for one path, together.
type Set []*Rule

// Of returns the rules for a path relative to the root, none for rootwc's own
// pages: what decides on noise is always news.
func (r *Rules) Of(path string) Set {
	if r == nil || path == ownPages || strings.HasPrefix(path, ownPages+"/") {
		return nil
	}
	var set Set
	for _, rule := range r.own {
		if Match(rule.Path, path) {
			set = append(set, rule)
		}
	}
	if slices.ContainsFunc(r.without, func(p string) bool { return Match(p, path) }) {
		return set
	}
	for _, rule := range r.defaults {
		if Match(rule.Path, path) {
			set = append(set, rule)
		}
	}
	return set
}

// ownPages is the directory of the description, the probes and the lists.
const ownPages = ".rootwc"
