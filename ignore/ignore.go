// Package ignore says which names Subversion would ignore, and which pattern decides it.
//
// It knows the two properties that hide unversioned names: svn:ignore, which
// speaks for the children of the directory that carries it, and
// svn:global-ignores, which speaks for the whole tree below as well. [Parse]
// reads a value, [Rules] holds what is in force for one directory, [Add] and
// [Remove] edit a value, and [Policy] gives the values a new machine starts with.
//
// Three facts prevent misuse. A pattern is compared with a base name, never
// with a path. Patterns speak for unversioned names only: what is versioned is
// shown, whatever matches it. And nothing takes a pattern back: there is no
// negation, and a directory only ever adds to what it inherits.
//
// The user's own global-ignores setting (which by default hides *.o, *.so, *~
// and more) lies beneath all of this and is unknown here; it has to be switched
// off where svn is run.
//
// The package touches no file and starts no program. Its values are safe for
// concurrent use.
package ignore

import "strings"

// Names of the properties that hold patterns. Source: the Subversion book,
// "Ignoring Unversioned Items".
const (
	// PropIgnore speaks for the children of the directory that carries it.
	PropIgnore = "svn:ignore"
	// PropGlobalIgnores speaks for everything below the directory that carries
	// it. Directories below inherit it, within one working copy and from parent
	// directories in the repository; needs Subversion 1.8.
	PropGlobalIgnores = "svn:global-ignores"
)

// List is the parsed value of one property. The zero List matches nothing.
type List struct {
	lines []string       // the patterns in the property's order
	exact map[string]int // names without a wildcard: their place in lines
	globs []glob         // all the others, in order
}

// glob is a compiled pattern with at least one wildcard.
type glob struct {
	place  int // in List.lines
	prefix string
	suffix string
	// elements is nil for the usual prefix*suffix, where either may be empty.
	elements []element
}

// Parse reads a property value. Patterns are separated by newlines or carriage
// returns; blanks belong to the pattern, empty lines count for nothing, and
// there are no comments. Every value is legal, so there is no error to return:
// see [Useless] for patterns that can never match. Source: Subversion 1.14,
// collect_ignore_patterns in libsvn_wc/status.c.
func Parse(prop string) List {
	var l List
	prop, _, _ = strings.Cut(prop, "\x00") // a C string to Subversion
	for _, line := range strings.FieldsFunc(prop, isLineBreak) {
		l.add(line)
	}
	return l
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }

// add sorts one pattern into the cheapest of the three kinds.
func (l *List) add(pattern string) {
	place := len(l.lines)
	l.lines = append(l.lines, pattern)
	elements := compile(pattern)
	prefix, rest := literals(elements)
	if len(rest) == 0 {
		if l.exact == nil {
			l.exact = make(map[string]int)
		}
		if _, known := l.exact[prefix]; !known {
			l.exact[prefix] = place
		}
		return
	}
	if suffix, end := literals(rest[1:]); rest[0].kind == anyString && len(end) == 0 {
		l.globs = append(l.globs, glob{place: place, prefix: prefix, suffix: suffix})
		return
	}
	l.globs = append(l.globs, glob{place: place, elements: elements})
}

// Match says whether a base name is matched, and by which pattern: the first
// one in the order of the property.
func (l List) Match(name string) (pattern string, ok bool) {
	place := len(l.lines)
	if i, found := l.exact[name]; found {
		place = i
	}
	for i := range l.globs {
		g := &l.globs[i]
		if g.place > place {
			break
		}
		if g.match(name) {
			place = g.place
			break
		}
	}
	if place == len(l.lines) {
		return "", false
	}
	return l.lines[place], true
}

func (g *glob) match(name string) bool {
	if g.elements != nil {
		return match(g.elements, name)
	}
	// The length keeps prefix and suffix from sharing bytes: "a*a" is not "a".
	return len(name) >= len(g.prefix)+len(g.suffix) &&
		strings.HasPrefix(name, g.prefix) && strings.HasSuffix(name, g.suffix)
}

// Patterns returns the patterns in the order of the property.
func (l List) Patterns() []string {
	return append([]string(nil), l.lines...)
}
