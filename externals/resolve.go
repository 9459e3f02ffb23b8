package externals

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Resolve returns the absolute URL that def means, in Subversion's canonical
// spelling and without a peg revision. repoRoot is the root URL of the
// repository that holds the property, dirURL the URL of the directory that
// carries it; "svn info" prints both. The forms are Subversion's:
//
//	../path          from dirURL
//	^/path           from repoRoot; "^/../other" leads to its neighbours
//	//host/path      with the scheme of repoRoot
//	/path            from the root of dirURL's server
//	scheme://host/…  as it is
//
// Every failure is an [ErrBadURL]. Stricter than Subversion, a ".." that
// climbs above the root of the server is one (svn stops silently at the root
// and so checks out another place than was written), and so is a ".." that
// comes to light when escapes are resolved, or a host that begins with a dash.
func Resolve(def Definition, repoRoot, dirURL string) (string, error) {
	if err := checkURL(def.URL); err != nil {
		return "", fmt.Errorf("cannot resolve external %q: %w", def.Path(), err.err)
	}
	url, err := resolve(def.URL, canonicalURL(repoRoot), canonicalURL(dirURL))
	if err == nil {
		err = checkResolved(url)
	}
	if err != nil {
		return "", fmt.Errorf("cannot resolve external %q: %w %q: %w", def.Path(), ErrBadURL, def.URL, err)
	}
	return url, nil
}

// resolve applies the rules to a URL that checkURL has passed.
func resolve(url, repoRoot, dirURL string) (string, error) {
	kind, rest, err := splitURL(url)
	if err != nil {
		return "", err
	}
	switch kind {
	case absolute:
		return canonicalURL(url), nil
	case schemeRelative:
		scheme, _, found := strings.Cut(repoRoot, "://")
		if !found {
			return "", fmt.Errorf("repository root %q is no URL", repoRoot)
		}
		return canonicalURL(scheme + ":" + rest), nil
	}
	server, dirPath, err := splitServer(dirURL)
	if err != nil {
		return "", err
	}
	var base string
	switch kind {
	case dirRelative:
		base = dirPath
	case rootRelative:
		if _, base, err = splitServer(repoRoot); err != nil {
			return "", err
		}
	}
	path, err := climb(base, rest)
	if err != nil {
		return "", fmt.Errorf("%w of %s", err, server)
	}
	return canonicalURL(server + "/" + path), nil
}

// splitServer cuts a canonical URL into scheme://host and path.
func splitServer(url string) (server, path string, err error) {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return "", "", fmt.Errorf("%q is no URL", url)
	}
	host, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + host, path, nil
}

// climb appends rest to base, taking one part of base away for each "..".
func climb(base, rest string) (string, error) {
	var parts []string
	if base != "" {
		parts = strings.Split(base, "/")
	}
	for part := range strings.SplitSeq(rest, "/") {
		switch {
		case part != "..":
			parts = append(parts, part)
		case len(parts) == 0:
			return "", errors.New("climbs above the root")
		default:
			parts = parts[:len(parts)-1]
		}
	}
	return strings.Join(parts, "/"), nil
}

// bracketForm is an IPv6 address as Subversion takes it, with its port.
var bracketForm = regexp.MustCompile(`^\[[0-9a-f:]+\](:[0-9]+)?$`)

// checkResolved refuses what a canonical URL must not hold. The dash is
// CVE-2017-9800: a host "-oProxyCommand=…" became an option of ssh; svn 1.9.7
// and later refuse it too.
func checkResolved(url string) error {
	scheme, rest, _ := strings.Cut(url, "://")
	authority, path, _ := strings.Cut(rest, "/")
	for part := range strings.SplitSeq(authority, "@") {
		if strings.HasPrefix(part, "-") {
			return fmt.Errorf("user or host %q begins with a dash", part)
		}
	}
	if strings.Count(authority, "@") > 1 {
		return fmt.Errorf("%q is no user and host", authority)
	}
	switch host := authority[strings.LastIndexByte(authority, '@')+1:]; {
	case scheme == "file" && host != "" && host != "localhost":
		return fmt.Errorf("file URL names the host %q", host)
	case strings.HasPrefix(host, "[") && !bracketForm.MatchString(host):
		return fmt.Errorf("%q is no host", host)
	case scheme != "file" && host == "":
		return fmt.Errorf("URL %q names no host", url)
	case hasParent(path):
		return fmt.Errorf(`URL %q holds ".."`, url)
	}
	return nil
}
