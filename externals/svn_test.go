package externals

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sandbox holds two repositories, "one" and "two", with directories to point
// externals at, and runs Subversion's programs apart from the user's settings.
type sandbox struct {
	t   *testing.T
	dir string
}

// newSandbox skips the test where Subversion is not installed.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	for _, program := range []string{"svn", "svnadmin"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("compares with the real Subversion, and %s is not installed", program)
		}
	}
	if testing.Short() {
		t.Skip("starts svn about two hundred times")
	}
	s := &sandbox{t: t, dir: t.TempDir()}
	for _, name := range []string{"one", "two"} {
		s.must("svnadmin", "create", filepath.Join(s.dir, name))
		url := s.repo("file://", name)
		s.must("svn", "mkdir", "-q", "-m", "first", url+"/trunk", url+"/lib", url+"/a b", url+"/a@b@", url+"/%5Bx;y%5D~")
		s.must("svn", "mkdir", "-q", "-m", "second", url+"/lib/sub", url+"/trunk/lib", url+"/trunk/etc")
	}
	return s
}

// repo returns the URL of a repository; server is "file://" or "svn://HOST".
func (s *sandbox) repo(server, name string) string {
	if server == "file://" {
		return server + filepath.Join(s.dir, name)
	}
	return server + "/" + name
}

// run starts a program and returns what it printed, both streams.
func (s *sandbox) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if program == "svn" {
		args = append([]string{"--non-interactive", "--config-dir", filepath.Join(s.dir, "config")}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C.UTF-8", "TZ=UTC"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (s *sandbox) must(program string, args ...string) string {
	s.t.Helper()
	out, err := s.run(program, args...)
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return out
}

// propset sets svn:externals on a directory and returns svn's output.
func (s *sandbox) propset(dir, value string) (string, error) {
	file := filepath.Join(s.dir, "value")
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.run("svn", "propset", "-q", "svn:externals", "-F", file, dir)
}

// infoEntry is one entry of "svn info --xml".
type infoEntry struct {
	Path     string `xml:"path,attr"`
	Revision string `xml:"revision,attr"`
	URL      string `xml:"url"`
}

// info asks for several working copy paths at once.
func (s *sandbox) info(paths ...string) []infoEntry {
	s.t.Helper()
	args := []string{"info", "--xml", "--"}
	for _, p := range paths {
		args = append(args, p+"@")
	}
	var doc struct {
		Entries []infoEntry `xml:"entry"`
	}
	if err := xml.Unmarshal([]byte(s.must("svn", args...)), &doc); err != nil || len(doc.Entries) != len(paths) {
		s.t.Fatalf("svn info: %d entries for %d paths: %v", len(doc.Entries), len(paths), err)
	}
	return doc.Entries
}

// serve starts svnserve on a free loopback port until the test ends.
func (s *sandbox) serve() (server string) {
	if _, err := exec.LookPath("svnserve"); err != nil {
		s.t.Skip("compares with the real Subversion, and svnserve is not installed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Skipf("no loopback network: %v", err)
	}
	address := listener.Addr().String()
	listener.Close()
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(s.t.Context(), "svnserve", "--daemon", "--foreground", "--root", s.dir,
		"--listen-host", host, "--listen-port", port)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 100 {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			conn.Close()
			return "svn://" + address
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("svnserve does not answer on %s", address)
	return ""
}

// TestAgainstSVN sets every value of the table with the real svn, which must
// take and refuse what the table says, and then lets "svn update" check out
// what Parse accepted: it must come up at Path and from the URL of Resolve.
func TestAgainstSVN(t *testing.T) {
	s := newSandbox(t)
	for _, server := range []string{"file://", s.serve()} {
		scheme, _, _ := strings.Cut(server, ":")
		t.Run(scheme, func(t *testing.T) {
			sub := &sandbox{t: t, dir: s.dir}
			sub.compare(server)
		})
	}
}

func (s *sandbox) compare(server string) {
	scheme, _, _ := strings.Cut(server, ":")
	root, wc := s.repo(server, "one"), filepath.Join(s.dir, "wc-"+scheme)
	s.must("svn", "checkout", "-q", root+"/trunk", wc)
	var paths, want []string
	for i, c := range parseCases {
		value := fill(c.value, root)
		dir := fmt.Sprintf("case%03d", i)
		s.must("svn", "mkdir", "-q", filepath.Join(wc, dir))
		out, err := s.propset(filepath.Join(wc, dir), value)
		if c.svn == "" && err != nil || c.svn != "" && !strings.Contains(out, c.svn) {
			s.t.Errorf("svn propset of %q: %s, want %q", value, out, c.svn)
		}
		d, parseErr := Parse(dir, value)
		if err == nil && parseErr != nil {
			// Refused by us alone: svn must not be left with something to do.
			s.must("svn", "propdel", "-q", "svn:externals", filepath.Join(wc, dir))
		}
		if err != nil || parseErr != nil {
			continue
		}
		for _, def := range d.All() {
			url, err := Resolve(def, root, root+"/trunk/"+dir)
			if err != nil {
				s.t.Errorf("Resolve(%q): %v", value, err)
			}
			paths = append(paths, filepath.Join(wc, def.Path()))
			want = append(want, url)
		}
	}
	if out, err := s.run("svn", "update", wc); err != nil {
		s.t.Fatalf("svn update: %v\n%s", err, out)
	}
	for i, entry := range s.info(paths...) {
		if entry.URL != want[i] {
			s.t.Errorf("%s: svn has %s, Resolve says %s", paths[i], entry.URL, want[i])
		}
	}
}
