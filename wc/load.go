package wc

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

// readHead reads what a record tells of the whole working copy, and its root.
func (rec *record) readHead() error {
	if err := query(rec.conn, "BEGIN", nil); err != nil {
		return err
	}
	defer query(rec.conn, "ROLLBACK", nil)
	if err := query(rec.conn, "PRAGMA user_version", func(s *sqlite.Stmt) error {
		rec.format = s.ColumnInt(0)
		return nil
	}); err != nil {
		return err
	}
	if rec.format < minFormat || rec.format > maxFormat {
		return fmt.Errorf("working copy format %d is not one of %d to %d that this rootwc reads", rec.format, minFormat, maxFormat)
	}
	if err := query(rec.conn, "SELECT n.repos_path, r.root, r.uuid FROM NODES n JOIN REPOSITORY r ON r.id = n.repos_id WHERE n.wc_id = 1 AND n.local_relpath = '' AND n.op_depth = 0", func(s *sqlite.Stmt) error {
		rec.rootPath, rec.reposRoot, rec.reposUUID = s.ColumnText(0), s.ColumnText(1), s.ColumnText(2)
		return nil
	}); err != nil {
		return err
	}
	if err := query(rec.conn, "SELECT local_dir_relpath FROM WC_LOCK", func(s *sqlite.Stmt) error {
		rec.locked = append(rec.locked, s.ColumnText(0))
		return nil
	}); err != nil {
		return err
	}
	if err := query(rec.conn, "SELECT repos_relpath FROM LOCK", func(s *sqlite.Stmt) error {
		if rec.tokens == nil {
			rec.tokens = map[string]bool{}
		}
		rec.tokens[s.ColumnText(0)] = true
		return nil
	}); err != nil {
		return err
	}
	if err := query(rec.conn, "SELECT count(*) FROM WORK_QUEUE", func(s *sqlite.Stmt) error {
		if s.ColumnInt(0) > 0 {
			return errors.New("svn was interrupted in it")
		}
		return nil
	}); err != nil {
		return err
	}
	l := newLoader(rec)
	if err := query(rec.conn, selectNodes+" AND local_relpath = ''", l.take); err != nil {
		return err
	}
	if rec.root = l.rootNode(); rec.root == nil || rec.root.base() == nil {
		return errors.New("no row for the working copy's root")
	}
	return query(rec.conn, selectActual+" AND local_relpath = ''", func(s *sqlite.Stmt) (err error) {
		rec.root.actual, err = actualOf(s)
		return err
	})
}

var errClosed = errors.New("the record of the working copy is closed")

// readAll reads all directories, which is faster than one after the other.
func (rec *record) readAll() error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.whole {
		return nil
	}
	if rec.conn == nil {
		return errClosed
	}
	if err := query(rec.conn, "BEGIN", nil); err != nil {
		return err
	}
	defer query(rec.conn, "ROLLBACK", nil)
	l := newLoader(rec)
	if err := query(rec.conn, selectNodes, l.take); err != nil {
		return rec.doubt(err)
	}
	rec.dirs = l.nodes()
	if err := query(rec.conn, selectActual, rec.takeActual); err != nil {
		return rec.doubt(err)
	}
	rec.whole = true
	return nil
}

// together lets do read several directories in one transaction, which spares
// SQLite asking for each whether somebody has written.
func (rec *record) together(do func()) {
	if rec.conn != nil && query(rec.conn, "BEGIN", nil) == nil {
		defer query(rec.conn, "ROLLBACK", nil)
	}
	do()
}

// readDir reads one directory.
func (rec *record) readDir(dir string) error {
	if rec.conn == nil {
		return errClosed
	}
	l := newLoader(rec)
	if err := rec.ask(selectNodes+" AND parent_relpath = ?", dir, l.take); err != nil {
		return err
	}
	rec.dirs[dir] = l.nodes()[dir]
	return rec.ask(selectActual+" AND parent_relpath = ?", dir, rec.takeActual)
}

// readNode reads one path, nil for nothing.
func (rec *record) readNode(rel string) (n *node, err error) {
	if rec.conn == nil {
		return nil, errClosed
	}
	l := newLoader(rec)
	if err := rec.ask(selectNodes+" AND local_relpath = ?", rel, l.take); err != nil {
		return nil, err
	}
	dir, _ := splitPath(rel)
	if found := l.nodes()[dir]; len(found) > 0 {
		n = found[0]
		err = rec.ask(selectActual+" AND local_relpath = ?", rel, func(s *sqlite.Stmt) (err error) {
			n.actual, err = actualOf(s)
			return err
		})
	}
	return n, err
}

// ask runs a query about a path, which SQLite compiles once.
func (rec *record) ask(sql, path string, each func(*sqlite.Stmt) error) error {
	stmt, err := rec.conn.Prepare(sql)
	if err != nil {
		return err
	}
	stmt.BindText(1, path)
	return errors.Join(rows(stmt, each), stmt.Reset())
}

// loader takes the rows of NODES in any order and makes nodes of them. It
// copies little: there may be hundreds of thousands.
type loader struct {
	rec       *record
	dirs      map[string]*rowsOf
	last      *rowsOf // of the row before: rows come in runs
	root      []row
	path, buf []byte // of the row in hand
	names     arena
}

// rowsOf are the rows of a directory's children.
type rowsOf struct {
	dir  string
	rows []namedRow
}

type namedRow struct {
	name string
	row  row
}

func newLoader(rec *record) *loader { return &loader{rec: rec, dirs: map[string]*rowsOf{}} }

const selectNodes = `SELECT local_relpath, op_depth, kind, presence, checksum, repos_path, revision, translated_size,
 file_external IS NOT NULL, moved_here, moved_to, properties, inherited_props FROM NODES WHERE wc_id = 1`

// take reads one row.
func (l *loader) take(s *sqlite.Stmt) error {
	l.path = column(s, 0, l.path)
	r := row{
		opDepth:   s.ColumnInt32(1),
		revision:  integer(s, 6),
		size:      integer(s, 7),
		hasRepos:  !s.ColumnIsNull(5),
		fileExt:   s.ColumnInt(8) != 0,
		movedHere: s.ColumnInt(9) != 0,
	}
	l.buf = column(s, 2, l.buf)
	r.kind = kindOf(l.buf)
	l.buf = column(s, 3, l.buf)
	r.presence = presenceOf(l.buf)
	l.buf = column(s, 4, l.buf)
	if sum, ok := bytes.CutPrefix(l.buf, []byte("$sha1$")); ok {
		if len(sum) != hex.EncodedLen(len(r.checksum)) {
			return fmt.Errorf("malformed checksum of %q", l.path)
		}
		if _, err := hex.Decode(r.checksum[:], sum); err != nil {
			return fmt.Errorf("malformed checksum of %q", l.path)
		}
		r.hasChecksum = true
	} else if len(l.buf) > 0 {
		return fmt.Errorf("unknown checksum of %q", l.path)
	}
	l.buf = column(s, 5, l.buf)
	if r.hasRepos && !l.implied(l.buf) {
		r.rare = &rareRow{reposPath: string(l.buf), elsewhere: true}
	}
	if !s.ColumnIsNull(10) || !s.ColumnIsNull(12) {
		if r.rare == nil {
			r.rare = &rareRow{}
		}
		r.rare.movedTo, r.rare.inherited, r.rare.inherits = s.ColumnText(10), skelText(s, 12), !s.ColumnIsNull(12)
		if _, err := parseInherited(r.rare.inherited); err != nil {
			return fmt.Errorf("%q: inherited properties: %w", l.path, err)
		}
	}
	if r.props = skelText(s, 11); r.props != "" {
		if _, err := parseProps(r.props); err != nil {
			return fmt.Errorf("%q: %w", l.path, err)
		}
	}
	l.add(l.path, r)
	return nil
}

// implied says whether a path in the repository is the root's with the row's
// own, as nearly all are.
func (l *loader) implied(reposPath []byte) bool {
	root := l.rec.rootPath
	switch {
	case len(l.path) == 0:
		return string(reposPath) == root
	case root == "":
		return bytes.Equal(reposPath, l.path)
	}
	n := len(root)
	return len(reposPath) == n+1+len(l.path) && reposPath[n] == '/' && string(reposPath[:n]) == root && bytes.Equal(reposPath[n+1:], l.path)
}

func (l *loader) add(path []byte, r row) {
	if len(path) == 0 {
		l.root = append(l.root, r)
		return
	}
	i := bytes.LastIndexByte(path, '/')
	dir := path[:max(i, 0)]
	if l.last == nil || string(dir) != l.last.dir {
		if l.last = l.dirs[string(dir)]; l.last == nil {
			l.last = &rowsOf{dir: string(dir)}
			l.dirs[l.last.dir] = l.last
		}
	}
	l.last.rows = append(l.last.rows, namedRow{l.names.keep(path[i+1:]), r})
}

func deepest(a, b row) int { return cmp.Compare(b.opDepth, a.opDepth) }

// rootNode is the node of the working copy's root, nil when no row was its.
func (l *loader) rootNode() *node {
	if len(l.root) == 0 {
		return nil
	}
	slices.SortFunc(l.root, deepest)
	return &node{layers: l.root}
}

// nodes orders the rows and makes a node of those of one path.
func (l *loader) nodes() map[string][]*node {
	dirs := make(map[string][]*node, len(l.dirs))
	for dir, of := range l.dirs {
		slices.SortFunc(of.rows, func(a, b namedRow) int {
			if c := strings.Compare(a.name, b.name); c != 0 {
				return c
			}
			return deepest(a.row, b.row)
		})
		layers := make([]row, len(of.rows))
		nodes := make([]node, 0, len(of.rows))
		children := make([]*node, 0, len(of.rows))
		for i, from := 0, 0; i < len(of.rows); i++ {
			layers[i] = of.rows[i].row
			if i+1 < len(of.rows) && of.rows[i+1].name == of.rows[i].name {
				continue
			}
			nodes = append(nodes, node{name: of.rows[i].name, layers: layers[from : i+1 : i+1]})
			children = append(children, &nodes[len(nodes)-1])
			from = i + 1
		}
		dirs[dir] = children
		delete(l.dirs, dir)
	}
	return dirs
}

// arena keeps many short strings in few allocations.
type arena struct{ block []byte }

func (a *arena) keep(b []byte) string {
	const size = 64 << 10
	if len(b) == 0 {
		return ""
	}
	if len(a.block)+len(b) > cap(a.block) {
		a.block = make([]byte, 0, max(size, len(b)))
	}
	from := len(a.block)
	a.block = append(a.block, b...)
	return unsafe.String(&a.block[from], len(b)) // a block is only ever appended to
}

// column copies a column's text into buf, which grows as needed.
func column(s *sqlite.Stmt, i int, buf []byte) []byte {
	n := s.ColumnLen(i)
	if n > cap(buf) {
		buf = make([]byte, n, 2*n)
	}
	return buf[:s.ColumnBytes(i, buf[:n])]
}

// integer is a column that may be NULL, which is -1.
func integer(s *sqlite.Stmt, i int) int64 {
	if s.ColumnIsNull(i) {
		return -1
	}
	return s.ColumnInt64(i)
}

// skelText copies a property list; an empty one, "()", is "".
func skelText(s *sqlite.Stmt, i int) string {
	if s.ColumnLen(i) <= len("()") {
		return ""
	}
	return string(column(s, i, nil))
}

const selectActual = "SELECT local_relpath, properties, changelist, conflict_data FROM ACTUAL_NODE WHERE wc_id = 1"

func actualOf(s *sqlite.Stmt) (*actual, error) {
	a := &actual{props: skelText(s, 1), propsSet: !s.ColumnIsNull(1), changelist: s.ColumnText(2)}
	if !s.ColumnIsNull(3) {
		a.conflict = column(s, 3, nil)
	}
	if _, err := parseProps(a.props); err != nil {
		return nil, fmt.Errorf("%q: %w", s.ColumnText(0), err)
	}
	return a, nil
}

// takeActual adds a row of ACTUAL_NODE to its node, in a directory that was
// read. A tree conflict may sit on a path without a row of NODES.
func (rec *record) takeActual(s *sqlite.Stmt) (err error) {
	path := s.ColumnText(0)
	n := rec.root
	if path != "" {
		dir, name := splitPath(path)
		if n = find(rec.dirs[dir], name); n == nil {
			n = rec.insert(path)
		}
	}
	n.actual, err = actualOf(s)
	return err
}

// insert makes a node for a path that has no row.
func (rec *record) insert(path string) *node {
	dir, name := splitPath(path)
	n := &node{name: name, layers: []row{{presence: presenceNotPresent, revision: -1, size: -1}}}
	children := rec.dirs[dir]
	i, _ := slices.BinarySearchFunc(children, name, func(c *node, name string) int { return strings.Compare(c.name, name) })
	rec.dirs[dir] = slices.Insert(children, i, n)
	return n
}
