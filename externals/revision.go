package externals

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Revision is the revision of a definition: a number, a date, or HEAD, which
// is the zero value. Revisions are compared with ==; a date is compared as it
// is written.
type Revision struct {
	text string // as String prints it; empty is HEAD
}

// Number returns the revision with number n. A negative n, Subversion's own
// sign for "none", gives HEAD.
func Number(n int64) Revision {
	if n < 0 {
		return Revision{}
	}
	return Revision{text: strconv.FormatInt(n, 10)}
}

// ParseRevision reads a revision as "svn -r" takes it: a number, "{DATE}" or
// HEAD in any case of letters. Like Subversion it skips each leading "r", so
// that "r12" is 12. The keywords BASE, PREV and COMMITTED are refused: they
// speak of a working copy, and an external has only a URL.
func ParseRevision(s string) (Revision, error) {
	word := strings.TrimLeft(s, "r")
	switch {
	case strings.EqualFold(word, "HEAD"):
		return Revision{}, nil
	case strings.EqualFold(word, "BASE"), strings.EqualFold(word, "PREV"), strings.EqualFold(word, "COMMITTED"):
		return Revision{}, fmt.Errorf("revision keyword %q is not possible for a URL", s)
	case strings.HasPrefix(word, "{"):
		return parseDate(s, word)
	case word == "" || strings.Trim(word, "0123456789") != "":
		return Revision{}, fmt.Errorf("%q is no revision", s)
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return Revision{}, fmt.Errorf("revision %q is too large", s)
	}
	return Number(n), nil
}

// parseDate reads "{DATE}"; s is the text for the error.
func parseDate(s, word string) (Revision, error) {
	if strings.IndexByte(word, '}') != len(word)-1 {
		return Revision{}, fmt.Errorf("date %q does not end with one brace", s)
	}
	if !validDate(word[1 : len(word)-1]) {
		return Revision{}, fmt.Errorf("%q is no date that Subversion knows", s)
	}
	return Revision{text: word}, nil
}

// IsHead reports whether r is HEAD, that is, names no fixed revision.
func (r Revision) IsHead() bool { return r.text == "" }

// Number returns the revision number; ok is false for a date and for HEAD.
func (r Revision) Number() (n int64, ok bool) {
	if r.IsHead() || r.text[0] == '{' {
		return 0, false
	}
	n, err := strconv.ParseInt(r.text, 10, 64)
	return n, err == nil
}

// String prints the revision as Subversion's command line takes it: "12",
// "{2026-01-02}" or "HEAD".
func (r Revision) String() string {
	if r.IsHead() {
		return "HEAD"
	}
	return r.text
}

// errHead is why HEAD does not stand after -r in a property: svn 1.14 answers
// E195005 to "-rHEAD URL dir".
var errHead = errors.New("HEAD is not possible after -r")

// parseOperative reads what follows -r in a definition: a number or a date.
func parseOperative(s string) (Revision, error) {
	r, err := ParseRevision(s)
	if err == nil && r.IsHead() {
		return Revision{}, errHead
	}
	return r, err
}

// parsePeg reads the text after the "@". In an absolute URL the braces of a
// date may be written %7B and %7D, and then the whole date is decoded.
func parsePeg(s string, absolute bool) (Revision, error) {
	upper := strings.ToUpper(s)
	if absolute && len(s) > 6 && strings.HasPrefix(upper, "%7B") && strings.HasSuffix(upper, "%7D") {
		s = decodePercent(s)
	}
	return ParseRevision(s)
}
