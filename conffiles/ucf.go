package conffiles

import (
	"os"
	"strings"
)

// ucfCache is where ucf(1) keeps the version of a package beside the digest of
// it, for the packages that ask for --three-way.
const ucfCache = "var/lib/ucf/cache"

// FromUcf looks for a conffile's text in ucf's cache; nil when it is not there.
func FromUcf(root *os.Root, conffile string, old []Digest) ([]byte, error) {
	text, err := readBelow(root, ucfCache+"/"+strings.ReplaceAll("/"+conffile, "/", ":"))
	if err != nil || !anyMatches(old, text) {
		return nil, err
	}
	return text, nil
}
