package wc

import (
	"errors"

	"rootwc/wc/metadata"
)

// applyAt sets the metadata of the entry name in the open directory dirfd,
// when it still is the file that id describes; an id that says nothing takes
// whatever is there. It returns what could not be set.
func applyAt(dirfd int, name string, want metadata.Values, id identity) []error {
	opt := metadata.Options{HardLinks: true}
	if id.Exists {
		opt.Dev, opt.Ino = id.Dev, id.Ino
	}
	err := metadata.ApplyAt(dirfd, name, want, opt)
	var problems metadata.Problems
	if errors.As(err, &problems) {
		failed := make([]error, len(problems))
		for i, p := range problems {
			failed[i] = p
		}
		return failed
	}
	if err != nil {
		return []error{err}
	}
	return nil
}
