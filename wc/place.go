package wc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// action is what a step does to one live path.
type action string

const (
	actPut    action = "put"    // the staged file, symlink or fifo takes the path by rename
	actMkdir  action = "mkdir"  // a directory comes
	actMeta   action = "meta"   // metadata alone, in place
	actRemove action = "remove" // a file goes
	actRmdir  action = "rmdir"  // a directory goes when it is empty
)

// step is one change of a live path, as data: a plan is printed from the same
// list that is run.
type step struct {
	Act    action           `json:"act"`
	Rel    string           `json:"rel"`
	Expect identity         `json:"expect"` // what the path was when this was planned
	Want   *metadata.Values `json:"want,omitempty"`
	Note   string           `json:"note,omitempty"` // what changes, in words
}

// placer runs the steps of one part.
type placer struct {
	tree  *Tree
	part  *part
	live  *os.Root
	base  string // absolute path of live, for messages
	stage *os.Root
	to    heldDir // below live
	from  heldDir // below stage

	skipped []lateConflict // steps that could not be taken
	late    []string       // their paths, relative to the machine's root
	unset   []string       // metadata that could not be set
}

// lateConflict is a step that could not be taken, with what was staged.
type lateConflict struct {
	rel, why string
	theirs   []byte
}

// openStage opens the stage's working copy, which an earlier run may have
// removed already.
func (w *placer) openStage() error {
	root, err := os.OpenRoot(filepath.Join(w.part.Stage, stageWC))
	if err == nil {
		w.stage, w.from.root = root, root
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// run takes the steps in order. A step that can never be taken becomes a
// conflict; what may pass (a full disk, say) is returned, and run can be called
// again.
func (w *placer) run() error {
	defer w.release()
	total := len(w.part.Steps)
	for i := range w.part.Steps {
		fault.At("place")
		err := w.step(&w.part.Steps[i])
		if err != nil && !passing(err) {
			err = w.keepTheirs(&w.part.Steps[i], "cannot be replaced: "+cause(err).Error())
		}
		if err != nil {
			return fmt.Errorf("cannot place %s: %w", joinPath(w.part.Path, w.part.Steps[i].Rel), cause(err))
		}
		w.tree.Progress("placing", i+1, total)
	}
	return w.sync()
}

// release closes the directories that were held for the next step.
func (w *placer) release() {
	w.to.close()
	w.from.close()
}

// sync writes the directories that were changed to disk, before the record
// says that they are.
func (w *placer) sync() error {
	if len(w.part.Steps) > fewSteps {
		return syncFS(w.base)
	}
	done := map[string]bool{}
	for i := range w.part.Steps {
		dir := parentOf(w.part.Steps[i].Rel)
		if done[dir] {
			continue
		}
		done[dir] = true
		err := syncDirIn(w.live, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.ELOOP) {
			return err
		}
	}
	return nil
}

// passing says whether trying again later may help.
func passing(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (w *placer) step(s *step) error {
	now, err := w.identity(s.Rel)
	if err != nil {
		return err
	}
	switch s.Act {
	case actPut:
		return w.put(s, now)
	case actMkdir:
		return w.mkdir(s, now)
	case actMeta:
		if !now.Exists || s.Expect.Exists && (now.Ino != s.Expect.Ino || now.Dev != s.Expect.Dev) {
			return nil // it is another file by now; status will tell
		}
		return w.meta(s, now)
	case actRemove:
		if !now.Exists {
			return nil
		}
		if now != s.Expect {
			return w.keepTheirs(s, changedMeanwhile)
		}
		return w.live.Remove(s.Rel)
	case actRmdir:
		err := w.live.Remove(s.Rel)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOTDIR) {
			return nil // gone, or it holds what is not versioned: that stays
		}
		return err
	}
	return fmt.Errorf("internal error: unknown step %q", s.Act)
}

// identity tells what is at a live path now.
func (w *placer) identity(rel string) (identity, error) {
	st, err := w.to.lstat(rel)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return identity{}, nil
	}
	if err != nil {
		return identity{}, err
	}
	return identityOf(&st), nil
}

func identityOfInfo(info fs.FileInfo) identity {
	st := info.Sys().(*unixStat)
	return identityOf(&unix.Stat_t{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Mode: st.Mode, Ctim: unix.Timespec(st.Ctim)})
}

func orDot(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}

// put renames the staged file over the live path. When the stage has it no
// more, an earlier run has done so.
func (w *placer) put(s *step, now identity) error {
	if w.stage == nil {
		return nil
	}
	if _, err := w.from.lstat(s.Rel); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if now != s.Expect {
		return w.keepTheirs(s, changedMeanwhile)
	}
	if now.Exists && now.Mode&unix.S_IFMT == unix.S_IFDIR {
		return w.swap(s)
	}
	return w.rename(s.Rel, 0)
}

// rename moves a staged path into the live tree, both directories held open,
// so that no symlink in either path is followed out of them.
func (w *placer) rename(rel string, flags uint) error {
	dir, name := splitPath(rel)
	from, err := w.from.dir(dir)
	if err != nil {
		return err
	}
	to, err := w.to.dir(dir)
	if err != nil {
		return err
	}
	return unix.Renameat2(int(from.Fd()), name, int(to.Fd()), name, flags)
}

// swap exchanges a staged file and the empty directory that is live at its
// path in one step, and removes the directory. One that is not empty holds what
// is not versioned: it goes back.
func (w *placer) swap(s *step) error {
	if err := w.rename(s.Rel, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	err := w.stage.Remove(s.Rel)
	if !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	if err := w.rename(s.Rel, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	return w.keepTheirs(s, "a directory that is not empty is in the way")
}

// mkdir makes a directory with its final metadata.
func (w *placer) mkdir(s *step, now identity) error {
	if now.Exists && now.Mode&unix.S_IFMT != unix.S_IFDIR {
		if now != s.Expect {
			return w.keepTheirs(s, changedMeanwhile)
		}
		if err := w.live.Remove(s.Rel); err != nil {
			return err
		}
		now = identity{}
	}
	if !now.Exists {
		if err := w.live.Mkdir(s.Rel, 0o700); err != nil {
			return err
		}
	}
	now, err := w.identity(s.Rel)
	if err != nil {
		return err
	}
	return w.meta(s, now)
}

// meta sets the metadata of a live path in place.
func (w *placer) meta(s *step, now identity) error {
	if s.Want == nil {
		return nil
	}
	dir, name := splitPath(s.Rel)
	if s.Rel == "" {
		name = "."
	}
	fd, err := w.to.dir(dir)
	if err != nil {
		return err
	}
	want, dropped := guarded(*s.Want, w.part)
	w.unset = append(w.unset, left(w.part, s.Rel, dropped)...)
	for _, failed := range applyAt(int(fd.Fd()), name, want, now) {
		w.unset = append(w.unset, fmt.Sprintf("%s: %v", joinPath(w.part.Path, s.Rel), failed))
	}
	return nil
}

const changedMeanwhile = "changed here while it was to be replaced"

// keepTheirs turns a step that cannot be taken into a conflict: the live path
// stays as it is, what was to come is kept.
func (w *placer) keepTheirs(s *step, why string) error {
	late := lateConflict{rel: s.Rel, why: why}
	if w.stage != nil && s.Act == actPut {
		if f, err := w.stage.OpenFile(s.Rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err == nil {
			late.theirs, err = io.ReadAll(f)
			f.Close()
			if err != nil {
				return err
			}
		}
	}
	w.skipped = append(w.skipped, late)
	w.late = append(w.late, joinPath(w.part.Path, s.Rel))
	return nil
}

// keepConflicts stores what keepTheirs collected.
func (w *placer) keepConflicts() error {
	for _, l := range w.skipped {
		c := &Conflict{Path: joinPath(w.part.Path, l.rel), What: l.why, Recorded: true}
		if err := w.tree.State.storeConflict(c, map[string][]byte{"theirs": l.theirs}); err != nil {
			return err
		}
	}
	return nil
}

// publish puts the stage's record in place of the live one: its whole .svn
// after a first checkout, else its database. Both are one rename.
func (w *placer) publish() error {
	if w.part.Files || w.stage == nil {
		return nil
	}
	admin := filepath.Join(w.part.Stage, stageWC, AdminDir)
	if w.part.Graft {
		if _, err := os.Lstat(admin); errors.Is(err, fs.ErrNotExist) {
			return nil // an earlier run has done it
		}
		if err := w.rename(AdminDir, unix.RENAME_NOREPLACE); err != nil {
			return fmt.Errorf("cannot put %s in place: %w", filepath.Join(w.base, AdminDir), err)
		}
		fault.At("grafted")
		return syncDir(w.base)
	}
	db := filepath.Join(admin, "wc.db")
	if _, err := os.Lstat(db); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// While the stage's verb runs the live database is locked; after a crash
	// somebody may have used svn before this recovery.
	if now, err := w.identity(AdminDir + "/wc.db"); err != nil || now != w.part.Record {
		w.tree.Warn("svn has worked in %s since rootwc was interrupted: its record stays; run rootwc update", w.base)
		return err
	}
	if err := syncFile(db); err != nil {
		return err
	}
	if err := w.rename(AdminDir+"/wc.db", 0); err != nil {
		return fmt.Errorf("cannot put the record of %s in place: %w", w.base, err)
	}
	return syncDir(filepath.Join(w.base, AdminDir))
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
