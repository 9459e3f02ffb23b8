package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// The acceptance tests run the real program on sandbox machines. They are kept
// in step with the contract, not with the code.

// patience bounds one run of a program.
const patience = time.Minute

// program builds rootwc once for each test run, beside the test's own
// executable: go test takes that directory away when it is done.
var program = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(self)
	if !strings.HasPrefix(dir, os.TempDir()) {
		if dir, err = os.MkdirTemp("", "rootwc-acceptance-"); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // tests run it as another user as well
		return "", err
	}
	name := filepath.Join(dir, "rootwc")
	_, _, err = run.Output(context.Background(), run.Command{Args: []string{"go", "build", "-buildvcs=false", "-o", name, "."}, Env: os.Environ()})
	return name, err
})

// needs skips a test that cannot run here.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners, ACLs of other users and capabilities cannot be set otherwise")
	}
	for _, p := range append([]string{"svn", "svnadmin"}, programs...) {
		if _, found := run.Look(p); !found {
			t.Skipf("needs the program %s", p)
		}
	}
}

// answer is what a program left behind.
type answer struct {
	args           []string
	status         int
	stdout, stderr string
}

func (a answer) String() string {
	return fmt.Sprintf("%s\nexit status %d\nstdout:\n%s\nstderr:\n%s", run.Quote(a.args), a.status, a.stdout, a.stderr)
}

// lines are those of standard output.
func (a answer) lines() []string {
	return strings.FieldsFunc(a.stdout, func(r rune) bool { return r == '\n' })
}

// start runs a program to its end.
func start(t *testing.T, c run.Command) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, stderr, err := run.Output(ctx, c)
	a := answer{args: c.Args, stdout: string(out), stderr: stderr}
	var failed *run.Error
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s did not end within %v", run.Quote(c.Args), patience)
	case errors.As(err, &failed):
		a.status, a.stderr = failed.Status, failed.Stderr
	case err != nil:
		t.Fatal(err)
	}
	return a
}

// must runs a program that has to succeed.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	a := start(t, run.Command{Args: args, Dir: dir})
	if a.status != 0 {
		t.Fatalf("%v", a)
	}
	return a.stdout
}

// shell runs a script in dir, with umask 022 and stopping at the first failure.
func shell(t *testing.T, dir, script string) string {
	t.Helper()
	return must(t, dir, "/bin/sh", "-euc", "umask 022; "+script)
}

// machine is a sandbox root.
type machine struct {
	t    *testing.T
	root string
	wrap []string // goes before the program: another environment, say
}

const (
	annaOn1, annaOn2 = 1001, 2001 // anna's uid and gid differ between the machines
	staff1, staff2   = 50, 51
	bob              = 1234
)

// newMachine makes a root with the tables of users and groups.
func newMachine(t *testing.T, root string, anna, staff int) *machine {
	t.Helper()
	m := &machine{t: t, root: root}
	m.write("etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nanna:x:%d:%d:Anna:/home/anna:/bin/sh\nbob:x:%d:%d:Bob:/home/bob:/bin/sh\n", anna, anna, bob, bob))
	m.write("etc/group", fmt.Sprintf("root:x:0:\nanna:x:%d:\nstaff:x:%d:\nbob:x:%d:\n", anna, staff, bob))
	return m
}

// path is the absolute path of one relative to the root.
func (m *machine) path(rel string) string { return filepath.Join(m.root, rel) }

func (m *machine) write(rel, text string) {
	m.t.Helper()
	must(m.t, "", "mkdir", "-p", "-m", "0755", filepath.Dir(m.path(rel)))
	if err := os.WriteFile(m.path(rel), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(m.path(rel), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(rel string) string {
	m.t.Helper()
	text, err := os.ReadFile(m.path(rel))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// mode is the mode of a path, with the bits above 0777.
func (m *machine) mode(rel string) uint32 {
	m.t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(m.path(rel), &st); err != nil {
		m.t.Fatalf("%s: %v", rel, err)
	}
	return st.Mode & 0o7777
}

func (m *machine) exists(rel string) bool {
	_, err := os.Lstat(m.path(rel))
	return err == nil
}

// shell runs a script in the root.
func (m *machine) shell(script string) string { m.t.Helper(); return shell(m.t, m.root, script) }

// run runs rootwc on the machine.
func (m *machine) run(args ...string) answer {
	m.t.Helper()
	name, err := program()
	if err != nil {
		m.t.Fatal(err)
	}
	all := append(append([]string{}, m.wrap...), name, "--root", m.root, "--username", "tester")
	return start(m.t, run.Command{Args: append(all, args...)})
}

// ok runs rootwc, which has to succeed, and returns its answer.
func (m *machine) ok(args ...string) string {
	m.t.Helper()
	a := m.run(args...)
	if a.status != 0 {
		m.t.Fatalf("%v", a)
	}
	return a.stdout
}

// quiet runs rootwc, which has to succeed without a word on standard error.
func (m *machine) quiet(args ...string) string {
	m.t.Helper()
	a := m.run(args...)
	if a.status != 0 || a.stderr != "" {
		m.t.Fatalf("%v", a)
	}
	return a.stdout
}

// clean wants a status without a word.
func (m *machine) clean(when string) {
	m.t.Helper()
	if a := m.run("status"); a.status != 0 || a.stdout != "" || a.stderr != "" {
		m.t.Errorf("status %s is not silent: %v", when, a)
	}
}

// one wants a status of exactly one line, which names the path.
func (m *machine) one(path string) string {
	m.t.Helper()
	a := m.run("status")
	lines := a.lines()
	if a.status != 0 || a.stderr != "" || len(lines) != 1 || lines[0] != lines[0][:2]+path && !strings.HasPrefix(lines[0][2:], path+"  ") {
		m.t.Fatalf("want one line for %s: %v", path, a)
	}
	return lines[0]
}

// sandbox is a repository and two machines.
type sandbox struct {
	t      *testing.T
	dir    string // holds all of it
	url    string // of the repository
	m1, m2 *machine
}

// newSandbox makes a repository that is reached by file://, with nothing in it.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // another user has to get through
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, dir, "svnadmin", "create", "repo")
	s := &sandbox{t: t, dir: dir, url: "file://" + dir + "/repo"}
	s.m1 = newMachine(t, filepath.Join(dir, "m1"), annaOn1, staff1)
	s.m2 = newMachine(t, filepath.Join(dir, "m2"), annaOn2, staff2)
	return s
}

const hostPath = "/hosts/m"

// host is the URL of the machines' directory.
func (s *sandbox) host() string { return s.url + hostPath }

// pair puts srv of m1 under version control as the script leaves it, and
// brings it to m2.
func (s *sandbox) pair(script string) {
	s.t.Helper()
	s.m1.shell("mkdir srv; cd srv; " + script)
	s.m1.ok("init", "--secrets", "clear", "--path", "srv", s.host())
	s.m1.ok("commit", "-m", "first state")
	s.m1.clean("after the first commit")
	s.m2.ok("materialize", s.host())
	s.m2.clean("after the first materialize")
	s.same("after the first materialize")
}

// same compares srv on both machines.
func (s *sandbox) same(when string) {
	s.t.Helper()
	sameTrees(s.t, when, s.m1.tree("srv"), s.m2.tree("srv"))
}

// svn runs plain svn in dir as a person would.
func (s *sandbox) svn(dir string, args ...string) string {
	s.t.Helper()
	return must(s.t, dir, append([]string{"svn", "--non-interactive", "--username", "plain", "--config-dir", filepath.Join(s.dir, "svn-config")}, args...)...)
}

// serve runs svnserve for the repository, with write access for everybody,
// until the test ends.
func (s *sandbox) serve() {
	s.t.Helper()
	if _, found := run.Look("svnserve"); !found {
		s.t.Skip("needs the program svnserve")
	}
	conf := filepath.Join(s.dir, "repo/conf/svnserve.conf")
	if err := os.WriteFile(conf, []byte("[general]\nanon-access = write\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	free.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = run.Output(ctx, run.Command{Args: []string{"svnserve", "--daemon", "--foreground",
			"--listen-host", "127.0.0.1", "--listen-port", strconv.Itoa(address.Port), "--root", s.dir}})
	}()
	s.t.Cleanup(func() { cancel(); <-ended })
	for range 100 {
		if c, err := net.Dial("tcp", address.String()); err == nil {
			c.Close()
			s.url = fmt.Sprintf("svn://%s/repo", address)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatal("svnserve does not answer")
}

// tree describes every path below one, by path: kind, mode, owner, group,
// ACLs, attributes, content or target. Owners stand by name where the machine
// knows one. Subversion's and rootwc's own directories are left out.
func (m *machine) tree(below string) map[string]string {
	m.t.Helper()
	return describe(m.t, m.path(below), m.names("etc/passwd"), m.names("etc/group"), false)
}

// names maps the numbers of a table to its names.
func (m *machine) names(table string) map[uint32]string {
	names := map[uint32]string{}
	if info, err := os.Lstat(m.path(table)); err != nil || !info.Mode().IsRegular() {
		return names
	}
	text, _ := os.ReadFile(m.path(table))
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 2 {
			if id, err := strconv.ParseUint(f[2], 10, 32); err == nil {
				names[uint32(id)] = f[0]
			}
		}
	}
	return names
}

// describe is tree for any directory; with times every path says when it
// changed.
func describe(t *testing.T, root string, users, groups map[uint32]string, times bool) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if !times && (d.Name() == ".svn" || strings.HasSuffix(name, "/var/lib/rootwc")) {
			return fs.SkipDir
		}
		if found[rel], err = describeOne(name, users, groups, times); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func label(names map[uint32]string, id uint32) string {
	if name := names[id]; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}

func describeOne(name string, users, groups map[uint32]string, times bool) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "type %02o mode %04o %s:%s", st.Mode>>12, st.Mode&0o7777, label(users, st.Uid), label(groups, st.Gid))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if len(text) > 60 {
			text = fmt.Appendf(nil, "%d bytes, %x", len(text), sha256.Sum256(text))
		}
		fmt.Fprintf(&b, " content %q", text)
	case unix.S_IFLNK:
		to, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, " to %q", to)
	}
	if times {
		fmt.Fprintf(&b, " inode %d modified %d.%09d", st.Ino, st.Mtim.Sec, st.Mtim.Nsec)
	}
	return b.String() + attributes(name, users, groups), nil
}

// attributes lists the extended attributes; ACLs with names for the numbers.
func attributes(name string, users, groups map[uint32]string) string {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(name, buf)
	if err != nil || n == 0 {
		return ""
	}
	list := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	sort.Strings(list)
	var b strings.Builder
	for _, attr := range list {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(name, attr, value)
		if err != nil {
			continue
		}
		if strings.HasPrefix(attr, "system.posix_acl_") {
			fmt.Fprintf(&b, " %s=%s", attr, aclWords(value[4:n], users, groups))
			continue
		}
		fmt.Fprintf(&b, " %s=%q", attr, value[:n])
	}
	return b.String()
}

// aclWords reads the entries of linux/posix_acl_xattr.h.
func aclWords(b []byte, users, groups map[uint32]string) string {
	var words []string
	for ; len(b) >= 8; b = b[8:] {
		tag, perm := uint16(b[0])|uint16(b[1])<<8, uint16(b[2])|uint16(b[3])<<8
		id := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24
		who := ""
		switch tag {
		case 0x02:
			who = label(users, id)
		case 0x08:
			who = label(groups, id)
		}
		words = append(words, fmt.Sprintf("%02x:%s:%o", tag, who, perm))
	}
	sort.Strings(words)
	return strings.Join(words, ",")
}

// sameTrees says every path in which two descriptions differ.
func sameTrees(t *testing.T, when string, want, got map[string]string) {
	t.Helper()
	if d := differences(want, got); len(d) > 0 {
		t.Errorf("%s: %d paths differ\n%s", when, len(d), strings.Join(d, "\n"))
	}
}

func differences(want, got map[string]string) []string {
	var d []string
	for p, w := range want {
		switch g, there := got[p]; {
		case !there:
			d = append(d, fmt.Sprintf("%q is missing, want %s", p, w))
		case g != w:
			d = append(d, fmt.Sprintf("%q\n   is %s\n want %s", p, g, w))
		}
	}
	for p, g := range got {
		if _, there := want[p]; !there {
			d = append(d, fmt.Sprintf("%q is there, want nothing: %s", p, g))
		}
	}
	sort.Strings(d)
	return d
}
