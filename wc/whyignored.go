package wc

import (
	"path/filepath"
	"strings"

	"rootwc/ignore"
)

// WhyIgnored tells what decides about a path: the verdict for it or for the
// first directory above it that is not versioned.
func (t *Tree) WhyIgnored(path string) (ignore.Verdict, string, error) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return ignore.Verdict{}, "", ErrNotWorkingCopy
	}
	var rules ignore.Rules
	dir := ""
	for _, name := range strings.Split(rel, "/") {
		n := c.record().node(dir)
		if n == nil || !n.visible() || n.top().kind != kindDir {
			break
		}
		rules = n.rules(c.path(dir), rules)
		at := joinPath(dir, name)
		if !c.Versioned(at) {
			return rules.Verdict(name), c.path(at), nil
		}
		dir = at
	}
	return ignore.Verdict{}, filepath.Clean(path), nil
}
