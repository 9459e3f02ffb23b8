package secrets

import (
	"fmt"
	"strings"
)

// Dir is the versioned directory of sealed files, relative to the machine's
// root.
const Dir = ".rootwc/secrets"

// Extension ends the name of every sealed file.
const Extension = ".age"

// directoryMark is appended to the name of a directory that ends as the name of
// a sealed file does: "x.age/key" must not need a directory where the sealed
// "x" lies.
const directoryMark = ".dir"

// maxName is the longest name that Linux file systems take, in bytes.
const maxName = 255

// SealedPath is where the sealed form of a path is kept, both relative to the
// machine's root. No two paths have the same. The error says why there is none.
func SealedPath(path string) (string, error) {
	names := strings.Split(path, "/")
	last := len(names) - 1
	for i, name := range names[:last] {
		if marked(name) {
			names[i] = name + directoryMark
		}
	}
	names[last] += Extension
	for _, name := range names {
		if len(name) > maxName {
			return "", fmt.Errorf("the name of the sealed file would be longer than %d bytes", maxName)
		}
	}
	return Dir + "/" + strings.Join(names, "/"), nil
}

// PathOf is the other way; false for what is no sealed file's path.
func PathOf(sealed string) (string, bool) {
	rest, below := strings.CutPrefix(sealed, Dir+"/")
	rest, named := strings.CutSuffix(rest, Extension)
	if !below || !named || rest == "" || strings.HasSuffix(rest, "/") {
		return "", false
	}
	names := strings.Split(rest, "/")
	for i, name := range names[:len(names)-1] {
		if marked(name) {
			if names[i], named = strings.CutSuffix(name, directoryMark); !named {
				return "", false
			}
		}
	}
	return strings.Join(names, "/"), true
}

// marked says whether a directory's name is one that gets a mark, or has one.
func marked(name string) bool {
	for strings.HasSuffix(name, directoryMark) {
		name = strings.TrimSuffix(name, directoryMark)
	}
	return strings.HasSuffix(name, Extension)
}
