package wc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"rootwc/secrets"
)

// Sealed is one file of the list of withheld files.
type Sealed struct {
	Path   string
	For    []string // fingerprints of whom it is sealed for; none when it is only withheld
	Note   string   // what stands between it and the description's policy, "" for nothing
	Absent bool     // it was never restored on this machine
}

// Secrets lists the withheld files, sorted.
func (t *Tree) Secrets() ([]Sealed, error) {
	kept, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for path := range kept.files {
		found[path] = true
	}
	list := []Sealed{}
	for _, path := range keys(found) {
		f := kept.files[path]
		one := Sealed{Path: path, For: f.For, Note: kept.unlike(t, path)}
		_, err := t.fs.Lstat(path)
		one.Absent = errors.Is(err, fs.ErrNotExist) && kept.absent(path)
		list = append(list, one)
	}
	return list, nil
}

// SealedBlockers finds the sealed files of a survey that a materialize could
// not bring back with these identities. revision is that of the survey. Of each sealed file only the beginning
// is looked at; what the machine has already needs none.
func (t *Tree) SealedBlockers(ctx context.Context, s *Survey, revision string, with secrets.Identities) ([]Blocker, error) {
	names := map[string]string{}
	for _, n := range s.Nodes {
		if path, ok := secrets.PathOf(n.Path); ok && !n.Dir {
			names[path] = n.Path
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	copied, err := newTemporary(nil)
	if err != nil {
		return nil, err
	}
	defer copied.remove()
	if revision == "" {
		revision = "HEAD"
	}
	at := filepath.Join(copied.dir, "secrets")
	_, err = t.Client.Run(ctx, Call{Args: []string{"export", "--quiet", "--ignore-externals", "--revision", revision,
		"--", s.URL + "/" + EscapeURL(secrets.Dir) + "@", at}})
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(copied.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	kept, err := t.loadWithheld()
	if err != nil {
		return nil, err
	}
	var found []Blocker
	for path, name := range names {
		if a := kept.acks[path]; a != nil && kept.files[path] != nil && a.Sealed == kept.files[path].Sealed && t.isFile(path) {
			continue
		}
		if err := opens(root, "secrets/"+name[len(secrets.Dir)+1:], with); err != nil {
			found = append(found, Blocker{path, err.Error()})
		}
	}
	return found, nil
}

// opens says whether one of the identities opens a sealed file.
func opens(root *os.Root, name string, with secrets.Identities) error {
	f, err := openRegular(root, name)
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	if len(with) == 0 {
		return errors.New("it is encrypted, and no identity is given")
	}
	return secrets.Opens(f, with)
}

// isFile says whether a regular file is at path.
func (t *Tree) isFile(path string) bool {
	info, err := t.fs.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}
