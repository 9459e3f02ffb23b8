package wc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/wc/index"
)

// Witness sees what happens in the directories of a tree while no rootwc looks
// at them, and swears only to what it has seen without a gap.
type Witness interface {
	// Testify answers when everything that has happened before the call is
	// counted. Nil when there is nobody to ask, or none that answers in time.
	Testify(asked []Sighting) *Testimony
}

// Moment is a point in what one witness has counted.
type Moment struct {
	Witness string `json:"witness"` // one life of it: a later one has another name
	Count   uint64 `json:"count"`
}

// Sighting says since when an index was not looked at.
type Sighting struct {
	Index index.ID `json:"index"`
	Since Moment   `json:"since"`
}

// Testimony is what a witness swears to.
type Testimony struct {
	Now Moment
	// Space is the mount namespace that it sees, see [MountSpace].
	Space string
	// Stirred are the directories of each index in which something may have
	// happened since, relative to the working copy; an index that it cannot
	// speak of is not in the map.
	Stirred map[index.ID][]string
}

// seen notes beside an index when all of it was true.
type seen struct {
	Sighting
	Proven time.Time `json:"proven"` // by looking at everything, with no help of a witness
}

const seenSuffix = ".seen"

// longestTrust is how long nothing needs to be looked at without a witness: some
// writes are no events (through a memory map, through another name of the
// file), and those do not stay hidden for longer than this.
const longestTrust = 24 * time.Hour

// eventful are the file systems whose every change goes through this kernel
// (statfs(2)): not those of a network or of FUSE, and not an overlay, whose
// layers may change by themselves.
var eventful = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.F2FS_SUPER_MAGIC: true,
	unix.TMPFS_MAGIC: true, unix.BCACHEFS_SUPER_MAGIC: true, unix.MSDOS_SUPER_MAGIC: true, unix.EXFAT_SUPER_MAGIC: true,
	zfsMagic: true,
}

const zfsMagic = 0x2fc12fc1 // of OpenZFS, include/sys/fs/zfs.h

// testify asks the witness about all working copies, before anything is looked
// at.
func (s *scan) testify() {
	if s.tree.Witness == nil || s.opt.commit || s.opt.beneath {
		return
	}
	var asked []Sighting
	for _, c := range s.tree.Copies {
		if was := c.lastSeen(); was != nil {
			asked = append(asked, was.Sighting)
		}
	}
	if told := s.tree.Witness.Testify(asked); told != nil && told.Space != "" && told.Space == MountSpace() {
		s.testimony = told
	}
}

// vouched says whether the witness swears to all of an index but some
// directories; root is the open directory of the working copy.
func (s *scan) vouched(x *copyIndex, root int) (stirred []string, ok bool) {
	if s.testimony == nil || !x.valid || s.opt.NoIgnore || s.opt.Noise || x.old.Len() == 0 {
		return nil, false
	}
	was := x.copy.lastSeen()
	if was == nil || was.Index != x.old.ID || was.Since.Witness != s.testimony.Now.Witness {
		return nil, false
	}
	if age := time.Since(was.Proven); age < 0 || age > longestTrust {
		return nil, false
	}
	x.since = was
	if stirred, ok = s.testimony.Stirred[x.old.ID]; !ok {
		return nil, false
	}
	// The witness watches directories, whatever a path leads to by now.
	var st unix.Stat_t
	var fs unix.Statfs_t
	top := x.old.At(0)
	return stirred, top.Path() == "" && unix.Fstat(root, &st) == nil && st.Dev == top.Dev() && st.Ino == top.Self().Entry().Stat.Ino &&
		unix.Fstatfs(root, &fs) == nil && eventful[int64(fs.Type)]
}

// trust takes the witness's word for an index; without it all of the index is
// read, and dropped when it is damaged.
func (s *scan) trust(x *copyIndex, root int) {
	stirred, ok := s.vouched(x, root)
	if ok {
		x.vouched, x.stirred = true, stirred
		s.tree.Detail("%s: the watcher vouches for %d of %d directories", x.copy.dir, x.old.Len()-len(stirred), x.old.Len())
		return
	}
	if x.old != nil && s.tree.Witness != nil && x.old.Check() != nil {
		x.old, x.valid, x.doubted = nil, false, nil
	}
}

// toProve are the numbers of the directories that are to be looked at: all, but
// for an index that a witness swears to. whole is set for the others.
func (x *copyIndex) toProve(forced map[string]bool) []int {
	var look []int
	if !x.vouched {
		for i := range x.old.Len() {
			look = append(look, i)
		}
		return look
	}
	for i := range x.whole {
		x.whole[i] = true
	}
	for i := range x.old.Notables() {
		look = append(look, x.old.Notable(i))
	}
	for _, rel := range slices.AppendSeq(slices.Clone(x.stirred), maps.Keys(forced)) {
		if i, ok := x.old.Number(rel); ok {
			look = append(look, i)
		}
	}
	slices.Sort(look)
	return slices.Compact(look)
}

// noteSeen notes that all of an index was true when the witness was asked.
func (x *copyIndex) noteSeen(s *scan, id index.ID) {
	if s.testimony == nil || x.vouched && len(x.stirred) == 0 {
		return
	}
	now := &seen{Sighting{id, s.testimony.Now}, time.Unix(0, s.began)}
	if x.vouched {
		now.Proven = x.since.Proven
	}
	if text, err := json.Marshal(now); err == nil {
		_ = x.copy.writeState(x.copy.indexName()+seenSuffix, bytes.NewReader(text)) // without it, all is looked at again
	}
}

// lastSeen is nil when there is no note for the index, or none that makes sense.
func (c *Copy) lastSeen() *seen {
	x := c.lastIndex()
	if x == nil {
		return nil
	}
	dir, err := c.tree.State.indexes(false)
	if err != nil {
		return nil
	}
	defer dir.Close()
	f, err := openRegular(dir, c.indexName()+seenSuffix)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	was := &seen{}
	if err != nil || json.Unmarshal(text, was) != nil || was.Index != x.ID {
		return nil
	}
	return was
}

// MountSpace names this process's mount namespace, mount_namespaces(7): in
// another one a path may lead elsewhere.
func MountSpace() string {
	space, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return ""
	}
	return space
}

// MakeState makes the state directory with that of the indexes, for whoever
// watches them.
func (t *Tree) MakeState() error {
	if err := t.State.ensure(); err != nil {
		return err
	}
	dir, err := t.State.indexes(true)
	if err != nil {
		return fmt.Errorf("cannot use state directory %s: %w", t.State.dir, cause(err))
	}
	return dir.Close()
}

// Indexes lists what statuses have written of the working copies of a root. Of
// those that are known only the name is read. None when the state directory is
// not the caller's.
func (t *Tree) Indexes(known func(index.ID) bool) []*index.List {
	dir, err := t.State.indexes(false)
	if err != nil {
		return nil
	}
	defer dir.Close()
	top, err := dir.Open(".")
	if err != nil {
		return nil
	}
	defer top.Close()
	names, _ := top.Readdirnames(-1)
	var found []*index.List
	for _, name := range names {
		if !IsIndex(name) {
			continue
		}
		f, err := openRegular(dir, name)
		if err != nil {
			continue
		}
		l, err := index.ReadList(f, known)
		f.Close()
		if err == nil && name == indexName(l.Path) { // another version's, or a damaged one, serves nobody
			found = append(found, l)
		}
	}
	return found
}
