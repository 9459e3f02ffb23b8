package hooks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// State is how a file of a hook is found, or a whole hook: as the first of its
// files in the order below.
type State string

// The states.
const (
	Modified State = "modified" // edited by a person, or somebody else's
	Outdated State = "outdated" // of another rootwc, or with another mode
	Missing  State = "missing"
	Current  State = "current"
)

// Found is a file of a hook as it is below a root.
type Found struct {
	File
	State State
}

// Look finds a hook's files below a root. The state of the whole is [Outdated]
// where only some are missing.
func (h Hook) Look(root *os.Root) (files []Found, whole State, err error) {
	count := map[State]int{}
	for _, f := range h.Files(root) {
		state, err := f.look(root)
		if err != nil {
			return nil, "", err
		}
		files = append(files, Found{f, state})
		count[state]++
	}
	switch {
	case count[Modified] > 0:
		whole = Modified
	case count[Missing] == len(files):
		whole = Missing
	case count[Current] == len(files):
		whole = Current
	default:
		whole = Outdated
	}
	return files, whole, nil
}

// mostBytes is far more than any hook's file has.
const mostBytes = 1 << 20

func (f File) look(root *os.Root) (State, error) {
	info, err := root.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Missing, nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > mostBytes {
		return Modified, nil
	}
	text, err := root.ReadFile(f.Path)
	switch {
	case err != nil:
		return "", err
	case bytes.Equal(text, f.sealed()) && info.Mode().Perm() == f.Mode:
		return Current, nil
	case sealHolds(text):
		return Outdated, nil
	}
	return Modified, nil
}

// sealWords begin the last line of a file.
const sealWords = "# made by rootwc hooks install, which leaves it alone once it is edited; sha256:"

// sealed is the text with its checksum.
func (f File) sealed() []byte {
	return fmt.Appendf(nil, "%s%s%x\n", f.Text, sealWords, sha256.Sum256([]byte(f.Text)))
}

// sealHolds says whether a file is as some rootwc has made it.
func sealHolds(file []byte) bool {
	at := bytes.LastIndex(file, []byte(sealWords))
	return at >= 0 && bytes.Equal(file, File{Text: string(file[:at])}.sealed())
}

// Install writes the files that are not [Current], and returns their paths.
// Whether one that a person has edited may go is the caller's to ask.
func (h Hook) Install(root *os.Root) (written []string, err error) {
	files, _, err := h.Look(root)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.State == Current {
			continue
		}
		if err := f.write(root); err != nil {
			return written, err
		}
		written = append(written, f.Path)
	}
	return written, nil
}

// Remove removes the files, but for those that a person has edited.
func (h Hook) Remove(root *os.Root) (removed, edited []string, err error) {
	files, _, err := h.Look(root)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		switch f.State {
		case Missing:
		case Modified:
			edited = append(edited, f.Path)
		default:
			if err := errors.Join(root.Remove(f.Path), syncDir(root, path.Dir(f.Path))); err != nil {
				return removed, edited, err
			}
			removed = append(removed, f.Path)
		}
	}
	return removed, edited, nil
}

// write puts the file in place, wholly old or wholly new. Its temporary name has
// an ending that no package manager reads.
func (f File) write(root *os.Root) error {
	dir := path.Dir(f.Path)
	if err := makeDir(root, dir); err != nil {
		return err
	}
	temporary := path.Join(dir, "."+path.Base(f.Path)+".new")
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(f.sealed())
	if err == nil {
		err = errors.Join(out.Chmod(f.Mode), out.Sync())
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = root.Rename(temporary, f.Path)
	}
	if err != nil {
		_ = root.Remove(temporary)
		return err
	}
	return syncDir(root, dir)
}

// makeDir makes a directory with those above it, open to all as distributions
// have them, whatever the umask says.
func makeDir(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := root.Stat(dir); err == nil {
		return nil
	}
	if err := makeDir(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return root.Chmod(dir, 0o755)
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
