package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// node is one change of a hand-made revision. svnadmin load takes what no
// client would send.
type node struct {
	path   string // below the host's directory
	action string // add unless said otherwise
	dir    bool
	props  map[string]string
	text   string
}

// load adds a revision made of nodes to the repository.
func (s *sandbox) load(repo, host string, nodes ...node) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SVN-fs-dump-format-version: 2\n\n")
	revision := strings.TrimSpace(must(s.t, s.dir, "svnlook", "youngest", repo))
	props := properties(map[string]string{"svn:log": "made by hand", "svn:author": "mallory", "svn:date": "2026-01-02T03:04:05.000000Z"})
	fmt.Fprintf(&b, "Revision-number: %s1\nProp-content-length: %d\nContent-length: %d\n\n%s\n", revision, len(props), len(props), props)
	for _, n := range nodes {
		kind, action := "file", n.action
		if n.dir {
			kind = "dir"
		}
		if action == "" {
			action = "add"
		}
		fmt.Fprintf(&b, "Node-path: %s\nNode-kind: %s\nNode-action: %s\n", strings.Trim(host+"/"+n.path, "/"), kind, action)
		if action == "delete" {
			b.WriteString("\n\n")
			continue
		}
		props := properties(n.props)
		length := len(props)
		fmt.Fprintf(&b, "Prop-content-length: %d\n", len(props))
		if !n.dir {
			fmt.Fprintf(&b, "Text-content-length: %d\n", len(n.text))
			length += len(n.text)
		}
		fmt.Fprintf(&b, "Content-length: %d\n\n%s", length, props)
		if !n.dir {
			b.WriteString(n.text)
		}
		b.WriteString("\n\n")
	}
	a := start(s.t, run.Command{Args: []string{"svnadmin", "load", "--quiet", "--bypass-prop-validation", repo}, Dir: s.dir, Stdin: strings.NewReader(b.String())})
	if a.status != 0 {
		s.t.Fatalf("%v", a)
	}
}

func properties(props map[string]string) string {
	var b strings.Builder
	for name, value := range props {
		fmt.Fprintf(&b, "K %d\n%s\nV %d\n%s\n", len(name), name, len(value), value)
	}
	return b.String() + "PROPS-END\n"
}

// hostile is a sandbox with a canary: a directory outside all machines that
// nothing may change, with what would be a prize.
type hostile struct {
	*sandbox
	canary string
	before map[string]string
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	needs(t)
	s := newSandbox(t)
	s.m2.write("etc/group", s.m1.read("etc/group")) // that a fresh installation has other numbers is told elsewhere
	h := &hostile{sandbox: s, canary: filepath.Join(s.dir, "outside")}
	shell(t, s.dir, `mkdir -p outside/dir outside/empty; echo canary >outside/f; echo canary >outside/dir/f; echo secret >outside/secret
		chmod 0600 outside/secret; chmod 0750 outside/dir; ln -s f outside/link; mkfifo outside/fifo`)
	return h
}

// base commits an ordinary tree as revision 2 and snapshots the canary.
func (h *hostile) base(nodes ...node) {
	h.t.Helper()
	must(h.t, h.dir, "svn", "mkdir", "-q", "--parents", "-m", "host", "file://"+h.dir+"/repo"+hostPath)
	all := append([]node{
		{action: "change", dir: true, props: map[string]string{"svn:ignore": "*\n"}},
		{path: "etc", dir: true},
		{path: "etc/passwd", text: h.m1.read("etc/passwd")},
		{path: "etc/group", text: h.m1.read("etc/group")},
		{path: "srv", dir: true},
		{path: "srv/a", text: "good\n"},
		{path: "srv/d", dir: true},
		{path: "srv/d/f", text: "good\n"},
		{path: "srv/z", text: "good\n"},
	}, nodes...)
	h.load("repo", hostPath, all...)
	h.before = describe(h.t, h.canary, nil, nil, true)
}

// arrived says that the ordinary part of the tree is on the machine.
func (h *hostile) arrived(m *machine, when string, except ...string) {
	h.t.Helper()
	for path, want := range map[string]string{"etc/passwd": h.m1.read("etc/passwd"), "srv/a": "good\n", "srv/d/f": "good\n", "srv/z": "good\n"} {
		if slices.Contains(except, path) {
			continue
		}
		if text, err := os.ReadFile(m.path(path)); err != nil || string(text) != want {
			h.t.Errorf("%s: %s did not arrive: %q, %v", when, path, text, err)
		}
	}
}

// safe says that nothing outside has changed, and nothing was executed.
func (h *hostile) safe(when string) {
	h.t.Helper()
	sameTrees(h.t, when+": outside the root", h.before, describe(h.t, h.canary, nil, nil, true))
	if found := must(h.t, h.dir, "find", ".", "-name", "pwned*"); found != "" {
		h.t.Errorf("%s: something was executed: %s", when, found)
	}
}

// answered checks status and standard error of one run.
func (h *hostile) answered(a answer, status []int, named string) {
	h.t.Helper()
	if !slices.Contains(status, a.status) || !strings.Contains(a.stderr, named) {
		h.t.Errorf("want one of %v and %q on standard error: %v", status, named, a)
	}
}

// usable says that the machine can still be worked on. A page that cannot be
// read is an error of every verb, which answers all the same.
func (h *hostile) usable(m *machine, when string) {
	h.t.Helper()
	for _, verb := range [][]string{{"status"}, {"status", "--json"}, {"diff"}, {"externals"}, {"doctor", "--offline"}} {
		a := m.run(verb...)
		named := strings.Contains(a.stderr, ".toml") || strings.Contains(a.stderr, "etc/passwd")
		if a.status > 2 || a.status == 2 && !named || len(verb) > 1 && verb[1] == "--json" && !json.Valid([]byte(a.stdout)) {
			h.t.Errorf("%s: %v", when, a)
		}
	}
}

var (
	refused     = []int{3, 4}
	harmless    = []int{0}
	anyOrderly  = []int{0, 3, 4}
	traps       = "#!/bin/sh\ntouch @DIR@/outside/pwned @DIR@/m2/pwned /tmp/pwned-rootwc\n"
	selfLinking = map[string]string{"svn:special": "*"}
)

// contents are hostile contents of a repository that come as one revision.
// @DIR@ stands for the sandbox.
var contents = []struct {
	name   string
	nodes  []node
	status []int
	named  string                       // on standard error
	check  func(h *hostile, m *machine) // after materialize and after update
	whole  bool                         // svn itself cannot have it in a working copy: nothing arrives, nothing changes
}{
	{name: "external that leads up", status: refused, named: "../../outside",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d ../../../outside/x\n^/hosts/m/srv/d ../../outside/x\n"}}}},
	{name: "external that leads up in the old form", status: refused, named: "../../outside",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "../../../outside/x file://@DIR@/repo/hosts/m/srv/d\n../../outside/x file://@DIR@/repo/hosts/m/srv/d\n"}}}},
	{name: "external that leads up in the middle", status: refused, named: "a/../../../",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d a/../../../../outside/x\n"}}}},
	{name: "external with an absolute target", status: refused, named: "/outside/x",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d @DIR@/outside/x\n"}}}},
	{name: "external into .svn", status: refused, named: ".svn/x",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d .svn/x\n^/hosts/m/srv/d .SVN/y\n"}}}},
	{name: "external into the root's .svn", status: refused, named: ".svn/tmp/x",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d y/.svn/tmp/x\n"}}}},
	{name: "external into the state directory", status: refused, named: "var/lib/rootwc",
		nodes: []node{{path: "var", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d lib/rootwc/conflicts\n^/hosts/m/srv/d lib/rootwc/subversion\n"}}},
		check: func(h *hostile, m *machine) {
			if m.exists("var/lib/rootwc/subversion/.svn") || m.exists("var/lib/rootwc/conflicts/.svn") {
				h.t.Error("a repository writes into the state directory")
			}
		}},
	{name: "files in the state directory", status: refused, named: "var/lib/rootwc",
		nodes: []node{{path: "var", dir: true}, {path: "var/lib", dir: true}, {path: "var/lib/rootwc", dir: true, props: map[string]string{"svn:unix-mode": "0777"}},
			{path: "var/lib/rootwc/subversion", dir: true}, {path: "var/lib/rootwc/subversion/config", text: "[tunnels]\nssh = touch @DIR@/outside/pwned\n"},
			{path: "var/lib/rootwc/journal.json", text: "{}"}, {path: "var/lib/rootwc/lock", text: "{}"}},
		check: func(h *hostile, m *machine) {
			if text := m.read("var/lib/rootwc/subversion/config"); strings.Contains(text, "pwned") || m.mode("var/lib/rootwc") != 0o700 {
				h.t.Errorf("the repository configures svn (mode %04o): %s", m.mode("var/lib/rootwc"), text)
			}
		}},
	{name: "external through a symlink that leads out", status: refused, named: "srv/out",
		nodes: []node{{path: "srv/out", props: selfLinking, text: "link @DIR@/outside"}, {path: "srv/up", props: selfLinking, text: "link ../../outside"},
			{path: "srv/zz", dir: true}, {path: "srv", action: "change", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d out/x\n^/hosts/m/srv/d up/y\n^/hosts/m/srv/d out\n"}}}},
	{name: "file external through a symlink", status: refused, named: "srv/out",
		nodes: []node{{path: "srv/out", props: selfLinking, text: "link @DIR@/outside"}, {path: "srv/in", props: selfLinking, text: "link d"},
			{path: "srv", action: "change", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/a out/x\n^/hosts/m/srv/a out/f\n^/hosts/m/srv/a in/x\n"}}}},
	{name: "external through a symlink that stays inside", status: refused, named: "srv/in",
		nodes: []node{{path: "srv/in", props: selfLinking, text: "link ../etc"},
			{path: "srv", action: "change", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d in/x\n"}}},
		check: func(h *hostile, m *machine) {
			if m.exists("etc/x") {
				h.t.Error("the external went through the symlink")
			}
		}},
	{name: "external that contains itself", status: refused, named: "self",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/ext self\n"}}},
		check: func(h *hostile, m *machine) {
			if m.exists("srv/ext/self/self/self/self") {
				h.t.Error("the external was put up in itself again and again")
			}
		}},
	{name: "external of the whole machine in itself", status: refused, named: "self",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "^/hosts/m self\n"}}},
		check: func(h *hostile, m *machine) {
			if m.exists("srv/ext/self/srv/ext/self/srv/ext/self/srv/ext/self") {
				h.t.Error("the external was put up in itself again and again")
			}
		}},
	{name: "two externals that contain each other", status: refused, named: "srv/",
		nodes: []node{{path: "srv/one", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/two two\n"}},
			{path: "srv/two", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/one one\n"}}},
		check: func(h *hostile, m *machine) {
			if m.exists("srv/one/two/one/two/one/two/one") {
				h.t.Error("the externals were put up in each other again and again")
			}
		}},
	{name: "external with a program for a URL", status: refused, named: "srv/ext",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "svn+touch://@DIR@/outside/pwned x\nsvn+ssh://-oProxyCommand=touch%20@DIR@%2Foutside%2Fpwned/x y\n"}}}},
	{name: "external over a versioned file", status: refused, named: "srv/a",
		nodes: []node{{path: "srv", action: "change", dir: true, props: map[string]string{"svn:externals": "^/hosts/m/srv/d a\n"}}}},
	{name: "externals that are garbage", status: refused, named: "svn:externals",
		nodes: []node{{path: "srv/ext", dir: true, props: map[string]string{"svn:externals": "\x00\x01 \xff\n-r x y z\n\"unfinished\n" + strings.Repeat("a ", 5000)}}}},

	{name: "devices as FSVS keeps them", status: refused, named: "srv/null",
		nodes: []node{{path: "srv/null", props: map[string]string{"svn:special": "*", "svn:unix-mode": "0666"}, text: "cdev 0x1:0x3"},
			{path: "srv/disk", props: map[string]string{"svn:special": "*"}, text: "bdev 0x8:0x0"}},
		check: func(h *hostile, m *machine) {
			if m.exists("srv/null") || m.exists("srv/disk") {
				h.t.Error("something was made of a device")
			}
		}},
	{name: "special files that are nothing", status: anyOrderly, named: "",
		nodes: []node{{path: "srv/empty", props: selfLinking}, {path: "srv/odd", props: selfLinking, text: "door /x"}}},
	{name: "a symlink without a target", status: []int{3}, named: "srv/bare", whole: true,
		nodes: []node{{path: "srv/bare", props: selfLinking, text: "link "}}},
	{name: "a symlink with too long a target", status: []int{3}, named: "srv/long", whole: true,
		nodes: []node{{path: "srv/long", props: selfLinking, text: "link " + strings.Repeat("x/", 3000)}}},
	{name: "a directory called dot svn", status: []int{3}, named: "srv/.svn", whole: true,
		nodes: []node{{path: "srv/.svn", dir: true}, {path: "srv/.svn/wc.db", text: "x"}, {path: "srv/.svn/format", text: "99"}}},
	{name: "a file called dot SVN", status: refused, named: "srv/.SVN",
		nodes: []node{{path: "srv/.SVN", dir: true}, {path: "srv/.SVN/wc.db", text: "x"}, {path: "srv/.Svn", text: "x"}}},
	{name: "names that a client could not store", status: anyOrderly, named: "",
		nodes: []node{{path: "srv/bell\a", text: "x"}, {path: "srv/tab\tx", text: "x"}}},
	{name: "a deep path", status: harmless, named: "",
		nodes: deep(10, 100)},
	{name: "a path that is too deep", status: []int{3}, named: "srv/" + strings.Repeat("d", 200), whole: true,
		nodes: deep(30, 200)},
	{name: "a symlink that leads out", status: harmless, named: "",
		nodes: []node{{path: "srv/out", props: map[string]string{"svn:special": "*", "svn:owner": "1234 bob", "svn:unix-mode": "0777", "rootwc:xattr": `user.x="1"`}, text: "link @DIR@/outside/secret"}}},

	{name: "properties with garbage", status: anyOrderly, named: "srv/g",
		nodes: []node{
			{path: "srv/g-owner", props: map[string]string{"svn:owner": "x y z", "svn:group": "-1"}, text: "good"},
			{path: "srv/g-owner2", props: map[string]string{"svn:owner": "4294967295 root", "svn:group": "99999999999 x"}, text: "good"},
			{path: "srv/g-mode", props: map[string]string{"svn:unix-mode": "rwx"}, text: "good"},
			{path: "srv/g-mode2", props: map[string]string{"svn:unix-mode": "0140777"}, text: "good"},
			{path: "srv/g-acl", props: map[string]string{"svn:unix-mode": "0600", "rootwc:acl": strings.Repeat("user:1 x:rwx\n", 100000)}, text: "good"},
			{path: "srv/g-acl2", props: map[string]string{"svn:unix-mode": "0600", "rootwc:acl": "\x00\xff garbage"}, text: "good"},
			{path: "srv/g-xattr", props: map[string]string{"rootwc:xattr": "security.selinux=\"x\"\n"}, text: "good"},
			{path: "srv/g-xattr2", props: map[string]string{"rootwc:xattr": "system.posix_acl_access=0sAgAAAAEABwD/////BAAHAP////8gAAcA/////w==\n"}, text: "good"},
			{path: "srv/g-xattr3", props: map[string]string{"rootwc:xattr": "user.x=" + strings.Repeat("0", 1<<20)}, text: "good"},
			{path: "srv/g-special", props: map[string]string{"rootwc:special": "device"}, text: "good"},
			{path: "srv/g-fifo", props: map[string]string{"rootwc:special": "fifo"}, text: "a fifo with content"},
			{path: "srv/g-defaults", dir: true, props: map[string]string{"rootwc:defaults": "owner 1234 bob\nfile-mode 06777\nmagic yes\n"}},
			{path: "srv/g-defaults/f", text: "good"},
			{path: "srv/g-dir", dir: true, props: map[string]string{"rootwc:special": "fifo", "svn:special": "*", "svn:unix-mode": "", "rootwc:xattr": "\xff"}},
			{path: "srv/g-dir/f", text: "good"},
		},
		check: func(h *hostile, m *machine) {
			for _, p := range []string{"owner", "owner2", "mode", "mode2", "acl", "acl2", "xattr", "xattr2", "xattr3", "special", "defaults/f", "dir/f"} {
				p = "srv/g-" + p
				if !m.exists(p) {
					h.t.Errorf("%s did not arrive", p)
					continue
				}
				if m.read(p) != "good" || m.mode(p)&^0o644 != 0 {
					h.t.Errorf("%s: %q, mode %04o", p, m.read(p), m.mode(p))
				}
			}
			for _, p := range []string{"acl", "acl2", "mode", "mode2"} {
				if m.exists("srv/g-"+p) && m.mode("srv/g-"+p)&0o077 != 0 {
					h.t.Errorf("srv/g-%s: what cannot be read must not open a file: mode %04o", p, m.mode("srv/g-"+p))
				}
			}
		}},
	{name: "a withheld file with a path that leads out", status: anyOrderly, named: "withheld.toml",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: withheldDoc("../../outside/secret", "0666") + "[[file]]\npath = '/etc/shadow'\n"}}},
	{name: "a list of withheld files that is garbage", status: anyOrderly, named: "withheld.toml",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: "[[[ \xff"}}},
	{name: "a withheld file that opens a secret", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: withheldDoc("live/secret", "0666")}}},
	{name: "a withheld file that becomes setuid", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: withheldDoc("live/tool", "04711")}}},
	{name: "a withheld file that changes hands", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: withheldDoc("live/secret", "0600")}}},
	{name: "a withheld file through a symlink", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", text: withheldDoc("live/out/secret", "0640")}}},
	{name: "the list of withheld files as a symlink", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/withheld.toml", props: selfLinking, text: "link @DIR@/outside/f"}}},
	{name: "a description with unknown keys", status: anyOrderly, named: "system.toml",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/system.toml", text: "format = \"1.0.0\"\n[system]\nhostname = \"m\"\nmagic = true\n"}}},
	{name: "a description of a newer format", status: anyOrderly, named: "system.toml",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/system.toml", text: "format = \"2.0.0\"\n"}}},
	{name: "a description that is garbage", status: anyOrderly, named: "system.toml",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/system.toml", text: "\x00\xff[["}}},
	{name: "a description that is a fifo", status: anyOrderly, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/system.toml", props: map[string]string{"rootwc:special": "fifo"}}}},
	{name: "a table of users that is a fifo", status: anyOrderly, named: "",
		nodes: []node{{path: "etc/passwd", action: "delete"}, {path: "etc/passwd", props: map[string]string{"rootwc:special": "fifo"}}}},

	{name: "programs where one might be run", status: harmless, named: "",
		nodes: []node{{path: ".rootwc", dir: true}, {path: ".rootwc/hooks", dir: true},
			{path: ".rootwc/hooks/update", props: map[string]string{"svn:executable": "*"}, text: traps}, {path: ".rootwc/hooks/post-materialize", props: map[string]string{"svn:executable": "*"}, text: traps},
			{path: "etc/rootwc", dir: true}, {path: "etc/rootwc/hooks", dir: true}, {path: "etc/rootwc/hooks/update", props: map[string]string{"svn:executable": "*"}, text: traps},
			{path: "etc/subversion", dir: true}, {path: "etc/subversion/config", text: "[tunnels]\nssh = touch @DIR@/outside/pwned\n[helpers]\ndiff-cmd = touch\n"},
			{path: "usr", dir: true}, {path: "usr/bin", dir: true}, {path: "usr/bin/svn", props: map[string]string{"svn:executable": "*"}, text: traps},
			{path: "bin", dir: true}, {path: "bin/sh", props: map[string]string{"svn:executable": "*"}, text: traps}}},
}

// deep is a file below directories with long names.
func deep(levels, length int) []node {
	var nodes []node
	path := "srv"
	for range levels {
		path += "/" + strings.Repeat("d", length)
		nodes = append(nodes, node{path: path, dir: true})
	}
	return append(nodes, node{path: path + "/f", text: "deep"})
}

func withheldDoc(path, mode string) string {
	return fmt.Sprintf("format = \"1.0.0\"\n[[file]]\npath = '%s'\nproperties = { 'svn:unix-mode' = '%s', 'svn:owner' = '1234 bob' }\n", path, mode)
}

// in puts the sandbox's directory into a node.
func (h *hostile) in(n node) node {
	n.text = strings.ReplaceAll(n.text, "@DIR@", h.dir)
	props := map[string]string{}
	for k, v := range n.props {
		props[k] = strings.ReplaceAll(v, "@DIR@", h.dir)
	}
	n.props = props
	return n
}

// live puts files on a machine that are its own.
func (h *hostile) live(m *machine) {
	m.shell("mkdir live; echo secret >live/secret; chmod 0600 live/secret; echo tool >live/tool; chmod 0755 live/tool; ln -s " + h.canary + " live/out; mkdir -p var/lib; ls -lR live >/dev/null")
}

// TestHostileContents brings each to a machine that is up already by update,
// and to a fresh one by materialize.
func TestHostileContents(t *testing.T) {
	needs(t, "svnlook")
	t.Parallel()
	for _, c := range contents {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.base()
			up, fresh := h.m2, newMachine(t, filepath.Join(h.dir, "m3"), annaOn2, staff2)
			h.live(up)
			h.live(fresh)
			up.ok("materialize", h.host())
			var nodes []node
			for _, n := range c.nodes {
				nodes = append(nodes, h.in(n))
			}
			h.load("repo", hostPath, nodes...)
			for way, m := range map[string]*machine{"update": up, "materialize": fresh} {
				t.Run(way, func(t *testing.T) {
					m, h := m.within(t), h.within(t)
					own, all := m.tree("live"), m.tree("")
					args := map[string][]string{"materialize": {"materialize", h.host()}, "update": {"update"}}[way]
					h.answered(m.run(args...), c.status, c.named)
					h.safe(way)
					if c.whole {
						sameTrees(t, "refused", all, m.tree(""))
						return
					}
					var except []string
					if strings.Contains(c.name, "table of users") {
						except = []string{"etc/passwd"}
					}
					h.arrived(m, way, except...)
					if except == nil { // names come from the table
						sameTrees(t, "the machine's own files", own, m.tree("live"))
					}
					if c.check != nil {
						c.check(h, m)
					}
					h.usable(m, "after "+way)
				})
			}
			h.mend(c.nodes)
			for way, m := range map[string]*machine{"update": up, "materialize": fresh} {
				t.Run(way+", mended", func(t *testing.T) { h.within(t).mended(m.within(t)) })
			}
		})
	}
}

// within is the same for a subtest.
func (m *machine) within(t *testing.T) *machine { return &machine{t: t, root: m.root, wrap: m.wrap} }

func (h *hostile) within(t *testing.T) *hostile {
	s := *h.sandbox
	s.t, s.m1, s.m2 = t, h.m1.within(t), h.m2.within(t)
	return &hostile{&s, h.canary, h.before}
}

// mend takes the hostile part out of the repository again.
func (h *hostile) mend(nodes []node) {
	h.t.Helper()
	var back []node
	for _, n := range nodes {
		top := n.path == ".rootwc" || n.path == "var" || n.path == "usr" || n.path == "bin" || strings.HasPrefix(n.path, "etc/") && strings.Count(n.path, "/") == 1
		switch {
		case n.action == "change":
			back = append(back, node{path: n.path, action: "change", dir: true})
		case n.action == "" && n.path == "etc/passwd":
			back = append(back, node{path: n.path, action: "delete"}, node{path: n.path, text: h.m1.read(n.path)})
		case n.action == "" && (top || strings.HasPrefix(n.path, "srv/") && strings.Count(n.path, "/") == 1):
			back = append(back, node{path: n.path, action: "delete"})
		}
	}
	h.load("repo", hostPath, append(back, node{path: "srv/last", text: "good\n"})...)
}

// mended says that the repository's better state arrives.
func (h *hostile) mended(m *machine) {
	h.t.Helper()
	if !m.exists(".svn") { // it was refused as a whole
		m.ok("materialize", h.host())
	}
	if a := m.run("update", "--emptying"); !slices.Contains(anyOrderly, a.status) || !m.exists("srv/last") {
		h.t.Errorf("after the repository was mended: %v", a)
	}
	h.safe("after the repository was mended")
}

// swaps are what a path of the tree may have become on disk.
var swaps = []struct {
	name, script string
	verbs        []string
}{
	{name: "directory became a symlink to outside", script: "mv srv/d live/; ln -s $OUT/dir srv/d"},
	{name: "directory became a relative symlink to outside", script: "mv srv/d live/; ln -s ../../outside/dir srv/d"},
	{name: "directory became a symlink to another directory in the root", script: "mv srv/d live/; mkdir -p live/other; echo mine >live/other/f; ln -s ../live/other srv/d"},
	{name: "directory above became a symlink to outside", script: "mv srv live/; ln -s $OUT srv; mkdir -p $OUT/d"},
	{name: "file became a symlink to outside", script: "rm srv/d/f; ln -s $OUT/f srv/d/f"},
	{name: "file became a hard link to outside", script: "rm srv/d/f; ln $OUT/f srv/d/f"},
	{name: "directory became a fifo", script: "mv srv/d live/; mkfifo srv/d"},
	{name: "file became a directory with content", script: "rm srv/d/f; mkdir srv/d/f; echo mine >srv/d/f/mine"},
	{name: ".svn became a symlink", script: "mv .svn live/dotsvn; ln -s live/dotsvn .svn"},
	{name: "the state directory became a symlink", script: "mv var/lib/rootwc live/; ln -s $OUT/empty var/lib/rootwc"},
}

// writers are the verbs that write, in an order in which each finds the
// repository that it wants.
var writers = []struct {
	name  string
	verb  []string
	fails bool // there may be no such path, or the commit is out of date
}{
	{"status", []string{"status"}, false}, // it writes an index
	{"update", []string{"update"}, false},
	{"revert", []string{"revert", "."}, false},
	{"revert of the file", []string{"revert", "srv/d/f"}, true},
	{"revert of the directory", []string{"revert", "srv/d"}, true},
	{"repair", []string{"repair"}, false},
	{"restore of the file", []string{"restore", "srv/d/f", "--at", "2"}, false},
	{"restore of the directory", []string{"restore", "srv/d", "--at", "2"}, false},
	{"restore of all", []string{"restore", ".", "--at", "2"}, false},
	{"materialize", []string{"materialize"}, false},
	{"add", []string{"add", "srv/d/new"}, true},
	{"ignore", []string{"ignore", "srv/d/new"}, true},
	{"forget", []string{"forget", "srv/d/f"}, true},
	{"commit", []string{"commit", "--add", "-m", "x"}, true},
}

// TestSwappedPaths lets every verb that writes loose on a tree whose paths lead
// elsewhere.
func TestSwappedPaths(t *testing.T) {
	needs(t, "svnlook")
	t.Parallel()
	for _, c := range swaps {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.live(h.m2)
			h.base(node{path: "srv/d/g", text: "good\n"}, node{path: "srv/d/sub", dir: true}, node{path: "srv/d/sub/f", text: "good\n"})
			h.m2.ok("materialize", h.host())
			h.load("repo", hostPath, node{path: "srv/d/f", action: "change", text: "news\n", props: map[string]string{"svn:unix-mode": "0666"}},
				node{path: "srv/d/h", text: "news\n"}, node{path: "srv/d/g", action: "delete"}, node{path: "srv/d/k", dir: true},
				node{path: "srv/b", text: "news\n"})
			h.m2.shell("OUT=" + h.canary + "; " + c.script)
			h.before = describe(t, h.canary, nil, nil, true)
			for i, w := range writers {
				root := filepath.Join(h.dir, fmt.Sprint("copy", i))
				must(t, "", "cp", "-a", h.m2.root, root)
				t.Run(w.name, func(t *testing.T) { h.within(t).swapped(c.name, w.name, &machine{t: t, root: root}, w.verb, w.fails) })
			}
		})
	}
}

func (h *hostile) swapped(swap, writer string, m *machine, verb []string, fails bool) {
	own := m.tree("live")
	a := m.run(verb...)
	h.safe(writer)
	sameTrees(h.t, "files that are not in the tree", own, m.tree("live"))
	broken := strings.HasPrefix(swap, ".svn") || strings.HasPrefix(swap, "the state")
	if a.status != 0 && a.status != 3 && a.status != 4 && (a.status != 2 || !fails && !broken) {
		h.t.Errorf("%v", a)
	}
	if writer == "update" && strings.HasPrefix(swap, "directory became") {
		h.answered(a, refused, "")
		if !strings.Contains(a.stderr, "srv/d") && !strings.Contains(a.stdout, "C srv/d") {
			h.t.Errorf("srv/d is not named: %v", a)
		}
		if !m.exists("srv/b") {
			h.t.Errorf("the rest did not arrive: %v", a)
		}
	}
	if writer == "revert" && a.status == 0 && !broken {
		m.clean("after the revert")
		h.arrived(m, "revert")
	}
}

// TestMaterializeOverAnotherTree: the live tree has other kinds than the
// repository.
func TestMaterializeOverAnotherTree(t *testing.T) {
	needs(t, "svnlook")
	t.Parallel()
	for _, c := range []struct {
		name, script string
		status       []int
		named        string
		except       []string
	}{
		{"symlink to outside where the repository has a directory", "mkdir srv; ln -s $OUT/dir srv/d", anyOrderly, "", nil},
		{"symlink inside where the repository has a directory", "mkdir srv real; echo mine >real/f; ln -s ../real srv/d", anyOrderly, "", nil},
		{"symlink to itself where the repository has a directory", "mkdir srv; ln -s d srv/d", anyOrderly, "", nil},
		{"symlink where the repository has a file", "mkdir -p srv/d; ln -s $OUT/f srv/d/f", anyOrderly, "", nil},
		{"symlink that leads nowhere where the repository has a file", "mkdir -p srv/d; ln -s $OUT/nothing srv/d/f", anyOrderly, "", nil},
		{"hard link where the repository has a file", "mkdir -p srv/d; ln $OUT/f srv/d/f", anyOrderly, "", nil},
		{"directory where the repository has a symlink", "mkdir -p srv/link; echo mine >srv/link/mine", refused, "srv/link", nil},
		{"empty directory where the repository has a symlink", "mkdir -p srv/link", harmless, "", nil},
		{"directory where the repository has a file", "mkdir -p srv/a; echo mine >srv/a/mine", refused, "srv/a", []string{"srv/a"}},
		{"empty directory where the repository has a file", "mkdir -p srv/a", harmless, "", nil},
		{"file where the repository has a directory", "mkdir -p srv; echo mine >srv/d", anyOrderly, "", nil},
		{"fifo where the repository has a directory", "mkdir -p srv; mkfifo srv/d", anyOrderly, "", nil},
		{"fifo where the repository has a file", "mkdir -p srv; mkfifo srv/a", anyOrderly, "", nil},
		{"device where the repository has a file", "mkdir -p srv; mknod srv/a c 1 3", refused, "srv/a", []string{"srv/a"}},
		{"the whole of it", "mkdir srv; ln -s $OUT srv/d; ln -s $OUT/f srv/a; mkdir srv/z; mkdir srv/link", anyOrderly, "", nil},
		{"symlink for etc", "mv etc real; ln -s real etc", anyOrderly, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			m := h.m2
			h.base(node{path: "srv/link", props: selfLinking, text: "link a"})
			m.shell("OUT=" + h.canary + "; " + c.script)
			h.before = describe(t, h.canary, nil, nil, true)
			a := m.run("materialize", h.host())
			h.answered(a, c.status, c.named)
			h.safe("materialize")
			h.arrived(m, "materialize", c.except...)
			for _, mine := range []string{"srv/link/mine", "srv/a/mine", "real/f"} {
				if strings.Contains(c.script, "mine >"+mine) && (!m.exists(mine) || m.read(mine) != "mine\n") {
					t.Errorf("%s is lost", mine)
				}
			}
			if a.status == 0 {
				m.clean("after materialize")
			}
			h.usable(m, "after materialize")
		})
	}
}

// TestSetuidInAHome: a repository of bob's must not give root's power away.
func TestSetuidInAHome(t *testing.T) {
	needs(t, "svnlook", "svnserve")
	t.Parallel()
	for _, way := range []string{"materialize", "update"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.base()
			must(t, h.dir, "svnadmin", "create", "homes")
			h.serve()
			must(t, h.dir, "cp", "repo/conf/svnserve.conf", "homes/conf/svnserve.conf")
			homes := strings.TrimSuffix(h.url, "/repo") + "/homes"
			h.load("homes", "", node{path: "bob", dir: true}, node{path: "bob/ordinary", text: "good\n", props: map[string]string{"svn:owner": "1234 bob", "svn:group": "1234 bob"}})
			m := h.m2
			m.shell("mkdir -p home/bob; chown 1234:1234 home/bob; chmod 0750 home/bob")
			h.load("repo", hostPath, node{path: "home", dir: true, props: map[string]string{"svn:externals": homes + "/bob bob\n"}})
			bad := []node{
				{path: "bob/root-shell", text: "x", props: map[string]string{"svn:owner": "0 root", "svn:group": "0 root", "svn:unix-mode": "04755", "svn:executable": "*"}},
				{path: "bob/bob-shell", text: "x", props: map[string]string{"svn:owner": "1234 bob", "svn:unix-mode": "06755", "svn:executable": "*"}},
				{path: "bob/power", text: "x", props: map[string]string{"rootwc:xattr": "security.capability=0sAQAAAgAgAAAAAAAAAAAAAAAAAAA=\n", "svn:executable": "*"}},
				{path: "bob/dir", dir: true, props: map[string]string{"svn:owner": "0 root", "svn:unix-mode": "06777"}},
				{path: "bob/dir/root-shell", text: "x", props: map[string]string{"svn:owner": "0 root", "svn:unix-mode": "04755"}},
				{path: "bob/link", props: selfLinking, text: "link /etc/shadow"},
			}
			if way == "materialize" {
				h.load("homes", "", bad...)
			}
			a := m.run("materialize", h.host())
			if way == "update" {
				if a.status != 0 {
					t.Errorf("the ordinary home: %v", a)
				}
				h.load("homes", "", bad...)
				a = m.run("update")
			}
			h.answered(a, []int{4}, "home/bob/root-shell")
			h.safe(way)
			h.arrived(m, way)
			if m.read("home/bob/ordinary") != "good\n" {
				t.Error("the ordinary file did not arrive")
			}
			if found := must(t, m.root, "find", "home/bob", "-type", "f", "-perm", "/6000"); found != "" {
				t.Errorf("setuid or setgid files: %s", found)
			}
			if found := must(t, m.root, "find", "home/bob", "!", "-user", "1234"); found != "" {
				t.Errorf("files that are not bob's: %s", found)
			}
			if found := must(t, m.root, "getfattr", "-R", "-m", "security.capability", "home/bob"); strings.Contains(found, "capability") {
				t.Errorf("capabilities: %s", found)
			}
			if m.mode("home/bob/.svn") != 0o700 {
				t.Errorf(".svn has mode %04o", m.mode("home/bob/.svn"))
			}
			h.usable(m, "afterwards")
			m.run("repair")
			if found := must(t, m.root, "find", "home/bob", "-type", "f", "-perm", "/6000", "-o", "!", "-user", "1234"); found != "" {
				t.Errorf("after repair: %s", found)
			}
		})
	}
}

// TestSymlinkedHome: bob replaces a directory of his home, which root's rootwc
// writes into.
func TestSymlinkedHome(t *testing.T) {
	needs(t, "svnlook", "svnserve")
	t.Parallel()
	h := newHostile(t)
	h.base()
	must(t, h.dir, "svnadmin", "create", "homes")
	h.serve()
	must(t, h.dir, "cp", "repo/conf/svnserve.conf", "homes/conf/svnserve.conf")
	own := map[string]string{"svn:owner": "1234 bob", "svn:group": "1234 bob"}
	h.load("homes", "", node{path: "bob", dir: true, props: own}, node{path: "bob/d", dir: true, props: own}, node{path: "bob/d/f", text: "good\n", props: own}, node{path: "bob/e", text: "good\n", props: own})
	h.load("repo", hostPath, node{path: "home", dir: true, props: map[string]string{"svn:externals": strings.TrimSuffix(h.url, "/repo") + "/homes/bob bob\n"}})
	m := h.m2
	m.shell("mkdir -p home/bob; chown 1234:1234 home/bob")
	m.ok("materialize", h.host())
	m.clean("after materialize")
	h.load("homes", "", node{path: "bob/d/f", action: "change", text: "news\n", props: map[string]string{"svn:unix-mode": "0666"}}, node{path: "bob/e", action: "change", text: "news\n", props: own})
	m.shell("mv home/bob/d home/bob/old; ln -s ../../etc home/bob/d; echo private >etc/f; chmod 0600 etc/f")
	etc := m.tree("etc")
	h.answered(m.run("update"), refused, "home/bob/d")
	h.safe("update")
	sameTrees(t, "update: etc", etc, m.tree("etc"))
	m.run("revert", "home/bob/d/f")
	m.run("revert", "home/bob")
	m.run("repair", "home/bob")
	h.safe("revert")
	sameTrees(t, "revert: etc", etc, m.tree("etc"))
	// the home itself leads elsewhere
	m.shell("mv home/bob home/old; ln -s " + h.canary + " home/bob")
	for _, verb := range [][]string{{"status"}, {"update"}, {"revert", "."}, {"repair"}, {"materialize"}} {
		a := m.run(verb...)
		if a.status == 2 {
			t.Errorf("home/bob leads out: %v", a)
		}
		h.safe(verb[0])
	}
}
