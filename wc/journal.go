package wc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rootwc/internal/fault"
	"rootwc/internal/run"
)

// journal is the record of what a writing verb is at. While no part of it is
// marked to be placed, an interrupted verb has touched nothing live and is
// undone by taking its stages away; a part that is marked is finished from
// its steps, which can be repeated.
type journal struct {
	Format int       `json:"format"`
	Verb   string    `json:"verb"`
	Since  time.Time `json:"since"`
	Parts  []*part   `json:"parts"`

	state *State
}

const journalFormat = 1

// part is the work on one working copy.
type part struct {
	Path   string    `json:"path"` // of the working copy, relative to the root
	Stage  string    `json:"stage"`
	User   *run.User `json:"user,omitempty"`
	URL    string    `json:"url,omitempty"`    // of a first checkout, which a later run takes up again
	Boot   string    `json:"boot,omitempty"`   // during which that was begun, see [bootID]
	Graft  bool      `json:"graft,omitempty"`  // put the stage's whole .svn in place, not its database alone
	Files  bool      `json:"files,omitempty"`  // the files alone: the record stays as it is
	Place  bool      `json:"place,omitempty"`  // the steps are complete and count
	Commit string    `json:"commit,omitempty"` // the mark of a commit that is under way
	Record identity  `json:"record"`           // of the live wc.db that the stage was made from
	Steps  []step    `json:"steps,omitempty"`
	Acks   acks      `json:"acks,omitempty"`  // what the part has seen of withheld files
	Ends   []string  `json:"ends,omitempty"`  // paths whose conflict ends with this part
	Again  bool      `json:"again,omitempty"` // a path that changed meanwhile is no conflict: the next time will do
}

const journalFile = "journal"

// begin writes the first journal of a verb.
func (s *State) begin(verb string) (*journal, error) {
	j := &journal{Format: journalFormat, Verb: verb, Since: time.Now().UTC().Truncate(time.Second), state: s}
	return j, j.write()
}

func (j *journal) write() error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return j.state.writeDurable(journalFile, text)
}

// end removes the journal: there is nothing left to finish.
func (j *journal) end() error {
	err := os.Remove(j.state.path(journalFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the journal: %w", cause(err))
	}
	return syncDir(j.state.dir)
}

// interrupted reads the journal of a verb that did not finish, nil for none.
func (s *State) interrupted() (*journal, error) {
	text, err := os.ReadFile(s.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	j := &journal{state: s}
	if err := json.Unmarshal(text, j); err != nil {
		return nil, Hint(fmt.Errorf("cannot read the journal %s of an interrupted command: it is damaged: %w", s.path(journalFile), err),
			"what was interrupted lies in %s; look there before you remove the journal", s.path(stageState))
	}
	if j.Format != journalFormat {
		return nil, Hint(fmt.Errorf("cannot read the journal %s of an interrupted command: its format is %d, known is %d", s.path(journalFile), j.Format, journalFormat),
			"finish with the rootwc that wrote it")
	}
	for _, p := range j.Parts {
		if !s.ownStage(p) {
			return nil, fmt.Errorf("the journal %s names a stage outside its places: %q", s.path(journalFile), p.Stage)
		}
	}
	return j, nil
}

// ownStage says whether a journal's stage lies where stages are made: what is
// removed at recovery must be ours.
func (s *State) ownStage(p *part) bool {
	dir := filepath.Dir(p.Stage)
	if p.Stage == "" || dir == s.path(stageState) || strings.HasPrefix(filepath.Base(p.Stage), stageNear) {
		return true
	}
	for at := p.Path; ; at = parentOf(at) { // a restore's is that of a directory in the working copy
		if dir == filepath.Join(s.tree.abs(at), stageAdmin) {
			return true
		}
		if at == "" {
			return false
		}
	}
}

// Interrupted names the verb that was cut off, and says whether it had begun
// to change live files. Empty when there is none.
func (s *State) Interrupted() (verb string, placing bool, err error) {
	j, err := s.interrupted()
	if errors.Is(err, fs.ErrPermission) { // an ordinary user who only reads
		return "", false, nil
	}
	if err != nil || j == nil {
		return "", false, err
	}
	waiting := len(j.Parts) > 0
	for _, p := range j.Parts {
		placing = placing || p.Place
		waiting = waiting && p.URL != "" && !p.Place
	}
	if waiting {
		return "", false, nil // checkouts that a later run takes up again
	}
	return j.Verb, placing, nil
}

// recover finishes or undoes an interrupted verb. The caller holds the lock.
// A first checkout that was still fetching is left to be taken up again.
func (t *Tree) recover() error {
	j, err := t.State.interrupted()
	if err != nil || j == nil {
		return err
	}
	for _, p := range j.Parts {
		switch {
		case p.Place:
			t.Warn("finishing the interrupted rootwc %s in %s", j.Verb, t.abs(p.Path))
			done, err := t.finish(p)
			if err == nil {
				for _, u := range done.unset {
					t.Warn("metadata not set: %s", u)
				}
				for _, path := range done.late {
					t.Warn("%s is in conflict: %s", path, changedMeanwhile)
				}
			}
			if err != nil {
				return fmt.Errorf("cannot finish the interrupted rootwc %s: %w", j.Verb, err)
			}
		case p.URL != "":
			continue // materialize takes it up again
		default:
			if err := t.removeStage(p); err != nil {
				return fmt.Errorf("cannot undo the interrupted rootwc %s: %w", j.Verb, err)
			}
		}
	}
	if err := j.keepCheckouts(); err != nil {
		return err
	}
	for _, c := range t.Copies {
		if err := c.reload(); err != nil {
			return err
		}
	}
	return nil
}

// keepCheckouts ends the journal, but for first checkouts that were fetching.
func (j *journal) keepCheckouts() error {
	var kept []*part
	for _, p := range j.Parts {
		if p.URL != "" && !p.Place {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return j.end()
	}
	j.Parts = kept
	return j.write()
}

func (t *Tree) removeStage(p *part) error {
	if p.Stage == "" {
		return nil
	}
	return as(p.User, func() error { return os.RemoveAll(p.Stage) })
}

// finish places what a part has staged, puts its record in place and removes
// the stage. It can be repeated after a crash at any point of it.
func (t *Tree) finish(p *part) (*placer, error) {
	root, err := t.openTarget(p.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	w := &placer{tree: t, part: p, live: root, to: heldDir{root: root}, base: t.abs(p.Path)}
	defer w.release()
	if err := as(p.User, w.openStage); err != nil {
		return nil, err
	}
	if w.stage != nil {
		defer w.stage.Close()
	}
	if err := as(p.User, w.run); err != nil {
		return nil, err
	}
	if !p.Again {
		if err := w.keepConflicts(); err != nil {
			return nil, err
		}
	}
	if err := t.acknowledge(p.Acks); err != nil {
		return nil, err
	}
	fault.At("placed")
	if err := as(p.User, w.publish); err != nil {
		return nil, err
	}
	fault.At("published")
	for _, path := range p.Ends {
		if slices.Contains(w.late, path) {
			continue
		}
		if err := t.State.dropConflict(path); err != nil {
			return nil, err
		}
	}
	return w, t.removeStage(p)
}
