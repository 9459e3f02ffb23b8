package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rootwc/internal/run"
	"rootwc/system"
)

// world is a machine's root, and repositories beside it.
type world struct {
	t    *testing.T
	dir  string
	room *Room
}

func newWorld(t *testing.T) *world {
	t.Helper()
	need(t, "rsync")
	w := &world{t: t, dir: t.TempDir()}
	for _, dir := range []string{"root", "state", "server", "config"} {
		w.must(os.Mkdir(filepath.Join(w.dir, dir), 0o755))
	}
	root, err := os.OpenRoot(filepath.Join(w.dir, "root"))
	w.must(err)
	t.Cleanup(func() { root.Close() })
	w.room = &Room{
		Root: root, State: filepath.Join(w.dir, "state"),
		Owner: func(fs.FileInfo) *run.User { return nil },
		Warn:  func(format string, args ...any) { t.Logf("warning: "+format, args...) },
		Svn: func(ctx context.Context, c run.Command) ([]byte, error) {
			c.Args = append([]string{c.Args[0], c.Args[1], "--non-interactive", "--config-dir", filepath.Join(w.dir, "config")}, c.Args[2:]...)
			out, _, err := run.Output(ctx, c)
			return out, err
		},
	}
	return w
}

// need skips a test for which a program is missing; "make deps" installs it.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, found := run.Look(p); !found {
			t.Skipf("needs the program %s", p)
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// exec runs a program that has to succeed.
func (w *world) exec(args ...string) string {
	w.t.Helper()
	out, _, err := run.Output(w.t.Context(), run.Command{Args: args, Dir: w.dir})
	w.must(err)
	return string(out)
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

// tree is what is in a directory: paths with contents, as "a=A long/x=X".
func (w *world) tree(dir string) string {
	w.t.Helper()
	files := map[string]string{}
	w.must(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case errors.Is(err, fs.ErrNotExist) && p == dir:
			return nil
		case err != nil:
			return err
		case d.IsDir() && (owned(d.Name()) || d.Name() == ".svn" || d.Name() == ".git"):
			return fs.SkipDir
		case d.Type().IsRegular():
			text, err := os.ReadFile(p)
			files[rel] = string(text)
			return err
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			files[rel] = "->" + to
			return err
		}
		return nil
	}))
	return words(files)
}

func words(files map[string]string) string {
	var list []string
	for _, p := range slices.Sorted(maps.Keys(files)) {
		list = append(list, p+"="+files[p])
	}
	return strings.Join(list, " ")
}

// write makes files of "a=A long/x=X" below dir. Their times lie back, so that
// a later change has another one.
func (w *world) write(dir, spec string) {
	w.t.Helper()
	for f := range strings.FieldsSeq(spec) {
		name, content, _ := strings.Cut(f, "=")
		p := filepath.Join(dir, name)
		w.must(os.MkdirAll(filepath.Dir(p), 0o755))
		w.must(os.WriteFile(p, []byte(content), 0o644))
		w.must(os.Chtimes(p, time.Time{}, time.Now().Add(-time.Hour)))
	}
}

// do carries out an action and returns the status that rootwc would exit with.
func (w *world) do(action Action, d system.Dataset, opt Options) (*Report, int) {
	w.t.Helper()
	r, err := w.room.Do(w.t.Context(), action, d, opt)
	status := 0
	if err != nil {
		status = 2
		var known interface{ ExitCode() int }
		if errors.As(err, &known) {
			status = known.ExitCode()
		}
		w.t.Logf("%s %s: %v", action, d.Path, err)
	}
	return r, status
}

// repository is a kind of repository under test.
type repository interface {
	address(name string) string // as the description has it
	put(name, spec string)      // makes it, or adds to it
	tree(name string) string    // what it holds; "" when it is not there
	link(path, to string)       // makes a direct dataset
}

// vfs is a directory, on this machine or on a host.
type vfs struct {
	*world
	host string // "" for this machine
}

func (v vfs) address(name string) string {
	if v.host != "" {
		return "vfs:" + v.host + ":" + v.path("server", name)
	}
	return "vfs:" + v.path("server", name)
}
func (v vfs) put(name, spec string)   { v.write(v.path("server", name), spec) }
func (v vfs) tree(name string) string { return v.world.tree(v.path("server", name)) }
func (v vfs) link(path, to string) {
	v.must(os.Symlink(v.path("server", to), v.path("root", path)))
}

// svnServer is an svnserve.
type svnServer struct {
	*world
	url   string
	known map[string]bool // directories that are there
}

func (s svnServer) address(name string) string { return "svn:" + s.url + "/" + name }
func (s svnServer) link(path, to string)       {}

func (s svnServer) put(name, spec string) {
	s.t.Helper()
	tmp := s.t.TempDir()
	s.write(tmp, spec)
	args := []string{"svnmucc", "-m", "put", "-U", s.url}
	made := map[string]bool{".": true}
	for f := range strings.FieldsSeq(spec) {
		rel, _, _ := strings.Cut(f, "=")
		for _, dir := range []string{name, filepath.Join(name, filepath.Dir(rel))} {
			if !made[dir] && !s.known[dir] {
				args = append(args, "mkdir", dir)
			}
			made[dir], s.known[dir] = true, true
		}
		args = append(args, "put", filepath.Join(tmp, rel), name+"/"+rel)
	}
	s.exec(args...)
}

func (s svnServer) tree(name string) string {
	s.t.Helper()
	tmp := filepath.Join(s.t.TempDir(), "x")
	_, _, err := run.Output(s.t.Context(), run.Command{Args: []string{"svn", "export", "-q", s.url + "/" + name, tmp}})
	if err != nil && !strings.Contains(err.Error(), "E170000") { // no such path
		s.t.Fatal(err)
	}
	return s.world.tree(tmp)
}

// serveSvn starts svnserve on a free loopback port until the test ends.
func serveSvn(w *world) svnServer {
	w.t.Helper()
	need(w.t, "svn", "svnadmin", "svnserve", "svnmucc")
	w.exec("svnadmin", "create", "repo")
	w.must(os.WriteFile(w.path("repo/conf/svnserve.conf"), []byte("[general]\nanon-access = write\n"), 0o644))
	port := freePort(w.t)
	w.serve("svnserve", "--daemon", "--foreground", "--root", w.dir, "--listen-host", "127.0.0.1", "--listen-port", port)
	w.await("127.0.0.1:" + port)
	return svnServer{w, "svn://127.0.0.1:" + port + "/repo", map[string]bool{}}
}

// serveSSH starts an sshd of its own on a free loopback port until the test
// ends, and puts an ssh that knows its keys first on PATH.
func serveSSH(w *world) vfs {
	w.t.Helper()
	need(w.t, "ssh", "ssh-keygen", "sshd")
	sshd, _ := run.Look("sshd")
	ssh, _ := run.Look("ssh")
	keys := w.path("keys")
	w.must(os.Mkdir(keys, 0o700))
	for _, name := range []string{"host", "user"} {
		w.exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(keys, name))
	}
	w.exec("cp", filepath.Join(keys, "user.pub"), filepath.Join(keys, "authorized"))
	if os.Geteuid() == 0 {
		w.must(os.MkdirAll("/run/sshd", 0o755)) // sshd(8) wants it for privilege separation
	}
	port := freePort(w.t)
	server := fmt.Sprintf("ListenAddress 127.0.0.1:%s\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\nStrictModes no\nPermitRootLogin yes\nPidFile none\nUsePAM %s\nPasswordAuthentication no\n",
		port, keys, keys, map[bool]string{true: "yes", false: "no"}[os.Geteuid() == 0])
	client := fmt.Sprintf("Host box\nHostName 127.0.0.1\nPort %s\nIdentityFile %s/user\nIdentitiesOnly yes\nUserKnownHostsFile %s/known\nStrictHostKeyChecking accept-new\nLogLevel ERROR\nControlMaster auto\nControlPath %s/master\nControlPersist 60\n", port, keys, keys, keys)
	w.must(os.WriteFile(filepath.Join(keys, "sshd_config"), []byte(server), 0o600))
	w.must(os.WriteFile(filepath.Join(keys, "ssh_config"), []byte(client), 0o600))
	w.must(os.Mkdir(w.path("bin"), 0o755))
	w.must(os.WriteFile(w.path("bin/ssh"), fmt.Appendf(nil, "#!/bin/sh\nexec %s -F %s/ssh_config \"$@\"\n", ssh, keys), 0o755))
	w.t.Setenv("PATH", w.path("bin")+":"+os.Getenv("PATH"))
	w.serve(sshd, "-D", "-e", "-f", filepath.Join(keys, "sshd_config"))
	w.await("127.0.0.1:" + port)
	w.t.Cleanup(func() { // one login for all
		_, _, _ = run.Output(context.Background(), run.Command{Args: []string{"ssh", "-O", "exit", "box"}})
	})
	if _, _, err := run.Output(w.t.Context(), run.Command{Args: []string{"ssh", "-oBatchMode=yes", "box", "true"}}); err != nil {
		w.t.Skipf("cannot log in to the sshd of the test: %v", err)
	}
	return vfs{w, "box"}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serve runs a server until the test ends.
func (w *world) serve(args ...string) {
	w.t.Helper()
	log, err := os.Create(w.path("server.log"))
	w.must(err)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	w.must(cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
}

// await waits until a server answers.
func (w *world) await(address string) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(w.path("server.log"))
			w.t.Fatalf("no server on %s: %v\n%s", address, err, text)
		}
	}
}
