package probes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Dir is where the texts are, below the machine's root.
const Dir = ".rootwc/probes"

// Names are the probes, in the order in which they are taken.
var Names = []string{"storage", "hardware", "boot"}

// Taken is what one probe found, beside what was recorded before.
type Taken struct {
	Name     string
	Recorded bool     // there is an earlier text
	Changes  []string // what differs from it, a sentence each
	Findings []string // what is odd or damaged
	Notes    []string // what only a curious reader wants to know
	Err      error    // why the probe could not be taken; the earlier text stays

	files map[string][]byte
	gone  []string
}

// Take takes probes and compares them with the texts in recorded, which is the
// directory [Dir]. Nothing is written.
func Take(ctx context.Context, m Machine, recorded fs.FS, names []string) []*Taken {
	var all []*Taken
	before, err := ReadRecorded(recorded)
	var storage *Storage
	if err == nil {
		storage, err = ReadStorage(ctx, m, before.Layout)
	}
	for _, name := range Names {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		t := &Taken{Name: name, Recorded: exists(recorded, name+".toml"), Err: err}
		if err == nil {
			t.Err = t.fill(m, storage, before, recorded)
		}
		all = append(all, t)
	}
	return all
}

// Recorded is what a machine's texts say; nil for those that are not there.
type Recorded struct {
	Layout    *Layout
	Inventory *Inventory
	Boot      *Boot
}

// ReadRecorded reads the texts of a machine from the directory [Dir].
func ReadRecorded(dir fs.FS) (r Recorded, err error) {
	r.Layout, err = readOne(dir, "storage.toml", Read)
	if err == nil {
		r.Inventory, err = readOne(dir, "hardware.toml", ParseInventory)
	}
	if err == nil {
		r.Boot, err = readOne(dir, "boot.toml", ParseBoot)
	}
	return r, err
}

// besideLimit bounds what is read of a file beside the layout: boot code is the
// largest.
const besideLimit = 8 << 20

// Texts reads what stands beside the layout, by its names there. Those that are
// missing are left out.
func (r Recorded) Texts(dir fs.FS) (map[string][]byte, error) {
	texts := map[string][]byte{}
	names, err := fs.ReadDir(dir, ".")
	for _, e := range names {
		if err == nil && beside(e.Name()) && r.Layout.refers(e.Name()) {
			texts[e.Name()], err = readBounded(dir, e.Name(), besideLimit)
		}
	}
	return texts, err
}

// readOne reads a page; nil is one that is not there.
func readOne[T any](recorded fs.FS, name string, read func([]byte) (*T, error)) (*T, error) {
	text, err := fs.ReadFile(recorded, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	page, err := read(text)
	if err != nil {
		return nil, unreadable(path.Join(Dir, name), err)
	}
	return page, nil
}

func unreadable(name string, err error) error { return fmt.Errorf("cannot read %s: %w", name, err) }

func exists(recorded fs.FS, name string) bool {
	_, err := fs.Stat(recorded, name)
	return err == nil
}

// fill takes a probe's part of what was read.
func (t *Taken) fill(m Machine, s *Storage, before Recorded, recorded fs.FS) error {
	t.files = map[string][]byte{}
	var text bytes.Buffer
	switch t.Name {
	case "storage":
		t.Findings, t.Notes = s.Findings, s.Notes
		if err := s.Layout.Write(&text); err != nil {
			return err
		}
		for name, content := range s.Files {
			t.files[name] = content
		}
		if before.Layout != nil {
			t.say(Compare(before.Layout, s.Layout))
		}
	case "hardware":
		now := &Inventory{Format: Format, Disk: s.Hardware}
		if err := now.Write(&text); err != nil {
			return err
		}
		if before.Inventory != nil {
			t.say(compareNodes(before.Inventory, now))
		}
	case "boot":
		now, findings, err := m.readBoot(s.Layout)
		if err != nil {
			return err
		}
		t.Findings = findings
		if before.Boot != nil {
			now.keep(before.Boot, m.Root == "/")
		}
		if err := now.Write(&text); err != nil {
			return err
		}
		if before.Boot != nil {
			t.say(CompareBoot(before.Boot, now))
		}
	}
	t.files[t.Name+".toml"] = text.Bytes()
	return t.drop(s, recorded)
}

func (t *Taken) say(changes []Change) {
	for _, c := range changes {
		t.Changes = append(t.Changes, c.Words)
	}
}

// drop leaves out what is recorded as it is, and finds what is there no
// longer.
func (t *Taken) drop(s *Storage, recorded fs.FS) error {
	for name, content := range t.files {
		old, err := fs.ReadFile(recorded, name)
		switch {
		case err == nil && bytes.Equal(old, content):
			delete(t.files, name)
		case err == nil && t.Recorded && !strings.HasSuffix(name, ".toml"):
			t.Changes = append(t.Changes, detail(name))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(t.files) > 0 && t.Recorded && len(t.Changes) == 0 {
		t.Changes = []string{t.Name + ": the text is not as rootwc writes it"}
	}
	slices.Sort(t.Changes)
	if t.Name != "storage" {
		return nil
	}
	names, err := fs.ReadDir(recorded, ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range names {
		if beside(e.Name()) && !s.Layout.refers(e.Name()) {
			t.gone = append(t.gone, e.Name())
		}
	}
	return nil
}

// detail words a change that the layout itself does not show.
func detail(name string) string {
	if group, ok := strings.CutPrefix(strings.TrimSuffix(name, ".vgcfg"), "vg."); ok {
		return "lvm: " + group + " details of the group differ"
	}
	return "boot code: " + strings.TrimSuffix(strings.TrimPrefix(name, "boot."), ".bin") + " differs"
}

// beside tells whether a name is one of a file beside the layout.
func beside(name string) bool {
	return strings.HasPrefix(name, "vg.") && strings.HasSuffix(name, ".vgcfg") ||
		strings.HasPrefix(name, "boot.") && strings.HasSuffix(name, ".bin")
}

// refers tells whether the layout names a file.
func (l *Layout) refers(name string) bool {
	for _, d := range l.Disk {
		if d.BootCode == name {
			return true
		}
	}
	for _, g := range l.VG {
		if g.Script == name {
			return true
		}
	}
	return false
}

// Differs tells whether [Taken.Write] would change something.
func (t *Taken) Differs() bool { return t.Err == nil && len(t.files)+len(t.gone) > 0 }

// Drifted tells whether that is news: of packages, other versions are none.
func (t *Taken) Drifted() bool {
	return t.Differs() && (t.Name != PackagesName || !t.Recorded || len(t.Changes) > 0)
}

// Write puts the texts into the directory [Dir] below a root: only what
// changed, each file whole or not at all, and the one that names the others
// last.
func (t *Taken) Write(root *os.Root) error {
	if !t.Differs() {
		return nil
	}
	for _, dir := range []string{path.Dir(Dir), Dir} {
		if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	dir, err := root.OpenRoot(Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := sweep(dir); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(t.files))
	page := t.Name + ".toml"
	if i := slices.Index(names, page); i >= 0 {
		names = append(slices.Delete(names, i, i+1), page)
	}
	for _, name := range names {
		if err := replace(dir, name, t.files[name]); err != nil {
			return fmt.Errorf("cannot write %s: %w", path.Join(Dir, name), err)
		}
	}
	for _, name := range t.gone {
		if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", path.Join(Dir, name), err)
		}
	}
	return syncDir(dir)
}

// newPrefix is before the names of files that are being written.
const newPrefix = ".new."

// sweep takes away what a power cut left.
func sweep(dir *os.Root) error {
	names, err := fs.ReadDir(dir.FS(), ".")
	for _, e := range names {
		if strings.HasPrefix(e.Name(), newPrefix) && err == nil {
			err = dir.Remove(e.Name())
		}
	}
	return err
}

// replace writes a file beside its place and renames it there.
func replace(dir *os.Root, name string, content []byte) (err error) {
	temporary := newPrefix + name
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			dir.Remove(temporary)
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return dir.Rename(temporary, name)
}

func syncDir(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
