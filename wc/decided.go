package wc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
)

// decidedFile holds what was decided about files since the last commit.
const decidedFile = "decided.json"

// Decided are the decisions about files that no commit has told of yet: a few
// words by path, for the log message of the next one.
func (s *State) Decided() (map[string]string, error) {
	text, err := os.ReadFile(s.path(decidedFile))
	all := map[string]string{}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what was decided: %s: %w", s.path(decidedFile), cause(err))
	}
	return all, nil
}

// Decide notes decisions, over older ones of the same paths; "" strikes one
// out. The caller holds the lock.
func (s *State) Decide(words map[string]string) error {
	if len(words) == 0 {
		return nil
	}
	all, err := s.Decided()
	if err != nil {
		return err
	}
	before := maps.Clone(all)
	for path, word := range words {
		if all[path] = word; word == "" {
			delete(all, path)
		}
	}
	if maps.Equal(before, all) {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return s.writeDurable(decidedFile, text)
}
