package externals

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const targetRemedy = "name a path below the directory that carries the property"

// cleanTarget returns target without empty and "." parts, or an
// ErrUnsafeTarget. Subversion 1.14 refuses absolute, empty and ".." targets
// when the property is set, but takes ".svn" and control characters; and a
// repository may hold any of them.
func cleanTarget(target string) (string, *problem) {
	if err := checkPath(target); err != nil {
		return "", &problem{err: err, remedy: targetRemedy}
	}
	return path.Clean(target), nil
}

// checkPath returns an ErrUnsafeTarget unless the slash separated path is
// relative, leads below the directory it is relative to, keeps out of .svn
// areas and is text that Subversion can store. The comparison with ".svn" ignores case, because
// a file system may: vfat, or ext4 with casefold.
func checkPath(p string) error {
	switch {
	case !utf8.ValidString(p):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrUnsafeTarget, p)
	case strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("%w: %q holds a control character", ErrUnsafeTarget, p)
	case strings.HasPrefix(p, "/"):
		return fmt.Errorf("%w: %q is absolute", ErrUnsafeTarget, p)
	case path.Clean(p) == ".":
		return fmt.Errorf("%w: %q is the directory itself", ErrUnsafeTarget, p)
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "..":
			return fmt.Errorf("%w: %q holds a %q part", ErrUnsafeTarget, p, part)
		case strings.EqualFold(part, ".svn"):
			return fmt.Errorf("%w: %q leads into an administrative area", ErrUnsafeTarget, p)
		}
	}
	return nil
}
