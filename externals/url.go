package externals

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// form is one of the ways to write the URL of a definition.
type form int

const (
	absolute       form = iota // scheme://host/path
	dirRelative                // ../path, from the directory with the property
	rootRelative               // ^/path, from the repository root
	schemeRelative             // //host/path
	serverRelative             // /path
)

const urlRemedy = `begin the URL with "scheme://", "^/", "../", "//" or "/"`

// schemeForm is what RFC 3986 allows before "://".
var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// isAbsoluteURL reports whether Subversion takes s for a URL: text without a
// slash or colon, then "://".
func isAbsoluteURL(s string) bool {
	scheme, _, found := strings.Cut(s, "://")
	return found && scheme != "" && !strings.ContainsAny(scheme, ":/")
}

// splitURL tells the form of a definition's URL and returns what follows the
// mark of its form, with empty and "." parts taken out of relative ones as
// Subversion does first: "./..//lib" is "../lib".
func splitURL(url string) (form, string, error) {
	switch {
	case isAbsoluteURL(url):
		return absolute, url, nil
	case strings.HasPrefix(url, "//"):
		// Subversion counts a third slash to the mark: "///path" under file://.
		rest := strings.TrimPrefix(url[2:], "/")
		return schemeRelative, url[:len(url)-len(rest)] + cleanRelative(rest), nil
	case strings.HasPrefix(url, "/"):
		return serverRelative, cleanRelative(url[1:]), nil
	}
	clean := cleanRelative(url)
	switch {
	case strings.HasPrefix(clean, "../"):
		return dirRelative, clean, nil
	case strings.HasPrefix(clean, "^/"):
		return rootRelative, clean[len("^/"):], nil
	case clean == "^":
		// svn 1.14: "Unrecognized format for the relative external URL '^/'".
		return 0, "", fmt.Errorf("%w %q: Subversion does not take the repository root alone (^/../NAME works)", ErrBadURL, url)
	case clean == "..":
		return 0, "", fmt.Errorf(`%w %q: Subversion does not take ".." alone (../../NAME works)`, ErrBadURL, url)
	}
	return 0, "", fmt.Errorf("%w %q: neither absolute nor relative", ErrBadURL, url)
}

// cleanRelative takes empty and "." parts out of a relative path, and leaves
// ".." where it is.
func cleanRelative(p string) string {
	var parts []string
	for part := range strings.SplitSeq(p, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// checkURL returns what is wrong with the URL of a definition as far as that
// can be told without knowing where the definition stands.
func checkURL(url string) *problem {
	if !utf8.ValidString(url) || strings.ContainsFunc(url, unicode.IsControl) {
		return problemf("write the character as %XX", "%w %q: control character or invalid UTF-8", ErrBadURL, url)
	}
	kind, rest, err := splitURL(url)
	if err != nil {
		return &problem{err: err, remedy: urlRemedy}
	}
	if kind == absolute {
		scheme, _, _ := strings.Cut(url, "://")
		if !schemeForm.MatchString(scheme) {
			return problemf(urlRemedy, "%w %q: %q is no scheme", ErrBadURL, url, scheme)
		}
	}
	if kind != dirRelative && kind != rootRelative && hasParent(rest) {
		return problemf(`write the path without ".."`, `%w %q: ".." is possible only after "^/" and "../"`, ErrBadURL, url)
	}
	return nil
}

// hasParent reports whether a slash separated path holds a ".." part.
func hasParent(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
