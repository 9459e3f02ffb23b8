package wc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/wc/index"
	"rootwc/wc/metadata"
)

// An index spares a status the work of the one before: in a directory whose
// times have not moved nothing has come or gone, and a file that still has its
// inode, size, times, mode and owner has its content and metadata. What moved
// is looked at as if there were no index.

// indexRules is part of the key: another version of the rules judges anew.
const indexRules = "rootwc rules 3"

// coarse is how much older than the beginning of a status a change must be for
// a later one to have another time: the kernel takes file times from a clock
// that ticks 100 times a second or more often (current_time, fs/inode.c).
const coarse = 20 * time.Millisecond

// slowClock is the same for file systems whose times are full seconds, or
// every other one.
const slowClock = 2 * time.Second

// copyIndex is the index of one working copy in a status.
type copyIndex struct {
	copy  *Copy
	old   *index.Index // nil for none
	valid bool         // nothing but the disk can have changed
	keys  index.Keys
	save  bool // a new one may be written
	later bool // but not now: the database is about to change

	doubted map[string]bool // directories that a commit has touched since old was written
	vouched bool            // a witness swears to old
	stirred []string        // but for these directories
	since   *seen           // with what was proven before

	whole []bool                 // directories of old that are as they were
	dirty map[string]bool        // directories of old that are not
	fresh map[string]index.Block // what was compared anew
}

// openIndex takes up the index of a working copy.
func (s *scan) openIndex(c *Copy, root int) *copyIndex {
	x := &copyIndex{copy: c, old: c.lastIndex(), dirty: map[string]bool{}, fresh: map[string]index.Block{}}
	if c.key != nil {
		x.keys = index.Keys{Database: *c.key, Rules: s.rulesKey(c)}
		x.later = s.opt.commit
		x.save = len(s.opt.Paths) == 0 && !s.opt.beneath && !s.opt.All
		x.doubted = c.holds(x.old)
		x.valid = x.doubted != nil && x.old.Keys.Rules == x.keys.Rules && !s.opt.All
	}
	s.trust(x, root)
	return x
}

const (
	indexState = "index" // below the state directory
	newIndex   = "new-"  // begins the name of one that is being written
)

// indexName is the name of the working copy's index in its directory.
func (c *Copy) indexName() string { return indexName(c.Path) }

func indexName(path string) string {
	if path == "" {
		return "root"
	}
	sum := sha256.Sum256([]byte(path))
	return fmt.Sprintf("%x", sum[:8])
}

// IsIndex says whether a file of that name in [IndexPath] is an index, and
// neither a note beside one nor one in the making.
func IsIndex(name string) bool {
	return !strings.Contains(name, ".") && !strings.HasPrefix(name, newIndex)
}

// lastIndex is the index of the last status, nil for none.
func (c *Copy) lastIndex() *index.Index {
	if !c.indexed {
		c.index, c.carried, c.indexed = c.readIndex(), c.readCarried(), true
	}
	return c.index
}

// forgetIndex makes room: another one was written.
func (c *Copy) forgetIndex() { c.index, c.indexed = nil, false }

// readIndex is nil when there is none, or none that can be trusted.
func (c *Copy) readIndex() *index.Index {
	dir, err := c.tree.State.indexes(false)
	if err != nil {
		return nil
	}
	defer dir.Close()
	f, err := openRegular(dir, c.indexName())
	if err != nil {
		return nil
	}
	defer f.Close()
	read := index.Read
	if c.tree.Witness != nil {
		read = index.Map // see trust
	}
	x, err := read(f)
	if err != nil || x.Path != c.Path {
		return nil
	}
	return x
}

// indexes opens the directory of the indexes, through the root. The state
// directory must be the caller's own and closed to others, and no symlink: an
// index is believed, and written by verbs that only read.
func (s *State) indexes(make bool) (*os.Root, error) {
	info, err := s.tree.fs.Lstat(StatePath)
	if err != nil {
		return nil, err
	}
	if st := info.Sys().(*unixStat); !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return nil, fs.ErrPermission
	}
	state, err := s.tree.fs.OpenRoot(StatePath)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if now, err := state.Stat("."); err != nil || !os.SameFile(info, now) {
		return nil, fs.ErrPermission
	}
	if make {
		if err := state.Mkdir(indexState, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return state.OpenRoot(indexState)
}

// rulesKey is a digest of what decides on clean and not, beside the working
// copy's own database.
func (s *scan) rulesKey(c *Copy) [32]byte {
	tables := ""
	if n, ok := s.tree.Names.(*hostNames); ok {
		tables = n.digest
	}
	text, _ := json.Marshal([]any{indexRules, tables, s.withheld.files, s.withheld.acks, s.tree.Withhold, s.tree.Recipients.Fingerprints(), s.tree.Noise.Digest(), c.Path, c.user})
	return sha256.Sum256(text)
}

// databaseKey is a digest of the state of a wc.db: its identity and SQLite's
// change counter, four bytes at 24 (sqlite.org/fileformat2.html). Nil when
// that may not tell: somebody is writing, or was interrupted.
func (c *Copy) databaseKey() *[32]byte {
	name := c.admin("wc.db")
	var now, open unix.Stat_t
	if unix.Lstat(name, &now) != nil {
		return nil
	}
	if c.db != nil && (unix.Fstat(int(c.db.Fd()), &open) != nil || open.Ino != now.Ino || open.Dev != now.Dev) {
		c.gone, c.db = append(c.gone, c.db), nil
	}
	if c.db == nil {
		f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil
		}
		c.db = f // open as long as the copy: closing it would drop this process's locks
	}
	var counter [4]byte
	if _, err := c.db.ReadAt(counter[:], 24); err != nil {
		return nil
	}
	if c.beingWritten() {
		return nil
	}
	text := fmt.Sprint(now.Dev, now.Ino, now.Size, now.Mtim, now.Ctim, counter)
	sum := sha256.Sum256([]byte(text))
	return &sum
}

// beingWritten says whether somebody is writing the database, or was
// interrupted.
func (c *Copy) beingWritten() bool {
	name := c.admin("wc.db")
	if info, err := os.Lstat(name + "-journal"); err == nil && info.Size() > 0 {
		return true
	}
	_, err := os.Lstat(name + "-wal")
	return err == nil
}

// databaseStamp tells one content of a database file from another.
type databaseStamp struct {
	dev, ino uint64
	size     int64
	mtime    unix.Timespec
	counter  [4]byte // see databaseKey
}

// stampOf is nil when that cannot be told.
func stampOf(f *os.File) *databaseStamp {
	var st unix.Stat_t
	s := &databaseStamp{}
	if f == nil || unix.Fstat(int(f.Fd()), &st) != nil {
		return nil
	}
	if _, err := f.ReadAt(s.counter[:], 24); err != nil {
		return nil
	}
	s.dev, s.ino, s.size, s.mtime = uint64(st.Dev), st.Ino, st.Size, st.Mtim
	return s
}

// statOf is what the index keeps of a stat.
func statOf(st *unix.Stat_t) index.Stat {
	return index.Stat{Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), Ino: st.Ino, Mode: st.Mode, UID: st.Uid, GID: st.Gid}
}

// entryOf is what the index keeps of a path, without what a judgement adds.
func (d *dirScan) entryOf(name string, l *live) index.Entry {
	e := index.Entry{Name: name, Stat: statOf(&l.st), Xattrs: xattrsDigest(&l.values)}
	if began := d.began; e.Stat.Ctime >= began || e.Stat.Ctime%int64(time.Second) == 0 && e.Stat.Ctime >= began-int64(slowClock) {
		e.Flags |= index.Racy
	}
	d.linked = d.linked || l.st.Nlink > 1 && l.values.Kind != metadata.Dir
	return e
}

// xattrsDigest is 0 for no ACL and no attributes.
func xattrsDigest(v *metadata.Values) uint64 {
	if v.ACL == nil && v.DefaultACL == nil && len(v.Xattrs) == 0 {
		return 0
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %v %v", v.ACL, v.DefaultACL, v.Xattrs))
	return max(binary.LittleEndian.Uint64(sum[:]), 1)
}

// known is what the index has of a name, when that path is as it was.
func (d *dirScan) known(name string, l *live) (index.Known, bool) {
	if !d.hasOld || d.old.Dev() != uint64(l.st.Dev) {
		return index.Known{}, false
	}
	k, ok := d.old.Find(name)
	if !ok || k.Has(index.Racy) {
		return k, false
	}
	st := statOf(&l.st)
	return k, k.Is(&st)
}

// unchanged says whether a directory of the index and all in it is as it was,
// and tells what is not versioned there. self is whether its own metadata is.
func (d *dirScan) unchanged() (whole, self bool) {
	fd, err := openBeneath(d.root, d.rel)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	d.fd = fd
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false, false
	}
	now, own := statOf(&st), d.old.Self()
	self = own.Has(index.Clean) && !own.Has(index.Racy) && own.Is(&now) && uint64(st.Dev) == d.old.Dev()
	if !self || !own.Has(index.Whole) {
		return false, self
	}
	for i := range d.old.Entries() {
		if !statAt(fd, d.old.CName(i), &st) || uint64(st.Dev) != d.old.Dev() {
			return false, true
		}
		if now = statOf(&st); !d.old.Entry(i).Is(&now) {
			return false, true
		}
		if d.opt.Noise && d.old.Entry(i).Has(index.Noise) {
			return false, true
		}
		if d.old.Entry(i).Has(index.Withheld) {
			d.seen = append(d.seen, joinPath(d.path, d.old.Name(i)))
		}
	}
	for i := range d.old.Others() {
		o := d.old.Other(i)
		if o.Ignored && !d.opt.NoIgnore {
			continue
		}
		name := strings.Clone(o.Name)
		d.other(joinPath(d.rel, name), joinPath(d.path, name), name, fs.FileMode(o.Type)<<24, o.Ignored)
	}
	return true, true
}

// block is the directory for the index.
func (d *dirScan) block() index.Block {
	dir := index.Dir{Path: d.rel, Dev: d.dev, Self: d.self, Entries: d.entries, Others: d.others}
	if d.self.Flags&(index.Clean|index.Racy) == index.Clean && !d.stirred && len(d.warnings)+len(d.unknown) == 0 &&
		!slices.ContainsFunc(d.entries, func(e index.Entry) bool { return e.Flags&(index.Clean|index.Racy) != index.Clean }) {
		dir.Self.Flags |= index.Whole
	}
	if d.linked {
		dir.Self.Flags |= index.Linked
	}
	return index.Encode(&dir)
}

// learned says whether what was looked at is not as the index has it.
func (x *copyIndex) learned() bool {
	for rel, block := range x.fresh {
		if v, known := x.old.Find(rel); !known || !block.Equal(v.Block()) {
			return true
		}
	}
	for rel := range x.dirty {
		if x.fresh[rel] == nil {
			return true // gone
		}
	}
	return len(x.doubted) > 0
}

// write puts a new index in the place of the old one, when something was
// learned. Failing to is no error: it is only a cache.
func (x *copyIndex) write(s *scan) {
	if !x.save {
		return
	}
	if x.vouched && len(x.dirty) < fewLearned { // it is not worth the time to write all of it
		if !x.learned() {
			x.noteSeen(s, x.old.ID)
		}
		return
	}
	x.copy.externals()
	text, err := json.Marshal(x.copy.summary)
	if err != nil {
		return
	}
	f := &index.File{Keys: x.keys, Path: x.copy.Path, Summary: text}
	_, _ = rand.Read(f.ID[:]) // never fails: crypto/rand
	learned := !x.valid || len(x.doubted) > 0
	paths := make([]string, 0, len(x.fresh))
	for rel := range x.fresh {
		paths = append(paths, rel)
	}
	slices.Sort(paths)
	add := func(rel string) {
		f.Blocks = append(f.Blocks, x.fresh[rel])
	}
	if x.valid {
		for i := range x.old.Len() {
			v := x.old.At(i)
			for len(paths) > 0 && paths[0] < v.Path() {
				add(paths[0])
				paths, learned = paths[1:], true
			}
			switch {
			case len(paths) > 0 && paths[0] == v.Path():
				learned = learned || !x.fresh[paths[0]].Equal(v.Block())
				add(paths[0])
				paths = paths[1:]
			case x.whole[i]:
				f.Blocks = append(f.Blocks, v.Block())
			default:
				learned = true // gone
			}
		}
	}
	for _, rel := range paths {
		add(rel)
		learned = true
	}
	switch {
	case !learned:
		x.noteSeen(s, x.old.ID)
	case x.later && x.valid && len(x.fresh) < fewLearned:
	case x.copy.writeState(x.copy.indexName(), f) == nil:
		x.copy.forgetIndex()
		x.noteSeen(s, f.ID)
	}
}
