package wc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/wc/index"
)

// Copy is one working copy: the root's own or an external below it.
type Copy struct {
	Path string // of its directory; "" for the root's own

	tree *Tree
	dir  string     // absolute path
	fs   *os.Root   // nothing is written outside it
	user *run.User  // whose working copy it is; nil for the caller's own
	dev  uint64     // device of its directory
	db   *os.File   // see databaseKey
	gone []*os.File // what db was before another took its place
	key  *[32]byte  // of the state of the database; nil when that cannot be told

	index   *index.Index // see lastIndex
	indexed bool         // index was read
	ahead   *ahead       // see copyAhead
	carried *carried     // see there
	summary summary
	mu      sync.Mutex
	rec     *record // see record
	asked   *asked  // svn's answers, where its database is not understood
}

// close releases what the copy holds.
func (c *Copy) close() {
	c.dropAhead()
	c.rec.close()
	for _, db := range append(c.gone, c.db) {
		db.Close() // which says no more than that there is none
	}
	c.fs.Close()
}

// openCopy opens the working copy at path. Its directory is reached through
// the root, so that no symlink leads outside.
func openCopy(t *Tree, path string) (*Copy, error) {
	dir, err := t.openTarget(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%q: %w", t.abs(path), ErrNotWorkingCopy)
	}
	if err != nil {
		return nil, err
	}
	c := &Copy{Path: path, tree: t, dir: t.abs(path), fs: dir}
	if err := c.identify(); err != nil {
		dir.Close()
		return nil, err
	}
	if err := c.open(); err != nil {
		dir.Close()
		return nil, err
	}
	return c, nil
}

// open reads what is to be known of the working copy: from its index, when
// that holds, else from the database.
func (c *Copy) open() error {
	if admin, err := c.fs.Lstat(AdminDir); err != nil || !admin.IsDir() {
		return c.reload() // which says what is wrong
	}
	c.key = c.databaseKey()
	if text := c.indexedSummary(); text != nil && json.Unmarshal(text, &c.summary) == nil {
		return nil
	}
	return c.reload()
}

// record is what the database says of each path. When it cannot be read the
// record is an empty one, and the tree is broken: see [Tree.broken].
func (c *Copy) record() *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rec == nil {
		var err error
		if c.asked == nil {
			err = c.load()
		}
		if err == nil && c.asked != nil {
			err = fmt.Errorf("cannot read working copy %q: %w", c.dir, c.asked.why)
		}
		if err != nil {
			c.tree.fail(err)
			c.rec = &record{whole: true, root: &node{layers: []row{{kind: kindDir}}}, rootPath: c.summary.Path, reposRoot: c.summary.Root, reposUUID: c.summary.UUID}
		}
	}
	return c.rec
}

// whole makes sure that all of the record is read, by svn where rootwc does
// not understand it.
func (c *Copy) whole() error {
	if c.asked != nil {
		return nil
	}
	err := c.record().readAll()
	var doubt *doubtError
	if errors.As(err, &doubt) {
		return c.ask(doubt)
	}
	if err != nil {
		return fmt.Errorf("cannot read working copy %q: %w", c.dir, err)
	}
	return nil
}

// identify notes the owner and device of the directory.
func (c *Copy) identify() error {
	info, err := c.fs.Stat(".")
	if err != nil {
		return fmt.Errorf("cannot open working copy %q: %w", c.dir, cause(err))
	}
	st := info.Sys().(*unixStat)
	c.dev = uint64(st.Dev)
	c.user = c.tree.ownerOf(st)
	return nil
}

// reload reads the database again.
func (c *Copy) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load()
}

func (c *Copy) load() error {
	admin, err := c.fs.Lstat(AdminDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q: %w", c.dir, ErrNotWorkingCopy)
	case err != nil:
		return fmt.Errorf("cannot open working copy %q: %w", c.dir, cause(err))
	case !admin.IsDir():
		return fmt.Errorf("cannot open working copy %q: %s is no directory", c.dir, AdminDir)
	}
	before, told := c.key, c.summary.Externals
	c.key = c.databaseKey() // first: what changes after it is found out by it
	if before == nil || c.key == nil || *before != *c.key {
		told = nil
	}
	c.asked = nil
	rec, err := openRecord(c.admin("wc.db"), c.tree.fail)
	var doubt *doubtError
	switch {
	case errors.As(err, &doubt):
		return c.ask(doubt)
	case errors.Is(err, fs.ErrPermission):
		return Hint(fmt.Errorf("cannot read working copy %q: %w", c.dir, cause(err)), "run rootwc as the owner of %s", filepath.Join(c.dir, AdminDir))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q: %w: %s has no wc.db", c.dir, ErrNotWorkingCopy, AdminDir)
	case err != nil:
		return fmt.Errorf("cannot read working copy %q: %w", c.dir, err)
	}
	c.rec.close()
	c.rec = rec
	c.summary = summary{Path: rec.rootPath, Root: rec.reposRoot, UUID: rec.reposUUID, Revision: rec.root.base().revision, Externals: told}
	return nil
}

// summary is what can be told of a working copy without its record.
type summary struct {
	Path       string // of its root in the repository
	Root, UUID string // of the repository
	Revision   int64  // of the root directory

	Externals *externalsSummary // nil until somebody asks
}

// externalsSummary is what the record says of externals.
type externalsSummary struct {
	Definitions map[string]string // svn:externals by directory
	At          map[string]string // the paths of those directories in the repository
	Files       []string          // file externals
}

// externals is what the record says of externals, which takes all of it.
func (c *Copy) externals() *externalsSummary {
	if c.summary.Externals == nil {
		if err := c.whole(); err != nil {
			c.tree.fail(err)
		}
		if c.summary.Externals == nil { // svn was not asked
			c.summary.Externals = c.record().externals()
		}
	}
	return c.summary.Externals
}

func (rec *record) externals() *externalsSummary {
	s := &externalsSummary{Definitions: rec.definitions(), At: map[string]string{}}
	for dir := range s.Definitions {
		s.At[dir] = rec.pathOf(dir)
	}
	for rel, n := range rec.all() {
		if b := n.base(); b != nil && b.fileExt {
			s.Files = append(s.Files, rel)
		}
	}
	slices.Sort(s.Files)
	return s
}

// pathOf is the path of rel in the repository; for what is not committed yet,
// the one it will have.
func (rec *record) pathOf(rel string) string {
	suffix := ""
	for p := rel; ; {
		if n := rec.node(p); n != nil && n.base() != nil {
			return joinPath(rec.reposPath(p, n.base()), suffix)
		}
		if p == "" {
			return joinPath(rec.rootPath, suffix)
		}
		dir, name := splitPath(p)
		p, suffix = dir, joinPath(name, suffix)
	}
}

// admin is a path in the administrative directory.
func (c *Copy) admin(name string) string { return filepath.Join(c.dir, AdminDir, name) }

// path is rel as a path relative to the machine's root.
func (c *Copy) path(rel string) string { return joinPath(c.Path, rel) }

// URL is where the working copy's root comes from.
func (c *Copy) URL() string { return c.urlOf(c.summary.Path) }

// RepositoryRoot is the URL of the repository's root.
func (c *Copy) RepositoryRoot() string { return c.summary.Root }

// UUID identifies the repository.
func (c *Copy) UUID() string { return c.summary.UUID }

// Revision is the revision of the working copy's root directory.
func (c *Copy) Revision() int64 { return c.summary.Revision }

// urlOf is the URL of a path in the repository, in canonical form.
func (c *Copy) urlOf(reposPath string) string {
	if reposPath == "" {
		return c.summary.Root
	}
	return c.summary.Root + "/" + EscapeURL(reposPath)
}

// EscapeURL writes a repository path for a URL, with the characters left
// alone that svn's canonical form leaves alone (svn_uri_canonicalize).
func EscapeURL(path string) string {
	const plain = "!$&'()*+,-./:=@_~"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		ch := path[i]
		switch {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch >= '0' && ch <= '9', strings.IndexByte(plain, ch) >= 0:
			b.WriteByte(ch)
		default:
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}

// UnescapeURL is the other way.
func UnescapeURL(u string) string {
	if s, err := url.PathUnescape(u); err == nil {
		return s
	}
	return u
}

// Definitions returns the svn:externals property of every directory that has
// one, by path relative to the working copy, local edits included.
func (c *Copy) Definitions() map[string]string { return c.externals().Definitions }

// DirURL is the URL of a versioned directory, relative to the working copy;
// for one not committed yet, the URL it will have.
func (c *Copy) DirURL(rel string) string {
	if path, ok := c.externals().At[rel]; ok {
		return c.urlOf(path)
	}
	return c.urlOf(c.record().pathOf(rel))
}

// Property returns one property of a versioned path, local edits included.
func (c *Copy) Property(rel, name string) (string, bool) {
	n := c.record().node(rel)
	if n == nil || !n.visible() {
		return "", false
	}
	v, ok := n.props()[name]
	return v, ok
}

// Versioned says whether svn knows rel and does not have it scheduled for
// deletion.
func (c *Copy) Versioned(rel string) bool {
	if c.asked != nil {
		return c.asked.versioned(rel)
	}
	n := c.record().node(rel)
	return n != nil && n.visible() && !n.scheduledDelete()
}

// tightenAdmin makes .svn readable by its owner alone. Under umask 022 svn
// leaves every pristine text and the database readable by all.
func (c *Copy) tightenAdmin() {
	info, err := c.fs.Lstat(AdminDir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return
	}
	if err := c.fs.Chmod(AdminDir, 0o700); err != nil {
		c.tree.Warn("%s is readable by others (mode %04o) and cannot be closed: %v", c.path(AdminDir), info.Mode().Perm(), cause(err))
		return
	}
	c.tree.Warn("closed %s: others could read it (mode %04o, now 0700)", c.path(AdminDir), info.Mode().Perm())
}

// FileExternal says whether rel was put there by a file external.
func (c *Copy) FileExternal(rel string) bool {
	_, found := slices.BinarySearch(c.externals().Files, rel)
	return found
}

// DirProperty is a property of a versioned directory.
type DirProperty struct{ Path, Name, Value string }

// IgnoreProperties are the ignore patterns of all directories, by path.
func (c *Copy) IgnoreProperties() []DirProperty {
	var found []DirProperty
	for rel, n := range c.record().all() {
		if n.top().kind != kindDir || !c.Versioned(rel) {
			continue
		}
		props := n.props()
		for _, name := range []string{"svn:ignore", "svn:global-ignores"} {
			if v := props[name]; v != "" {
				found = append(found, DirProperty{c.path(rel), name, v})
			}
		}
	}
	sort.Slice(found, func(i, j int) bool {
		if found[i].Path != found[j].Path {
			return found[i].Path < found[j].Path
		}
		return found[i].Name < found[j].Name
	})
	return found
}

// Trouble is something about a working copy that a person should mend.
type Trouble struct{ What, Remedy string }

// Trouble looks for what stops rootwc from working on the copy.
func (c *Copy) Trouble() []Trouble {
	var found []Trouble
	if c.asked != nil {
		return []Trouble{{"rootwc can only tell its status: " + c.asked.why.Error(), "when no svn is at work there: svn cleanup " + c.dir + "; or a newer rootwc"}}
	}
	if len(c.record().locked) > 0 {
		found = append(found, Trouble{"svn has locked it, or was interrupted in it", "when no svn is at work there: svn cleanup " + c.dir})
	}
	if info, err := c.fs.Lstat(AdminDir); err == nil && info.Mode().Perm()&0o077 != 0 {
		found = append(found, Trouble{fmt.Sprintf("others can read %s (mode %04o)", c.admin(""), info.Mode().Perm()), "rootwc repair"})
	}
	for rel, n := range c.record().all() {
		if n.visible() && n.top().kind == kindDir && c.tree.Mounts[c.path(rel)] && rel != "" {
			found = append(found, Trouble{fmt.Sprintf("%s is versioned, and a mount point", c.path(rel)), "give that file system a working copy of its own"})
		}
	}
	return found
}
