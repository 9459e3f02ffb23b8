package conffiles

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// statusBackups reads the digests of a conffile from the copies of dpkg's
// status that dpkg-db-backup(8) keeps, the newest first: dpkg.status.0, and
// older ones with gzip. Damaged ones are passed over.
func statusBackups(root *os.Root, path string) (all []Digest, err error) {
	const days = 7
	for i := range days {
		for _, suffix := range []string{"", ".gz"} {
			f, err := root.Open(fmt.Sprintf("var/backups/dpkg.status.%d%s", i, suffix))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			digest := digestIn(f, suffix != "", path)
			f.Close()
			if digest != "" && !slices.Contains(all, digest) {
				all = append(all, digest)
			}
		}
	}
	return all, nil
}

// digestIn finds the line " /PATH MD5" of a status file; "" when there is none.
func digestIn(r io.Reader, zipped bool, path string) Digest {
	if zipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return ""
		}
		r = z
	}
	begin := []byte(" /" + path + " ")
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if rest, ok := bytes.CutPrefix(line, begin); ok {
			if digits := strings.TrimSpace(string(rest)); len(digits) == 32 {
				return MD5(digits)
			}
		}
		if err != nil {
			return ""
		}
	}
}
