package wc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"rootwc/noise"
	"rootwc/wc/metadata"
)

// unixStat is what os.FileInfo.Sys holds on Linux.
type unixStat = syscall.Stat_t

// Status is what became of a path, in svn's words, and unstorable for names
// that Subversion has no way to keep.
type Status string

// The states of [Entry]. Normal is listed only with changed metadata or
// properties, or when all is asked for.
const (
	Normal      Status = "normal"
	Modified    Status = "modified"
	Added       Status = "added"
	Deleted     Status = "deleted"
	Missing     Status = "missing"
	Unversioned Status = "unversioned"
	Ignored     Status = "ignored"
	Replaced    Status = "replaced"
	Conflicted  Status = "conflicted"
	Obstructed  Status = "obstructed"
	Incomplete  Status = "incomplete"
	Unstorable  Status = "unstorable"
)

// Letter is svn's letter for the state; a normal path with changes beside its
// content is M as well.
func (s Status) Letter() byte {
	switch s {
	case Normal, Modified:
		return 'M'
	case Added:
		return 'A'
	case Deleted:
		return 'D'
	case Missing, Incomplete:
		return '!'
	case Replaced:
		return 'R'
	case Conflicted:
		return 'C'
	case Obstructed:
		return '~'
	case Ignored:
		return 'I'
	}
	return '?'
}

// Entry is one path of a status.
type Entry struct {
	Path       string // relative to the machine's root
	Status     Status
	Kind       metadata.Kind     // on disk; the recorded kind when it is not there
	Metadata   []metadata.Change // base against working
	Properties []string          // names of properties changed by hand, sorted
	Withheld   bool              // its content stays on this machine
	Encrypted  bool              // of a withheld one: the repository has, or gets, the content encrypted
	Copied     bool              // added with history
	Switched   bool              // it comes from elsewhere than its directory does
	From       string            // of a switched path: its path in the repository
	Token      bool              // the working copy holds a lock of the path in the repository
	Changelist string            // the path is on that list of svn's
	Note       string            // what the state alone does not say
	Noise      noise.Verdict     // why a change of the content is no news, where that was asked for

	quiet bool // the content has changed, which is no news
	copy  *Copy
	rel   string
	node  *node             // nil when unversioned
	def   metadata.Defaults // in force at the path
	live  live
}

// WorkingCopy is the path of the working copy that holds the entry.
func (e *Entry) WorkingCopy() string { return e.copy.Path }

// Own says that the working copy is the caller's own, and not that of an
// ordinary user, which works with that user's ids.
func (e *Entry) Own() bool { return e.copy.user == nil }

// Clean says that the working path is what the repository has.
func (e *Entry) Clean() bool {
	return e.Status == Normal && len(e.Metadata) == 0 && len(e.Properties) == 0
}

// Letter is svn's letter for the path: that of its status, and S or K for what
// is only switched or locked.
func (e *Entry) Letter() byte {
	switch {
	case !e.Clean():
		return e.Status.Letter()
	case e.Switched:
		return 'S'
	case e.Token:
		return 'K'
	}
	return ' '
}

// Words tells what changed beside the content: "mode 0640 -> 0644, group
// shadow -> root". Empty when there is nothing to tell.
func (e *Entry) Words() string {
	var parts []string
	if w := metadata.Words(e.Metadata); w != "" {
		parts = append(parts, w)
	}
	if len(e.Properties) > 0 {
		parts = append(parts, "property "+strings.Join(e.Properties, ", "))
	}
	if e.Switched {
		parts = append(parts, "switched to ^/"+e.From)
	}
	if e.Token {
		parts = append(parts, "locked in the repository")
	}
	if e.Changelist != "" {
		parts = append(parts, "changelist "+e.Changelist)
	}
	if e.Note != "" {
		parts = append(parts, e.Note)
	}
	switch {
	case e.Encrypted:
		parts = append(parts, "encrypted")
	case e.Withheld:
		parts = append(parts, "withheld")
	}
	return strings.Join(parts, ", ")
}

// live is what the disk has at a path.
type live struct {
	exists bool
	st     unix.Stat_t
	values metadata.Values
}

// readXattrs adds ACLs and extended attributes of name in the directory fd; what
// is gone has none.
func (l *live) readXattrs(fd int, name string) error {
	err := l.values.ReadXattrs(fd, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// identity tells one state of a file from another: a write or a change of
// metadata moves the ctime, a replacement the inode.
type identity struct {
	Exists   bool   `json:"exists"`
	Dev      uint64 `json:"dev,omitempty"`
	Ino      uint64 `json:"ino,omitempty"`
	Size     int64  `json:"size,omitempty"`
	CtimeSec int64  `json:"ctimeSec,omitempty"`
	CtimeNS  int64  `json:"ctimeNs,omitempty"`
	Mode     uint32 `json:"mode,omitempty"`
}

// regular says whether a regular file was there.
func (id identity) regular() bool { return id.Mode&unix.S_IFMT == unix.S_IFREG }

func (id identity) symlink() bool { return id.Mode&unix.S_IFMT == unix.S_IFLNK }

func (l *live) identity() identity {
	if !l.exists {
		return identity{}
	}
	return identityOf(&l.st)
}

func identityOf(st *unix.Stat_t) identity {
	id := identity{Exists: true, Dev: uint64(st.Dev), Ino: st.Ino, Mode: st.Mode, CtimeSec: st.Ctim.Sec, CtimeNS: st.Ctim.Nsec, Size: st.Size}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		// a directory's size and times move with its children
		id.Size, id.CtimeSec, id.CtimeNS = 0, 0, 0
	}
	return id
}

// expectedKind is the kind of file that a versioned node is on disk.
func expectedKind(n *node, props map[string]string) metadata.Kind {
	if n.top().kind == kindDir {
		return metadata.Dir
	}
	if props["rootwc:special"] == "fifo" {
		return metadata.Fifo
	}
	if _, special := props["svn:special"]; special || n.top().kind == kindSymlink {
		return metadata.Symlink
	}
	return metadata.File
}

// svnKind is the kind that Subversion stores a file of this kind as.
func svnKind(k metadata.Kind) metadata.Kind {
	if k == metadata.Fifo {
		return metadata.File
	}
	return k
}

// maxLinkName leaves room for the ".tmp" that svn 1.14 appends to the name
// while it makes a symlink.
const maxLinkName = unix.NAME_MAX - len(".tmp")

// maxLinkTarget is what svn 1.14 reads back of a symlink's text in one piece;
// it cuts a longer one, and one with a newline, without a word.
const maxLinkTarget = 1000

// unstorableLink says why Subversion cannot keep the symlink name in the open
// directory fd, "" when it can.
func unstorableLink(fd int, name string) string {
	if len(name) > maxLinkName {
		return fmt.Sprintf("name of a symlink longer than %d bytes", maxLinkName)
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, name, target)
	switch {
	case err != nil:
	case !utf8.Valid(target[:n]):
		return "symlink target is not valid UTF-8"
	case bytes.IndexByte(target[:n], '\n') >= 0:
		return "symlink target holds a newline"
	case n > maxLinkTarget:
		return fmt.Sprintf("symlink target longer than %d bytes", maxLinkTarget)
	}
	return ""
}

// unstorable says why Subversion cannot keep a name, "" when it can. The
// repository refuses control characters (E160005) and what is no UTF-8.
func unstorable(name string) string {
	if !utf8.ValidString(name) {
		return "name is not valid UTF-8"
	}
	for i := 0; i < len(name); i++ {
		if name[i] < 0x20 || name[i] == 0x7f {
			return fmt.Sprintf("name holds control character 0x%02x", name[i])
		}
	}
	return ""
}
