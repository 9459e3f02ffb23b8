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
}

// suffixes are those of dpkg(1) (--force-confold and --force-confnew), ucf(1),
// rpm(8) and pacman(8), and whether the file is one that was saved.
var suffixes = []struct {
	suffix string
	saved  bool
}{
	{".dpkg-dist", false},
	{".dpkg-new", false},
	{".dpkg-old", true},
	{".ucf-dist", false},
	{".ucf-new", false},
	{".ucf-old", true},
	{".rpmnew", false},
	{".rpmsave", true},
	{".rpmorig", true},
	{".pacnew", false},
	{".pacsave", true},
	{".pacorig", true},
}

// numberedSave are the further ones that pacman keeps of a file: "f.pacsave.1".
var numberedSave = regexp.MustCompile(`(\.pacsave)\.[0-9]+$`)

// ParseLeftover tells a leftover by its name.
func ParseLeftover(path string) (Leftover, bool) {
	plain := numberedSave.ReplaceAllString(path, "$1")
	for _, s := range suffixes {
		of, ok := strings.CutSuffix(plain, s.suffix)
		if ok && of != "" && !strings.HasSuffix(of, "/") {
			return Leftover{Path: path, Of: of, Saved: s.saved}, true
		}
	}
	return Leftover{}, false
}
