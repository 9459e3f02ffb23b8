package packages

import (
	"maps"
	"slices"
	"strings"
)

// Change is a package that is installed, gone or of another version. Versions
// are whole; several of what is installed beside itself have blanks between.
type Change struct {
	Key         string // see [Package.Key]
	Before, Now string // "" when it was not, or is not, installed
}

// Changes are all changes of versions, by key.
func Changes(before, now *Installed) (all []Change) {
	old, is := before.byKey(), now.byKey()
	either := maps.Clone(old)
	maps.Copy(either, is)
	for _, key := range slices.Sorted(maps.Keys(either)) {
		c := Change{key, old[key].shown(), is[key].shown()}
		if c.Before != c.Now {
			all = append(all, c)
		}
	}
	return all
}

// shown are the versions; none of a package that is not installed.
func (s *summary) shown() string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(s.versions)
}
