package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"

	"rootwc/internal/run"
)

// The fault tests interrupt the real program on small machines ("worlds"):
// each is built once, run undisturbed for reference, and put up again before
// every interruption. What a path may be at any moment is what it was before
// or what it is in the reference, content and metadata together.

// faultRuns is how many interruptions a test makes that could make any number:
// ROOTWC_FAULT_RUNS, else few.
func faultRuns(few int) int {
	if n, err := strconv.Atoi(os.Getenv("ROOTWC_FAULT_RUNS")); err == nil && n > 0 {
		return n
	}
	return few
}

// faultProgram is rootwc built with its fault points; it is built once for all
// tests that run, and removed when the last of them ends.
func faultProgram(t *testing.T) string {
	t.Helper()
	faultBuilt.Lock()
	defer faultBuilt.Unlock()
	if faultBuilt.users == 0 {
		dir, err := os.MkdirTemp("", "rootwc-fault-")
		if err != nil {
			t.Fatal(err)
		}
		faultBuilt.dir = dir
		args := []string{"go", "build", "-buildvcs=false", "-tags", "faultpoints", "-o", filepath.Join(dir, "rootwc"), "."}
		faultMust(t, run.Command{Args: args, Env: os.Environ()})
		if err := os.Chmod(dir, 0o755); err != nil { // other users run programs from it
			t.Fatal(err)
		}
	}
	faultBuilt.users++
	t.Cleanup(func() {
		faultBuilt.Lock()
		defer faultBuilt.Unlock()
		if faultBuilt.users--; faultBuilt.users == 0 {
			os.RemoveAll(faultBuilt.dir)
		}
	})
	return filepath.Join(faultBuilt.dir, "rootwc")
}

var faultBuilt struct {
	sync.Mutex
	dir   string
	users int
}

// faultResult is how a program ended.
type faultResult struct {
	args     []string
	status   int
	killed   bool // by a signal
	cpu      time.Duration
	out, err string
}

func (r faultResult) String() string {
	how := "exit status " + strconv.Itoa(r.status)
	if r.killed {
		how = "killed"
	}
	return fmt.Sprintf("%s: %s\nstdout: %s\nstderr: %s", run.Quote(r.args), how, faultIndent(r.out), faultIndent(r.err))
}

func faultIndent(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n        ")
}

// faultExecute runs a program to its end.
func faultExecute(ctx context.Context, c run.Command) faultResult {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return faultExecuteLong(ctx, c)
}

// faultExecuteLong is faultExecute for as long as it takes.
func faultExecuteLong(ctx context.Context, c run.Command) faultResult {
	out, warnings, err := run.Output(ctx, c)
	r := faultResult{args: c.Args, out: string(out), err: warnings}
	var failed *run.Error
	if errors.As(err, &failed) {
		r.status, r.err = failed.Status, failed.Stderr
		r.killed = failed.Status < 0 && failed.Err.Error() == "signal: killed"
		if r.err == "" && failed.Status < 0 {
			r.err = failed.Err.Error()
		}
	}
	return r
}

// faultMust is for programs that have to succeed.
func faultMust(t *testing.T, c run.Command) string {
	t.Helper()
	r := faultExecute(t.Context(), c)
	if r.status != 0 {
		t.Fatalf("%v", r)
	}
	return r.out
}

// faultWorld is a machine's root with the repositories that it comes from, all
// below dir: root, repo, repo2, and while it is built a peer.
type faultWorld struct {
	bin, dir string
	server   string // beginning of the repositories' URLs
	anna     int    // a user's number that no other world has

}

var faultWorlds atomic.Int32 // made so far

// newFaultWorld makes an empty place. It lies in memory where there is some: rootwc
// calls syncfs(2), which takes seconds where others write.
func newFaultWorld(t *testing.T) *faultWorld {
	t.Helper()
	needFaultTools(t)
	parent := "/dev/shm"
	if unix.Access(parent, unix.W_OK) != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "rootwc-fault-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &faultWorld{bin: faultProgram(t), dir: filepath.Join(dir, "w"), server: "file://" + filepath.Join(dir, "w"), anna: 43000 + int(faultWorlds.Add(1))}
	for _, d := range []string{dir, w.dir, filepath.Join(dir, "home"), w.tmp(), w.path()} {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func needFaultTools(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners and groups are what is looked at")
	}
	for _, p := range []string{"go", "svn", "svnadmin", "setfacl", "setpriv", "cp"} {
		if _, found := run.Look(p); !found {
			t.Skipf("needs the program %s", p)
		}
	}
}

// path is a path below the world's root directory.
func (w *faultWorld) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir, "root"}, elem...)...)
}

func (w *faultWorld) state(elem ...string) string {
	return w.path(append([]string{"var/lib/rootwc"}, elem...)...)
}

// tmp is for temporary files of the caller, here root.
func (w *faultWorld) tmp() string { return filepath.Join(filepath.Dir(w.dir), "tmp") }

func (w *faultWorld) home() string { return filepath.Join(filepath.Dir(w.dir), "home") }

// command is rootwc on this world.
func (w *faultWorld) command(fault string, args ...string) run.Command {
	env := []string{"HOME=" + w.home(), "TZ=UTC", "USER=root", "LOGNAME=root", "TMPDIR=" + w.tmp()}
	if fault != "" {
		env = append(env, "ROOTWC_FAULT="+fault)
	}
	return run.Command{Args: append([]string{w.bin, "--root=" + w.path(), "--username=tester"}, args...), Dir: w.dir, Env: env}
}

// rootwc runs the program, and has it killed when fault names a point.
func (w *faultWorld) rootwc(t *testing.T, fault string, args ...string) faultResult {
	t.Helper()
	return faultExecute(t.Context(), w.command(fault, args...))
}

// do is rootwc where it has to succeed.
func (w *faultWorld) do(t *testing.T, args ...string) string {
	t.Helper()
	return faultMust(t, w.command("", args...))
}

// sh runs a script in the world's directory, as a person's shell would.
func (w *faultWorld) sh(t *testing.T, script string) string {
	t.Helper()
	env := []string{"HOME=" + w.home(), "TZ=UTC", "S=" + w.server, "A=" + strconv.Itoa(w.anna)}
	return faultMust(t, run.Command{Args: []string{"sh", "-euc", "umask 022\n" + script}, Dir: w.dir, Env: env})
}

// keep makes what is there now the state that [faultWorld.reset] goes back to.
func (w *faultWorld) keep(t *testing.T) {
	t.Helper()
	w.copyTree(t, w.dir, w.dir+".kept")
}

// reset puts the world up as it was kept. The root directory itself stays: it
// may be a mount point.
func (w *faultWorld) reset(t *testing.T) {
	t.Helper()
	w.clear(t)
	w.copyTree(t, w.dir+".kept", w.dir)
}

func (w *faultWorld) clear(t *testing.T) {
	t.Helper()
	found, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	below, err := os.ReadDir(w.path())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Name() != "root" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.dir, f.Name())))
		}
	}
	for _, f := range below {
		err = errors.Join(err, os.RemoveAll(w.path(f.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *faultWorld) copyTree(t *testing.T, from, to string) {
	t.Helper()
	faultMust(t, run.Command{Args: []string{"cp", "--archive", "--no-target-directory", from, to}})
}

// faultItem is what a path is: kind, metadata and content in words, and which
// inode.
type faultItem struct {
	words string
	ino   uint64
	mtime int64
}

// live describes every path of the root but what belongs to Subversion and
// rootwc themselves.
func (w *faultWorld) live(t *testing.T) map[string]faultItem {
	t.Helper()
	return faultTree(t, w.path(), func(rel, name string) bool {
		return name == ".svn" || rel == "var/lib/rootwc" || strings.HasPrefix(name, ".rootwc-")
	})
}

func faultTree(t *testing.T, root string, leave func(rel, name string) bool) map[string]faultItem {
	t.Helper()
	items := map[string]faultItem{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if leave != nil && leave(rel, d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		items[rel], err = faultDescribe(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func faultDescribe(path string) (faultItem, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return faultItem{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %04o %d:%d", faultKind(st.Mode), st.Mode&0o7777, st.Uid, st.Gid)
	for _, name := range faultXattrs(path) {
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return faultItem{}, err
		}
		fmt.Fprintf(&b, " %s", faultXattrWords(name, value[:n]))
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		text, err := os.ReadFile(path)
		if err != nil {
			return faultItem{}, err
		}
		if len(text) > 200 {
			text = fmt.Appendf(nil, "%d bytes, %x", len(text), sha256.Sum256(text))
		}
		fmt.Fprintf(&b, " %q", text)
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return faultItem{}, err
		}
		fmt.Fprintf(&b, " -> %s", target)
	}
	return faultItem{b.String(), st.Ino, st.Mtim.Nano()}, nil
}

func faultKind(mode uint32) string {
	words := map[uint32]string{unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFLNK: "link", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket"}
	if w, ok := words[mode&unix.S_IFMT]; ok {
		return w
	}
	return "device"
}

func faultXattrs(path string) []string {
	list := make([]byte, 4096)
	n, err := unix.Llistxattr(path, list)
	if err != nil || n == 0 {
		return nil
	}
	names := strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
	slices.Sort(names)
	return names
}

// faultXattrWords writes an ACL the way getfacl does, and other attributes in hex.
func faultXattrWords(name string, value []byte) string {
	if !strings.HasPrefix(name, "system.posix_acl_") || len(value) < 4 {
		return fmt.Sprintf("%s=%x", name, value)
	}
	tags := map[uint16]string{1: "u:", 2: "u:%d", 4: "g:", 8: "g:%d", 16: "m:", 32: "o:"}
	var entries []string
	for e := value[4:]; len(e) >= 8; e = e[8:] {
		tag := tags[binary.LittleEndian.Uint16(e)]
		if strings.Contains(tag, "%") {
			tag = fmt.Sprintf(tag, binary.LittleEndian.Uint32(e[4:]))
		}
		entries = append(entries, fmt.Sprintf("%s:%d", tag, binary.LittleEndian.Uint16(e[2:])))
	}
	return strings.TrimPrefix(name, "system.posix_") + "(" + strings.Join(entries, ",") + ")"
}

// copies are the working copies below the root.
func (w *faultWorld) copies(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(w.path(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path == w.state() || strings.HasPrefix(d.Name(), ".rootwc-") {
			return fs.SkipDir
		}
		if d.Name() == ".svn" {
			rel, _ := filepath.Rel(w.path(), filepath.Dir(path))
			found = append(found, rel)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sound checks what has to hold of every working copy at any moment: a whole
// database, all texts that it names, and nobody else may read it.
func (w *faultWorld) sound(t *testing.T) {
	t.Helper()
	for _, c := range w.copies(t) {
		admin := w.path(c, ".svn")
		if info, err := os.Stat(admin); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s is open to others: %v, %v", admin, info.Mode(), err)
		}
		db := filepath.Join(admin, "wc.db")
		if got := faultAsk(t, db, "PRAGMA quick_check"); !slices.Equal(got, []string{"ok"}) {
			t.Errorf("%s: quick_check: %q", db, got)
		}
		for _, sum := range faultAsk(t, db, "SELECT checksum FROM PRISTINE") {
			hex := strings.TrimPrefix(sum, "$sha1$")
			if _, err := os.Stat(filepath.Join(admin, "pristine", hex[:2], hex+".svn-base")); err != nil {
				t.Errorf("%s names a text that is gone: %v", db, err)
			}
		}
	}
}

// idle checks that nothing is half done: no locks or work for svn, no stages,
// no journal.
func (w *faultWorld) idle(t *testing.T) {
	t.Helper()
	for _, c := range w.copies(t) {
		db := w.path(c, ".svn/wc.db")
		if got := faultAsk(t, db, "SELECT count(*) FROM WORK_QUEUE UNION ALL SELECT count(*) FROM WC_LOCK"); !slices.Equal(got, []string{"0", "0"}) {
			t.Errorf("%s has work or locks left: %q", db, got)
		}
		for _, dir := range []string{"rootwc", "tmp"} {
			if found, _ := os.ReadDir(w.path(c, ".svn", dir)); len(found) > 0 {
				t.Errorf("left behind in %s: %v", w.path(c, ".svn", dir), found)
			}
		}
	}
	found, err := os.ReadDir(w.state())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	known := []string{"lock", "stage", "subversion", "withheld.json", "trust.json", "decided.json", "conflicts", "replaced", "index", "drift", "queue"}
	for _, f := range found {
		if !slices.Contains(known, strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))) && !slices.Contains(known, f.Name()) || strings.HasSuffix(f.Name(), ".new") {
			t.Errorf("left behind: %s", w.state(f.Name()))
		}
	}
	if found, _ := os.ReadDir(w.state("stage")); len(found) > 0 {
		t.Errorf("stages left behind: %v", found)
	}
	w.noStrays(t)
}

// noTemporary complains about what is left outside of the root, root's and
// anna's, after one more command that writes.
func (w *faultWorld) noTemporary(t *testing.T) {
	t.Helper()
	w.rootwc(t, "", "repair")
	left, err := filepath.Glob(w.tmp() + "/*")
	all, aerr := filepath.Glob("/tmp/rootwc-*")
	if err = errors.Join(err, aerr); err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && int(st.Uid) == w.anna {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d temporary directories were left behind, such as %s", len(left), left[0])
	}
}

// noStrays looks for temporary names of rootwc in the live tree.
func (w *faultWorld) noStrays(t *testing.T) {
	t.Helper()
	filepath.WalkDir(w.path(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == w.state() || d.Name() == ".svn" {
			return fs.SkipDir
		}
		if strings.HasPrefix(d.Name(), ".rootwc-") {
			t.Errorf("left behind: %s", path)
		}
		return nil
	})
}

// faultAsk runs a query on a database and returns the first column.
func faultAsk(t *testing.T, db, sql string) []string {
	t.Helper()
	conn, err := sqlite.OpenConn(db, sqlite.OpenReadOnly)
	if err != nil {
		t.Errorf("%s: %v", db, err)
		return nil
	}
	defer conn.Close()
	stmt, _, err := conn.PrepareTransient(sql)
	if err != nil {
		t.Errorf("%s: %v", db, err)
		return nil
	}
	defer stmt.Finalize()
	var rows []string
	for {
		more, err := stmt.Step()
		if err != nil {
			t.Errorf("%s: %v", db, err)
		}
		if err != nil || !more {
			return rows
		}
		rows = append(rows, stmt.ColumnText(0))
	}
}

// history is what the repositories hold: every revision with its differences,
// without dates.
func (w *faultWorld) history(t *testing.T) string {
	t.Helper()
	dates := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^|\n]*`)
	text := ""
	for _, repo := range []string{"repo", "repo2"} {
		if _, err := os.Stat(filepath.Join(w.dir, repo)); err == nil {
			text += w.sh(t, "svn log --verbose --diff file://$PWD/"+repo)
		}
	}
	text = faultQueued.ReplaceAllString(dates.ReplaceAllString(text, "DATE"), "")
	return regexp.MustCompile(`(?m)\| \d+ lines?$`).ReplaceAllString(text, "| LINES")
}

// faultQueued is what a commit's message says when it had to wait.
var faultQueued = regexp.MustCompile(`\n\nQueued-By: .*\nQueued-At: .*\n`)

// youngest are the youngest revisions of the repositories.
func (w *faultWorld) youngest(t *testing.T) string {
	t.Helper()
	text := ""
	for _, repo := range []string{"repo", "repo2"} {
		if current, err := os.ReadFile(filepath.Join(w.dir, repo, "db/current")); err == nil {
			text += repo + " " + string(current)
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
}

// records is what stays in the state directory: conflicts, what is known of
// withheld files, and what was decided.
func (w *faultWorld) records(t *testing.T) map[string]string {
	t.Helper()
	kept := map[string]string{}
	for _, name := range []string{"conflicts", "withheld.json", "decided.json"} {
		if _, err := os.Lstat(w.state(name)); err != nil {
			continue
		}
		for rel, it := range faultTree(t, w.state(name), nil) {
			kept[name+"/"+rel] = it.words
		}
	}
	return kept
}

// svnStatus is what plain svn thinks of all working copies; it also proves
// that svn cleanup is content.
func (w *faultWorld) svnStatus(t *testing.T) string {
	t.Helper()
	text := ""
	for _, c := range w.copies(t) {
		who := []string{}
		if st := new(unix.Stat_t); unix.Stat(w.path(c), st) == nil && st.Uid != 0 {
			who = []string{"setpriv", "--reuid", fmt.Sprint(st.Uid), "--regid", fmt.Sprint(st.Gid), "--clear-groups"}
		}
		for _, verb := range [][]string{{"cleanup"}, {"status", "--ignore-externals"}} {
			args := append(append(slices.Clone(who), "svn"), verb...)
			r := faultExecute(t.Context(), run.Command{Args: args, Dir: w.path(c), Env: []string{"HOME=" + w.home()}})
			if r.status != 0 || r.err != "" {
				t.Errorf("in %s: %v", w.path(c), r)
			}
			text += r.out
		}
	}
	return text
}

// faultReference is a world before a command, and after it ran undisturbed.
type faultReference struct {
	before, after     map[string]faultItem
	touched           map[string]bool // paths whose inode the command replaces
	said, says        string          // rootwc status, before and after
	complaints        string          // its warnings
	svn, history      string
	youngest          string
	records           map[string]string
	exit, exitOfAgain int
	updateExit        int
	took              time.Duration
	anyMoment         bool // interruptions come inside a step too
}

// undisturbed keeps the world and runs the command, and once more.
func (w *faultWorld) undisturbed(t *testing.T, s *faultScenario) *faultReference {
	t.Helper()
	w.keep(t)
	ref := &faultReference{before: w.live(t), touched: map[string]bool{}, said: w.rootwc(t, "", "status").out}
	w.reset(t)
	before := w.live(t)
	began := time.Now()
	r := w.rootwc(t, "", s.args...)
	ref.took, ref.exit = time.Since(began), r.status
	if r.status != s.exit {
		t.Fatalf("undisturbed, want exit status %d: %v", s.exit, r)
	}
	after := w.live(t)
	for p, it := range before {
		ref.touched[p] = after[p].ino != it.ino || after[p].mtime != it.mtime
	}
	again := w.rootwc(t, "", s.args...)
	ref.exitOfAgain, ref.after = again.status, w.live(t)
	for _, p := range faultPaths(after, ref.after) {
		if after[p].words != ref.after[p].words {
			t.Errorf("a second run of the undisturbed command changes %s:\n%s\n%s", p, after[p].words, ref.after[p].words)
		}
	}
	status := w.rootwc(t, "", "status")
	ref.says, ref.complaints = status.out, status.err
	ref.svn, ref.history, ref.records = w.svnStatus(t), w.history(t), w.records(t)
	ref.youngest = w.youngest(t)
	ref.updateExit = w.rootwc(t, "", "update").status
	w.sound(t)
	w.idle(t)
	if t.Failed() {
		t.Fatal("the undisturbed command is wrong already")
	}
	for path, want := range s.want {
		want = strings.ReplaceAll(want, "ANNA", strconv.Itoa(w.anna))
		if got := ref.after[path].words; got != want {
			t.Errorf("undisturbed, %s:\n got %s\nwant %s", path, got, want)
		}
	}
	return ref
}

// faultPaths are the paths of all these trees, sorted.
func faultPaths(trees ...map[string]faultItem) []string {
	all := map[string]bool{}
	for _, tree := range trees {
		for p := range tree {
			all[p] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// interrupted checks the tree right after an interruption: each path is wholly
// as it was or wholly as it is to be, and nothing else has changed. A directory
// that is coming may be closed still. before is the tree of this very run.
func (ref *faultReference) interrupted(t *testing.T, w *faultWorld, before map[string]faultItem) {
	t.Helper()
	now := w.live(t)
	for _, p := range faultPaths(before, now, ref.after) {
		was, is, got := before[p].words, ref.after[p].words, now[p].words
		switch {
		case got == was && !ref.touched[p] && was != "":
			if !strings.HasPrefix(got, "dir ") && now[p] != before[p] {
				t.Errorf("%s was touched: %+v, now %+v", p, before[p], now[p])
			}
		case got == was, got == is:
		case !strings.HasPrefix(was, "dir ") && strings.HasPrefix(is, "dir ") && strings.HasPrefix(got, "dir 0700 "):
		case ref.anyMoment && got == "" && was != "" && strings.HasPrefix(is, "dir "): // between unlink and mkdir
		default:
			t.Errorf("%s is neither old nor new:\n got %s\n old %s\n new %s", p, faultOr(got, "(nothing)"), faultOr(was, "(nothing)"), faultOr(is, "(nothing)"))
		}
	}
	w.sound(t)
}

// faultPlain leaves the values of keywords out: a commit that was found again
// does not write them, and svn takes both for the same text.
func faultPlain(words string) string {
	return regexp.MustCompile(`\$Revision: \d+ \$`).ReplaceAllString(words, "$$Revision$$")
}

func faultOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// settled checks that a world has become what the reference is; thorough
// looks from outside too: with svn, at the repositories, with another update.
func (ref *faultReference) settled(t *testing.T, w *faultWorld, thorough bool) {
	t.Helper()
	now := w.live(t)
	for _, p := range faultPaths(now, ref.after) {
		if faultPlain(now[p].words) != faultPlain(ref.after[p].words) {
			t.Errorf("in the end %s:\n got %s\nwant %s", p, faultOr(now[p].words, "(nothing)"), faultOr(ref.after[p].words, "(nothing)"))
		}
	}
	faultSame(t, "rootwc status", w.rootwc(t, "", "status"), ref.says, ref.complaints)
	w.idle(t)
	for _, c := range w.copies(t) { // the next command that writes takes it away
		if found, _ := filepath.Glob(w.path(c, ".svn", "*probe*")); len(found) > 0 {
			t.Errorf("left behind: %q", found)
		}
	}
	w.sound(t)
	if got := w.records(t); !maps.Equal(got, ref.records) {
		t.Errorf("the state directory holds\n%q\nwant\n%q", got, ref.records)
	}
	if got := w.youngest(t); got != ref.youngest {
		t.Errorf("the repositories are at revisions %s, want %s", got, ref.youngest)
	}
	if !thorough {
		return
	}
	if got := w.svnStatus(t); got != ref.svn {
		t.Errorf("svn status:\n%swant:\n%s", got, ref.svn)
	}
	if got := w.history(t); got != ref.history {
		t.Errorf("the repositories' history differs:\n%s", faultDifference(got, ref.history))
	}
	if r := w.rootwc(t, "", "update"); r.status != ref.updateExit {
		t.Errorf("want exit status %d: %v", ref.updateExit, r)
	}
	for p, it := range w.live(t) {
		if faultPlain(it.words) != faultPlain(ref.after[p].words) {
			t.Errorf("another update changes %s:\n got %s\nwant %s", p, it.words, faultOr(ref.after[p].words, "(nothing)"))
		}
	}
	faultSame(t, "rootwc status after another update", w.rootwc(t, "", "status"), ref.says, ref.complaints)
}

func faultSame(t *testing.T, what string, got faultResult, out, err string) {
	t.Helper()
	if got.status != 0 || got.out != out || got.err != err {
		t.Errorf("%s:\n%s\n%swant:\n%s\n%s", what, got.err, got.out, err, out)
	}
}

// faultDifference names the lines of a that b does not have, and the other way.
func faultDifference(a, b string) string {
	text := ""
	for _, side := range []struct{ sign, x, y string }{{"+", a, b}, {"-", b, a}} {
		has := map[string]int{}
		for l := range strings.Lines(side.y) {
			has[l]++
		}
		for l := range strings.Lines(side.x) {
			if has[l]--; has[l] < 0 {
				text += side.sign + l
			}
		}
	}
	return text
}

// undone checks what status says after the first command since an
// interruption: for each working copy what it said before, or what it says in
// the end; a conflict may be known already. With parts that holds for each path.
func (ref *faultReference) undone(t *testing.T, w *faultWorld, r faultResult, parts bool) {
	t.Helper()
	copies := w.copies(t)
	was, is, got := faultPerCopy(copies, ref.said), faultPerCopy(copies, ref.says), faultPerCopy(copies, r.out)
	for _, c := range copies {
		if got[c] == was[c] || got[c] == is[c] {
			continue
		}
		for path, line := range faultLinesOf(got[c]) {
			old, known := faultLinesOf(was[c])[path]
			if parts && line == faultLinesOf(is[c])[path] {
				continue
			}
			if line != old && !(strings.HasPrefix(line, "C ") && line == faultLinesOf(is[c])[path]) || !known && !strings.HasPrefix(line, "C ") {
				t.Errorf("status of working copy %q after recovery:\n%swas:\n%sin the end:\n%s%s", c, got[c], was[c], is[c], r.err)
				break
			}
		}
	}
}

func faultPerCopy(copies []string, status string) map[string]string {
	text := map[string]string{}
	status, _, _ = strings.Cut(status, "\nexternals:\n")      // they are brought up later
	status, _, _ = strings.Cut(status, "\nqueued commits:\n") // they are made later
	for line := range strings.Lines(status) {
		path, owner := faultPathOf(line), "."
		for _, c := range copies {
			if (path == c || strings.HasPrefix(path, c+"/")) && len(c) > len(owner) {
				owner = c
			}
		}
		text[owner] += line
	}
	return text
}

func faultPathOf(line string) string {
	path, _, _ := strings.Cut(strings.TrimSuffix(line[2:], "\n"), "  ")
	return path
}

func faultLinesOf(status string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(status) {
		lines[faultPathOf(line)] = line
	}
	return lines
}

// idleButUnsure is [faultWorld.idle] when a commit's fate may still be unknown, and
// a first checkout may wait to be taken up again.
func (w *faultWorld) idleButUnsure(t *testing.T) {
	t.Helper()
	if text, err := os.ReadFile(w.state("journal")); err == nil && strings.Contains(string(text), `"url"`) {
		return
	}
	if text, err := os.ReadFile(w.state("unsure-commit")); err == nil {
		os.Remove(w.state("unsure-commit"))
		defer os.WriteFile(w.state("unsure-commit"), text, 0o600)
	}
	// The try of a rename that nothing notes: a verb that writes sweeps it.
	tries, _ := filepath.Glob(w.state("stage", "probe*"))
	for _, dir := range tries {
		os.Remove(dir)
		defer os.Mkdir(dir, 0o700)
	}
	w.idle(t)
}

func (w *faultWorld) isWorkingCopy() bool {
	_, err := os.Lstat(w.path(".svn"))
	return err == nil
}
