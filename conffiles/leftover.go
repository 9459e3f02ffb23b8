package conffiles

import (
	"regexp"
	"strings"
)

// Leftover is a file that a package manager has put beside a conffile, because
// a person has changed that.
type Leftover struct {
	Path string // relative to the machine's root
	Of   string // the conffile
	// Saved says that it is the person's version, put aside for the package's;
	// else it is the package's, and the person's was left in place.
	Saved bool
	// Unfinished says that the package manager may still come for it by itself.
	Unfinished bool
}

// suffixes are those of dpkg(1) (--force-confold and --force-confnew), ucf(1),
// rpm(8) and pacman(8). dpkg unpacks to .dpkg-new and configures later.
var suffixes = []struct {
	suffix            string
	saved, unfinished bool
}{
	{".dpkg-dist", false, false},
	{".dpkg-new", false, true},
	{".dpkg-old", true, false},
	{".ucf-dist", false, false},
	{".ucf-new", false, false},
	{".ucf-old", true, false},
	{".rpmnew", false, false},
	{".rpmsave", true, false},
	{".rpmorig", true, false},
	{".pacnew", false, false},
	{".pacsave", true, false},
	{".pacorig", true, false},
}

// numberedSave are the further ones that pacman keeps of a file: "f.pacsave.1".
var numberedSave = regexp.MustCompile(`(\.pacsave)\.[0-9]+$`)

// ParseLeftover tells a leftover by its name.
func ParseLeftover(path string) (Leftover, bool) {
	plain := numberedSave.ReplaceAllString(path, "$1")
	for _, s := range suffixes {
		of, ok := strings.CutSuffix(plain, s.suffix)
		if ok && of != "" && !strings.HasSuffix(of, "/") {
			return Leftover{Path: path, Of: of, Saved: s.saved, Unfinished: s.unfinished}, true
		}
	}
	return Leftover{}, false
}
