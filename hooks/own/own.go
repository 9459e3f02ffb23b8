// Package own runs the administrator's own programs around a verb: those in
// etc/rootwc/hooks.d/pre-commit, post-commit, pre-update, post-update,
// pre-materialize and post-materialize, below the machine's root.
//
// They run as the user who runs rootwc, mostly root, so a program counts only
// when nobody else could have put it there: it and the directories that lead to
// it are root's and writable by no other. One that a working copy records came,
// or may come, from a repository: it runs only when its very content was allowed
// on this machine. What runs is what was looked at: the content is read once,
// and executed from memory.
package own

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir holds the directories of all events, relative to the machine's root.
const Dir = "etc/rootwc/hooks.d"

// Events are the moments at which programs run; each has a directory below
// [Dir].
var Events = []string{"pre-commit", "post-commit", "pre-update", "post-update", "pre-materialize", "post-materialize"}

// Hook is one program, as it was read.
type Hook struct {
	Path   string // below Dir of the root, relative to the root
	Real   string // where symlinks lead, relative to the root
	Sum    string // SHA-256 of the content, in hex
	Refuse error  // why it must not run; nil when it may

	content []byte
}

// Trust says what a machine knows of a path.
type Trust struct {
	Versioned func(path string) bool      // a working copy records it
	Allowed   func(path, sum string) bool // somebody has allowed it with this content
}

// named is what run-parts(8) takes for a program: nothing that an editor or a
// package manager has left, which have dots and tildes.
var named = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Find reads the programs of an event, in the order in which they run. No
// directory is no programs; one that somebody else may write in is an error.
func Find(root *os.Root, event string, trust Trust) ([]*Hook, error) {
	if !slices.Contains(Events, event) {
		return nil, fmt.Errorf("there is no event %q: the events are %s", event, strings.Join(Events, ", "))
	}
	dir := path.Join(Dir, event)
	names, err := list(root, dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err == nil {
		err = closed(root, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, cause(err))
	}
	var hooks []*Hook
	for _, name := range names {
		h, err := read(root, path.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(dir, name), cause(err))
		}
		if h == nil {
			continue
		}
		if h.Refuse == nil && (trust.Versioned(h.Path) || trust.Versioned(h.Real)) && !trust.Allowed(h.Path, h.Sum) {
			h.Refuse = ErrNotAllowed
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

// ErrNotAllowed is why a program that a working copy records does not run.
var ErrNotAllowed = errors.New("it is versioned, and not allowed on this machine as it is now")

// One reads one program by its path, for whoever allows it.
func One(root *os.Root, name string) (*Hook, error) {
	event := path.Base(path.Dir(name))
	if path.Dir(path.Dir(name)) != Dir || !slices.Contains(Events, event) || !named.MatchString(path.Base(name)) {
		return nil, fmt.Errorf("%q is no path of a hook: they are %s/EVENT/NAME, with letters, digits, - and _ in the name", name, Dir)
	}
	h, err := read(root, name)
	if err == nil && h == nil {
		err = errors.New("it is not executable")
	}
	if err == nil {
		err = closed(root, path.Dir(name))
	}
	if err == nil {
		err = h.Refuse
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	return h, nil
}

// Text is the content that was read.
func (h *Hook) Text() []byte { return h.content }

// list names the entries of a directory that may be programs, sorted.
func list(root *os.Root, dir string) (names []string, err error) {
	d, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	for _, name := range all {
		if named.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// closed says whether anybody but root could change what a directory, or one
// above it up to etc, leads to.
func closed(root *os.Root, dir string) error {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() { // a symlink would make hooks of what lies elsewhere
			return fmt.Errorf("%s is no directory", dir)
		}
		if err := owned(info); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// owned says whether a file or directory is root's alone to write.
func owned(info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t) // what it is on Linux
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d, not to root", st.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write it (mode %04o)", info.Mode().Perm())
	}
	return nil
}

// mostContent bounds what is read into memory.
const mostContent = 64 << 20

// read reads one program; nil for what is not executable, or no file. A symlink
// is followed as far as it stays below the root.
func read(root *os.Root, name string) (*Hook, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return nil, err
	}
	h := &Hook{Path: name, Real: name}
	if h.Refuse = owned(info); h.Refuse != nil {
		return h, nil
	}
	if h.Real, err = realPath(root, f); err != nil {
		return nil, err
	}
	if h.Refuse = closed(root, path.Dir(h.Real)); h.Refuse != nil {
		return h, nil
	}
	if h.content, err = io.ReadAll(io.LimitReader(f, mostContent+1)); err != nil {
		return nil, err
	}
	if len(h.content) > mostContent {
		h.Refuse = fmt.Errorf("it is larger than %d bytes", mostContent)
	}
	sum := sha256.Sum256(h.content)
	h.Sum = hex.EncodeToString(sum[:])
	return h, nil
}

// realPath is where an open file lies, relative to the root.
func realPath(root *os.Root, f *os.File) (string, error) {
	d, err := root.Open(".")
	if err != nil {
		return "", err
	}
	defer d.Close()
	base, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", d.Fd()))
	if err != nil {
		return "", err
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(base, at)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not below %s", at, base)
	}
	return rel, nil
}

// cause is the innermost reason, without the operation and path around it.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
