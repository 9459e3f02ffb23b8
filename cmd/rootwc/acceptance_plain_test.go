package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// empty is a root with nothing in it but what its machine needs.
func emptyMachine(t *testing.T, dir string) *machine {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &machine{t: t, root: dir}
}

// properties are all properties in the repository, sorted by path.
func (s *sandbox) properties() string {
	s.t.Helper()
	nodes := strings.Split(s.svn(s.dir, "proplist", "-v", "-R", s.host()), "Properties on ")
	slices.Sort(nodes)
	return strings.Join(nodes, "")
}

// TestPlainImport checks out what plain svn has imported.
func TestPlainImport(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	shell(t, s.dir, `mkdir -p tree/etc/init.d tree/etc/empty tree/usr/bin; cd tree
		echo text >etc/text; printf '#!/bin/sh\n' >usr/bin/tool; chmod 0755 usr/bin/tool
		printf '#!/bin/sh\n' >etc/init.d/x; chmod 0700 etc/init.d/x; echo secret >etc/secret; chmod 0600 etc/secret
		ln -s text etc/link; ln -s /nowhere etc/dangling; ln -s usr/bin bin
		printf 'one\r\ntwo\r\n' >etc/crlf; printf 'one\ntwo\n' >etc/native; printf 'x\000y' >etc/binary; cp etc/binary etc/x.png
		printf '# $Id$ $Revision$\n# $Date:: $\n' >etc/keywords; : >etc/nothing`)
	s.svn(s.dir, "import", "-q", "--no-ignore", "-m", "imported", "tree", s.host())
	s.svn(s.dir, "co", "-q", s.host(), "plain")
	s.svn(filepath.Join(s.dir, "plain"), "propset", "-q", "svn:eol-style", "native", "etc/native")
	s.svn(filepath.Join(s.dir, "plain"), "propset", "-q", "svn:eol-style", "CRLF", "etc/crlf")
	s.svn(filepath.Join(s.dir, "plain"), "propset", "-q", "svn:keywords", "Id Revision Date", "etc/keywords")
	s.svn(filepath.Join(s.dir, "plain"), "propset", "-q", "svn:mime-type", "image/png", "etc/x.png")
	s.svn(filepath.Join(s.dir, "plain"), "commit", "-q", "-m", "properties")

	m := emptyMachine(t, filepath.Join(s.dir, "m3"))
	m.quiet("materialize", s.host())
	m.clean("after materialize")
	for path, want := range map[string]uint32{"etc": 0o755, "etc/empty": 0o755, "etc/text": 0o644, "usr/bin/tool": 0o755, "etc/init.d/x": 0o755, "etc/secret": 0o644, "etc/nothing": 0o644, ".svn": 0o700} {
		if got := m.mode(path); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
	for path, want := range map[string]string{"etc/crlf": "one\r\ntwo\r\n", "etc/native": "one\ntwo\n", "etc/binary": "x\x00y", "etc/nothing": ""} {
		if got := m.read(path); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	if to, _ := os.Readlink(m.path("etc/link")); to != "text" {
		t.Errorf("etc/link leads to %q", to)
	}
	if text := m.read("etc/keywords"); !strings.Contains(text, "$Id: keywords 2 ") || !strings.Contains(text, "$Revision: 2 $") {
		t.Errorf("keywords: %s", text)
	}

	before := s.properties()
	m.write("etc/text", "other\n")
	m.write("etc/native", "one\ntwo\nthree\n")
	m.write("etc/crlf", "one\r\ntwo\r\nthree\r\n")
	if lines := m.run("status").lines(); len(lines) != 3 {
		t.Errorf("three lines wanted: %q", lines)
	}
	m.quiet("commit", "-m", "three files")
	m.clean("after the commit")
	if after := s.properties(); after != before {
		t.Errorf("properties before:\n%s\nafter:\n%s", before, after)
	}
	if changed := s.svn(s.dir, "diff", "--summarize", "-c", "3", s.host()); strings.Count(changed, "\n") != 3 {
		t.Errorf("the commit changed:\n%s", changed)
	}
	s.svn(filepath.Join(s.dir, "plain"), "update", "-q")
	if text, _ := os.ReadFile(filepath.Join(s.dir, "plain/etc/text")); string(text) != "other\n" {
		t.Errorf("plain svn gets %q", text)
	}
}

// TestTreeOfFSVS checks out a tree with FSVS's four properties on every entry,
// where they are the defaults as well.
func TestTreeOfFSVS(t *testing.T) {
	needs(t, "svnlook")
	t.Parallel()
	h := newHostile(t)
	meta := func(owner, group, mode string) map[string]string {
		return map[string]string{"svn:owner": owner, "svn:group": group, "svn:unix-mode": mode, "svn:text-time": "2008-08-07T07:38:51.008782Z"}
	}
	with := func(props map[string]string, name, value string) map[string]string { props[name] = value; return props }
	must(t, h.dir, "svn", "mkdir", "-q", "--parents", "-m", "host", h.host())
	const root, anna = "0 root", "1001 anna"
	h.load("repo", hostPath,
		node{path: "etc", dir: true, props: meta(root, root, "0755")},
		node{path: "etc/passwd", text: h.m1.read("etc/passwd"), props: meta(root, root, "0644")},
		node{path: "etc/group", text: h.m1.read("etc/group"), props: meta(root, root, "0644")},
		node{path: "etc/default", text: "x\n", props: meta(root, root, "0644")},
		node{path: "etc/open", text: "x\n", props: meta(root, root, "644")},
		node{path: "etc/closed", text: "x\n", props: meta(root, "50 staff", "0640")},
		node{path: "etc/tool", text: "x\n", props: meta(root, root, "0755")}, // FSVS needs no svn:executable
		node{path: "etc/tool2", text: "x\n", props: with(meta(root, root, "04755"), "svn:executable", "*")},
		node{path: "etc/annas", text: "x\n", props: meta(anna, anna, "0600")},
		node{path: "etc/unknown", text: "x\n", props: meta("4711 nobody-here", "4711", "0644")},
		node{path: "etc/link", text: "link default", props: with(meta(anna, anna, "0777"), "svn:special", "*")},
		node{path: "etc/md5", text: "x\n", props: with(meta(root, root, "0644"), "fsvs:md5", "x")},
		node{path: "etc/tmp", dir: true, props: meta(root, root, "01777")},
		node{path: "etc/empty", dir: true, props: meta(anna, anna, "0700")})
	m := emptyMachine(t, filepath.Join(h.dir, "m3"))
	a := m.run("materialize", h.host())
	if a.status != 0 {
		t.Fatalf("%v", a)
	}
	if out := m.run("status"); out.status != 0 || out.stdout != "" {
		t.Errorf("status after materialize: %v", out)
	}
	for path, want := range map[string]string{
		"etc/default": "644 root root", "etc/open": "644 root root", "etc/closed": "640 root 50", "etc/tool": "755 root root", "etc/tool2": "4755 root root",
		"etc/annas": "600 1001 1001", "etc/unknown": "644 4711 4711", "etc/link": "777 1001 1001", "etc/tmp": "1777 root root", "etc/empty": "700 1001 1001",
	} {
		want = strings.ReplaceAll(want, "root", "0")
		if got := strings.TrimSpace(must(t, m.root, "stat", "-c", "%a %u %g", path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	before := h.properties()
	m.write("etc/default", "other\n")
	m.ok("commit", "-m", "one file")
	if changed := h.svn(h.dir, "diff", "--summarize", "-c", "3", h.host()); strings.Count(changed, "\n") != 1 {
		t.Errorf("the commit changed:\n%s", changed)
	}
	if after := h.properties(); before != after {
		t.Errorf("properties before:\n%s\nafter:\n%s", before, after)
	}
	m.shell("chmod 0600 etc/open")
	m.ok("commit", "-m", "mode")
	if out := m.run("status"); out.stdout != "" {
		t.Errorf("status after the commit: %v", out)
	}
	if changed := h.svn(h.dir, "diff", "--summarize", "-c", "4", h.host()); strings.Count(changed, "\n") != 1 || !strings.HasPrefix(changed, " M") {
		t.Errorf("the second commit changed:\n%s", changed)
	}
}

// living is a pair whose first machine has metadata for plain svn to destroy.
func living(t *testing.T) *sandbox {
	t.Helper()
	needs(t, "setfacl", "setfattr", "setcap")
	s := newSandbox(t)
	s.pair(`mkdir d; for f in plain owned closed acl xattr tool d/f; do echo $f >$f; done
		chown 1001:50 owned; chmod 0600 closed; setfacl -m u:1001:rw acl; setfattr -n user.note -v hello xattr
		chmod 0755 tool; setcap cap_net_raw=ep tool; chown 1001 d; chmod 2750 d; ln -s plain link; chown -h 1001 link`)
	return s
}

// live runs plain svn in the first machine's root, with an ordinary umask.
func (s *sandbox) live(script string) {
	s.t.Helper()
	s.m1.shell(fmt.Sprintf("svn() { command svn --non-interactive --username plain --config-dir %s \"$@\"; }; %s", run.Quote([]string{filepath.Join(s.dir, "svn-config")}), script))
}

// TestPlainSvnDestroysMetadata: status names it, repair restores it.
func TestPlainSvnDestroysMetadata(t *testing.T) {
	t.Parallel()
	all := "srv/acl srv/closed srv/owned srv/tool srv/xattr"
	for _, c := range []struct {
		name, elsewhere, here string
		lost                  string // paths with lost metadata, sorted
	}{
		{"update", "for f in plain owned closed acl xattr tool; do echo news >>srv/$f; done; setcap cap_net_raw=ep srv/tool", "svn update -q", all},
		{"revert", "", "for f in plain owned closed acl xattr tool; do echo mine >>srv/$f; done; rm srv/owned srv/closed srv/acl srv/xattr srv/tool; svn revert -q -R .", all},
		{"update of a link", "ln -sfn owned srv/link; chown -h 2001 srv/link", "svn update -q", "srv/link"},
		{"revert of a directory", "", "rm -r srv/d; svn revert -q -R .", "srv/d"},
		{"update to before and back", "echo news >>srv/owned", "svn update -q; svn update -q -r 2; svn update -q", "srv/owned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := living(t)
			want := s.m1.tree("srv")
			if c.elsewhere != "" {
				s.m2.shell(c.elsewhere)
				s.m2.quiet("commit", "-m", "elsewhere")
				want = s.m2.tree("srv")
			}
			s.live(c.here)
			var lost []string
			a := s.m1.run("status")
			for _, line := range a.lines() {
				lost = append(lost, strings.Fields(line)[1])
				if !strings.HasPrefix(line, "M ") || !strings.Contains(line, " -> ") {
					t.Errorf("status says %q", line)
				}
			}
			if strings.Join(lost, " ") != c.lost {
				t.Errorf("want %s: %v", c.lost, a)
			}
			if a := s.m1.run("repair", "--check"); a.status != 1 {
				t.Errorf("%v", a)
			}
			if a := s.m1.run("repair"); a.status != 0 {
				t.Errorf("%v", a)
			}
			sameTrees(t, "after repair", want, s.m1.tree("srv"))
			s.m1.clean("after repair")
			if a := s.m1.run("repair", "--check"); a.status != 0 || a.stdout != "" {
				t.Errorf("%v", a)
			}
		})
	}
}

// TestPlainSvnSchedules: commit takes over what plain svn has scheduled, or
// has committed.
func TestPlainSvnSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script string }{
		{"add", "echo new >srv/new; chmod 0640 srv/new; chown 1001 srv/new; svn add -q srv/new"},
		{"add of a directory", "mkdir -p srv/n/m; echo new >srv/n/m/f; chmod 0700 srv/n; svn add -q srv/n"},
		{"add of an executable", "echo new >srv/new; chmod 0755 srv/new; svn add -q srv/new; chmod 0644 srv/new"},
		{"add of a symlink", "ln -s /nowhere srv/new; svn add -q srv/new"},
		{"mv", "svn mv -q srv/owned srv/moved"},
		{"mv and change", "svn mv -q srv/owned srv/moved; echo more >>srv/moved; chmod 0600 srv/moved"},
		{"mv of a directory", "svn mv -q srv/d srv/e"},
		{"mv of a directory and change", "svn mv -q srv/d srv/e; echo more >>srv/e/f; chown 1001 srv/e/f"},
		{"mv of a symlink", "svn mv -q srv/link srv/link2"},
		{"cp", "svn cp -q srv/acl srv/acl2"},
		{"cp of a directory", "svn cp -q srv/d srv/d2"},
		{"cp of a file with capabilities", "svn cp -q srv/tool srv/tool2"},
		{"delete", "svn rm -q srv/owned"},
		{"delete of a directory", "svn rm -q srv/d"},
		{"delete and file again", "svn rm -q srv/owned; echo again >srv/owned; svn add -q srv/owned"},
		{"delete and directory instead", "svn rm -q srv/owned; svn mkdir -q srv/owned"},
		{"mkdir", "svn mkdir -q srv/new"},
		{"propset", "svn propset -q svn:eol-style native srv/plain"},
		{"propset of our own", "svn propset -q svn:unix-mode 0600 srv/plain; chmod 0600 srv/plain"},
		{"propset on a directory", "svn propset -q my:note hello srv/d"},
		{"propdel", "svn propdel -q svn:unix-mode srv/closed; chmod 0644 srv/closed"},
		{"changelist", "echo more >>srv/plain; svn changelist -q mine srv/plain"},
		{"all of it", "svn mv -q srv/owned srv/d/owned; svn rm -q srv/acl; svn cp -q srv/tool srv/tool2; echo new >srv/new; svn add -q srv/new; svn propset -q my:note hello srv/plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := living(t)
			s.live(c.script)
			if a := s.m1.run("status"); a.status != 0 || a.stdout == "" || strings.Contains(a.stdout, "? ") {
				t.Errorf("status: %v", a)
			}
			before := s.m1.tree("srv")
			s.m1.quiet("commit", "-m", "scheduled by plain svn")
			sameTrees(t, "commit changed the live tree", before, s.m1.tree("srv"))
			s.m1.clean("after the commit")
			s.m2.quiet("update")
			s.same("after the update")
			s.m2.clean("after the update")
		})
		t.Run(c.name+", reverted", func(t *testing.T) {
			t.Parallel()
			s := living(t)
			want := s.m1.tree("srv")
			s.live(c.script)
			s.m1.ok("revert", ".")
			s.m1.shell("rm -rf srv/new srv/n srv/moved srv/e srv/link2 srv/acl2 srv/d2 srv/tool2 srv/d/owned") // copies stay, unversioned
			s.live("svn changelist -q -R --remove .")                                                          // as after svn revert
			sameTrees(t, "after the revert", want, s.m1.tree("srv"))
			s.m1.clean("after the revert")
		})
		t.Run(c.name+", committed by plain svn", func(t *testing.T) {
			t.Parallel()
			s := living(t)
			s.live(c.script + "; svn commit -q -m plain")
			s.m1.ok("commit", "-m", "the metadata") // what plain svn did not record
			s.m1.clean("after the commit")
			s.m2.ok("update")
			s.same("after the update")
			s.m2.clean("after the update")
		})
	}
}

// TestAdminDirectoryIsPrivate: .svn is closed, stays closed, and is closed
// again with a warning.
func TestAdminDirectoryIsPrivate(t *testing.T) {
	needs(t)
	t.Parallel()
	s := living(t)
	pristines := func(when string) {
		t.Helper()
		for _, m := range []*machine{s.m1, s.m2} {
			if m.mode(".svn") != 0o700 || m.mode("var/lib/rootwc") != 0o700 {
				t.Errorf("%s: .svn has mode %04o, the state directory %04o", when, m.mode(".svn"), m.mode("var/lib/rootwc"))
			}
			if open := must(t, m.root, "find", ".svn/pristine", ".svn/wc.db", "-type", "f", "-perm", "/077"); open != "" {
				t.Errorf("%s: others can read, but for .svn itself:\n%s", when, open)
			}
		}
	}
	pristines("at first")
	s.m1.write("srv/plain", "news\n")
	s.m1.quiet("commit", "-m", "news")
	s.m2.quiet("update")
	s.m2.write("srv/plain", "mine\n")
	s.m2.quiet("revert", "srv/plain")
	s.m2.ok("restore", "srv/plain", "--at", "2")
	s.m2.ok("revert", ".")
	pristines("after commit, update, revert and restore")
	for _, verb := range [][]string{{"update"}, {"commit", "-m", "x"}, {"revert", "."}, {"repair"}, {"add", "srv/new"}, {"ignore", "srv/x"}} {
		s.m2.write("srv/new", "new\n")
		s.m2.write("srv/plain", fmt.Sprint(verb, "\n"))
		s.m2.shell("chmod 0755 .svn")
		a := s.m2.run(verb...)
		if a.status != 0 || s.m2.mode(".svn") != 0o700 || !strings.Contains(a.stderr, "warning") || !strings.Contains(a.stderr, ".svn") {
			t.Errorf("after chmod 0755 .svn, which has mode %04o now: %v", s.m2.mode(".svn"), a)
		}
	}
	s.m2.shell("chmod 0755 .svn; chmod -R go+rX .svn")
	s.m2.ok("repair")
	if s.m2.mode(".svn") != 0o700 {
		t.Errorf(".svn has mode %04o", s.m2.mode(".svn"))
	}
	// what plain svn makes under an ordinary umask is behind .svn's own mode
	s.live("svn update -q; echo more >>srv/plain; svn commit -q -m plain; svn update -q")
	if s.m1.mode(".svn") != 0o700 {
		t.Errorf("plain svn opened .svn: mode %04o", s.m1.mode(".svn"))
	}
}

// TestPlainSvnBesideAFifo: what svn itself has no word for must not stop it.
func TestPlainSvnBesideAFifo(t *testing.T) {
	t.Parallel()
	s := living(t)
	s.m1.shell("mkfifo srv/fifo")
	s.m1.ok("commit", "--add", "-m", "fifo")
	s.live("echo more >>srv/plain; svn update -q; svn status; svn commit -q -m 'a path' srv/plain")
	s.m1.clean("after a commit of one path")
	// svn has no word for a fifo: a commit of everything stops at it, by name the rest goes
	s.live("echo more >>srv/plain; svn commit -q -m everything 2>&1 | grep -q E145001")
	s.live("svn commit -q -m 'by name' srv/plain")
	s.m1.clean("after a commit by name")
}

// TestKeywordsKeepMetadata: a commit rewrites the live file to expand keywords.
func TestKeywordsKeepMetadata(t *testing.T) {
	needs(t, "setfacl", "setfattr")
	t.Parallel()
	s := newSandbox(t)
	s.pair(`printf '# $Id$\n# $Rev$ $Author$\nx\n' >key; chown 1001:50 key; chmod 0750 key; setfacl -m u:1001:r key; setfattr -n user.note -v hello key
		printf 'one\ntwo\n' >native; chmod 0604 native; chown 1001 native; printf 'one\ntwo\n' >crlf; chmod 0600 crlf`)
	metadata := func() string {
		return s.m1.shell("cd srv; stat -c '%n %a %u %g' key native crlf; getfacl -nc key; getfattr -d key")
	}
	before := metadata()
	s.live("svn propset -q svn:keywords 'Id Rev Author' srv/key; svn propset -q svn:eol-style native srv/native; svn propset -q svn:eol-style CRLF srv/crlf")
	s.m1.ok("commit", "-m", "properties")
	s.m1.clean("after the properties")
	if after := metadata(); after != before {
		t.Errorf("metadata before:\n%s\nafter:\n%s", before, after)
	}
	if text := s.m1.read("srv/key"); !strings.Contains(text, "$Rev: 3 $ $Author: tester $") {
		t.Errorf("keywords are not expanded: %s", text)
	}
	s.m2.quiet("update")
	s.m2.clean("after the properties")
	for i := range 3 {
		for _, m := range []*machine{s.m1, s.m2} {
			m.shell("echo more >>srv/key; echo more >>srv/native")
			text := strings.ReplaceAll(strings.ReplaceAll(m.read("srv/crlf"), "\r\n", "\n"), "\n", "\r\n") + "more\r\n"
			m.write("srv/crlf", text)
			m.shell("chmod 0600 srv/crlf")
			m.quiet("commit", "-m", "more")
			m.clean("after the commit")
			for _, o := range []*machine{s.m1, s.m2} {
				o.quiet("update")
				o.clean("after the update")
			}
			s.same("after the update")
		}
		if text := s.m1.read("srv/key"); !strings.Contains(text, fmt.Sprintf("$Rev: %d $", 2*i+5)) {
			t.Errorf("keywords: %s", text)
		}
	}
	if after := metadata(); after != before {
		t.Errorf("metadata before:\n%s\nafter:\n%s", before, after)
	}
}
