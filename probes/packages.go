package probes

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"rootwc/packages"
)

// PackagesName is the probe of what is installed; [Take] leaves it out, since it
// is of a root, and not of a machine's disks.
const PackagesName = "packages"

// TakePackages takes the probe of what is installed below a root, as [Take] does
// the others. Its error is [packages.ErrNone] where no package manager is.
//
// Of what differs only the news are in [Taken.Changes], in one sentence: other
// versions come every day by themselves. The text follows with the next commit.
func TakePackages(ctx context.Context, root *os.Root, recorded fs.FS) *Taken {
	name := PackagesName + ".toml"
	t := &Taken{Name: PackagesName, Recorded: exists(recorded, name), files: map[string][]byte{}}
	var now *packages.Installed
	if now, t.Err = packages.Read(ctx, root); t.Err != nil {
		return t
	}
	t.Findings = now.Findings
	var text []byte
	if text, t.Err = now.Text(); t.Err != nil {
		return t
	}
	old, err := fs.ReadFile(recorded, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		t.Err = err
		return t
	case bytes.Equal(old, text):
		return t
	default:
		t.Err = t.comparePackages(old, now)
	}
	t.files[name] = text
	return t
}

func (t *Taken) comparePackages(old []byte, now *packages.Installed) error {
	before, err := packages.Parse(old)
	if err != nil {
		return unreadable(path.Join(Dir, t.Name+".toml"), err)
	}
	d := packages.Compare(before, now)
	if news := d.News(); news != "" {
		t.Changes = []string{news}
	}
	if asides := d.Asides(); asides != "" {
		t.Notes = []string{t.Name + ": " + asides}
	}
	return nil
}
