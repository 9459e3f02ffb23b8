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

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
)

// StatePath is the state directory, relative to the machine's root. It holds
// the lock, the journal, conflicts, stages, indexes, svn's configuration and
// what a materialize replaced; mode 0700, never versioned.
const StatePath = "var/lib/rootwc"

// State is the state directory of one root.
type State struct {
	tree *Tree
	dir  string
	id   identity // to know it by, wherever a path leads
}

func newState(t *Tree) *State {
	s := &State{tree: t, dir: filepath.Join(t.Root, StatePath)}
	var st unix.Stat_t
	if unix.Lstat(s.dir, &st) == nil {
		s.id = identityOf(&st)
	}
	return s
}

// IndexPath is where the indexes of statuses are, relative to the machine's root.
const IndexPath = StatePath + "/" + indexState

func (s *State) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// holds says whether path is the state directory or lies in it.
func (s *State) holds(path string) bool {
	return path == StatePath || strings.HasPrefix(path, StatePath+"/")
}

// alone says whether path leads to the state directory and to nothing else:
// rootwc may have made var and var/lib itself.
func (s *State) alone(path string) bool {
	for next := range strings.SplitSeq(strings.TrimPrefix(StatePath, path+"/"), "/") {
		if !strings.HasPrefix(StatePath, path+"/") {
			return false
		}
		d, err := openDir(s.tree.fs, path)
		if err != nil {
			return false
		}
		names, err := d.Readdirnames(2)
		d.Close()
		if err != nil || len(names) != 1 || names[0] != next {
			return false
		}
		if path = joinPath(path, next); path == StatePath {
			return true
		}
	}
	return false
}

// ensure makes the state directory. The directories above it are made as a
// distribution has them, when they are not there.
func (s *State) ensure() error {
	for _, dir := range []string{"var", "var/lib"} {
		// Chmod: the umask in force is 077
		err := s.tree.fs.Mkdir(dir, 0o755)
		if err == nil {
			err = s.tree.fs.Chmod(dir, 0o755)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot make %s: %w", s.tree.abs(dir), cause(err))
		}
	}
	err := s.tree.fs.Mkdir(StatePath, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make state directory %s: %w", s.dir, cause(err))
	}
	info, err := s.tree.fs.Lstat(StatePath)
	if err != nil {
		return fmt.Errorf("cannot use state directory %s: %w", s.dir, cause(err))
	}
	st := info.Sys().(*unixStat)
	switch {
	case !info.IsDir():
		return Refuse("state directory %s is no directory", s.dir)
	case int(st.Uid) != os.Geteuid():
		return Refuse("state directory %s belongs to user %d, not to %d who runs rootwc", s.dir, st.Uid, os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		if err := s.tree.fs.Chmod(StatePath, 0o700); err != nil {
			return fmt.Errorf("cannot close state directory %s: %w", s.dir, cause(err))
		}
	}
	return WriteConfig(s.path("subversion"))
}

// Holder is who holds the lock of a root.
type Holder struct {
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Verb  string    `json:"verb"`
	Since time.Time `json:"since"`
}

// LockedError says that another rootwc works on the root.
type LockedError struct {
	Root   string
	Holder Holder
}

// Error says who holds the lock, when that is known.
func (e *LockedError) Error() string {
	h := e.Holder
	if h.PID == 0 {
		return fmt.Sprintf("root %q is locked by another rootwc", e.Root)
	}
	return fmt.Sprintf("root %q is locked by rootwc %s (pid %d, %s, since %s)", e.Root, h.Verb, h.PID, h.User, h.Since.Local().Format("15:04"))
}

// ExitCode is the status for "refused, nothing was changed".
func (e *LockedError) ExitCode() int { return ExitRefused }

// lock takes the root's lock, an flock(2) that ends with the process that
// holds it. A second writer gets a [*LockedError].
func (s *State) lock(verb string) (release func(), err error) {
	if err := s.ensure(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock root %q: %w", s.tree.Root, cause(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock root %q: %w", s.tree.Root, err)
		}
		locked := &LockedError{Root: s.tree.Root}
		_ = json.NewDecoder(f).Decode(&locked.Holder) // half written just now: the holder is unknown
		return nil, Hint(locked, "wait for it, or run \"rootwc doctor\" to see who holds it")
	}
	holder, _ := json.Marshal(Holder{PID: os.Getpid(), User: who(), Verb: verb, Since: time.Now().Truncate(time.Second)})
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(holder, 0) // only for the message above
	}
	fault.At("locked")
	return func() {
		_ = f.Truncate(0)
		f.Close()
	}, nil
}

// LockHolder tells who holds the root's lock, nil when nobody does.
func (s *State) LockHolder() *Holder {
	f, err := os.Open(s.path("lock"))
	if err != nil {
		return nil
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil
	}
	h := &Holder{}
	_ = json.NewDecoder(f).Decode(h)
	return h
}

// AtWork says whether a command holds the lock, or was cut off and waits for the
// next one to finish it. stamp is another one when a command has been at work
// in between. Unlike [State.LockHolder] it is in nobody's way: it takes the lock
// only after a command that was killed.
func (s *State) AtWork() (busy bool, stamp string) {
	if verb, _, err := s.Interrupted(); verb != "" || err != nil {
		return true, ""
	}
	var st unix.Stat_t
	if unix.Lstat(s.path("lock"), &st) != nil {
		return false, ""
	}
	return st.Size > 0 && s.LockHolder() != nil, fmt.Sprint(st.Ino, st.Mtim)
}

func who() string {
	for _, name := range []string{"SUDO_USER", "LOGNAME", "USER"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// newSuffix ends the name of a file that is being written.
const newSuffix = ".new"

// writeDurable replaces a file in the state directory: wholly old or wholly
// new after a power cut.
func (s *State) writeDurable(name string, content []byte) error {
	tmp := s.path(name + newSuffix)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", s.path(name), cause(err))
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, s.path(name))
	}
	if err == nil {
		err = syncDir(filepath.Dir(s.path(name)))
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write %s: %w", s.path(name), cause(err))
	}
	return nil
}

// sweep removes what crashed commands have left and recovery needs not; the
// caller holds the lock.
func (s *State) sweep() {
	sweepTemporary()
	s.removeHidden()
	s.sweepQueue()
	found, _ := os.ReadDir(s.dir)
	for _, f := range found {
		if strings.HasSuffix(f.Name(), newSuffix) {
			_ = os.Remove(s.path(f.Name()))
		}
	}
	cut, _ := os.ReadDir(s.path(indexState))
	for _, f := range cut {
		if strings.HasPrefix(f.Name(), newIndex) {
			_ = os.Remove(s.path(indexState, f.Name()))
		}
	}
	j, err := s.interrupted()
	if err != nil {
		return
	}
	stages, _ := os.ReadDir(s.path(stageState))
	for _, f := range stages {
		dir := s.path(stageState, f.Name())
		if j == nil || !slices.ContainsFunc(j.Parts, func(p *part) bool { return p.Stage == dir }) {
			_ = os.RemoveAll(dir)
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncFS writes everything on the file system of dir to disk: syncfs(2), one
// call instead of an fsync for each file.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}
