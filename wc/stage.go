package wc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
	"rootwc/internal/run"
	"rootwc/wc/metadata"
)

// stage is a private working copy in which svn works instead of the live one:
// a copy of the live database, the live store of pristine texts (by symlink:
// a text is named by its checksum and never changed), and of the working
// files only those that svn has to see. It lies on the live tree's file
// system, so that files and the database get into place by rename(2), and a
// crash costs nothing but the stage.
type stage struct {
	tree *Tree
	copy *Copy     // nil for a first checkout
	path string    // of the working copy
	live *os.Root  // its directory
	dir  string    // absolute, mode 0700
	root *os.Root  // of the working copy in it
	user *run.User // whose it is
	pin  *pin
	rec  *record // see record
	made []made  // directories made for a first checkout

	fetched func() // hears of each path that a first checkout brings
	came    int    // paths that the running svn has brought
}

const (
	stageState = "stage"         // below the state directory
	stageAdmin = ".svn/rootwc"   // below a working copy of another owner or file system
	stageNear  = ".rootwc-"      // beside the target of a first checkout elsewhere
	stageWC    = "wc"            // svn's directory in a stage
	noDepth    = "--depth=empty" // the named paths alone
)

// newStage makes the stage of a live working copy and locks that.
func (c *Copy) newStage(dir string) (*stage, error) {
	if c.asked != nil {
		return nil, Refuse("working copy %q: %w", c.dir, c.asked.why)
	}
	if len(c.record().locked) > 0 {
		return nil, Hint(Refuse("working copy %q is locked by svn, or was left in the middle of something", c.dir),
			"when no svn is at work there, run: svn cleanup %s", c.dir)
	}
	s := &stage{tree: c.tree, copy: c, path: c.Path, live: c.fs, user: c.user}
	err := as(c.user, func() error {
		var err error
		if s.pin, err = pinDB(c.admin("wc.db")); err != nil {
			return err
		}
		if now := c.databaseKey(); now == nil || c.key == nil || *now != *c.key {
			if err := c.reload(); err != nil {
				return err
			}
		}
		s.dir = dir
		admin := filepath.Join(s.dir, stageWC, AdminDir)
		if err := os.MkdirAll(filepath.Join(admin, "tmp"), 0o700); err != nil {
			return err
		}
		if err := c.lendTexts(admin); err != nil {
			return err
		}
		for _, name := range []string{"format", "entries"} { // say "12" for ever
			if err := os.WriteFile(filepath.Join(admin, name), []byte("12\n"), 0o600); err != nil {
				return err
			}
		}
		if db := filepath.Join(admin, "wc.db"); !c.takeAhead(db) {
			if err := s.pin.copyTo(db); err != nil {
				return err
			}
		}
		s.root, err = os.OpenRoot(filepath.Join(s.dir, stageWC))
		return err
	})
	if err != nil {
		s.remove()
		return nil, fmt.Errorf("cannot prepare a stage for %q: %w", c.dir, err)
	}
	fault.At("staged")
	return s, nil
}

// stageDir names a private directory from which rename(2) reaches the working
// copy: in the state directory, else in the working copy's own .svn. It is not
// made yet.
func (c *Copy) stageDir() (dir string, err error) {
	if c.user == nil {
		if err := os.MkdirAll(c.tree.State.path(stageState), 0o700); err != nil {
			return "", err
		}
		if sameFileSystem(c.tree.State.path(stageState), c.dir) {
			return c.tree.State.path(stageState, rand.Text()), nil
		}
	}
	return filepath.Join(c.admin("rootwc"), rand.Text()), as(c.user, func() error {
		// the root's lock is held: a stage that is here was left by a crash
		if err := os.RemoveAll(c.admin("rootwc")); err != nil {
			return err
		}
		return os.Mkdir(c.admin("rootwc"), 0o700)
	})
}

// sameFileSystem proves by doing it that rename(2) works from one directory
// to another; equal device numbers do not (bind mounts).
func sameFileSystem(from, to string) bool {
	probe, err := os.MkdirTemp(from, "probe")
	if err != nil {
		return false
	}
	defer os.Remove(probe)
	moved := filepath.Join(to, AdminDir)
	if _, err := os.Lstat(moved); err != nil {
		moved = to
	}
	moved = filepath.Join(moved, filepath.Base(from)+".probe")
	_ = unix.Rmdir(moved) // a run that was killed just here has left it, and os.Rename takes no directory's place
	if os.Rename(probe, moved) != nil {
		return false
	}
	os.Remove(moved)
	return true
}

// wc is the absolute path of svn's directory.
func (s *stage) wc() string { return filepath.Join(s.dir, stageWC) }

// noSleep keeps svn from waiting until the second is over, which it does so
// that an edit right after it has another time than what it recorded
// (svn_io_sleep_for_timestamps, libsvn_subr/io.c). Nobody edits a stage.
var noSleep = []string{"SVN_I_LOVE_CORRUPTED_WORKING_COPIES_SO_DISABLE_SLEEP_FOR_TIMESTAMPS=yes"}

// svn runs a subcommand in the stage.
func (s *stage) svn(ctx context.Context, line func(string), args ...string) ([]byte, error) {
	return s.tree.Client.Run(ctx, Call{User: s.user, Dir: s.wc(), Env: noSleep, Args: args, Line: line, Pace: 5 * time.Millisecond})
}

// svnTargets runs a subcommand with paths handed over in a file.
func (s *stage) svnTargets(ctx context.Context, rels []string, args ...string) error {
	if len(rels) == 0 {
		return nil
	}
	var name string
	err := as(s.user, func() (err error) {
		name, err = targetsFile(s.dir, rels)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.svn(ctx, nil, append(args, "--targets", name)...)
	return err
}

// fetch lets svn bring files into the stage, with progress. What svn itself
// cannot have in a working copy is refused by name.
func (s *stage) fetch(ctx context.Context, url string, args ...string) error {
	count, last := 0, ""
	_, err := s.svn(ctx, func(line string) {
		if len(line) < 6 { // four columns of letters and a blank
			return
		}
		if line[0] == 'A' {
			s.came++
			last = line[5:]
		}
		if count++; s.fetched != nil {
			s.fetched()
		} else {
			s.tree.Progress("fetching", count, 0)
		}
	}, args...)
	return s.named(err, url, last)
}

// named refuses by name what no working copy can hold; last is what svn had added
// before it failed.
func (s *stage) named(err error, url, last string) error {
	if rel, why := s.unfetchable(err, last); rel != "" {
		return Hint(Refuse("%s is in the repository and %s", joinPath(s.path, rel), why), "svn rm %s", run.Quote([]string{url + "/" + EscapeURL(rel)}))
	}
	return err
}

const tooLong = "000036" // ENAMETOOLONG

var (
	adminEntry = regexp.MustCompile(`'([^']+)': object of the same name as the administrative directory`) // E155000
	badLink    = regexp.MustCompile(`E0000(?:02|22|36): Can't create symbolic link '([^']+?)(?:\.tmp)?'`) // of E155009
)

// unfetchable tells the path over which svn has failed when no working copy can
// hold it, "" for other failures.
func (s *stage) unfetchable(err error, last string) (rel, why string) {
	var failed *run.Error
	if !errors.As(err, &failed) {
		return "", ""
	}
	if m := adminEntry.FindStringSubmatch(failed.Stderr); m != nil {
		return strings.TrimPrefix(m[1], s.wc()+"/"), "has a name that only Subversion's own directory may have"
	}
	if m := badLink.FindStringSubmatch(failed.Stderr); m != nil {
		return strings.TrimPrefix(m[1], s.wc()+"/"), "is a symlink whose target is empty or too long"
	}
	if HasCode(err, tooLong) && last != "" {
		return last, "has a path below it that is too long"
	}
	return "", ""
}

// mkdirs makes rel and the directories above it.
func (s *stage) mkdirs(rel string) error {
	if rel == "" {
		return nil
	}
	return s.root.MkdirAll(rel, 0o700)
}

// take copies a live file into the stage, times included, so that svn records
// the live file's own size and time. Kinds that svn cannot store become what
// svn stores for them: a fifo an empty file.
func (s *stage) take(rel string, kind metadata.Kind) error {
	dir, _ := splitPath(rel)
	if err := s.mkdirs(dir); err != nil {
		return err
	}
	switch kind {
	case metadata.Dir:
		return s.mkdirs(rel)
	case metadata.Symlink:
		t, err := s.live.Readlink(rel)
		if err != nil {
			return err
		}
		if err := s.root.Symlink(t, rel); err != nil {
			return err
		}
		return s.copyTimes(rel)
	case metadata.Fifo:
		return s.root.WriteFile(rel, nil, 0o600)
	}
	return s.takeFile(rel)
}

// takeFile copies a regular file, again when it changed meanwhile: what is
// committed must have been on disk at one moment.
func (s *stage) takeFile(rel string) error {
	const attempts = 5
	for range attempts {
		stable, err := s.copyOnce(rel)
		if err != nil || stable {
			return err
		}
	}
	return fmt.Errorf("%q changes all the time: it was read %d times and never the same", joinPath(s.path, rel), attempts)
}

func (s *stage) copyOnce(rel string) (stable bool, err error) {
	in, err := openRegular(s.live, rel)
	if err != nil {
		return false, err
	}
	defer in.Close()
	var before, after unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &before); err != nil {
		return false, err
	}
	out, err := s.root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return false, err
	}
	if err := unix.Fstat(int(in.Fd()), &after); err != nil {
		return false, err
	}
	if before.Mode&0o100 != 0 { // svn add sets svn:executable from it
		if err := s.root.Chmod(rel, 0o700); err != nil {
			return false, err
		}
	}
	same := before.Size == after.Size && before.Mtim == after.Mtim && before.Ctim == after.Ctim
	return same, s.setTimes(rel, &before)
}

// copyTimes gives a staged symlink the live one's times.
func (s *stage) copyTimes(rel string) error {
	info, err := s.live.Lstat(rel)
	if err != nil {
		return err
	}
	st := info.Sys().(*unixStat)
	return s.setTimes(rel, &unix.Stat_t{Atim: unix.Timespec(st.Atim), Mtim: unix.Timespec(st.Mtim)})
}

func (s *stage) setTimes(rel string, st *unix.Stat_t) error {
	dir, name := splitPath(rel)
	d, err := openDir(s.root, dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.UtimesNanoAt(int(d.Fd()), name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// maxLinks keeps below ext4's limit of 65000 links to one inode.
const maxLinks = 60000

// fill makes the directories of the working copy and, for every versioned
// file that leave does not name, a link to one empty file: svn update restores
// files that are missing, and looks no further at those that are there and
// that the server has nothing new for.
func (s *stage) fill(leave func(rel string) bool) error {
	var rels []string
	for rel, n := range s.copy.record().all() {
		if rel != "" && n.visible() && n.top().presence != presenceBaseDeleted {
			rels = append(rels, rel)
		}
	}
	sort.Strings(rels)
	dummy, links := "", maxLinks
	for _, rel := range rels {
		if s.copy.record().node(rel).top().kind == kindDir {
			if err := s.mkdirs(rel); err != nil {
				return err
			}
			continue
		}
		if leave(rel) {
			continue
		}
		if links >= maxLinks {
			f, err := os.CreateTemp(s.dir, "dummy")
			if err != nil {
				return err
			}
			f.Close()
			dummy, links = f.Name(), 0
		}
		if err := standIn(dummy, filepath.Join(s.wc(), rel)); err != nil {
			return err
		}
		links++
	}
	return nil
}

// record opens the stage's database, until the stage is closed or the next
// call.
func (s *stage) record() (*record, error) {
	s.rec.close()
	var err error
	s.rec, err = openRecord(filepath.Join(s.wc(), AdminDir, "wc.db"), s.tree.fail)
	return s.rec, err
}

// stamp is that of the stage's database; nil when it cannot be told.
func (s *stage) stamp() *databaseStamp {
	f, err := os.Open(filepath.Join(s.wc(), AdminDir, "wc.db"))
	if err != nil {
		return nil
	}
	defer f.Close()
	return stampOf(f)
}

// close lets the live working copy go.
func (s *stage) close() {
	if s == nil {
		return
	}
	if s.root != nil {
		s.root.Close()
	}
	s.rec.close()
	s.pin.release()
	s.pin = nil
}

// remove closes the stage and takes it away.
func (s *stage) remove() {
	if s == nil {
		return
	}
	s.close()
	if s.dir != "" {
		if err := as(s.user, func() error { return os.RemoveAll(s.dir) }); err != nil {
			s.tree.Warn("cannot remove stage %s: %v", s.dir, cause(err))
		}
		fault.At("cleaned")
	}
}

// forgetPristines removes the texts that svn has put into the live store for
// a stage that is given up. The live database is locked, and svn adds texts
// only under its lock, so nobody else has come to need them.
func (s *stage) forgetPristines() error {
	added, err := s.addedPristines()
	if err != nil {
		return err
	}
	for _, sum := range added {
		name := pristinePath(s.copy.dir, sum)
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(name)) // when it is empty
	}
	return nil
}

// addedPristines are the texts that svn has put into the live store for the
// stage.
func (s *stage) addedPristines() ([]sha1Sum, error) {
	if s.copy == nil {
		return nil, nil
	}
	if s.rec == nil || s.rec.conn == nil {
		if _, err := s.record(); err != nil {
			return nil, err
		}
	}
	return newPristines(s.rec.conn, s.copy.record().conn)
}

// propertyGroups orders paths by what has to be set on them, so that svn runs
// once for each name and value and never once for each file.
type propertyGroups map[[2]string][]string

func (g propertyGroups) set(rel, name, value string) {
	key := [2]string{name, value}
	g[key] = append(g[key], rel)
}

// apply sets the properties in the stage.
func (g propertyGroups) apply(ctx context.Context, s *stage) error {
	keys := make([][2]string, 0, len(g))
	for k := range g {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return strings.Join(keys[i][:], "\x00") < strings.Join(keys[j][:], "\x00") })
	for _, k := range keys {
		if err := s.propset(ctx, g[k], k[0], k[1]); err != nil {
			return err
		}
	}
	return nil
}

// propset sets one property; the value travels in a file, as it may hold
// anything.
func (s *stage) propset(ctx context.Context, rels []string, name, value string) error {
	if len(rels) == 0 {
		return nil
	}
	file := filepath.Join(s.dir, "value")
	if err := as(s.user, func() error { return os.WriteFile(file, []byte(value), 0o600) }); err != nil {
		return err
	}
	return s.svnTargets(ctx, rels, "propset", "--quiet", "--force", name, "--file", file)
}

// propdel takes one property away.
func (s *stage) propdel(ctx context.Context, rels []string, name string) error {
	const batch = 500 // propdel knows no --targets; keep below ARG_MAX
	for len(rels) > 0 {
		n := min(batch, len(rels))
		args := []string{"propdel", "--quiet", name, "--"}
		for _, r := range rels[:n] {
			args = append(args, target(r))
		}
		if _, err := s.svn(ctx, nil, args...); err != nil {
			return err
		}
		rels = rels[n:]
	}
	return nil
}
