package wc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"

	"github.com/pelletier/go-toml/v2"

	"rootwc/wc/metadata"
)

// Files that others may not read on the machine (no o+r) are withheld: what
// the repository gets of them is a line in [WithheldPath] with their metadata,
// never their content nor a hash of it, which would let short secrets be
// guessed. The hash by which status notices a change stays in the state
// directory. A versioned file that becomes closed keeps its last open text in
// the repository; later texts are withheld.

// WithheldPath is the versioned list of withheld files.
const WithheldPath = ".rootwc/withheld.toml"

// acksFile holds what the last commit knew of each withheld file.
const acksFile = "withheld.json"

// ack is what a commit has acknowledged of a withheld file.
type ack struct {
	SHA256    string `json:"sha256,omitempty"` // of the content; empty: never seen
	Quiet     string `json:"quiet,omitempty"`  // of what counts in it, see quietSum
	Scheduled bool   `json:"scheduled,omitempty"`
	Forgotten bool   `json:"forgotten,omitempty"` // the next commit takes it off the list
	Sealed    string `json:"sealed,omitempty"`    // of the sealed file that holds this content, see withheldFile
}

// acks is ack by path relative to the machine's root.
type acks map[string]*ack

// withheldFile is one file in WithheldPath.
type withheldFile struct {
	Path       string            `toml:"path"`
	Sealed     string            `toml:"sealed,omitempty"` // SHA-256 of the sealed file; "" when there is none
	For        []string          `toml:"for,omitempty"`    // fingerprints of whom it is sealed for
	Properties map[string]string `toml:"properties,omitempty"`
}

// withheld joins the versioned list with what the state directory knows.
type withheld struct {
	files map[string]*withheldFile // recorded in the list
	acks  acks
}

// withholds says whether a file's content stays on the machine.
func (t *Tree) withholds(v *metadata.Values) bool {
	return t.Withhold && v.Kind == metadata.File && v.Mode&0o004 == 0
}

// loadWithheld reads both places.
func (t *Tree) loadWithheld() (*withheld, error) {
	w := &withheld{acks: acks{}}
	text, err := t.ReadFile(WithheldPath)
	if err == nil {
		w.files, err = parseWithheld(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// the next update may bring a better one: only a commit stops here
		err = fmt.Errorf("cannot read %s: %w", WithheldPath, cause(err))
		t.BadPage, w.files = err, map[string]*withheldFile{}
	}
	if w.files == nil {
		w.files = map[string]*withheldFile{}
	}
	text, err = os.ReadFile(t.State.path(acksFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(text, &w.acks); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", t.State.path(acksFile), err)
		}
	}
	return w, nil
}

func parseWithheld(text []byte) (map[string]*withheldFile, error) {
	var doc struct {
		Format string         `toml:"format"`
		File   []withheldFile `toml:"file"`
	}
	if err := toml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	files := map[string]*withheldFile{}
	for i := range doc.File {
		f := &doc.File[i]
		if !fs.ValidPath(f.Path) || f.Path == "." {
			return nil, fmt.Errorf("%q is no path below the root", f.Path)
		}
		files[f.Path] = f
	}
	return files, nil
}

const withheldHeader = `# Files whose content stays on this machine because others may not read them
# there. Written by rootwc; their metadata is versioned, their content is not,
# unless it is sealed: encrypted in .rootwc/secrets.
`

// formatWithheld writes the list, sorted by path; nothing for no files.
func formatWithheld(files map[string]*withheldFile) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	doc := struct {
		Format string          `toml:"format"`
		File   []*withheldFile `toml:"file"`
	}{Format: "1.0.0"}
	for _, f := range files {
		doc.File = append(doc.File, f)
	}
	sort.Slice(doc.File, func(i, j int) bool { return doc.File[i].Path < doc.File[j].Path })
	text, err := toml.Marshal(doc)
	return append([]byte(withheldHeader), text...), err
}

// has says whether path is a withheld file, or scheduled to become one.
func (w *withheld) has(path string) bool {
	a := w.acks[path]
	return w.files[path] != nil || a != nil && a.Scheduled
}

// judge compares a withheld file that svn does not know; it returns the names
// that this machine does not know.
func (w *withheld) judge(t *Tree, e *Entry) (unknown []string) {
	e.Withheld, e.Kind = true, e.live.values.Kind
	f := w.files[e.Path]
	e.Encrypted = t.seals() || f != nil && f.Sealed != ""
	switch {
	case f == nil:
		e.Status = Added
		return nil
	case e.Kind != metadata.File:
		e.Status, e.Note = Obstructed, "file -> "+e.Kind.String()
		return nil
	case w.acks[e.Path] != nil && w.acks[e.Path].Forgotten:
		e.Status = Deleted
		return nil
	case w.unlike(t, e.Path) != "":
		e.Status, e.Note = Modified, w.unlike(t, e.Path)
	case w.acknowledged(e), w.quiet(t, e):
		e.Status = Normal
	default:
		e.Status = Modified
		if a := w.acks[e.Path]; a == nil || a.SHA256 == "" {
			e.Note = "content not seen before"
		}
	}
	base, unknown, _ := metadata.Wanted(propLookup(f.Properties), metadata.File, metadata.StandardDefaults, t.Names)
	e.Metadata = metadata.Compare(base, e.live.values, t.Names)
	return unknown
}

// acknowledged says whether a commit has seen the content that is there.
func (w *withheld) acknowledged(e *Entry) bool {
	a := w.acks[e.Path]
	if a == nil || a.SHA256 == "" {
		return false
	}
	sum, err := e.copy.contentSum(e.rel)
	return err == nil && sum == a.SHA256
}

// contentSum is the SHA-256 of a live file's content, in hex.
func (c *Copy) contentSum(rel string) (string, error) {
	f, err := c.openFile(rel)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// acknowledge merges what a verb has seen of withheld files into the state; a
// nil ack forgets the path.
func (t *Tree) acknowledge(seen acks) error {
	if len(seen) == 0 {
		return nil
	}
	w, err := t.loadWithheld()
	if err != nil {
		return err
	}
	for path, a := range seen {
		if a == nil {
			delete(w.acks, path)
		} else {
			w.acks[path] = a
		}
	}
	text, err := json.MarshalIndent(w.acks, "", " ")
	if err != nil {
		return err
	}
	return t.State.writeDurable(acksFile, text)
}

// propLookup reads a property map the way package metadata asks for it.
func propLookup(props map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := props[name]
		return v, ok
	}
}

// WithheldList is the recorded list of withheld files, for [Work.ApplyWithheld].
type WithheldList map[string]*withheldFile

// Withheld reads the recorded list.
func (t *Tree) Withheld() (WithheldList, error) {
	w, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	return w.files, nil
}

// ApplyWithheld follows the changes of the list since before: files that are
// here get the metadata that it has for them, and their content counts as
// known. It returns the files that the list names and that are not here.
func (w *Work) ApplyWithheld(before WithheldList) (absent []string, err error) {
	t := w.tree
	now, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	seen := acks{}
	for path, f := range now.files {
		c, rel := t.CopyOf(path)
		if c == nil || c.Versioned(rel) {
			continue
		}
		l, err := t.look(c, rel)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q: %w", path, cause(err))
		}
		if !l.exists || l.values.Kind != metadata.File {
			absent = append(absent, path)
			continue
		}
		a := now.acks[path]
		if a != nil && a.Forgotten {
			continue
		}
		if a == nil || a.SHA256 == "" {
			if sum, err := c.contentSum(rel); err == nil {
				seen[path] = &ack{SHA256: sum, Quiet: c.quietSum(rel, sum)}
			}
		}
		if f.Sealed != "" && (a == nil || a.Sealed != f.Sealed) {
			continue // the list speaks of another content, which waits for an identity
		}
		w.followWithheld(c, rel, &l, before[path], f)
	}
	sort.Strings(absent)
	return absent, t.acknowledge(seen)
}

// followWithheld sets a withheld file's metadata when the list's has changed
// and the file's has not.
func (w *Work) followWithheld(c *Copy, rel string, l *live, old, now *withheldFile) {
	t := w.tree
	wanted := func(f *withheldFile) metadata.Values {
		v, _, _ := metadata.Wanted(propLookup(f.Properties), metadata.File, metadata.StandardDefaults, t.Names)
		return v
	}
	if old != nil && (fmt.Sprint(old.Properties) == fmt.Sprint(now.Properties) || len(metadata.Compare(wanted(old), l.values, t.Names)) > 0) {
		return
	}
	want := wanted(now)
	if len(metadata.Compare(want, l.values, t.Names)) == 0 {
		return
	}
	if !mayFollow(&want, &l.values) || !t.withholds(&l.values) {
		// a list alone hands no secret to anybody; status shows the difference
		t.Warn("%s: the recorded metadata would open it to others; rootwc repair %s sets it", c.path(rel), c.path(rel))
		return
	}
	r := &Result{}
	w.repairOne(&Entry{Path: c.path(rel), Kind: metadata.File, copy: c, rel: rel, live: *l}, RevertOptions{}, r)
	for _, u := range r.Unset {
		t.Warn("%s", u)
	}
}

// mayFollow says whether a list may give a secret this metadata: it makes no
// program of it, opens it to nobody else, and hands it to no person.
func mayFollow(want, have *metadata.Values) bool {
	return want.Mode&0o7004 == 0 && want.ACL.Equal(have.ACL) &&
		(want.UID == have.UID || want.UID < firstPerson) && (want.GID == have.GID || want.GID < firstPerson)
}
