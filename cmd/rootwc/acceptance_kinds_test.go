package main

import (
	"slices"
	"strings"
	"testing"
)

// kindCase is one change of a path below srv. The scripts run there; anna is
// 1001 and staff 50 on the first machine.
type kindCase struct {
	name   string
	before string // makes what is committed first
	change string
	path   string // that status names; x when empty
	add    bool   // it is a new path
	stuck  bool   // revert would have to delete what is not versioned
}

const (
	plainFile = "echo content >x"
	plainDir  = "mkdir x"
)

var metadataCases = []kindCase{
	{name: "content", before: plainFile, change: "echo other >x"},
	{name: "content of the same size", before: plainFile, change: "echo contenu >x"},
	{name: "empty", before: plainFile, change: ": >x"},
	{name: "chmod file", before: plainFile, change: "chmod 0640 x"},
	{name: "chmod 0 file", before: plainFile, change: "chmod 0 x"},
	{name: "chmod executable", before: plainFile, change: "chmod 0755 x"},
	{name: "chmod executable 0700", before: plainFile, change: "chmod 0700 x"},
	{name: "chmod not executable", before: plainFile + "; chmod 0755 x", change: "chmod 0644 x"},
	{name: "chmod executable for others alone", before: plainFile, change: "chmod 0645 x"},
	{name: "chmod directory", before: plainDir, change: "chmod 0750 x"},
	{name: "chmod fifo", before: "mkfifo x", change: "chmod 0600 x"},
	{name: "chown file", before: plainFile, change: "chown 1001 x"},
	{name: "chown back", before: plainFile + "; chown 1001 x", change: "chown 0 x"},
	{name: "chown directory", before: plainDir, change: "chown 1001 x"},
	{name: "chown symlink", before: "ln -s target x", change: "chown -h 1001 x"},
	{name: "chown fifo", before: "mkfifo x", change: "chown 1001:50 x"},
	{name: "chown number without a name", before: plainFile, change: "chown 4321 x"},
	{name: "chgrp file", before: plainFile, change: "chgrp 50 x"},
	{name: "chgrp directory", before: plainDir, change: "chgrp 50 x"},
	{name: "chgrp symlink", before: "ln -s target x", change: "chgrp -h 50 x"},
	{name: "chown and chmod", before: plainFile, change: "chown 1001:50 x; chmod 0460 x"},
	{name: "setfacl file", before: plainFile, change: "setfacl -m u:1001:rw x"},
	{name: "setfacl group", before: plainFile, change: "setfacl -m g:50:r,m::r x"},
	{name: "setfacl denies", before: plainFile, change: "setfacl -m u:1001:- x"},
	{name: "setfacl on closed file", before: plainFile + "; chmod 0640 x", change: "setfacl -m u:1001:r x"},
	{name: "setfacl number without a name", before: plainFile, change: "setfacl -m u:4321:r x"},
	{name: "setfacl directory", before: plainDir, change: "setfacl -m u:1001:rwx x"},
	{name: "setfacl fifo", before: "mkfifo x", change: "setfacl -m u:1001:rw x"},
	{name: "setfacl default", before: plainDir, change: "setfacl -d -m u:1001:rwx x"},
	{name: "setfacl access and default", before: plainDir, change: "setfacl -m g:50:rx x; setfacl -d -m g:50:rx x"},
	{name: "setfacl mask", before: plainFile + "; setfacl -m u:1001:rw x", change: "setfacl -m m::r x"},
	{name: "setfacl removed", before: plainFile + "; setfacl -m u:1001:rw x", change: "setfacl -b x"},
	{name: "setfacl default removed", before: plainDir + "; setfacl -d -m u:1001:rwx x", change: "setfacl -k x"},
	{name: "setfattr", before: plainFile, change: "setfattr -n user.note -v hello x"},
	{name: "setfattr binary", before: plainFile, change: "setfattr -n user.note -v 0x00ff0a0d x"},
	{name: "setfattr empty", before: plainFile, change: "setfattr -n user.note x"},
	{name: "setfattr changed", before: plainFile + "; setfattr -n user.note -v hello x", change: "setfattr -n user.note -v bye x"},
	{name: "setfattr removed", before: plainFile + "; setfattr -n user.note -v hello x", change: "setfattr -x user.note x"},
	{name: "setfattr odd name", before: plainFile, change: `setfattr -n 'user.a=b "c"' -v 1 x`},
	{name: "setfattr directory", before: plainDir, change: "setfattr -n user.note -v hello x"},
	{name: "setcap", before: plainFile + "; chmod 0755 x", change: "setcap cap_net_raw=ep x"},
	{name: "setcap and chown", before: plainFile + "; chmod 0755 x", change: "chown 1001 x; setcap cap_net_raw=ep x"},
	{name: "setcap removed", before: plainFile + "; chmod 0755 x; setcap cap_net_raw=ep x", change: "setcap -r x"},
	{name: "setuid", before: plainFile + "; chmod 0755 x", change: "chmod 4755 x"},
	{name: "setuid removed", before: plainFile + "; chmod 4755 x", change: "chmod 0755 x"},
	{name: "setuid and chown", before: plainFile + "; chmod 0755 x", change: "chown 1001 x; chmod 4750 x"},
	{name: "setgid file", before: plainFile + "; chmod 0755 x", change: "chgrp 50 x; chmod 2755 x"},
	{name: "setgid directory", before: plainDir, change: "chgrp 50 x; chmod 2775 x"},
	{name: "sticky", before: plainDir, change: "chmod 1777 x"},
	{name: "sticky file", before: plainFile, change: "chmod 1644 x"},
	{name: "all three", before: plainFile, change: "chmod 7711 x"},
	{name: "symlink retargeted", before: "ln -s target x", change: "ln -sfn other x"},
	{name: "symlink retargeted to the same length", before: "ln -s target x", change: "ln -sfn tegrat x"},
	{name: "symlink to a directory retargeted", before: "mkdir d e; ln -s d x", change: "ln -sfn e x"},
	{name: "symlink retargeted and chowned", before: "ln -s target x", change: "ln -sfn other x; chown -h 1001:50 x"},
	{name: "everything", before: plainFile, change: "echo other >x; chown 1001:50 x; chmod 0751 x; setfacl -m u:1001:r x; setfattr -n user.note -v hello x; setcap cap_net_raw=ep x"},
	{name: "file in a directory that a default ACL covers", before: "mkdir d; setfacl -d -m u:1001:rwx d; echo content >d/x; setfacl -b d/x; chmod 0644 d/x", change: "echo other >d/x", path: "d/x"},

	{name: "file new", before: ":", change: plainFile + "; chown 1001:50 x; chmod 0640 x", add: true},
	{name: "mkdir", before: ":", change: plainDir, add: true},
	{name: "mkdir with metadata", before: ":", change: plainDir + "; chown 1001:50 x; chmod 2770 x; setfacl -d -m u:1001:rwx x; setfattr -n user.note -v hello x", add: true},
	{name: "mkdir with a child", before: ":", change: "mkdir x; echo child >x/child; chown 1001 x x/child", add: true},
	{name: "symlink new", before: ":", change: "ln -s /nowhere x; chown -h 1001 x", add: true},
	{name: "fifo new", before: ":", change: "mkfifo x; chown 1001:50 x; chmod 0620 x", add: true},
	{name: "file removed", before: plainFile, change: "rm x"},
	{name: "rmdir", before: plainDir, change: "rmdir x"},
	{name: "directory removed", before: "mkdir -p x/y/z; echo child >x/y/z/child; chmod 0750 x/y", change: "rm -r x"},
	{name: "symlink removed", before: "ln -s target x", change: "rm x"},
	{name: "fifo removed", before: "mkfifo x", change: "rm x"},
}

// kinds are the kinds of paths that are versioned, and how to make one.
var kinds = []struct{ name, make string }{
	{"file", plainFile},
	{"empty directory", plainDir},
	{"directory", "mkdir x; echo child >x/child"},
	{"symlink", "ln -s target x"},
	{"fifo", "mkfifo x"},
}

// marks gives x metadata that must not be left on what comes after it.
const marks = "; chown -h 1001:50 x; [ -L x ] || { chmod 0711 x; setfacl -m u:1001:rx x; }"

// kindChanges are all changes from one kind to another.
func kindChanges(metadata map[string][2]string) []kindCase {
	var cases []kindCase
	for _, from := range kinds {
		for _, to := range kinds {
			if from == to {
				continue
			}
			for name, metadata := range metadata {
				c := kindCase{name: from.name + " to " + to.name + name, before: from.make + metadata[0], change: "rm -r x; " + to.make + metadata[1]}
				bothDirs := strings.HasSuffix(from.name, "directory") && strings.HasSuffix(to.name, "directory")
				switch {
				case bothDirs && name != "":
					continue // two lines then, and rightly so
				case bothDirs:
					c.path, c.add = "x/child", to.name == "directory"
				case to.name == "directory":
					c.stuck = true
				}
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func (c kindCase) at() string {
	if c.path == "" {
		return "srv/x"
	}
	return "srv/" + c.path
}

var (
	bare     = map[string][2]string{"": {}}
	oldMarks = map[string][2]string{", the old one with metadata": {marks, ""}}
	newMarks = map[string][2]string{", the new one with metadata": {"", marks}}
)

// TestChangesAreCommittedAndArrive: one line in status, a commit, silence, and
// the same on the other machine.
func TestChangesAreCommittedAndArrive(t *testing.T) {
	needs(t, "setfacl", "setfattr", "setcap")
	t.Parallel()
	for _, c := range slices.Concat(kindChanges(bare), kindChanges(oldMarks), kindChanges(newMarks), metadataCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.pair(c.before)
			s.m1.shell("cd srv; " + c.change)
			s.m1.one(c.at())
			args := []string{"commit", "-m", "x"}
			if c.add {
				args = append(args, "--add")
			}
			before := s.m1.tree("srv")
			s.m1.quiet(args...)
			sameTrees(t, "commit changed the live tree", before, s.m1.tree("srv"))
			s.m1.clean("after the commit")
			s.m2.quiet("update")
			s.same("after the update")
			s.m2.clean("after the update")
			if again := s.m2.quiet("update"); strings.Count(again, "\n") != 1 {
				t.Errorf("a second update has something to do: %s", again)
			}
		})
	}
}

// TestChangesAreReverted: one line in status, a revert, and all is as before.
func TestChangesAreReverted(t *testing.T) {
	needs(t, "setfacl", "setfattr", "setcap")
	t.Parallel()
	for _, c := range slices.Concat(kindChanges(bare), kindChanges(oldMarks), metadataCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.m1.shell("mkdir srv; cd srv; " + c.before)
			s.m1.ok("init", "--secrets", "clear", "--path", "srv", s.host())
			s.m1.ok("commit", "-m", "first state")
			before := s.m1.tree("srv")
			s.m1.shell("cd srv; " + c.change)
			changed := s.m1.tree("srv")
			if c.add {
				s.m1.quiet("add", c.at())
				s.m1.quiet("revert", ".")
				s.m1.one(c.at())
				sameTrees(t, "revert touched what is not versioned", changed, s.m1.tree("srv"))
				return
			}
			s.m1.one(c.at())
			if c.stuck {
				a := s.m1.run("revert", "srv/x")
				if a.status != 3 && a.status != 4 || !strings.Contains(a.stderr, "srv/x") {
					t.Errorf("a revert that would delete an unversioned file: %v", a)
				}
				sameTrees(t, "the refused revert changed something", changed, s.m1.tree("srv"))
				s.m1.shell("rm srv/x/child")
			}
			s.m1.quiet("revert", c.at())
			sameTrees(t, "after the revert", before, s.m1.tree("srv"))
			s.m1.clean("after the revert")
		})
	}
}

// TestNamesWinOverNumbers: anna has another number on the other machine.
func TestNamesWinOverNumbers(t *testing.T) {
	needs(t, "setfacl")
	t.Parallel()
	s := newSandbox(t)
	s.pair("echo content >x; chown 1001:50 x; chmod 0640 x; setfacl -m u:1001:rw,g:50:r x")
	text := s.m2.shell("stat -c '%u %g' srv/x; getfacl -n srv/x")
	for _, want := range []string{"2001 51", "user:2001:rw-", "group:51:r--"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}

// TestChangesOfClosedFiles: with secrets withheld, what can be sent is sent,
// and nobody is told the content.
func TestChangesOfClosedFiles(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newSandbox(t)
	s.m1.shell("mkdir srv; echo open >srv/x; echo geheim >srv/key; chmod 0600 srv/key")
	s.m1.ok("init", "--path", "srv", s.host())
	s.m1.ok("commit", "-m", "first state")
	s.m1.clean("after the first commit")
	s.m2.write("srv/key", "other\n")
	s.m2.shell("chmod 0600 srv/key")
	s.m2.ok("materialize", s.host())
	s.m2.clean("after the materialize")
	for _, change := range []string{"chmod 0600 srv/x", "echo geheim >srv/x", "chgrp 50 srv/key", "echo geheimer >srv/key", "chmod 0640 srv/key", "chown 1001 srv/key"} {
		path := change[strings.LastIndex(change, "srv/"):]
		s.m1.shell(change)
		s.m1.one(path)
		s.m1.ok("commit", "-m", change)
		s.m1.clean("after the commit of " + change)
		a := s.m2.run("update")
		if strings.HasPrefix(change, "chown") { // to a person: that is for a person to say
			if a.status != 0 && a.status != 4 || !strings.Contains(a.stderr, path) {
				t.Errorf("%v", a)
			}
			s.m2.one(path)
			s.m2.ok("repair", path)
		} else if a.status != 0 {
			t.Errorf("%v", a)
		}
		s.m2.clean("after the update of " + change)
	}
	if s.m2.mode("srv/x") != 0o600 || s.m2.read("srv/key") != "other\n" {
		t.Errorf("srv/x has mode %04o, srv/key holds %q", s.m2.mode("srv/x"), s.m2.read("srv/key"))
	}
	dump := must(t, s.dir, "svnadmin", "dump", "--quiet", "repo")
	if strings.Contains(dump, "geheim") {
		t.Error("the repository holds the content of a closed file")
	}
}
