package packages

import (
	"bufio"
	"io"
	"os"
	"path"
	"strings"
)

// Where ucf(1) keeps what packages have shipped of configuration files that
// their maintainer scripts put in place: "MD5 /PATH", and
// "PACKAGE /PATH".
const (
	ucfHashes   = "var/lib/ucf/hashfile"
	ucfRegistry = "var/lib/ucf/registry"
)

// readUcf adds these to the configuration files of their packages. What it
// cannot understand it leaves out: ucf itself is a script that edits its files
// line by line.
func (in *Installed) readUcf(root *os.Root) error {
	owners := map[string]string{}
	err := readOptional(root, ucfRegistry, func(r io.Reader) error {
		return eachPair(r, func(name, file string) { owners[file] = name })
	})
	if err != nil {
		return err
	}
	return readOptional(root, ucfHashes, func(r io.Reader) error {
		return eachPair(r, func(digits, file string) {
			rel := strings.TrimPrefix(path.Clean(file), "/")
			found := in.named(owners[file])
			if found == nil || !validDigest("md5:"+digits) || !validPath(rel) {
				return
			}
			if found.Conffiles == nil {
				found.Conffiles = map[string]string{}
			}
			found.Conffiles[rel] = "md5:" + digits
		})
	})
}

// named is the package with a name, of whatever architecture.
func (in *Installed) named(name string) *Package {
	for _, p := range in.Packages {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// eachPair reads lines of a word, blanks and an absolute path.
func eachPair(r io.Reader, each func(word, file string)) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if end := strings.IndexAny(line, " \t"); end > 0 {
			if file := strings.TrimSpace(line[end:]); strings.HasPrefix(file, "/") {
				each(line[:end], file)
			}
		}
	}
	return lines.Err()
}
