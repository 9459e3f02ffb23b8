package wc

import (
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"

	"rootwc/ignore"
)

// nodeKind is the kind column of NODES.
type nodeKind uint8

const (
	kindUnknown nodeKind = iota
	kindFile
	kindDir
	kindSymlink
)

// presence is the presence column of NODES; see libsvn_wc/wc-metadata.sql.
type presence uint8

const (
	presenceNormal presence = iota
	presenceIncomplete
	presenceNotPresent
	presenceExcluded
	presenceServerExcluded
	presenceBaseDeleted
	presenceUnknown
)

// sha1Sum is the checksum of a pristine text in repository-normal form.
type sha1Sum [20]byte

func (s sha1Sum) String() string { return hex.EncodeToString(s[:]) }

// row is one row of NODES: what one layer says of one path.
type row struct {
	revision    int64  // -1 when the layer has none
	size        int64  // as recorded by svn, bytes; -1 for none
	props       string // skel; "" for none
	rare        *rareRow
	checksum    sha1Sum
	opDepth     int32 // 0: BASE; otherwise the depth of the local operation's root
	kind        nodeKind
	presence    presence
	hasChecksum bool
	hasRepos    bool // it comes from the repository
	fileExt     bool // put there by a file external
	movedHere   bool
}

// rareRow is what few rows have.
type rareRow struct {
	reposPath string // where it is not the root's path with the row's own
	elsewhere bool   // reposPath counts
	movedTo   string
	inherits  bool   // inherited counts: the root, and what was switched
	inherited string // skel
}

// elsewhere says that the row's path in the repository is not implied by the
// root's.
func (r *row) elsewhere() bool { return r.rare != nil && r.rare.elsewhere }

// node is all layers of one path, deepest operation first.
type node struct {
	name   string
	layers []row
	actual *actual
}

// actual is a row of ACTUAL_NODE: local changes that are no content.
type actual struct {
	props      string
	propsSet   bool // props replaces the properties of the top layer
	changelist string
	conflict   []byte
}

func (n *node) top() *row { return &n.layers[0] }

// base is the layer of the repository, nil when the path is only local.
func (n *node) base() *row {
	if last := &n.layers[len(n.layers)-1]; last.opDepth == 0 {
		return last
	}
	return nil
}

// replaces says whether the top layer, an addition, takes the place of
// something that is there without it (svn_wc__db_info_below_working).
func (n *node) replaces() bool {
	if len(n.layers) < 2 {
		return false
	}
	below := n.layers[1].presence
	return below != presenceNotPresent && below != presenceBaseDeleted
}

// baseProps are the properties as last recorded from the repository.
func (n *node) baseProps() map[string]string {
	b := n.base()
	if b == nil {
		return nil
	}
	props, _ := parseProps(b.props) // checked when loaded
	return props
}

// props are the properties of the working copy, local edits included.
func (n *node) props() map[string]string {
	blob := n.top().props
	if n.actual != nil && n.actual.propsSet {
		blob = n.actual.props
	}
	props, _ := parseProps(blob)
	return props
}

// visible says whether the working copy has the path as far as svn goes; an
// excluded or not-present row only remembers something about it.
func (n *node) visible() bool {
	switch t := n.top(); t.presence {
	case presenceNormal, presenceIncomplete, presenceBaseDeleted:
		return true
	case presenceNotPresent: // alone, it was left out of a copy
		return t.opDepth > 0 && len(n.layers) > 1
	}
	return false
}

// scheduledDelete says whether the next commit deletes the path.
func (n *node) scheduledDelete() bool {
	t := n.top()
	return t.presence == presenceBaseDeleted || t.opDepth > 0 && t.presence == presenceNotPresent
}

// record is everything that a status needs of one wc.db. Its directories are
// read when they are asked for, or all at once; a failure to is reported
// through fail, and whoever writes looks there before it does.
type record struct {
	conn *sqlite.Conn
	fail func(error)
	mu   sync.Mutex

	format    int
	root      *node
	dirs      map[string][]*node // children by directory that was read, sorted by name
	whole     bool               // all were
	single    map[string]*node   // see dir
	rootPath  string             // of the working copy in the repository
	reposRoot string
	reposUUID string
	locked    []string        // directories with a WC_LOCK row
	tokens    map[string]bool // paths in the repository whose locks this working copy holds
}

// node is what is recorded at rel, nil for nothing.
func (rec *record) node(rel string) *node {
	if rel == "" {
		return rec.root
	}
	dir, name := splitPath(rel)
	return find(rec.children(dir), name)
}

// dir is what is recorded at rel, for directories: when nothing of their parent
// was read, neither is all of that now.
func (rec *record) dir(rel string) *node {
	if rel == "" {
		return rec.root
	}
	rec.mu.Lock()
	if n, read := rec.single[rel]; read {
		rec.mu.Unlock()
		return n
	}
	if _, read := rec.dirs[parentOf(rel)]; read || rec.whole {
		rec.mu.Unlock()
		return rec.node(rel)
	}
	defer rec.mu.Unlock()
	n, err := rec.readNode(rel)
	if err != nil {
		rec.fail(rec.doubt(err))
	}
	rec.single[rel] = n
	return n
}

func find(children []*node, name string) *node {
	i, found := slices.BinarySearchFunc(children, name, func(n *node, name string) int { return strings.Compare(n.name, name) })
	if !found {
		return nil
	}
	return children[i]
}

// children are the nodes in a directory, sorted by name.
func (rec *record) children(dir string) []*node {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	children, read := rec.dirs[dir]
	if !read && !rec.whole {
		if err := rec.readDir(dir); err != nil {
			rec.fail(rec.doubt(err))
		}
		children = rec.dirs[dir]
	}
	return children
}

// all goes over the nodes with their paths, in no order.
func (rec *record) all() iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) {
		if err := rec.readAll(); err != nil {
			rec.fail(err)
		}
		if !yield("", rec.root) {
			return
		}
		for dir, children := range rec.dirs {
			for _, n := range children {
				if !yield(joinPath(dir, n.name), n) {
					return
				}
			}
		}
	}
}

// rules are the ignore patterns in force for what is in a directory, from those
// of its parent. The root of a working copy and a switched directory inherit
// from what is above them in the repository instead.
func (n *node) rules(path string, parent ignore.Rules) ignore.Rules {
	rules := parent
	if top := n.top(); top.rare != nil && top.rare.inherits {
		above, _ := parseInherited(top.rare.inherited) // checked when loaded
		rules = ignore.Rules{}
		for _, p := range above {
			rules = rules.Child("^/"+p.path, "", p.props["svn:global-ignores"])
		}
	}
	props := n.props()
	return rules.Child(path, props["svn:ignore"], props["svn:global-ignores"])
}

// reposPath is the path of a row in the repository, rel being the node's.
func (rec *record) reposPath(rel string, r *row) string {
	if r.elsewhere() {
		return r.rare.reposPath
	}
	return joinPath(rec.rootPath, rel)
}

// The formats of wc.db that this reader knows: 31 is svn 1.8 to 1.14, 32 is
// 1.15, which keeps NODES and ACTUAL_NODE as they are.
const (
	minFormat = 31
	maxFormat = 32
)

// openDB opens a wc.db for reading.
func openDB(path string) (*sqlite.Conn, error) {
	// OpenConn reports every failure as CANTOPEN; ask the system first. (Not
	// by opening the file: closing it would drop this process's locks on it.)
	if err := unix.Access(path, unix.R_OK); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	conn.SetBusyTimeout(10 * time.Second)
	return conn, nil
}

// openRecord opens the wc.db at path and reads what concerns all of it. No
// transaction lasts longer than one reading: svn may write. The error is a
// [*doubtError] when svn may know better.
func openRecord(path string, fail func(error)) (*record, error) {
	conn, err := openDB(path)
	if err != nil {
		return nil, err
	}
	rec := &record{conn: conn, fail: fail, dirs: map[string][]*node{}, single: map[string]*node{}}
	if err := rec.readHead(); err != nil {
		conn.Close()
		return nil, rec.doubt(fmt.Errorf("%s: %w", path, err))
	}
	return rec, nil
}

// close gives the database back; what was read stays.
func (rec *record) close() {
	if rec != nil && rec.conn != nil {
		rec.conn.Close()
		rec.conn = nil
	}
}

// doubt tells errors of the system from those of a database that rootwc does
// not understand.
func (rec *record) doubt(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultIOErr, sqlite.ResultNoMem, sqlite.ResultInterrupt:
		return err
	}
	return &doubtError{err}
}

// splitPath cuts a slash-separated path into its directory and name.
func splitPath(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// joinPath joins slash-separated relative paths, "" being the root.
func joinPath(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "/" + b
}

// query runs one statement and calls each for every row.
func query(conn *sqlite.Conn, sql string, each func(*sqlite.Stmt) error) error {
	stmt, _, err := conn.PrepareTransient(sql)
	if err != nil {
		return err
	}
	defer stmt.Finalize()
	return rows(stmt, each)
}

// rows calls each for every row of a statement.
func rows(stmt *sqlite.Stmt, each func(*sqlite.Stmt) error) error {
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		if each != nil {
			if err := each(stmt); err != nil {
				return err
			}
		}
	}
}

func kindOf(word []byte) nodeKind {
	switch string(word) {
	case "file":
		return kindFile
	case "dir":
		return kindDir
	case "symlink":
		return kindSymlink
	}
	return kindUnknown
}

func presenceOf(word []byte) presence {
	switch string(word) {
	case "normal":
		return presenceNormal
	case "incomplete":
		return presenceIncomplete
	case "not-present":
		return presenceNotPresent
	case "excluded":
		return presenceExcluded
	case "server-excluded":
		return presenceServerExcluded
	case "base-deleted":
		return presenceBaseDeleted
	}
	return presenceUnknown
}

// newPristines lists the texts that a copy of a database has come to know
// since it was made. SQLite gives a new row the highest number (lang_createtable,
// "rowid"), and only svn cleanup takes rows away.
func newPristines(copied, from *sqlite.Conn) (added []sha1Sum, err error) {
	if from == nil {
		return nil, errClosed
	}
	last := int64(0)
	err = query(from, "SELECT max(rowid) FROM PRISTINE", func(s *sqlite.Stmt) error {
		last = s.ColumnInt64(0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = query(copied, fmt.Sprintf("SELECT checksum FROM PRISTINE WHERE rowid > %d", last), func(s *sqlite.Stmt) error {
		var sum sha1Sum
		text, _ := strings.CutPrefix(s.ColumnText(0), "$sha1$")
		if n, err := hex.Decode(sum[:], []byte(text)); err != nil || n != len(sum) {
			return fmt.Errorf("malformed checksum %q", text)
		}
		added = append(added, sum)
		return nil
	})
	return added, err
}

// quickCheck asks SQLite whether a database is sound.
func quickCheck(conn *sqlite.Conn) error {
	return query(conn, "PRAGMA quick_check(1)", func(s *sqlite.Stmt) error {
		if text := s.ColumnText(0); text != "ok" {
			return fmt.Errorf("wc.db is damaged: %s", text)
		}
		return nil
	})
}
