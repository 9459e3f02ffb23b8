package packages

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

// IsAptSource says whether apt reads where packages come from in a file:
// sources.list(5).
func IsAptSource(name string) bool {
	dir, ext := path.Dir(name), path.Ext(name)
	return name == "etc/apt/sources.list" || dir == "etc/apt/sources.list.d" && (ext == ".list" || ext == ".sources")
}

var (
	sourceLine  = regexp.MustCompile(`^(\s*(?:#\s*)?deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?\S+\s+)(\S+)`)
	suitesField = regexp.MustCompile(`(?i)^(Suites:)(.*)`)
)

// ToRelease names another release in a file of apt's sources, by its codename:
// each suite that is the old one's, or one of its updates ("bookworm-security",
// "bookworm/updates"). Everything else stays.
func ToRelease(name string, text []byte, old, new string) []byte {
	suite := regexp.MustCompile(`^` + regexp.QuoteMeta(old) + `($|[-/])`)
	word := regexp.MustCompile(`\S+`)
	rename := func(s string) string { return suite.ReplaceAllString(s, new+"$1") }
	var b bytes.Buffer
	inside := false // of a field with suites, which goes on in indented lines
	for line := range strings.Lines(string(text)) {
		if path.Ext(name) != ".sources" {
			if m := sourceLine.FindStringSubmatch(line); m != nil {
				line = m[1] + rename(m[2]) + line[len(m[0]):]
			}
		} else if m := suitesField.FindStringSubmatchIndex(line); m != nil {
			line, inside = line[:m[3]]+word.ReplaceAllStringFunc(line[m[3]:], rename), true
		} else if inside = inside && line[0] == ' ' || inside && line[0] == '\t'; inside {
			line = word.ReplaceAllStringFunc(line, rename)
		}
		b.WriteString(line)
	}
	return b.Bytes()
}
