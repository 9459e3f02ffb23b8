package accounts

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	mine := Tables{
		Passwd: []byte(`root:x:0:0:the boss:/root:/bin/zsh
toor:x:0:0::/root:/bin/sh
daemon:x:1:1::/:/usr/sbin/nologin
postfix:x:101:103::/var/spool/postfix:/usr/sbin/nologin
sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
backup-job:x:104:105::/srv:/bin/sh
anna:x:1000:1000:Anna,,,:/home/anna:/bin/bash
# a comment
+::::::
`),
		Group:  []byte("root:x:0:\ndaemon:x:1:\nadm:x:4:anna\npostfix:x:103:\npostdrop:x:104:\njobs:x:105:anna\nanna:x:1000:\n"),
		Shadow: []byte("root:$y$secret:19000::::::\nanna:!:19000::::::\n"),
	}
	theirs := Tables{
		Passwd: []byte(`root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
postfix:x:104:106::/var/spool/postfix:/usr/sbin/nologin
polkitd:x:997:997::/nonexistent:/usr/sbin/nologin
installer:x:1000:1000::/home/installer:/bin/bash
later:x:1001:1001::/home/later:/bin/bash
`),
		Group:  []byte("root:x:0:\ndaemon:x:1:\nadm:x:4:syslog\npostfix:x:106:\npostdrop:x:107:\npolkitd:x:997:\ninstaller:x:1000:\nlater:x:1001:\n"),
		Shadow: []byte("root:*:20000::::::\npolkitd:!*:20000::::::\ninstaller:$y$other:20000::::::\n"),
	}
	want := Tables{
		Passwd: []byte(`root:x:0:0:the boss:/root:/bin/zsh
toor:x:0:0::/root:/bin/sh
daemon:x:1:1::/:/usr/sbin/nologin
postfix:x:104:106::/var/spool/postfix:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
backup-job:x:999:105::/srv:/bin/sh
anna:x:1000:1000:Anna,,,:/home/anna:/bin/bash
# a comment
polkitd:x:997:997::/nonexistent:/usr/sbin/nologin
later:x:1001:1001::/home/later:/bin/bash
+::::::
`),
		Group: []byte("root:x:0:\ndaemon:x:1:\nadm:x:4:anna,syslog\npostfix:x:106:\npostdrop:x:107:\njobs:x:105:anna\nanna:x:1000:\n" +
			"polkitd:x:997:\nlater:x:1001:\n"),
		Shadow: []byte("root:$y$secret:19000::::::\nanna:!:19000::::::\npolkitd:!*:20000::::::\n"),
	}
	got, notes := Merge(mine, theirs)
	for _, c := range []struct {
		name      string
		got, want []byte
	}{{"passwd", got.Passwd, want.Passwd}, {"group", got.Group, want.Group}, {"shadow", got.Shadow, want.Shadow}} {
		if string(c.got) != string(c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, c.got, c.want)
		}
	}
	if got.GShadow != nil {
		t.Errorf("gshadow: got\n%s", got.GShadow)
	}
	wantNotes := `user backup-job gets number 999: 104 belongs to postfix here
user installer of the new installation is left out: its number 1000 belongs to anna
group installer of the new installation is left out: its number 1000 belongs to anna`
	if said := strings.Join(notes, "\n"); said != wantNotes {
		t.Errorf("got\n%s\nwant\n%s", said, wantNotes)
	}
}

// random are tables with accounts of few names and numbers, so that they clash.
func random(r *rand.Rand) Tables {
	var passwd, group strings.Builder
	ids := []int{0, 1, 33, 100, 101, 102, 998, 999, 1000, 1001, 1002, 61184, 65534, 70000}
	for _, i := range r.Perm(12)[:r.IntN(12)] {
		fmt.Fprintf(&passwd, "user%d:x:%d:%d:::\n", i, ids[r.IntN(len(ids))], ids[r.IntN(len(ids))])
	}
	for _, i := range r.Perm(12)[:r.IntN(12)] {
		fmt.Fprintf(&group, "user%d:x:%d:user%d\n", i, ids[r.IntN(len(ids))], r.IntN(12))
	}
	if r.IntN(4) == 0 {
		passwd.WriteString("nonsense\nuser1:x:seven:0:::\n\n-user3::::::\n")
	}
	return Tables{Passwd: []byte(passwd.String()), Group: []byte(group.String())}
}

func numbers(text []byte) map[string]uint32 {
	all := map[string]uint32{}
	for _, l := range parse(text, 7) {
		if _, known := all[l.name()]; l.entry && !known {
			all[l.name()] = l.id()
		}
	}
	return all
}

// TestMergeRandom checks what has to hold of any two installations.
func TestMergeRandom(t *testing.T) {
	for round := range 3000 {
		r := rand.New(rand.NewPCG(5, uint64(round)))
		mine, theirs := random(r), random(r)
		got, _ := Merge(mine, theirs)
		was, fresh, now := numbers(mine.Passwd), numbers(theirs.Passwd), numbers(got.Passwd)
		for name, id := range was {
			if _, there := now[name]; !there || !isSystem(id) && now[name] != id {
				t.Errorf("round %d: %s was %d, is %d", round, name, id, now[name])
			}
		}
		for name, id := range fresh {
			if own, known := was[name]; isSystem(id) && (!known || isSystem(own)) && now[name] != id {
				t.Errorf("round %d: %s is %d in the installation, and %d now", round, name, id, now[name])
			}
		}
		for a, x := range now {
			for b, y := range now {
				if a != b && x == y && !alias(was, fresh, a, b) {
					t.Errorf("round %d: %s and %s are %d", round, a, b, x)
				}
			}
		}
		if again, _ := Merge(got, theirs); string(again.Passwd) != string(got.Passwd) {
			t.Errorf("round %d: a second time it is\n%s, was\n%s", round, again.Passwd, got.Passwd)
		}
		if same, notes := Merge(mine, mine); string(same.Passwd) != string(mine.Passwd) || string(same.Group) != string(mine.Group) || len(notes) > 0 {
			t.Errorf("round %d: merged with itself, %q\n%s became\n%s", round, notes, mine.Passwd, same.Passwd)
		}
		if t.Failed() {
			t.Fatalf("mine\n%stheirs\n%smerged\n%s", mine.Passwd, theirs.Passwd, got.Passwd)
		}
	}
}

// alias says whether two names had one number on either side, or over others
// that had.
func alias(was, fresh map[string]uint32, a, b string) bool {
	reached := map[string]bool{a: true}
	for n := 0; n < len(reached); {
		n = len(reached)
		for _, table := range []map[string]uint32{was, fresh} {
			ids := map[uint32]bool{}
			for name := range reached {
				if id, known := table[name]; known {
					ids[id] = true
				}
			}
			for name, id := range table {
				if ids[id] {
					reached[name] = true
				}
			}
		}
	}
	return reached[b]
}
