package watch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/wc"
)

// Difference is a path that is not as it was committed.
type Difference struct {
	Path   string `json:"path"`
	Letter string `json:"letter"` // as a status has it
	Words  string `json:"words,omitempty"`
}

// Drift is the list of what differs, with since when.
type Drift struct {
	Format  string    `json:"format"`
	Checked time.Time `json:"checked"` // when it was last found to be so
	Entries []Drifted `json:"entries"` // sorted by path
}

// Drifted is a difference, and when it was first seen.
type Drifted struct {
	Difference
	Since time.Time `json:"since"`
}

// News is how a list differs from the one before.
type News struct {
	Entries   []Drifted `json:"entries"`   // all that differs now
	Fresh     []Drifted `json:"fresh"`     // of these, what was not told before
	Withdrawn []string  `json:"withdrawn"` // committed, reverted or gone
}

// Any says whether there is anything.
func (n *News) Any() bool { return len(n.Fresh)+len(n.Withdrawn) > 0 }

const (
	// DriftPath is the list, relative to the machine's root.
	DriftPath   = wc.StatePath + "/drift.json"
	driftFormat = "1.0.0"
)

// LoadDrift reads the list of an earlier watcher; an empty one when there is
// none, or a damaged one: what drifts is told again then.
func LoadDrift(t *wc.Tree) (*Drift, error) {
	d := &Drift{Format: driftFormat}
	text, err := t.ReadFile(DriftPath)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of drift: %w", err)
	}
	if json.Unmarshal(text, d) != nil || d.Format != driftFormat {
		return &Drift{Format: driftFormat}, nil
	}
	return d, nil
}

// Take puts what was found in the place of the list.
func (d *Drift) Take(found []Difference, when time.Time) *News {
	news := &News{Fresh: []Drifted{}, Withdrawn: []string{}}
	old := map[string]Drifted{}
	for _, e := range d.Entries {
		old[e.Path] = e
	}
	when = when.UTC().Truncate(time.Second)
	d.Entries, d.Checked = []Drifted{}, when
	for _, one := range found {
		e := Drifted{Difference: one, Since: when}
		if was, known := old[one.Path]; known {
			e.Since = was.Since
			delete(old, one.Path)
		} else {
			news.Fresh = append(news.Fresh, e)
		}
		d.Entries = append(d.Entries, e)
	}
	for path := range old {
		news.Withdrawn = append(news.Withdrawn, path)
	}
	slices.Sort(news.Withdrawn)
	slices.SortFunc(d.Entries, func(a, b Drifted) int { return cmp.Compare(a.Path, b.Path) })
	news.Entries = d.Entries
	return news
}

// Save writes the list: wholly old or wholly new after a power cut.
func (d *Drift) Save(t *wc.Tree) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = replace(t.Root, DriftPath, 0o600, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot write the list of drift: %w", err)
	}
	return nil
}

// replace writes a file below a root, with its final mode, synced, through no
// symlink that leads outside.
func replace(top, name string, mode fs.FileMode, text []byte) error {
	root, err := os.OpenRoot(top)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := root.OpenRoot(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	name = path.Base(name)
	tmp := "." + name
	if err := dir.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = dir.Rename(tmp, name)
	}
	if err != nil {
		_ = dir.Remove(tmp)
		return err
	}
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
