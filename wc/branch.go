package wc

import (
	"slices"
	"strings"
)

// Branches are laid out as Subversion's own manual recommends: "trunk" beside
// "branches", with a directory for each branch in it. Machines' roots may lie
// beside each other in "hosts"; what they have in common is "hosts/trunk".
const (
	trunkWord    = "trunk"
	branchesWord = "branches"
	hostsWord    = "hosts"
)

// Branch is the URL of the branch that word names, seen from the branch that
// the working copy comes from: a URL, "^/PATH", or by the conventional layout
// "trunk", "branches/NAME" or "hosts/NAME". It does not say whether anything
// is there.
func (c *Copy) Branch(word string) (string, error) {
	url := strings.TrimSuffix(word, "/")
	switch below, fromRoot := strings.CutPrefix(word, "^/"); {
	case fromRoot:
		url = c.urlOf(strings.Trim(below, "/"))
	case !strings.Contains(word, "://"):
		path, err := branchBeside(c.summary.Path, word)
		if err != nil {
			return "", Hint(Refuse("cannot tell where %q is, seen from %s: %w", word, c.URL(), err), "name it as ^/PATH, from the repository's root")
		}
		url = c.urlOf(path)
	}
	switch {
	case url != c.RepositoryRoot() && !strings.HasPrefix(url, c.RepositoryRoot()+"/"):
		return "", Refuse("%s is not in the repository of the working copy, %s", url, c.RepositoryRoot())
	case url == c.URL():
		return "", Refuse("%s is the very branch that the working copy comes from", url)
	}
	return url, nil
}

// pathOf is the path of a URL in the repository; the other way of urlOf.
func (c *Copy) pathOf(url string) string {
	return strings.Trim(UnescapeURL(strings.TrimPrefix(url, c.RepositoryRoot())), "/")
}

// branchBeside is the path of another branch of what is at own.
func branchBeside(own, word string) (string, error) {
	const layout = "its path holds neither trunk, branches/NAME nor hosts/NAME"
	parts := strings.Split(own, "/")
	from, depth := branchIn(parts)
	if depth == 0 {
		return "", Refuse(layout)
	}
	want := strings.Split(strings.Trim(word, "/"), "/")
	switch {
	case word == trunkWord && parts[from] == hostsWord:
		want = []string{hostsWord, trunkWord}
	case word == trunkWord:
	case len(want) == 2 && want[1] != "" && (want[0] == hostsWord) == (parts[from] == hostsWord) && (want[0] == hostsWord || want[0] == branchesWord):
	default:
		return "", Refuse("a name is %s, %s/NAME or %s/NAME", trunkWord, branchesWord, hostsWord)
	}
	return strings.Join(slices.Concat(parts[:from], want, parts[from+depth:]), "/"), nil
}

// branchIn finds the parts of a path that name a branch: where they begin, and
// how many they are; 0 when the path names none.
func branchIn(parts []string) (from, depth int) {
	for i := len(parts) - 1; i >= 0; i-- {
		switch more := i+1 < len(parts); {
		case parts[i] == branchesWord && more, parts[i] == hostsWord && more:
			return i, 2
		case parts[i] == trunkWord && (i == 0 || parts[i-1] != hostsWord && parts[i-1] != branchesWord):
			return i, 1
		}
	}
	return 0, 0
}
