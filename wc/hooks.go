package wc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// hooksFile, in the state directory, holds which versioned programs somebody
// has allowed to run on this machine.
const hooksFile = "hooks.json"

// AllowedHooks are the SHA-256 sums, in hex, that were allowed by path.
func (s *State) AllowedHooks() (map[string]string, error) {
	allowed := map[string]string{}
	text, err := os.ReadFile(s.path(hooksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return allowed, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &allowed)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", s.path(hooksFile), cause(err))
	}
	return allowed, nil
}

// AllowHook notes that a program may run with this content, and no other.
func (w *Work) AllowHook(path, sum string) error {
	allowed, err := w.tree.State.AllowedHooks()
	if err != nil {
		return err
	}
	allowed[path] = sum
	text, err := json.MarshalIndent(allowed, "", " ")
	if err != nil {
		return err
	}
	return w.tree.State.writeDurable(hooksFile, text)
}

// Delivers says whether a path comes, or may come, from a repository: a working
// copy records it, the list of withheld files does, or it lies in a working copy
// that nobody has looked at.
func (t *Tree) Delivers(path string) bool {
	if c, rel := t.CopyOf(path); c != nil && c.Versioned(rel) || t.withheldKnown(path) {
		return true
	}
	for dir := path; dir != ""; {
		dir = parentOf(dir)
		if _, err := t.fs.Lstat(joinPath(dir, AdminDir)); err == nil && !t.attached(dir) {
			return true
		}
	}
	return false
}
