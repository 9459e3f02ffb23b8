package packages

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// largestKey bounds what is read of a key file; a keyring of Debian has 60 KiB.
const largestKey = 8 << 20

// readKeys takes the digests of key files. One that is missing is a finding:
// its repository cannot be used.
func (in *Installed) readKeys(root *os.Root, names []string) error {
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		err := readFile(root, name, func(r io.Reader) error {
			sum := sha256.New()
			_, err := io.Copy(sum, io.LimitReader(r, largestKey))
			in.Keys[name] = fmt.Sprintf("sha256:%x", sum.Sum(nil))
			return err
		})
		if errors.Is(err, fs.ErrNotExist) {
			in.Findings = append(in.Findings, fmt.Sprintf("key file %s, which a repository of packages names, is missing", name))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// glob are the paths below a root that match one of the patterns, sorted within
// each.
func glob(root *os.Root, patterns ...string) (all []string) {
	for _, pattern := range patterns {
		names, _ := fs.Glob(root.FS(), pattern) // errs for a bad pattern alone
		all = append(all, names...)
	}
	return all
}
