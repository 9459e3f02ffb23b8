package ignore

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// nameMax is the longest base name in bytes. Source: NAME_MAX in
// linux/limits.h.
const nameMax = 255

// Add appends a pattern to a property value and returns the new value, which
// ends with a newline. A pattern that is already there is not added again;
// order and blank lines stay. A pattern that can never match is refused with
// the reason [Useless] gives; to ignore one particular file, pass [Quote] of
// its name.
func Add(prop, pattern string) (string, error) {
	if reason, bad := Useless(pattern); bad {
		return "", fmt.Errorf("cannot add pattern %q: it %s", pattern, reason)
	}
	if prop != "" && !strings.HasSuffix(prop, "\n") {
		prop += "\n"
	}
	for rest := prop; rest != ""; {
		var line string
		if line, _, rest = cutLine(rest); line == pattern {
			return prop, nil
		}
	}
	return prop + pattern + "\n", nil
}

// Remove takes a pattern out of a property value, every time it occurs, and
// says whether it was there. It compares text, not meaning: "*" removes the
// line "*" alone. An empty rest means that the property should be deleted.
func Remove(prop, pattern string) (rest string, found bool) {
	var b strings.Builder
	kept := false
	for tail := prop; tail != ""; {
		var line, lineBreak string
		line, lineBreak, tail = cutLine(tail)
		if line == pattern && line != "" {
			found = true
			continue
		}
		kept = kept || line != ""
		b.WriteString(line + lineBreak)
	}
	switch {
	case !found:
		return prop, false
	case !kept:
		return "", true
	}
	return b.String(), true
}

// cutLine cuts the first line from a property value. The line break is "" at
// the end of a value without a final newline.
func cutLine(prop string) (line, lineBreak, rest string) {
	i := strings.IndexFunc(prop, isLineBreak)
	if i < 0 {
		return prop, "", ""
	}
	return prop[:i], prop[i : i+1], prop[i+1:]
}

// Useless looks for what people write into svn:ignore because another tool
// understands it. If bad, the pattern can never match any name. Otherwise a
// reason that is not empty is a warning: the pattern is legal, but may not mean
// what its author thinks. The reason reads on after "the pattern".
func Useless(pattern string) (reason string, bad bool) {
	if reason = never(pattern); reason != "" {
		return reason, true
	}
	return suspicious(pattern), false
}

func never(pattern string) string {
	switch {
	case pattern == "":
		return "is empty"
	case strings.ContainsAny(pattern, "\r\n"):
		return "holds a line break, which separates patterns"
	case strings.Contains(pattern, "\x00"):
		return "holds a NUL byte, which ends the property for Subversion"
	case !utf8.ValidString(pattern):
		return "is not valid UTF-8, which Subversion refuses in this property"
	case pattern == "." || pattern == "..":
		return "is no name of a file: it stands for a directory itself"
	}
	shortest := 0
	for _, e := range compile(pattern) {
		switch {
		case e.kind == literal && e.char == '/':
			return slash(pattern)
		case e.kind == oneOf && e.class.empty():
			return "holds a bracket expression that no character satisfies"
		case e.kind != anyString:
			shortest++
		}
	}
	if shortest > nameMax {
		return fmt.Sprintf("is longer than any file name (%d bytes)", nameMax)
	}
	return ""
}

// empty says that no byte of a file name is in the class.
func (c *class) empty() bool {
	for b := 1; b < 256; b++ {
		if b != '/' && c.has(byte(b)) {
			return false
		}
	}
	return true
}

// slash says what to write instead of a pattern with a slash.
func slash(pattern string) string {
	const fact = "has a slash, and Subversion compares base names"
	dir, base := path.Split(strings.TrimPrefix(path.Clean(pattern), "/"))
	switch {
	case base == "" || base == "." || base == "..":
		return fact
	case dir == "":
		return fmt.Sprintf("%s: write %q", fact, base)
	case dir == "**/":
		return fmt.Sprintf("%s: write %q into %s", fact, base, PropGlobalIgnores)
	}
	return fmt.Sprintf("%s: write %q into %s of %q", fact, base, PropIgnore, path.Clean(dir))
}

func suspicious(pattern string) string {
	switch {
	case strings.HasPrefix(pattern, "# "):
		return "looks like a comment, but Subversion has none here"
	case strings.Trim(pattern, " \t") != pattern:
		return "begins or ends with a blank, which belongs to the pattern"
	case strings.HasPrefix(pattern, "!"):
		return "matches names that begin with \"!\": Subversion has no negation"
	case strings.Contains(pattern, "[:"):
		return "uses a character class, which Subversion does not understand"
	case strings.Contains(pattern, "{") && strings.Contains(pattern, ","):
		return "holds braces, which are ordinary characters to Subversion"
	}
	return ""
}

// Quote returns a pattern that matches exactly one name: a backslash stands
// before each of * ? [ and \. What a property cannot hold (line breaks, bytes
// that are no UTF-8) becomes "?", so such a name's pattern matches a few more.
func Quote(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		switch {
		case isLineBreak(r), r == utf8.RuneError && size == 1:
			b.WriteByte('?')
		default:
			if strings.ContainsRune(`*?[\`, r) {
				b.WriteByte('\\')
			}
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}
