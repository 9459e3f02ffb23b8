package wc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
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
	opDepth     int32 // 0: BASE; otherwise the depth of the local operation's root
	kind        nodeKind
	presence    presence
	hasChecksum bool
	fileExt     bool // put there by a file external
	movedHere   bool
	reposID     int64
	revision    int64 // -1 when the layer has none
	size, mtime int64 // as recorded by svn: bytes (-1 none), µs since 1970 (0 none)
	checksum    sha1Sum
	reposPath   string
	movedTo     string
	props       []byte // skel; nil for none
	inherited   []byte // skel; only on the root
}

// node is all layers of one path, deepest operation first.
type node struct {
	name   string
	layers []row
	actual *actual
}

// actual is a row of ACTUAL_NODE: local changes that are no content.
type actual struct {
	props      []byte
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
	case presenceNotPresent:
		return t.opDepth > 0
	}
	return false
}

// scheduledDelete says whether the next commit deletes the path.
func (n *node) scheduledDelete() bool {
	t := n.top()
	return t.presence == presenceBaseDeleted || t.opDepth > 0 && t.presence == presenceNotPresent
}

// record is everything that a status needs of one wc.db.
type record struct {
	format    int
	root      *node
	dirs      map[string][]*node // children by directory, sorted by name
	nodes     map[string]*node
	reposRoot string
	reposUUID string
	locked    []string // directories with a WC_LOCK row
	queue     int      // unfinished items in WORK_QUEUE
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

// readRecord loads the wc.db at path. The read transaction is over when it
// returns: svn may write again.
func readRecord(path string) (*record, error) {
	conn, err := openDB(path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rec, err := loadRecord(conn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rec, nil
}

func loadRecord(conn *sqlite.Conn) (*record, error) {
	if err := query(conn, "BEGIN", nil); err != nil {
		return nil, err
	}
	defer query(conn, "ROLLBACK", nil)
	rec := &record{dirs: map[string][]*node{}, nodes: map[string]*node{}}
	if err := query(conn, "PRAGMA user_version", func(s *sqlite.Stmt) error {
		rec.format = s.ColumnInt(0)
		return nil
	}); err != nil {
		return nil, err
	}
	if rec.format < minFormat || rec.format > maxFormat {
		return nil, fmt.Errorf("working copy format %d is not one of %d to %d that this rootwc reads", rec.format, minFormat, maxFormat)
	}
	if err := rec.loadNodes(conn); err != nil {
		return nil, err
	}
	if err := rec.loadActual(conn); err != nil {
		return nil, err
	}
	if err := query(conn, "SELECT r.root, r.uuid FROM REPOSITORY r JOIN NODES n ON n.repos_id = r.id WHERE n.local_relpath = '' AND n.op_depth = 0", func(s *sqlite.Stmt) error {
		rec.reposRoot, rec.reposUUID = s.ColumnText(0), s.ColumnText(1)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := query(conn, "SELECT local_dir_relpath FROM WC_LOCK", func(s *sqlite.Stmt) error {
		rec.locked = append(rec.locked, s.ColumnText(0))
		return nil
	}); err != nil {
		return nil, err
	}
	err := query(conn, "SELECT count(*) FROM WORK_QUEUE", func(s *sqlite.Stmt) error {
		rec.queue = s.ColumnInt(0)
		return nil
	})
	if err == nil && (rec.root == nil || rec.root.base() == nil) {
		err = errors.New("no row for the working copy's root")
	}
	return rec, err
}

func (rec *record) loadNodes(conn *sqlite.Conn) error {
	err := query(conn, `SELECT local_relpath, op_depth, kind, presence, checksum, repos_id, repos_path, revision, translated_size,
 last_mod_time, file_external IS NOT NULL, moved_here, moved_to, properties, inherited_props FROM NODES WHERE wc_id = 1`, func(s *sqlite.Stmt) error {
		path := s.ColumnText(0)
		r := row{
			opDepth:   s.ColumnInt32(1),
			kind:      kindOf(s.ColumnText(2)),
			presence:  presenceOf(s.ColumnText(3)),
			reposID:   s.ColumnInt64(5),
			reposPath: s.ColumnText(6),
			revision:  -1,
			size:      -1,
			mtime:     s.ColumnInt64(9),
			fileExt:   s.ColumnInt(10) != 0,
			movedHere: s.ColumnInt(11) != 0,
			movedTo:   s.ColumnText(12),
			props:     blob(s, 13),
			inherited: blob(s, 14),
		}
		if !s.ColumnIsNull(7) {
			r.revision = s.ColumnInt64(7)
		}
		if !s.ColumnIsNull(8) {
			r.size = s.ColumnInt64(8)
		}
		if sum, ok := strings.CutPrefix(s.ColumnText(4), "$sha1$"); ok {
			if n, err := hex.Decode(r.checksum[:], []byte(sum)); err != nil || n != len(r.checksum) {
				return fmt.Errorf("malformed checksum of %q", path)
			}
			r.hasChecksum = true
		}
		if r.props != nil {
			if _, err := parseProps(r.props); err != nil {
				return fmt.Errorf("%q: %w", path, err)
			}
		}
		rec.add(path, r)
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range rec.nodes {
		slices.SortFunc(n.layers, func(a, b row) int { return int(b.opDepth) - int(a.opDepth) })
	}
	for _, children := range rec.dirs {
		slices.SortFunc(children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	}
	return nil
}

func (rec *record) add(path string, r row) {
	n := rec.nodes[path]
	if n == nil {
		parent, name := splitPath(path)
		n = &node{name: name}
		rec.nodes[path] = n
		if path == "" {
			rec.root = n
		} else {
			rec.dirs[parent] = append(rec.dirs[parent], n)
		}
	}
	n.layers = append(n.layers, r)
}

func (rec *record) loadActual(conn *sqlite.Conn) error {
	return query(conn, "SELECT local_relpath, properties, changelist, conflict_data FROM ACTUAL_NODE WHERE wc_id = 1", func(s *sqlite.Stmt) error {
		path := s.ColumnText(0)
		a := &actual{props: blob(s, 1), propsSet: !s.ColumnIsNull(1), changelist: s.ColumnText(2), conflict: blob(s, 3)}
		if _, err := parseProps(a.props); err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		n := rec.nodes[path]
		if n == nil { // a tree conflict may sit on a path without a row of NODES
			rec.add(path, row{presence: presenceNotPresent, revision: -1, size: -1})
			n = rec.nodes[path]
		}
		n.actual = a
		return nil
	})
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

// blob copies a property list; an empty one, "()", is nil.
func blob(s *sqlite.Stmt, col int) []byte {
	n := s.ColumnLen(col)
	if n <= 2 {
		return nil
	}
	b := make([]byte, n)
	return b[:s.ColumnBytes(col, b)]
}

func kindOf(s string) nodeKind {
	switch s {
	case "file":
		return kindFile
	case "dir":
		return kindDir
	case "symlink":
		return kindSymlink
	}
	return kindUnknown
}

func presenceOf(s string) presence {
	switch s {
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

// pristines lists the texts that a database knows.
func pristines(path string) (map[sha1Sum]bool, error) {
	conn, err := openDB(path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	known := map[sha1Sum]bool{}
	return known, query(conn, "SELECT checksum FROM PRISTINE", func(s *sqlite.Stmt) error {
		var sum sha1Sum
		text, _ := strings.CutPrefix(s.ColumnText(0), "$sha1$")
		if n, err := hex.Decode(sum[:], []byte(text)); err != nil || n != len(sum) {
			return fmt.Errorf("malformed checksum %q", text)
		}
		known[sum] = true
		return nil
	})
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
