package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootwc/internal/fault"
	"rootwc/internal/run"
)

// homes are the externals of bob's home, and what his repository delivers to
// write elsewhere: symlinks, and externals below them.
func (h *hostile) homes() {
	h.t.Helper()
	h.base()
	must(h.t, h.dir, "svnadmin", "create", "homes")
	h.serve()
	must(h.t, h.dir, "cp", "repo/conf/svnserve.conf", "homes/conf/svnserve.conf")
	own := map[string]string{"svn:owner": "1234 bob", "svn:group": "1234 bob"}
	with := func(externals string) map[string]string {
		all := maps.Clone(own)
		all["svn:externals"] = externals
		return all
	}
	nodes := []node{
		{path: "more", dir: true, props: own}, {path: "more/f", text: "more\n", props: own}, {path: "more/passwd", text: "bob::0:0::/:/bin/sh\n", props: own},
		{path: "bob", dir: true, props: with("^/more proj\n^/more d/in\n^/more up/x\n^/more/passwd up/passwd\n^/more deep/er/and/deeper\n")},
		{path: "bob/d", dir: true, props: own}, {path: "bob/e", text: "good\n", props: own},
		{path: "bob/up", props: map[string]string{"svn:special": "*"}, text: "link ../../etc"},
	}
	for i := range 40 {
		nodes = append(nodes, node{path: fmt.Sprintf("bob/d/passwd%d", i), text: "good\n", props: own})
	}
	h.load("homes", "", nodes...)
	url := strings.TrimSuffix(h.url, "/repo") + "/homes"
	h.load("repo", hostPath, node{path: "home", dir: true, props: map[string]string{"svn:externals": url + "/bob bob\n"}})
	h.m2.shell("mkdir -p home/bob; chown 1234:1234 home/bob; mkdir etc/d etc/proj etc/deep; echo private >etc/private; chmod 0600 etc/private")
}

// asBob is a shell command with bob's rights.
func asBob(script string) []string {
	return []string{"setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "/bin/sh", "-c", "cd home/bob && " + script}
}

// etc is what is in the machine's etc, to the inode and the time. The tables of
// users come with the root's own working copy.
func (h *hostile) etc() map[string]string {
	h.t.Helper()
	all := fullListing(h.t, h.m2)
	maps.DeleteFunc(all, func(path, _ string) bool {
		return !strings.HasPrefix(path, "etc/") || path == "etc/passwd" || path == "etc/group"
	})
	return all
}

// unharmed says that nothing outside bob's home has changed.
func (h *hostile) unharmed(when string, etc map[string]string) {
	h.t.Helper()
	h.safe(when)
	sameTrees(h.t, when+": etc", etc, h.etc())
	if now := h.m2.read("etc/passwd"); now != h.m1.read("etc/passwd") {
		h.t.Errorf("%s: etc/passwd is %q", when, now)
	}
}

// bobsTricks lead directories of bob's home to etc, as bob can do it.
var bobsTricks = []string{
	"ln -s ../../etc proj",
	"ln -s ../../etc d",
	"mkdir -p d; ln -s ../../../etc d/in",
	"mkdir deep; ln -s ../../../etc deep/er",
	"ln -s ../../etc deep; ln -s ../../etc up",
	"ln -s ../../etc .rootwc-x; ln -s ../../etc .svn",
}

// TestHomeLeadsElsewhere: bob has his home lead to etc before a materialize, or
// after it was killed at each point.
func TestHomeLeadsElsewhere(t *testing.T) {
	needs(t, "svnlook", "svnserve", "setpriv")
	t.Parallel()
	h := newHostile(t)
	h.homes()
	program := faultProgram(t)
	must(t, h.dir, "cp", "-a", "m2", "fresh")
	for i, trick := range bobsTricks {
		for k, point := range append([]string{""}, fault.Points...) {
			if point != "" && k%len(bobsTricks) != i { // each point with one trick
				continue
			}
			t.Run(fmt.Sprintf("trick %d %s", i, point), func(t *testing.T) {
				h := h.within(t)
				h.again()
				if point != "" { // the second time, which is in bob's home where the root's checkout was the first
					env := []string{"ROOTWC_FAULT=" + point + ":2"}
					start(t, run.Command{Args: []string{program, "--root", h.m2.root, "materialize", h.host()}, Env: env})
				}
				etc := h.etc()
				start(t, run.Command{Args: asBob("rm -rf proj d deep up; " + trick), Dir: h.m2.root})
				for range 2 {
					h.answered(h.m2.run("materialize", h.host()), partly, "home/bob")
				}
				h.answered(h.m2.run("update"), anyOrderly, "")
				h.unharmed(trick, etc)
			})
		}
	}
}

// partly is the status where bob's tricks cost him an external.
var partly = []int{4}

// again puts the fresh machine up.
func (h *hostile) again() {
	h.t.Helper()
	must(h.t, h.dir, "rm", "-rf", "m2")
	must(h.t, h.dir, "cp", "-a", "fresh", "m2")
}

// TestHomeLeadsElsewhereMeanwhile: bob swaps directories for symlinks to etc
// and back while root's materialize is at work.
func TestHomeLeadsElsewhereMeanwhile(t *testing.T) {
	needs(t, "svnlook", "svnserve", "setpriv")
	t.Parallel()
	h := newHostile(t)
	h.homes()
	must(t, h.dir, "cp", "-a", "m2", "fresh")
	for round := range faultRuns(6) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			h := h.within(t)
			h.again()
			etc := h.etc()
			args := asBob(`while :; do for p in proj d deep; do
				mkdir -p $p; mv $p $p.old; ln -s ../../etc $p; rm $p; mv $p.old $p; done; done 2>/dev/null`)
			bob := exec.CommandContext(t.Context(), args[0], args[1:]...)
			bob.Dir, bob.SysProcAttr = h.m2.root, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			if err := bob.Start(); err != nil {
				t.Fatal(err)
			}
			for _, verb := range [][]string{{"materialize", h.host()}, {"update"}} {
				if a := h.m2.run(verb...); a.status > 4 || a.status == 1 || strings.Contains(a.stderr, "goroutine ") { // paths may be gone under its feet
					t.Errorf("%v", a)
				}
			}
			if err := syscall.Kill(-bob.Process.Pid, syscall.SIGKILL); err != nil {
				t.Errorf("bob did nothing: %v", err)
			}
			_ = bob.Wait()
			h.unharmed("meanwhile", etc)
		})
	}
}

// TestMaterializeTwice: a second run, without a terminal, writes nothing.
func TestMaterializeTwice(t *testing.T) {
	needs(t, "svnlook", "svnserve")
	t.Parallel()
	h := newHostile(t)
	h.homes()
	m := h.m2
	m.shell("mkdir -p home/bob/deep")
	must(t, m.root, "chown", "-R", "1234:1234", "home/bob")
	if a := m.run("materialize", h.host()); a.status != 4 { // for what leads up
		t.Fatalf("%v", a)
	}
	h.load("homes", "", node{path: "bob", action: "change", dir: true, props: map[string]string{"svn:owner": "1234 bob", "svn:group": "1234 bob", "svn:externals": "^/more proj\n^/more d/in\n^/more/passwd file\n^/more deep/er/and/deeper\n"}})
	m.ok("update")
	m.ok("materialize", h.host())
	if !m.exists("home/bob/deep/er/and/deeper/f") || m.read("home/bob/file") != "bob::0:0::/:/bin/sh\n" {
		t.Fatal("the externals are not here")
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // until file times can be trusted
	m.ok("status")                                                            // which keeps what it has found out
	everything := func() map[string]string {
		all := map[string]string{}
		err := filepath.WalkDir(m.root, func(path string, d os.DirEntry, err error) error {
			if err != nil || path == m.path("var/lib/rootwc/lock") {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			all[path] = fmt.Sprint(st.Ino, st.Mode, st.Uid, st.Gid, st.Size, st.Mtim, st.Ctim)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := everything()
	for _, verb := range [][]string{{"materialize", h.host()}, {"materialize"}, {"update"}} {
		if a := m.run(verb...); a.status != 0 || a.stderr != "" {
			t.Errorf("%v", a)
		}
		sameTrees(t, strings.Join(verb, " "), before, everything())
	}
}
