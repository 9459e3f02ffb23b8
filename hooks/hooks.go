// Package hooks holds what happens around a machine's tree: the watcher that
// learns of drift as it happens, and tells people.
//
// The watcher keeps no books of its own. What differs, a status tells; the
// watcher knows in which directories something has happened since, and swears
// to no more than that (see [Watcher]).
package hooks

import "io/fs"

// File is one that an installation puts in place.
type File struct {
	Path string // relative to the machine's root
	Mode fs.FileMode
	Text string
}
