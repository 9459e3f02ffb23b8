// Package hooks puts the files in place by which other programs call rootwc,
// package managers above all, and holds the watcher that learns of drift as it
// happens, and tells people.
//
// Each [Hook] is a few small files of its own. They end with a checksum of
// themselves, so that one that a person has edited is told from one that an
// earlier rootwc has made, wherever the file has come from. Nothing but these
// files is written, and nothing that a person has edited.
//
// The watcher keeps no books of its own. What differs, a status tells; the
// watcher knows in which directories something has happened since, and swears
// to no more than that (see [Watcher]).
package hooks

import (
	"io/fs"
	"os"
	"slices"
)

// File is one file of a hook.
type File struct {
	Path string // below the root, without a leading slash
	Mode fs.FileMode
	Text string // lines, in a format in which # begins a comment
}

// Hook is a set of files that belong together.
type Hook struct {
	Name string
	// Here says whether the root has what would use the files.
	Here func(root *os.Root) bool
	Unit string // of systemd, which is to be enabled with it; "" for none
	// Files may depend on what the root has.
	Files func(root *os.Root) []File
}

// All are the hooks, by name.
var All = []Hook{
	apk,
	apt,
	commit,
	dnf,
	pacman,
	queue,
	watcher,
	zypper,
}

// Find is the hook of a name.
func Find(name string) (Hook, bool) {
	i := slices.IndexFunc(All, func(h Hook) bool { return h.Name == name })
	if i < 0 {
		return Hook{}, false
	}
	return All[i], true
}

// Names are those of all hooks.
func Names() []string {
	var names []string
	for _, h := range All {
		names = append(names, h.Name)
	}
	return names
}

// has makes a [Hook.Here] that looks for any of these paths. A symlink will do:
// the program that it leads to may be one that another package brings.
func has(paths ...string) func(*os.Root) bool {
	return func(root *os.Root) bool {
		return slices.ContainsFunc(paths, func(path string) bool {
			_, err := root.Lstat(path)
			return err == nil
		})
	}
}

// always makes a [Hook.Files] of files that depend on nothing.
func always(files ...File) func(*os.Root) []File {
	return func(*os.Root) []File { return files }
}
