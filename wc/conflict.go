package wc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Conflict is a path whose incoming change could not be merged. The live file
// is as it was; base, mine and theirs wait in the state directory.
type Conflict struct {
	Path     string `json:"path"` // relative to the machine's root
	What     string `json:"what"` // "text", or a sentence
	From, To int64  // revisions: what the working copy records, what came in
	// Recorded says that the working copy already records the incoming
	// revision, so that resolving is only a matter of the live file.
	Recorded bool `json:"recorded,omitempty"`
	// Package names the package whose version theirs is, beside mine, the
	// person's; "" where theirs is the repository's.
	Package string `json:"package,omitempty"`
	// Merged is there when the conflict is with another branch: "theirs" is that
	// branch's, which the working copy's own branch does not record.
	Merged *mergedSide `json:"merged,omitempty"`

	dir   string
	sides map[string][]byte // base, mine and theirs on the way to storeConflict
}

// conflictFile holds the conflict's description beside base, mine and theirs.
const conflictFile = "conflict.json"

// SideNames are the versions of a conflict.
var SideNames = []string{"base", "mine", "theirs"}

// File is the absolute path of "base", "mine" or "theirs"; the file is there
// only when that side has one. Other names are for whoever works on the
// conflict; all of them go when it ends.
func (c *Conflict) File(side string) string { return filepath.Join(c.dir, side) }

// conflictDir is named by a hash: a path may hold more bytes than a name.
func (s *State) conflictDir(path string) string {
	sum := sha256.Sum256([]byte(path))
	return s.path("conflicts", hex.EncodeToString(sum[:8]))
}

// storeConflict writes a conflict, over an older one of the same path.
func (s *State) storeConflict(c *Conflict, sides map[string][]byte) error {
	c.dir = s.conflictDir(c.Path)
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep the conflict of %q: %w", c.Path, cause(err))
	}
	for _, side := range SideNames {
		var err error
		if text := sides[side]; text != nil {
			err = s.writeDurable(filepath.Join("conflicts", filepath.Base(c.dir), side), text)
		} else if err = os.Remove(c.File(side)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("cannot keep the conflict of %q: %w", c.Path, cause(err))
		}
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return s.writeDurable(filepath.Join("conflicts", filepath.Base(c.dir), conflictFile), text)
}

// dropConflict forgets the conflict of a path, if there is one.
func (s *State) dropConflict(path string) error {
	if err := os.RemoveAll(s.conflictDir(path)); err != nil {
		return fmt.Errorf("cannot end the conflict of %q: %w", path, cause(err))
	}
	return nil
}

// conflicts reads all that are kept, by path.
func (s *State) conflicts() (map[string]*Conflict, error) {
	found, err := os.ReadDir(s.path("conflicts"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the conflicts: %w", err)
	}
	all := map[string]*Conflict{}
	for _, f := range found {
		dir := s.path("conflicts", f.Name())
		text, err := os.ReadFile(filepath.Join(dir, conflictFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue // cut off before its description was written
		}
		c := &Conflict{dir: dir}
		if err == nil {
			err = json.Unmarshal(text, c)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the conflict %s: %w", dir, err)
		}
		all[c.Path] = c
	}
	return all, nil
}

// Conflicts lists what waits for [Tree.Resolve], by path.
func (t *Tree) Conflicts() ([]*Conflict, error) {
	all, err := t.State.conflicts()
	var sorted []*Conflict
	for _, c := range all {
		sorted = append(sorted, c)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Path < sorted[j].Path })
	return sorted, err
}

// Has says whether a side was kept.
func (c *Conflict) Has(side string) bool {
	_, err := os.Lstat(c.File(side))
	return err == nil
}
