package noise

import (
	"errors"
	"fmt"
	"path"
	"regexp/syntax"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds for what comes from a repository. Matching a line takes no more steps
// than the line has bytes, for each instruction of a pattern.
const (
	MaxRules = 1000  // of one description
	MaxSize  = 20000 // instructions of all its line patterns, see [CheckLine]

	maxPattern      = 1000 // bytes of a path pattern
	maxAlternatives = 4    // of its {a,b}: the cost doubles with each
)

// Match says whether a pattern covers a path: it matches the path or a
// directory above it, as in a .gitignore. * and ? stop at a slash, ** does not,
// [abc] and {a,b} are known, and a backslash takes the next character as it is.
// Both are relative to the root.
func Match(pattern, name string) bool {
	for name != "" && name != "." {
		if ok, _ := doublestar.Match(pattern, name); ok {
			return true
		}
		name = path.Dir(name)
	}
	return false
}

// CheckPath says what is wrong with a path pattern for [Match].
func CheckPath(pattern string) error {
	switch {
	case !doublestar.ValidatePattern(pattern):
		return fmt.Errorf("path %.60q is a malformed pattern", pattern)
	case len(pattern) > maxPattern || strings.Count(pattern, "{") > maxAlternatives:
		return fmt.Errorf("path %.60q is longer than %d bytes, or has more than %d alternatives in braces", pattern, maxPattern, maxAlternatives)
	}
	return nil
}

// CheckLine says what is wrong with a line pattern, and how many instructions
// it takes.
func CheckLine(pattern string) (size int, err error) {
	if pattern == "" {
		return 0, errors.New("an empty line pattern matches every line")
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("line pattern %q does not compile: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("line pattern %q does not compile: %w", pattern, err)
	}
	return len(program.Inst), nil
}
