package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
)

// heldDir is where a file is put aside for the moment between the last look at
// it and its removal, under its own path. Only root, or who runs rootwc, gets in.
const heldDir = ".rootwc-held"

// remove takes files away that were proven to be dispensable as they were
// found, each only if it is still the same: what changed since stays, and is
// told. Directories stay: see removeEmpty.
func (j *job) remove(names []string, was *found) (gone []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	if err := j.dir.Mkdir(heldDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot remove files of %q: %w", j.Path, cause(err))
	}
	links := map[[2]uint64]unix.Timespec{} // inodes of which a name was removed, with their new ctime
	for _, rel := range names {
		fault.At("dataset-remove")
		id := was.identities[rel]
		if ctime, linked := links[[2]uint64{id.dev, id.ino}]; linked {
			id.ctime = ctime
		}
		why, after, err := j.removeOne(rel, id)
		if err != nil {
			return gone, fmt.Errorf("cannot remove %q: %w", path.Join(j.Path, rel), cause(err))
		}
		if why != "" {
			j.report.add('!', []string{rel}, why)
			continue
		}
		links[[2]uint64{id.dev, id.ino}] = after
		gone = append(gone, rel)
	}
	if err := j.dir.RemoveAll(heldDir); err != nil {
		return gone, fmt.Errorf("cannot remove %q: %w", path.Join(j.Path, heldDir), cause(err))
	}
	return gone, nil
}

// above are the directories above paths.
func above(paths []string) []string {
	dirs := map[string]bool{}
	for _, p := range paths {
		for dir := path.Dir(p); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	return slices.Collect(maps.Keys(dirs))
}

// removeOne removes one file if it is what was proven. Nobody may have it open
// for writing: a lease says so, and breaks when somebody wants to. It is
// renamed first, so that what is looked at last is what is removed, whatever
// takes its name meanwhile.
func (j *job) removeOne(rel string, id identity) (why string, after unix.Timespec, err error) {
	const changed = "changed meanwhile"
	info, err := j.dir.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return changed, after, nil
	}
	if err != nil {
		return "", after, err
	}
	var f *os.File
	if info.Mode().IsRegular() {
		f, err = j.dir.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return changed + ": " + cause(err).Error(), after, nil
		}
		defer f.Close()
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		if errors.Is(err, unix.EAGAIN) {
			return "somebody has it open for writing", after, nil
		} // other errors: the file system has no leases
		if info, err = f.Stat(); err != nil {
			return "", after, err
		}
	}
	if identityOf(info) != id {
		return changed, after, nil
	}
	held := path.Join(heldDir, rel)
	if err := j.dir.MkdirAll(path.Dir(held), 0o700); err != nil {
		return "", after, err
	}
	if err := j.dir.Rename(rel, held); err != nil {
		return cause(err).Error(), after, nil // a mount point on the way, say
	}
	fault.At("dataset-held")
	now, err := j.dir.Lstat(held)
	if err != nil {
		return "", after, err
	}
	if identityOf(now).content() != id.content() {
		return changed, after, j.putBack(rel)
	}
	if err := j.dir.Remove(held); err != nil {
		return "", after, err
	}
	if f != nil {
		if info, err = f.Stat(); err != nil {
			return "", after, err
		}
		after = identityOf(info).ctime
	}
	return "", after, nil
}

// putBack brings a file back that was put aside. Where its name is taken by
// then, it gets another one.
func (j *job) putBack(rel string) error {
	if dir := path.Dir(rel); dir != "." {
		if err := j.makeDirs(dir); err != nil {
			return err
		}
	}
	held := path.Join(heldDir, rel)
	for _, name := range []string{rel, rel + ".kept"} {
		err := j.dir.Link(held, name) // which takes nothing's place
		if err == nil {
			return j.dir.Remove(held)
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("%q and %q are taken; it waits in %q", rel, rel+".kept", held)
}

// makeDirs makes directories that were removed in the meantime.
func (j *job) makeDirs(dir string) error {
	if _, err := j.dir.Lstat(dir); err == nil {
		return nil
	}
	if up := path.Dir(dir); up != "." {
		if err := j.makeDirs(up); err != nil {
			return err
		}
	}
	if err := j.dir.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return j.give(dir)
}

// removeEmpty removes those of the directories that are empty.
func (j *job) removeEmpty(dirs []string) error {
	slices.Sort(dirs)
	slices.Reverse(dirs) // what is below comes first
	for _, d := range dirs {
		_ = j.dir.RemoveAll(path.Join(d, partialDir)) // rsync's, of a transfer that is done
		err := j.dir.Remove(d)
		if err != nil && !notEmpty(err) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("cannot remove %q: %w", path.Join(j.Path, d), cause(err))
		}
	}
	return nil
}

func notEmpty(err error) bool { return errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, fs.ErrExist) }

// tidy finishes what an interrupted run left: files that it had put aside come
// back, what was half transferred into the dataset's directory goes.
func (j *job) tidy() error {
	if err := j.dir.RemoveAll(tempDir); err != nil {
		return fmt.Errorf("cannot remove %q: %w", path.Join(j.Path, tempDir), cause(err))
	}
	if err := j.tidyAside(); err != nil {
		return fmt.Errorf("cannot clear %q: %w", path.Join(j.Path, replacedDir), cause(err))
	}
	held, err := j.dir.OpenRoot(heldDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", path.Join(j.Path, heldDir), cause(err))
	}
	defer held.Close()
	err = walkDir(held, "", func(rel string, info fs.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		return j.putBack(rel)
	})
	if err == nil {
		err = j.dir.RemoveAll(heldDir)
	}
	if err != nil {
		return fmt.Errorf("cannot put back the files in %q: %w", path.Join(j.Path, heldDir), cause(err))
	}
	return nil
}

// drain removes everything from a cache.
func (j *job) drain() error {
	d, err := j.dir.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if owned(name) {
			continue
		}
		if !j.DryRun {
			if err := j.dir.RemoveAll(name); err != nil {
				return fmt.Errorf("cannot empty %q: %w", j.Path, cause(err))
			}
		}
		j.report.add('D', []string{name}, "")
	}
	if !j.DryRun {
		j.state.counted(nil)
	}
	return nil
}
