package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/system"
)

// state is what is remembered of one dataset. All of it can be lost: then
// nothing is replaced or removed until both sides have been equal again.
type state struct {
	Path       string    `json:"path"`
	Repository string    `json:"repository"`
	Definition string    `json:"definition"` // that the last checkout or update finished for
	Action     Action    `json:"action"`     // the last one
	When       time.Time `json:"when"`
	Failed     string    `json:"failed,omitempty"`  // why it did not finish
	Running    Action    `json:"running,omitempty"` // the one at work; after a crash, the one that was

	Mount string `json:"mount,omitempty"` // on which a local repository was: see mountOf
	Held  bool   `json:"held"`            // the repository was not empty when it was last seen

	Files   int       `json:"files"` // here, as counted
	Bytes   int64     `json:"bytes"`
	Counted time.Time `json:"counted"`

	last  listing // both sides were equal in these
	file  string
	held  *os.File
	dirty bool // last has changed
}

// stateFile names what belongs to a dataset: any path is a file name then.
func (r *Room) stateFile(path, suffix string) string {
	return filepath.Join(r.State, url.PathEscape(path)+suffix)
}

// lock takes the dataset's own lock, which ends with the process: transfers
// last hours, and other work on the machine goes on.
func (r *Room) lock(path string) (*state, error) {
	f, err := os.OpenFile(r.stateFile(path, ".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock dataset %q: %w", path, cause(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, refuse("another rootwc works on dataset %q", path)
		}
		return nil, fmt.Errorf("cannot lock dataset %q: %w", path, err)
	}
	s := r.load(path)
	s.held = f
	if err := readJSON(r.stateFile(path, ".last"), &s.last); err != nil {
		r.Warn("what is remembered of dataset %q cannot be read (%v): nothing of it is replaced or removed now", path, err)
	}
	return s, nil
}

func (s *state) unlock() {
	if s != nil {
		s.held.Close()
	}
}

// load reads the state without the lock and without the long list.
func (r *Room) load(path string) *state {
	s := &state{file: r.stateFile(path, "")}
	if err := readJSON(s.file+".json", s); err != nil {
		r.Warn("what is remembered of dataset %q cannot be read: %v", path, err)
		*s = state{file: s.file}
	}
	s.Path = path
	return s
}

// readJSON leaves v as it is when there is no file.
func readJSON(name string, v any) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return cause(err)
	}
	return json.Unmarshal(text, v)
}

// about forgets what was known of another repository.
func (s *state) about(repository string, beside bool) {
	if beside {
		repository += extensionSuffix
	}
	if s.Repository != repository {
		s.Repository, s.Mount, s.Held, s.Definition = repository, "", false, ""
		s.remember(nil)
	}
}

// remember notes in what both sides are equal.
func (s *state) remember(last listing) { s.last, s.dirty = last, true }

// counted notes what is here.
func (s *state) counted(l listing) { s.Files, s.Bytes, s.Counted = len(l), l.bytes(), now() }

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// finished notes how an action ended.
func (s *state) finished(d system.Dataset, a Action, err error) {
	s.Action, s.When, s.Failed, s.Running = a, now(), "", ""
	if err != nil {
		s.Failed = err.Error()
		return
	}
	if a == Checkout || a == Update || a == Restore {
		s.Definition = definition(d)
	}
}

// definition is what an update depends on.
func definition(d system.Dataset) string {
	return fmt.Sprintf("%s %q %q %q %d %s", d.Type, d.Repository, d.Include, d.Exclude, d.Newest, d.Budget)
}

// save writes the state, each file wholly old or wholly new.
func (s *state) save() error {
	if s.dirty {
		if err := writeJSON(s.file+".last", s.last); err != nil {
			return err
		}
	}
	return writeJSON(s.file+".json", s)
}

func writeJSON(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	return writeFile(name, text)
}

// writeFile replaces a file: it is wholly old or wholly new after a power cut.
func writeFile(name string, text []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, cause(err))
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		os.Remove(name + ".new")
		return fmt.Errorf("cannot write %s: %w", name, cause(err))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
