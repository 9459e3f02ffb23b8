package datasets

import (
	"errors"
	"io/fs"
	"time"

	"rootwc/system"
)

// Standing is how a dataset is, as far as can be told on the machine alone and
// at once.
type Standing struct {
	State   string // "ok", or one of the states below
	Words   string // why, for people
	Files   int    // here, where they are counted: in a buffer
	Bytes   int64
	Counted time.Time // when; zero for now
}

// The states of a dataset that there is something to say of.
const (
	OK         = "ok"
	Absent     = "missing"    // its directory is not there
	Unflushed  = "unflushed"  // a buffer holds something
	Incomplete = "unfinished" // the last transfer did not end well
	Stale      = "stale"      // it was not brought here as it is described now
)

// How long and how far a buffer is counted; beyond that the last count holds.
const (
	countFor   = 50 * time.Millisecond
	countFiles = 10_000
)

// Standing tells how a dataset is. It asks no server, and looks at no
// repository, which could be on a mount that does not answer.
func (r *Room) Standing(d system.Dataset) (Standing, error) {
	if d.Type == system.Direct {
		return Standing{State: OK}, nil
	}
	dir, err := r.open(d.Path)
	var absent *Missing
	if errors.As(err, &absent) {
		return Standing{State: Absent}, nil
	}
	if err != nil {
		return Standing{}, err
	}
	defer dir.Close()
	s := r.load(d.Path)
	switch {
	case d.Type == system.Buffer:
		return r.buffered(d, s, &job{Room: r, Dataset: d, dir: dir})
	case d.Type == system.Cache || d.Type == system.Extension:
		return Standing{State: OK}, nil
	case s.Running != "":
		return Standing{State: Incomplete, Words: string(s.Running) + " was interrupted, or is at work now"}, nil
	case s.Failed != "":
		return Standing{State: Incomplete, Words: string(s.Action) + ": " + s.Failed}, nil
	case s.Definition == "":
		return Standing{State: Stale, Words: "it was never brought here"}, nil
	case s.Definition != definition(d):
		return Standing{State: Stale, Words: "its description has changed since it was brought here"}, nil
	}
	return Standing{State: OK, Files: s.Files, Bytes: s.Bytes, Counted: s.Counted}, nil
}

// errEnough ends a count that takes too long.
var errEnough = errors.New("enough")

// buffered counts what waits in a buffer.
func (r *Room) buffered(d system.Dataset, s *state, j *job) (Standing, error) {
	var n Standing
	end := time.Now().Add(countFor)
	err := walkDir(j.dir, "", func(rel string, info fs.FileInfo) error {
		if j.excluded(rel) || rel == j.administration() {
			return fs.SkipDir
		}
		if info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0 {
			n.Files++
			n.Bytes += info.Size()
		}
		if n.Files >= countFiles || time.Now().After(end) {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return n, err
	}
	if err != nil && s.Files > n.Files {
		n.Files, n.Bytes, n.Counted = s.Files, s.Bytes, s.Counted
	} else if err != nil {
		n.Words = "or more"
	}
	n.State = OK
	if n.Files > 0 {
		n.State = Unflushed
	}
	return n, nil
}
