package export

import (
	"regexp"
	"strings"
)

// nixString is a string of the Nix language ("String literal" in the Nix
// reference manual): a backslash keeps quotes, backslashes and ${ from meaning
// more, and there is no need for line ends.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// nixList is a list of strings.
func nixList(words []string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(nixString(w) + " ")
	}
	return "[ " + b.String() + "]"
}

var (
	isNixName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	nixWords  = map[string]bool{"if": true, "then": true, "else": true, "assert": true, "with": true, "let": true, "in": true, "rec": true, "inherit": true, "or": true}
)

// nixName is the name of an attribute.
func nixName(s string) string {
	if isNixName.MatchString(s) && !nixWords[s] {
		return s
	}
	return nixString(s)
}
