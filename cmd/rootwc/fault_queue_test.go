package main

import (
	"fmt"
	"strings"
	"testing"

	"rootwc/internal/fault"
)

// faultOffline changes files of all kinds while no server is there. Each of
// the changes is queued, and some files change again.
const faultOffline = `
cd root
echo host2 > etc/hostname
echo 'new' > etc/new; chown 0:34 etc/new; chmod 0664 etc/new
mkdir etc/new.d; echo 'in new.d' > etc/new.d/file; chmod 0750 etc/new.d
chgrp 34 etc/script; chmod 0775 etc/script
sed -i s/two/TWO/ etc/merge
rm etc/old.conf
rm -r etc/gone.d
rm etc/link; echo 'was a link' > etc/link
rm etc/tolink; ln -s hostname etc/tolink
echo 'sheet 2' > srv/data/sheet
echo 'eight' >> home/anna/notes
echo 'mine' > home/anna/mine; chown $A:$A home/anna/mine
rm home/anna/old
`

func init() {
	faultScenarios = append(faultScenarios, faultScenario{
		name:  "deliver",
		args:  []string{"commit", "--queued"},
		comes: true, // the status between lists what waits
		world: func(t *testing.T, w *faultWorld) {
			faultMachine(t, w, "withhold")
			w.sh(t, `mv repo repo.away; mv repo2 repo2.away`)
			w.sh(t, faultOffline)
			w.queues(t, "one")
			w.sh(t, `
cd root
sed -i s/six/SIX/ etc/merge
echo 'secret 2' > etc/shadow
`)
			w.queues(t, "two")
			w.sh(t, `
mv repo.away repo; mv repo2.away repo2
cd root
sed -i s/four/FOUR/ etc/merge
rm etc/new
`)
		},
		want: map[string]string{
			"etc/merge":       `file 0644 0:0 "one\nTWO\nthree\nFOUR\nfive\nSIX\nseven\n"`,
			"etc/new":         ``,
			"etc/link":        `file 0644 0:0 "was a link\n"`,
			"home/anna/mine":  `file 0644 ANNA:ANNA "mine\n"`,
			"home/anna/notes": `file 0644 ANNA:ANNA "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"`,
		},
		check: func(t *testing.T, w *faultWorld) {
			if got, want := w.sh(t, faultQueuedTexts), "one\nTWO\nthree\nfour\nfive\nSIX\nseven\nnew\nin new.d\nsheet 2\nmine\n"; got != want {
				t.Errorf("the repositories have\n%s\nwant\n%s", got, want)
			}
		},
	})
}

// faultQueuedTexts prints what the repositories have of some of the files.
const faultQueuedTexts = `
svn cat $S/repo/hosts/m/etc/merge $S/repo/hosts/m/etc/new $S/repo/hosts/m/etc/new.d/file $S/repo/data/sheet
svn cat $S/repo2/anna/mine
`

// queues commits while the servers are away.
func (w *faultWorld) queues(t *testing.T, message string) {
	t.Helper()
	if r := w.rootwc(t, "", "commit", "--add", "-m", message); r.status != 4 || !strings.Contains(r.out, "Queued commit") {
		t.Fatalf("want a queued commit: %v", r)
	}
}

// TestQueueingInterrupted kills the commit that is being queued at each named
// point. The next command queues it, or finds that it is; then it is made once.
func TestQueueingInterrupted(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	faultMachine(t, w, "withhold")
	w.sh(t, `mv repo repo.away; mv repo2 repo2.away`)
	w.sh(t, faultOffline)
	w.keep(t)
	w.queues(t, "undisturbed")
	youngest := w.delivered(t, "undisturbed")
	kills := 0
	for _, point := range fault.Points {
		for hit := 1; ; hit++ {
			w.reset(t)
			before := w.live(t)
			at := fmt.Sprintf("%s:%d", point, hit)
			if r := w.rootwc(t, at, "commit", "--add", "-m", "offline"); !r.killed {
				break
			}
			kills++
			for path, is := range w.live(t) {
				if before[path] != is {
					t.Errorf("killed at %s: %s was touched: %+v, now %+v", at, path, before[path], is)
				}
			}
			if r := w.rootwc(t, "", "commit", "--add", "-m", "again"); r.status != 4 && r.status != 0 {
				t.Errorf("killed at %s, want the next one to queue the rest: %v", at, r)
			}
			if got := w.delivered(t, at); got != youngest {
				t.Errorf("killed at %s, the repositories are at revisions %s, want %s", at, got, youngest)
			}
			w.sound(t)
		}
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("never killed: this proves nothing")
	}
}

// delivered brings the servers back, lets the queue be made, and returns the
// youngest revisions.
func (w *faultWorld) delivered(t *testing.T, at string) string {
	t.Helper()
	w.sh(t, `mv repo.away repo; mv repo2.away repo2`)
	w.do(t, "commit", "--queued")
	if out := w.do(t, "status"); out != "" {
		t.Errorf("killed at %s, in the end the status is\n%s", at, out)
	}
	if got, want := w.sh(t, faultQueuedTexts), "one\nTWO\nthree\nfour\nfive\nsix\nseven\nnew\nin new.d\nsheet 2\nmine\n"; got != want {
		t.Errorf("killed at %s, the repositories have\n%s\nwant\n%s", at, got, want)
	}
	return w.youngest(t)
}
