package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/fault"
)

// faultScenario is a command on a world.
type faultScenario struct {
	name  string
	world func(t *testing.T, w *faultWorld)
	args  []string
	exit  int   // of an undisturbed run
	again []int // what a run of a command that is done already may end with
	want  map[string]string
	comes bool // working copies come that were not there before
	parts bool // each path is settled by itself

	// check looks closer at the world in the end.
	check func(t *testing.T, w *faultWorld)
}

// faultMachine makes a machine with three working copies: the root's own, srv/data
// from the same repository, and home/anna from another, owned by anna.
func faultMachine(t *testing.T, w *faultWorld, secrets string) {
	t.Helper()
	w.sh(t, faultEtc+`
for repo in repo repo2; do
	svnadmin create $repo
	printf '[general]\nanon-access = write\n' > $repo/conf/svnserve.conf
done
svn mkdir -q -m 'places' $S/repo/data $S/repo/hosts
svn mkdir -q -m 'places' $S/repo2/anna
svn checkout -q $S/repo2/anna peer
svn propset -q svn:owner "$A anna" peer
svn propset -q svn:group "$A anna" peer
svn propset -q rootwc:defaults "owner $A anna
group $A anna
" peer
printf 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n' > peer/notes
echo 'to go' > peer/old
mkdir peer/papers; echo 'plan 1' > peer/papers/plan
svn add -q peer/notes peer/old peer/papers
svn commit -q -m 'anna' peer
rm -rf peer
svn checkout -q $S/repo/data peer
echo 'sheet 1' > peer/sheet
echo 'letter 1' > peer/letter
svn add -q peer/sheet peer/letter
svn commit -q -m 'data' peer
rm -rf peer
chown -R $A:$A repo2
`)
	w.do(t, "init", "--secrets", secrets, w.server+"/repo/hosts/m")
	w.do(t, "commit", "-m", "first state")
	w.do(t, "externals", "add", "^/data", "srv/data")
	w.do(t, "externals", "add", w.server+"/repo2/anna", "home/anna")
	w.do(t, "add", "usr/local/bin/backup")
	w.do(t, "commit", "-m", "externals")
	w.do(t, "update")
	if out := w.do(t, "status"); out != "" {
		t.Fatalf("the machine is not clean from the start:\n%s", out)
	}
}

// faultEtc makes the files of a small machine.
const faultEtc = `
mkdir -p root/etc/ssh root/etc/dir.d root/etc/other.d root/etc/gone.d root/etc/turn.d root/home/anna root/srv root/var/lib root/usr/local/bin
chown $A:$A root/home/anna
cd root
printf "root:x:0:0::/root:/bin/sh\nanna:x:$A:$A::/home/anna:/bin/sh\n" > etc/passwd
printf "root:x:0:\nshadow:x:42:\nbackup:x:34:\nanna:x:$A:\n" > etc/group
echo host1 > etc/hostname
echo 'secret 1' > etc/shadow; chgrp 42 etc/shadow; chmod 0640 etc/shadow
echo 'sudo 1' > etc/sudoers; chmod 0440 etc/sudoers
echo 'conf 1' > etc/ssh/conf; setfacl -m u:$A:r etc/ssh/conf
printf 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n' > etc/merge
printf 'left\nmiddle\nright\n' > etc/clash
echo 'echo 1' > etc/script; chmod 0755 etc/script
ln -s hostname etc/link
echo 'old' > etc/old.conf
echo 'a' > etc/dir.d/a
echo 'b' > etc/dir.d/b; chgrp 34 etc/dir.d/b; chmod 0664 etc/dir.d/b
echo 'other' > etc/other.d/a
echo 'gone' > etc/gone.d/a; chmod 0750 etc/gone.d
echo 'turn' > etc/turn.d/a
echo 'was a file' > etc/todir
echo 'was a file' > etc/tolink
echo 'meta' > etc/meta
echo 'not versioned' > srv/unrelated; chmod 0600 srv/unrelated
echo 'backup 1' > usr/local/bin/backup; chmod 0755 usr/local/bin/backup
cd ..
`

var faultScenarios = []faultScenario{
	{
		name: "commit",
		args: []string{"commit", "--add", "-m", "all kinds of changes"},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "withhold")
			w.sh(t, `
cd root
svn propset -q svn:keywords Revision etc/meta
`)
			w.do(t, "commit", "-m", "keywords")
			w.sh(t, `
cd root
echo host2 > etc/hostname
echo 'secret 2' > etc/shadow
echo 'key' > etc/ssh/key; chmod 0600 etc/ssh/key
echo 'new' > etc/new; chown 0:34 etc/new; chmod 0664 etc/new
mkdir etc/new.d; echo 'in new.d' > etc/new.d/file; setfacl -m u:$A:rw etc/new.d/file
chmod 0700 etc/new.d
chgrp 34 etc/script; chmod 0775 etc/script
echo '$Revision$ here' > etc/meta
chgrp 34 etc/meta
rm etc/old.conf
rm -r etc/gone.d
rm etc/link; echo 'was a link' > etc/link
rm etc/todir; mkdir etc/todir; echo 'in todir' > etc/todir/file
rm etc/tolink; ln -s hostname etc/tolink
rm -r etc/turn.d; ln -s other.d etc/turn.d
echo 'sheet 2' > srv/data/sheet
echo 'new' > srv/data/new
rm srv/data/letter
echo 'eight' >> home/anna/notes
echo 'mine' > home/anna/mine; chown $A:$A home/anna/mine
rm home/anna/old
`)
		},
		want: map[string]string{
			"etc/shadow":  `file 0640 0:42 "secret 2\n"`,
			"etc/ssh/key": `file 0600 0:0 "key\n"`,
			"etc/meta":    `file 0644 0:34 "$Revision: 7 $ here\n"`,
		},
	},
	{
		name: "update",
		args: []string{"update"},
		exit: 4,
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "clear")
			faultIncoming(t, w)
			w.sh(t, `
cd root
sed -i s/two/TWO/ etc/merge
sed -i s/middle/mine/ etc/clash
chgrp 34 etc/dir.d/a
echo 'local' > etc/other.d/a
`)
		},
		want: map[string]string{
			"etc/hostname":     `file 0644 0:0 "host2\n"`,
			"etc/shadow":       `file 0640 0:42 "secret 2\n"`,
			"etc/ssh/conf":     `file 0644 0:0 acl_access(u::6,u:ANNA:4,g::4,m::4,o::4) "conf 2\n"`,
			"etc/script":       `file 0700 0:34 "echo 1\n"`,
			"etc/merge":        `file 0644 0:0 "one\nTWO\nthree\nfour\nfive\nSIX\nseven\n"`,
			"etc/clash":        `file 0644 0:0 "left\nmine\nright\n"`,
			"etc/dir.d/a":      `file 0644 0:34 "a 2\n"`,
			"etc/other.d/a":    `file 0644 0:0 "local\n"`,
			"etc/old.conf":     ``,
			"etc/gone.d":       ``,
			"etc/new":          `file 0440 0:42 "new secret\n"`,
			"etc/new.d":        `dir 0750 0:42`,
			"etc/new.d/file":   `file 0644 0:0 "in new.d\n"`,
			"etc/link":         `file 0600 0:0 "was a link\n"`,
			"etc/todir":        `dir 0750 0:0`,
			"etc/todir/file":   `file 0644 0:0 "in todir\n"`,
			"etc/tolink":       `link 0777 0:0 -> hostname`,
			"etc/turn.d":       `file 0640 0:0 "was a directory\n"`,
			"srv/data/sheet":   `file 0644 0:0 "sheet 2\n"`,
			"srv/data/letter":  ``,
			"home/anna/notes":  `file 0600 ANNA:ANNA "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"`,
			"home/anna/new":    `file 0644 ANNA:ANNA "new\n"`,
			"home/anna/old":    ``,
			"srv/unrelated":    `file 0600 0:0 "not versioned\n"`,
			"srv/more/extra":   `file 0644 0:0 "extra\n"`,
			"etc/keep/special": `fifo 0600 0:0`,
		},
	},
	{
		name: "revert",
		args: []string{"revert", "."},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "clear")
			w.sh(t, `
cd root
echo host2 > etc/hostname; chmod 0600 etc/hostname
echo open > etc/shadow; chmod 0644 etc/shadow; chgrp 0 etc/shadow
chmod 0666 etc/sudoers
setfacl -b etc/ssh/conf
echo 'new' > etc/new
rm etc/old.conf
rm -r etc/gone.d
rm etc/link; echo 'was a link' > etc/link
rm etc/todir; ln -s hostname etc/todir
rm etc/tolink; mkdir etc/tolink
chmod 0700 etc/dir.d; chgrp 0 etc/dir.d/b
echo 'sheet 2' > srv/data/sheet
rm srv/data/letter
echo 'eight' >> home/anna/notes
rm home/anna/old
`)
			w.do(t, "add", "etc/new")
		},
		want: map[string]string{
			"etc/hostname": `file 0644 0:0 "host1\n"`,
			"etc/shadow":   `file 0640 0:42 "secret 1\n"`,
			"etc/sudoers":  `file 0440 0:0 "sudo 1\n"`,
			"etc/ssh/conf": `file 0644 0:0 acl_access(u::6,u:ANNA:4,g::4,m::4,o::4) "conf 1\n"`,
			"etc/old.conf": `file 0644 0:0 "old\n"`,
			"etc/gone.d":   `dir 0750 0:0`,
			"etc/gone.d/a": `file 0644 0:0 "gone\n"`,
			"etc/link":     `link 0777 0:0 -> hostname`,
			"etc/todir":    `file 0644 0:0 "was a file\n"`,
			"etc/tolink":   `file 0644 0:0 "was a file\n"`,
			"etc/new":      `file 0644 0:0 "new\n"`,
			"etc/dir.d/b":  `file 0664 0:34 "b\n"`,
		},
	},
	{
		name:  "restore",
		args:  []string{"restore", "etc", "--at", "4"},
		exit:  4, // etc/todir is a directory by now, with a file in it
		again: []int{3},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "clear")
			faultIncoming(t, w)
			w.do(t, "update")
			w.sh(t, `echo 'not committed' > root/etc/hostname`)
		},
		want: map[string]string{
			"etc/hostname": `file 0644 0:0 "host1\n"`,
			"etc/shadow":   `file 0640 0:42 "secret 1\n"`,
			"etc/ssh/conf": `file 0644 0:0 acl_access(u::6,u:ANNA:4,g::4,m::4,o::4) "conf 1\n"`,
			"etc/gone.d":   `dir 0750 0:0`,
			"etc/todir":    `dir 0750 0:0`,
		},
		check: func(t *testing.T, w *faultWorld) {
			if got := w.sh(t, "cat root/var/lib/rootwc/replaced/*/etc/hostname root/var/lib/rootwc/replaced/*/hostname 2>/dev/null || true"); !strings.Contains(got, "not committed") {
				t.Errorf("what was not committed is nowhere: %q", got)
			}
		},
	},
	{
		name: "restore-home",
		args: []string{"restore", "home/anna/papers/plan", "--at", "2"},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "clear")
			w.sh(t, `echo 'plan 2' > root/home/anna/papers/plan; chmod 0600 root/home/anna/papers/plan`)
			w.do(t, "commit", "-m", "another plan")
			w.sh(t, `echo 'plan 3' > root/home/anna/papers/plan`)
		},
		want: map[string]string{
			"home/anna/papers/plan": `file 0644 ANNA:ANNA "plan 1\n"`,
		},
	},
	{
		name:  "resolve-theirs",
		parts: true,
		args:  []string{"resolve", "--accept", "theirs", "etc/clash", "etc/shadow", "etc/old.conf"},
		world: faultConflicts,
		again: []int{2},
		want: map[string]string{
			"etc/clash":    `file 0644 0:0 "left\ntheirs\nright\n"`,
			"etc/shadow":   `file 0640 0:42 "secret 2\n"`,
			"etc/old.conf": ``,
		},
	},
	{
		name:  "resolve-mine",
		parts: true,
		args:  []string{"resolve", "--accept", "mine", "etc/clash", "etc/shadow", "etc/old.conf"},
		world: func(t *testing.T, w *faultWorld) { faultConflicts(t, w); w.sh(t, `echo later > root/etc/clash`) },
		again: []int{2},
		want: map[string]string{
			"etc/clash":    `file 0644 0:0 "left\nmine\nright\n"`,
			"etc/shadow":   `file 0600 0:42 "secret mine\n"`,
			"etc/old.conf": `file 0644 0:0 "old mine\n"`,
		},
	},
	{
		name:  "materialize",
		comes: true,
		args:  []string{"materialize"},
		world: faultFreshInstall,
		want: map[string]string{
			"etc/hostname":    `file 0644 0:0 "host2\n"`,
			"etc/shadow":      `file 0640 0:42 "secret 2\n"`,
			"etc/installed":   `file 0600 0:0 "by the installer\n"`,
			"etc/tolink":      `link 0777 0:0 -> hostname`,
			"srv/data/sheet":  `file 0644 0:0 "sheet 2\n"`,
			"home/anna/notes": `file 0600 ANNA:ANNA "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"`,
		},
		check: func(t *testing.T, w *faultWorld) {
			if got := w.sh(t, "cat root/var/lib/rootwc/replaced/*/etc/hostname"); !strings.Contains(got, "installer") {
				t.Errorf("what was replaced is nowhere: %q", got)
			}
		},
	},
	{
		name:  "init",
		comes: true,
		args:  []string{"init"},
		again: []int{3},
		world: func(t *testing.T, w *faultWorld) {
			w.sh(t, faultEtc+`svnadmin create repo`)
		},
	},
	{
		name: "add",
		args: []string{"add", "srv/unrelated", "opt/deep/down", "srv/data/new", "home/anna/new", "etc/new.d"},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "withhold")
			w.sh(t, `
cd root
mkdir -p opt/deep/down etc/new.d
echo x > opt/deep/down/file
echo x > etc/new.d/file
echo x > etc/new.d/closed; chmod 0600 etc/new.d/closed
echo x > srv/data/new
echo x > home/anna/new; chown $A:$A home/anna/new
`)
		},
	},
	{
		name:  "promote",
		args:  []string{"promote", "--to", "^/trunk", "home/anna/notes", "home/anna/new", "home/anna/old"},
		again: []int{2}, // home/anna/old is nowhere by then
		world: func(t *testing.T, w *faultWorld) {
			faultBranches(t, w)
			w.sh(t, `
cd root/home/anna
sed -i s/two/TWO/ notes
echo new > new; chown $A:$A new
rm old
echo 'plan 2' > papers/plan
`)
			w.do(t, "add", "home/anna/new")
			w.do(t, "commit", "-m", "for all, and for this host")
		},
		check: func(t *testing.T, w *faultWorld) {
			got := w.sh(t, "svn list $S/repo2/trunk; svn cat $S/repo2/trunk/notes; svn cat $S/repo2/trunk/papers/plan")
			if want := "new\nnotes\npapers/\none\nTWO\nthree\nfour\nfive\nsix\nseven\nplan 1\n"; got != want {
				t.Errorf("the trunk has\n%s\nwant\n%s", got, want)
			}
		},
	},
	{
		name:  "update-from",
		args:  []string{"update", "--from", "^/trunk", "home/anna"},
		exit:  4, // papers/plan is in conflict
		again: []int{3},
		world: func(t *testing.T, w *faultWorld) {
			faultBranches(t, w)
			w.sh(t, `
svn checkout -q $S/repo2/trunk peer
cd peer
sed -i s/six/SIX/ notes; svn propset -q svn:unix-mode 0600 notes
echo new > new; svn add -q new
svn delete -q old
echo 'plan of all' > papers/plan
svn commit -q -m 'the trunk'
cd ..
rm -rf peer
chown -R $A:$A repo2
cd root/home/anna
sed -i s/two/TWO/ notes
echo 'plan of the host' > papers/plan
`)
			w.do(t, "commit", "-m", "this host")
			w.do(t, "update", "home/anna")
		},
		want: map[string]string{
			"home/anna/notes":       `file 0600 ANNA:ANNA "one\nTWO\nthree\nfour\nfive\nSIX\nseven\n"`,
			"home/anna/new":         `file 0644 ANNA:ANNA "new\n"`,
			"home/anna/old":         ``,
			"home/anna/papers/plan": `file 0644 ANNA:ANNA "plan of the host\n"`,
		},
	},
	{
		name:  "externals-add",
		comes: true,
		args:  []string{"externals", "add", "^/data", "srv/more"},
		again: []int{3},
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "withhold")
			w.sh(t, `mkdir root/srv/more; echo mine > root/srv/more/own; echo 'sheet mine' > root/srv/more/sheet`)
		},
		want: map[string]string{
			"srv/more/own":   `file 0644 0:0 "mine\n"`,
			"srv/more/sheet": `file 0644 0:0 "sheet 1\n"`,
		},
	},
}

// faultScenarioOf finds one by its name.
func faultScenarioOf(t *testing.T, name string) *faultScenario {
	t.Helper()
	for i := range faultScenarios {
		if faultScenarios[i].name == name {
			s := faultScenarios[i]
			return &s
		}
	}
	t.Fatalf("no scenario %q", name)
	return nil
}

// faultIncoming commits changes of every kind from elsewhere.
func faultIncoming(t *testing.T, w *faultWorld) {
	t.Helper()
	w.sh(t, `
svn checkout -q --ignore-externals $S/repo/hosts/m peer
cd peer
echo host2 > etc/hostname
echo 'secret 2' > etc/shadow
echo 'conf 2' > etc/ssh/conf
svn propset -q svn:unix-mode 0700 etc/script; svn propset -q svn:group '34 backup' etc/script
sed -i s/six/SIX/ etc/merge
sed -i s/middle/theirs/ etc/clash
echo 'a 2' > etc/dir.d/a
svn delete -q etc/old.conf etc/gone.d
echo 'new secret' > etc/new; svn add -q etc/new; svn propset -q svn:unix-mode 0440 etc/new; svn propset -q svn:group '42 shadow' etc/new
mkdir etc/new.d; echo 'in new.d' > etc/new.d/file; svn add -q etc/new.d
svn propset -q svn:unix-mode 0750 etc/new.d; svn propset -q svn:group '42 shadow' etc/new.d
svn delete -q etc/link; echo 'was a link' > etc/link; svn add -q etc/link; svn propset -q svn:unix-mode 0600 etc/link
svn delete -q etc/todir; mkdir etc/todir; echo 'in todir' > etc/todir/file; svn add -q etc/todir; svn propset -q svn:unix-mode 0750 etc/todir
svn delete -q etc/tolink; ln -s hostname etc/tolink; svn add -q etc/tolink
svn delete -q etc/turn.d; echo 'was a directory' > etc/turn.d; svn add -q etc/turn.d; svn propset -q svn:unix-mode 0640 etc/turn.d
mkdir etc/keep; : > etc/keep/special; svn add -q etc/keep; svn propset -q rootwc:special fifo etc/keep/special; svn propset -q svn:unix-mode 0600 etc/keep/special
svn propget svn:externals . > ../defs; echo '^/more srv/more' >> ../defs
svn propset -q svn:externals -F ../defs .
rm ../defs
svn update -q --ignore-externals
svn commit -q -m 'from elsewhere'
cd ..
rm -rf peer
svn checkout -q $S/repo peer --depth immediates
mkdir peer/more; echo extra > peer/more/extra
svn add -q peer/more
svn update -q --set-depth infinity peer/data
echo 'sheet 2' > peer/data/sheet
svn delete -q peer/data/letter
svn commit -q -m 'data from elsewhere' peer
rm -rf peer
svn checkout -q $S/repo2/anna peer
echo eight >> peer/notes; svn propset -q svn:unix-mode 0600 peer/notes
echo new > peer/new; svn add -q peer/new
svn delete -q peer/old
svn commit -q -m 'anna from elsewhere' peer
rm -rf peer
chown -R $A:$A repo2
`)
}

// faultBranches makes what home/anna comes from a branch of a common one.
func faultBranches(t *testing.T, w *faultWorld) {
	t.Helper()
	faultMachine(t, w, "clear")
	w.sh(t, `
svn copy -q -m 'in common' $S/repo2/anna $S/repo2/trunk
chown -R $A:$A repo2
`)
	w.do(t, "update")
}

// faultConflicts leaves three conflicts to be resolved.
func faultConflicts(t *testing.T, w *faultWorld) {
	t.Helper()
	faultMachine(t, w, "clear")
	faultIncoming(t, w)
	w.sh(t, `
cd root
sed -i s/middle/mine/ etc/clash
echo 'secret mine' > etc/shadow; chmod 0600 etc/shadow
echo 'old mine' > etc/old.conf
`)
	if r := w.rootwc(t, "", "update"); r.status != 4 {
		t.Fatalf("want conflicts: %v", r)
	}
}

// faultFreshInstall is a machine as an installer left it, and a repository
// that knows better.
func faultFreshInstall(t *testing.T, w *faultWorld) {
	t.Helper()
	faultMachine(t, w, "clear")
	faultIncoming(t, w)
	w.sh(t, `rm -rf root/* root/.svn root/.rootwc`+faultEtc+`
cd root
echo installer > etc/hostname; chmod 0600 etc/hostname
echo 'by the installer' > etc/installed; chmod 0600 etc/installed
chmod 0644 etc/shadow; rm -r etc/turn.d
mkdir srv/data; echo 'sheet 0' > srv/data/sheet; echo 'stays' > srv/data/stays
`)
}

// build makes the scenario's world and learns what is right.
func (s *faultScenario) build(t *testing.T) (*faultWorld, *faultReference) {
	t.Helper()
	return s.buildIn(t, newFaultWorld(t))
}

// buildIn is build in a place that is made already.
func (s *faultScenario) buildIn(t *testing.T, w *faultWorld) (*faultWorld, *faultReference) {
	t.Helper()
	s.world(t, w)
	if s.args[0] == "materialize" || s.args[0] == "init" {
		s.args = []string{s.args[0], w.server + "/repo/hosts/m"}
	}
	ref := w.undisturbed(t, s)
	if s.check != nil {
		s.check(t, w)
	}
	return w, ref
}

// mended lets the next command mend what an interruption left: status, then
// the same command again, or that at once. In the end all is as it should be.
func (s *faultScenario) mended(t *testing.T, w *faultWorld, ref *faultReference, statusFirst, thorough bool) {
	t.Helper()
	if statusFirst && w.isWorkingCopy() {
		r := w.rootwc(t, "", "status")
		if r.status != 0 {
			t.Errorf("want status to mend things: %v", r)
		}
		if !s.comes {
			ref.undone(t, w, r, s.parts)
		}
		w.idleButUnsure(t)
	}
	r := w.rootwc(t, "", s.args...)
	if r.status != ref.exit && r.status != 0 && !slices.Contains(s.again, r.status) {
		t.Errorf("want the second attempt to end with %d: %v", ref.exit, r)
	}
	if r.status != ref.exit && len(s.again) > 0 { // it was done: another command clears up
		w.rootwc(t, "", "status")
	}
	ref.settled(t, w, thorough)
	if s.check != nil {
		s.check(t, w)
	}
	if t.Failed() {
		t.Logf("the second attempt: %v", r)
	}
}

// TestInterrupted interrupts each command: it is killed at each named point,
// killed at any time, and asked to end.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	random := faultSeed(t)
	for _, s := range faultScenarios {
		times := faultTimes(s.name, random)
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w, ref := s.build(t)
			t.Run("at-each-point", func(t *testing.T) { s.killAtEachPoint(t, w, ref) })
			ref.anyMoment = true
			if len(times.kill) > 0 {
				t.Run("at-any-time", func(t *testing.T) { s.killAtAnyTime(t, w, ref, times.kill) })
			}
			if len(times.end) > 0 {
				t.Run("asked-to-end", func(t *testing.T) { s.askToEnd(t, w, ref, times.end) })
			}
			w.noTemporary(t)
		})
	}
}

// killAtEachPoint kills the command at each hit of each named point. In a
// short run not at all of them: places are many, and much alike.
func (s *faultScenario) killAtEachPoint(t *testing.T, w *faultWorld, ref *faultReference) {
	kills := 0
	for _, point := range fault.Points {
		for hit := 1; s.killAt(t, w, ref, fmt.Sprintf("%s:%d", point, hit), kills%2 == 0); {
			kills++
			if hit++; hit > 3 && faultRuns(0) == 0 {
				hit += 3
			}
		}
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("never killed: this proves nothing")
	}
}

// killAt puts the world up, kills the command and looks at what comes of it;
// false when the command did not get to that point.
func (s *faultScenario) killAt(t *testing.T, w *faultWorld, ref *faultReference, at string, statusFirst bool) (killed bool) {
	w.reset(t)
	before := w.live(t)
	r := w.rootwc(t, at, s.args...)
	if !r.killed {
		if r.status != ref.exit {
			t.Errorf("not killed at %s: %v", at, r)
		}
		return false
	}
	t.Run(at, func(t *testing.T) {
		ref.interrupted(t, w, before)
		s.mended(t, w, ref, statusFirst, faultRuns(0) > 0 || statusFirst)
	})
	return true
}
