package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Work is one writing verb: the root's lock, the journal and the stages.
type Work struct {
	tree    *Tree
	verb    string
	journal *journal
	release func()
	stages  map[*part]*stage

	// Unset names metadata that could not be set, Late the paths that could
	// not be placed; both are for the verb's report.
	Unset []string
	Late  []string
}

// Begin locks the root for a writing verb and finishes or undoes what an
// interrupted one left. Call it before [Tree.Attach]: the working copies may
// be in the making.
func (t *Tree) Begin(verb string) (*Work, error) {
	release, err := t.State.lock(verb)
	if err != nil {
		return nil, err
	}
	if err := t.recover(); err != nil {
		release()
		return nil, err
	}
	t.State.sweep()
	return &Work{tree: t, verb: verb, release: release, stages: map[*part]*stage{}}, nil
}

// Tighten closes every .svn that others can read.
func (w *Work) Tighten() {
	for _, c := range w.tree.Copies {
		c.tightenAdmin()
	}
}

// Recover is for verbs that only read: it finishes an interrupted verb when
// it may, and does nothing when somebody is at work or the state directory
// cannot be written.
func (t *Tree) Recover() error {
	if verb, _, err := t.State.Interrupted(); verb == "" || err != nil {
		return err
	}
	release, err := t.State.lock("recovery")
	var locked *LockedError
	if errors.As(err, &locked) {
		return nil
	}
	if err != nil {
		t.Warn("a rootwc command was interrupted here and cannot be finished now: %v", err)
		return nil
	}
	defer release()
	return t.recover()
}

// End removes what is left of the stages, then the journal, then the lock.
// A working copy that is marked to be placed stays for recovery.
func (w *Work) End() error {
	var err error
	if w.journal != nil {
		open := false
		for _, p := range w.journal.Parts {
			s := w.stages[p]
			if p.Place || p.URL != "" {
				open = true
				s.close()
				continue
			}
			s.remove()
		}
		if !open {
			err = w.journal.end()
		}
	}
	w.release()
	return err
}

// stage makes the stage of a working copy and notes it in the journal.
func (w *Work) stage(c *Copy) (*stage, *part, error) {
	if err := w.openJournal(); err != nil {
		return nil, nil, err
	}
	dir, err := c.stageDir()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	p := &part{Path: c.Path, Stage: dir, User: c.user}
	if err := w.note(p, nil); err != nil { // first: what nobody knows of is never removed
		return nil, nil, err
	}
	s, err := c.newStage(dir)
	if err != nil {
		return nil, nil, err
	}
	w.stages[p] = s
	if info, err := c.fs.Lstat(AdminDir + "/wc.db"); err == nil {
		p.Record = identityOfInfo(info)
	}
	return s, p, w.journal.write()
}

func (w *Work) note(p *part, s *stage) error {
	w.stages[p] = s
	w.journal.Parts = append(w.journal.Parts, p)
	return w.journal.write()
}

func (w *Work) openJournal() (err error) {
	if w.journal != nil {
		return nil
	}
	if w.journal, err = w.tree.State.interrupted(); err != nil {
		return err
	}
	if w.journal == nil {
		w.journal, err = w.tree.State.begin(w.verb)
		return err
	}
	w.journal.Verb = w.verb // it holds checkouts to take up again
	return w.journal.write()
}

// place gives every staged file its final metadata, commits the plan to the
// journal and carries it out. From the journal's write on, a crash is finished
// by the next command.
func (w *Work) place(p *part) error {
	s := w.stages[p]
	if w.tree.broken != nil {
		return w.tree.broken
	}
	if err := as(p.User, func() error { return w.prepare(s, p) }); err != nil {
		return err
	}
	fault.At("prepared")
	p.Place = true
	if err := w.journal.write(); err != nil {
		p.Place = false
		return err
	}
	fault.At("journaled")
	report, err := w.tree.finish(p)
	if err != nil {
		return Hint(err, "mend that and run any rootwc command: it finishes what is left")
	}
	w.Unset = append(w.Unset, report.unset...)
	w.Late = append(w.Late, report.late...)
	return w.done(p)
}

// done strikes a part out of the journal.
func (w *Work) done(p *part) error {
	w.stages[p].close()
	delete(w.stages, p)
	parts := w.journal.Parts[:0]
	for _, q := range w.journal.Parts {
		if q != p {
			parts = append(parts, q)
		}
	}
	w.journal.Parts = parts
	if err := w.journal.write(); err != nil {
		return err
	}
	fault.At("part")
	if c, _ := w.tree.CopyOf(p.Path); c != nil && c.Path == p.Path {
		return c.reload()
	}
	return nil
}

// prepare sets the metadata of the staged files and writes the stage to disk:
// recovery takes what is missing in it for placed.
func (w *Work) prepare(s *stage, p *part) error {
	in := heldDir{root: s.root}
	defer in.close()
	for i := range p.Steps {
		st := &p.Steps[i]
		if st.Act != actPut {
			continue
		}
		if st.Want.Kind == metadata.Fifo {
			if err := s.makeFifo(st.Rel); err != nil {
				return err
			}
		}
		found, err := in.lstat(st.Rel)
		if err != nil {
			return &fs.PathError{Op: "lstat", Path: st.Rel, Err: err}
		}
		dir, name := splitPath(st.Rel)
		d, err := in.dir(dir)
		if err != nil {
			return err
		}
		want, dropped := guarded(*st.Want, p)
		w.Unset = append(w.Unset, left(p, st.Rel, dropped)...)
		for _, failed := range applyAt(int(d.Fd()), name, want, identityOf(&found)) {
			w.Unset = append(w.Unset, fmt.Sprintf("%s: %v", joinPath(p.Path, st.Rel), failed))
		}
	}
	return s.sync(p)
}

// fewSteps is up to where single files are synced; syncfs(2) writes one call
// for many files, but everything else on the file system as well.
const fewSteps = 64

// sync writes the stage to disk: the files that are to be placed with their
// directories, the record, and the texts that svn has added for it. svn itself
// syncs none of them.
func (s *stage) sync(p *part) error {
	added, err := s.addedPristines()
	if err == nil {
		err = s.returnTexts(added)
	}
	if err != nil {
		return err
	}
	if p.Graft || len(p.Steps)+len(added) > fewSteps {
		return syncFS(s.dir)
	}
	dirs := map[string]bool{"": true}
	for i := range p.Steps {
		if p.Steps[i].Act != actPut {
			continue
		}
		for dir := parentOf(p.Steps[i].Rel); dir != ""; dir = parentOf(dir) {
			dirs[dir] = true
		}
		if p.Steps[i].Want.Kind == metadata.File { // the others are in their directory
			if err := syncFileIn(s.root, p.Steps[i].Rel); err != nil {
				return err
			}
		}
	}
	for _, sum := range added {
		name := pristinePath(s.copy.dir, sum)
		if err := errors.Join(syncFile(name), syncDir(filepath.Dir(name))); err != nil {
			return err
		}
	}
	for _, dir := range keys(dirs) {
		if err := syncDirIn(s.root, dir); err != nil {
			return err
		}
	}
	if p.Files {
		return syncDir(s.dir)
	}
	admin := filepath.Join(s.wc(), AdminDir)
	return errors.Join(syncFile(filepath.Join(admin, "wc.db")), syncDir(admin), syncDir(s.dir), syncDir(filepath.Dir(s.dir)))
}

// syncFileIn writes one file below root to disk.
func syncFileIn(root *os.Root, rel string) error {
	f, err := openRegular(root, rel)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncDirIn writes one directory below root to disk.
func syncDirIn(root *os.Root, rel string) error {
	d, err := openDir(root, rel)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// guarded takes setuid, setgid and what only root may set, capabilities above
// all, from what lands in the working copy of an ordinary user: its content
// would run with more rights than that user's on the word of a repository.
// dropped names what was taken.
func guarded(v metadata.Values, p *part) (safe metadata.Values, dropped []string) {
	if p.User == nil || v.Kind != metadata.File && v.Kind != metadata.Dir {
		return v, nil
	}
	if v.Kind == metadata.File && v.Mode&0o6000 != 0 {
		v.Mode &^= 0o6000
		dropped = append(dropped, "setuid and setgid")
	}
	v.Xattrs = slices.Clone(v.Xattrs)
	v.Xattrs = slices.DeleteFunc(v.Xattrs, func(x metadata.Xattr) bool {
		if strings.HasPrefix(x.Name, "user.") {
			return false
		}
		dropped = append(dropped, x.Name)
		return true
	})
	return v, dropped
}

// left words what guarded has dropped.
func left(p *part, rel string, dropped []string) []string {
	var words []string
	for _, d := range dropped {
		words = append(words, fmt.Sprintf("%s: %s: not set in a working copy of user %d", joinPath(p.Path, rel), d, p.User.UID))
	}
	return words
}

// makeFifo puts a fifo in the place of the empty file that svn knows.
func (s *stage) makeFifo(rel string) error {
	if err := s.root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, name := splitPath(rel)
	d, err := openDir(s.root, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Mkfifoat(int(d.Fd()), name, 0o600)
}
