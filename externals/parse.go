package externals

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Parse reads the svn:externals value of the versioned directory dir, a slash
// separated path relative to the working copy root; empty is the root itself.
//
// The error joins one [*ParseError] for each line that cannot be used; the
// definitions of all other lines are returned with it, and
// [Definitions.String] gives back value whatever the error says. Of two
// definitions with one target the first is kept. Beyond what Subversion
// refuses to set, Parse refuses what its update can never bring up: a word in
// the URL's place that is none, a BASE, PREV or COMMITTED peg revision, and
// unsafe targets ([ErrUnsafeTarget]).
func Parse(dir, value string) (Definitions, error) {
	dir = path.Clean(dir)
	if dir == "." {
		dir = ""
	} else if err := checkPath(dir); err != nil {
		return Definitions{}, fmt.Errorf("internal error: directory %q: %w", dir, err)
	}
	d := Definitions{dir: dir}
	var errs []error
	seen := map[string]int{} // target to line
	for rest := value; rest != ""; {
		text, end := cutLine(rest)
		raw := rest[:len(text)+len(end)]
		rest = rest[len(raw):]
		number := len(d.lines) + 1
		def, found, err := parseLine(text)
		target := def.Target
		if err == nil && found {
			def.Dir, def.Line = dir, number
			if first, duplicate := seen[target]; duplicate {
				err = problemf("remove one of them", "%w: %q is defined in line %d", ErrDuplicateTarget, target, first)
			} else {
				seen[target] = number
				d.defs = append(d.defs, def)
			}
		}
		if err != nil {
			errs = append(errs, &ParseError{Dir: dir, Line: number, Text: text, Err: err.err, Remedy: err.remedy})
		}
		d.lines = append(d.lines, line{raw: raw, target: target})
	}
	return d, errors.Join(errs...)
}

// cutLine splits the first line off s and returns it and its end: "\n",
// "\r\n", "\r" (Subversion splits at both characters), or nothing.
func cutLine(s string) (text, end string) {
	i := strings.IndexAny(s, "\r\n")
	switch {
	case i < 0:
		return s, ""
	case strings.HasPrefix(s[i:], "\r\n"):
		return s[:i], "\r\n"
	}
	return s[:i], s[i : i+1]
}

const wordsRemedy = `write "[-rREV] URL[@PEG] TARGET", with quotes around what holds a blank`

// parseLine reads one line without its end. Found is false for a comment or a
// blank line.
func parseLine(text string) (def Definition, found bool, err *problem) {
	trimmed := strings.Trim(text, " \t\v\f")
	if trimmed == "" || trimmed[0] == '#' {
		return Definition{}, false, nil
	}
	list := words(trimmed)
	if len(list) < 2 || len(list) > 4 {
		return Definition{}, false, problemf(wordsRemedy, "definition has %d words", len(list))
	}
	rest, revision, at, err := cutRevision(list)
	if err != nil {
		return Definition{}, false, err
	}
	def, err = arrange(rest[0], rest[1], revision, at)
	if err != nil {
		return Definition{}, false, err
	}
	def.text = text
	return def, true, nil
}

// cutRevision takes "-rREV" or "-r REV" out of the words and returns the
// other two, the revision, and the index at which it stood, or -1. Subversion
// looks for it at the first and second place only.
func cutRevision(list []string) (rest []string, revision Revision, at int, err *problem) {
	for i, word := range list[:2] {
		digits, found := strings.CutPrefix(word, "-r")
		if !found {
			continue
		}
		count := 1
		if digits == "" {
			count = 2
		}
		if len(list) != 2+count {
			return nil, Revision{}, i, problemf(wordsRemedy, "definition with -r has %d words", len(list))
		}
		if count == 2 {
			digits = list[i+1]
		}
		r, err := parseOperative(digits)
		if err != nil {
			return nil, Revision{}, i, &problem{err: err, remedy: "use a number or a date such as -r{2026-01-02}"}
		}
		return append(list[:i:i], list[i+count:]...), r, i, nil
	}
	if len(list) != 2 {
		return nil, Revision{}, -1, problemf(wordsRemedy, "definition has %d words", len(list))
	}
	return list, Revision{}, -1, nil
}

// arrange tells which of two words is the URL. The place of -r decides; with
// none the line is in old order only if the second word alone is an absolute
// URL, because "/a /b" with relative URLs could mean either.
func arrange(first, second string, revision Revision, at int) (Definition, *problem) {
	firstURL, secondURL := isAbsoluteURL(first), isAbsoluteURL(second)
	switch {
	case firstURL && secondURL:
		return Definition{}, problemf(targetRemedy, "%q and %q are both URLs", first, second)
	case at == 0 && secondURL, at == 1 && firstURL:
		return Definition{}, problemf("put -r in front of the URL", "URL stands where the target belongs")
	}
	if at == 0 || at < 0 && (firstURL || !secondURL) {
		return newDefinition(first, second, revision)
	}
	target, err := cleanTarget(first)
	if err != nil {
		return Definition{}, err
	}
	if err := checkURL(second); err != nil {
		return Definition{}, err
	}
	return Definition{Target: target, URL: second, Peg: revision, Revision: revision, Format: Old}, nil
}

// newDefinition reads "URL[@PEG]" and the target of a new format definition.
func newDefinition(address, target string, revision Revision) (Definition, *problem) {
	def := Definition{URL: address, Revision: revision, Format: New}
	if i := strings.LastIndexAny(address, "/@"); i >= 0 && address[i] == '@' {
		def.URL = address[:i]
		// A lone "@" at the end says that an earlier one is part of the name.
		if peg := address[i+1:]; peg != "" {
			r, err := parsePeg(peg, isAbsoluteURL(address))
			if err != nil {
				return Definition{}, &problem{err: fmt.Errorf("peg revision: %w", err),
					remedy: `use "@" and a number or {DATE}, or end the URL with "@" if "@" is part of the name`}
			}
			def.Peg = r
		}
	}
	clean, err := cleanTarget(target)
	if err != nil {
		return Definition{}, err
	}
	def.Target = clean
	if err := checkURL(def.URL); err != nil {
		if checkURL(target) == nil {
			err.remedy = fmt.Sprintf(`with a relative URL the URL comes first: "%s %s"`, quote(target), quote(def.URL))
		}
		return Definition{}, err
	}
	return def, nil
}
