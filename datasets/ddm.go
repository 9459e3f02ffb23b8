package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/system"
)

// A .ddm file is shell code that ddm sources. A repository may have delivered
// it, so ddm runs only after somebody on this machine has allowed these very
// bytes, and as the owner of the dataset.

// ddm hands the action to the program.
func (j *job) ddm(ctx context.Context) error {
	sum, _, err := settingsOf(j.dir)
	if err != nil {
		return err
	}
	if sum == "" {
		return refuse("%q has no .ddm file, which would tell ddm its repository", j.Path)
	}
	allowed, err := os.ReadFile(j.stateFile(j.Path, ".allowed"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read what is allowed: %w", cause(err))
	}
	if strings.TrimSpace(string(allowed)) != sum {
		return refuseHint(fmt.Sprintf("read it, then: rootwc dataset allow %s", run.Quote([]string{j.Path})),
			"%q: its .ddm file is shell code, and not allowed on this machine as it is now", j.Path)
	}
	if _, found := run.Look("ddm"); !found {
		return refuse("the program ddm is not to be had; describe the dataset with another repository in the machine's description")
	}
	args := []string{"ddm", "-a", string(j.action), "-d", ".", "-t", string(j.Type)}
	if j.Message != "" {
		args = append(args, "-m", j.Message)
	}
	if j.DryRun {
		args = append(args, "-p")
	}
	c := j.command(args...)
	out, _, err := run.Output(ctx, c)
	for line := range strings.Lines(string(out)) {
		j.report.note("ddm: %s", strings.TrimSpace(line))
	}
	if err != nil {
		return err
	}
	return j.recount()
}

// Allow lets ddm run with a dataset's .ddm files as they are, on this machine.
// It returns their text, for the person who allows it.
func (r *Room) Allow(d system.Dataset, dryRun bool) (text string, err error) {
	dir, err := r.open(d.Path)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	sum, text, err := settingsOf(dir)
	if err != nil {
		return "", err
	}
	if sum == "" {
		return "", refuse("%q has no .ddm file", d.Path)
	}
	if dryRun {
		return text, nil
	}
	return text, writeFile(r.stateFile(d.Path, ".allowed"), []byte(sum+"\n"))
}

// maxSettings bounds the .ddm files of a dataset.
const maxSettings = 1 << 20

// settingsOf reads the .ddm files of a dataset: a hash of their names and
// bytes, "" for none, and their text.
func settingsOf(dir *os.Root) (sum, text string, err error) {
	d, err := dir.Open(".")
	if err != nil {
		return "", "", err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return "", "", err
	}
	slices.Sort(names)
	h := sha256.New()
	var all bytes.Buffer
	found := false
	for _, name := range names {
		if !strings.HasPrefix(name, ".ddm") {
			continue
		}
		content, err := readSettings(dir, name)
		if err != nil {
			return "", "", refuse("%s cannot be judged: %w", path.Base(name), err)
		}
		found = true
		fmt.Fprintf(h, "%d %s %d ", len(name), name, len(content))
		h.Write(content)
		all.Write(content)
	}
	if !found {
		return "", "", nil
	}
	return hex.EncodeToString(h.Sum(nil)), all.String(), nil
}

func readSettings(dir *os.Root, name string) ([]byte, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("no regular file")
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err == nil && len(content) > maxSettings {
		err = errors.New("larger than 1 MiB")
	}
	return content, err
}

// Named gives the type that a directory's name tells, by ddm's habit of
// REPOSITORY-TYPE; anything else is a copy.
func Named(dir string) system.DatasetType {
	for _, t := range system.DatasetTypes {
		if strings.HasSuffix(path.Base(dir), "-"+string(t)) {
			return t
		}
	}
	return system.Copy
}
