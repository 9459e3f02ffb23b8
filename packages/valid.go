package packages

import (
	"encoding/hex"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is recorded comes back from a repository, and its names become arguments
// of a package manager. None of them can be taken for an option, a pattern, a
// version or another action ("name-" removes, for apt).

// validName takes the name of a package or an architecture: deb-control(5),
// and what rpm and pacman allow besides.
func validName(s string) bool {
	return validWord(s, "+-._@") && !strings.HasSuffix(s, "-")
}

// validKey takes a [Package.Key].
func validKey(s string) bool {
	name, architecture, foreign := strings.Cut(s, ":")
	return validName(name) && (!foreign || validName(architecture))
}

// validVersion takes a version with epoch and release.
func validVersion(s string) bool { return validWord(s, "+-._~:^") }

// validWord takes letters and digits of ASCII, and others but at the beginning.
func validWord(s, others string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '_' && (i == 0 || !strings.ContainsRune(others, r)) {
			return false
		}
	}
	return s != "" && len(s) < 256
}

// validDigest takes a digest with its kind.
func validDigest(s string) bool {
	kind, digits, _ := strings.Cut(s, ":")
	size := map[string]int{"md5": 16, "sha256": 32}[kind]
	sum, err := hex.DecodeString(digits)
	return err == nil && size > 0 && len(sum) == size && digits == strings.ToLower(digits)
}

// validPath takes a path below the root in its one spelling.
func validPath(s string) bool {
	return fs.ValidPath(s) && s != "." && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
