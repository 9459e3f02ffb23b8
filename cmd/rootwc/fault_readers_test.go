package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"rootwc/internal/run"
)

// faultReads is what a reader saw.
type faultReads struct {
	Secret, Public, Dir int      // how often it looked
	Seen                []string // what it must not have seen, the first few
}

// The test program itself reads as an ordinary user, in a process of its own.
func init() {
	dir := os.Getenv("ROOTWC_FAULT_READER")
	if dir == "" {
		return
	}
	runtime.GOMAXPROCS(1)
	json.NewEncoder(os.Stdout).Encode(faultRead(dir, os.Getenv("ROOTWC_FAULT_NAMES"), os.Getenv("ROOTWC_FAULT_STOP")))
	os.Exit(0)
}

// faultRead reads in a tight loop until the file stop is there.
func faultRead(dir, names, stop string) *faultReads {
	known := strings.Split(names, " ")
	r := &faultReads{}
	wrong := func(format string, args ...any) {
		if len(r.Seen) < 10 {
			r.Seen = append(r.Seen, fmt.Sprintf(format, args...))
		}
	}
	for i := 0; ; i++ {
		if _, err := os.Lstat(stop); i%100 == 0 && err == nil {
			return r
		}
		if f, err := os.Open(filepath.Join(dir, "secret")); err == nil {
			text, _ := io.ReadAll(f)
			f.Close()
			wrong("the secret: %q", text)
		} else if !errors.Is(err, fs.ErrPermission) {
			wrong("the secret: %v", err)
		}
		r.Secret++
		if text, err := os.ReadFile(filepath.Join(dir, "public")); err != nil {
			wrong("the public file: %v", err)
		} else if why := faultMixed(string(text)); why != "" {
			wrong("the public file: %s", why)
		}
		r.Public++
		if i%4 != 0 {
			continue
		}
		found, err := os.ReadDir(dir)
		if err != nil {
			wrong("the directory: %v", err)
		}
		for _, f := range found {
			if !slices.Contains(known, f.Name()) {
				wrong("in the directory: %s", f.Name())
			}
		}
		r.Dir++
	}
}

const faultLines = 3000

// faultMixed says what is wrong with the public file: each of its versions is
// one line, so many times.
func faultMixed(text string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != faultLines || !strings.HasSuffix(text, "\n") {
		return fmt.Sprintf("%d lines", len(lines))
	}
	if last := lines[len(lines)-1] + "\n"; slices.ContainsFunc(lines[:len(lines)-1], func(l string) bool { return l != last }) {
		return fmt.Sprintf("mixed: %q and %q", lines[0], last)
	}
	return ""
}

// faultRevisions is how many versions of the files there are.
const faultRevisions = 6

// faultReadable makes a machine whose secret is versioned: because the
// description says so, or because it came with plain svn.
func faultReadable(t *testing.T, w *faultWorld, plainSvn bool) {
	t.Helper()
	w.sh(t, `
svnadmin create repo
mkdir -p root/etc root/tmp
cd root
printf 'root:x:0:0::/root:/bin/sh\n' > etc/passwd
printf 'root:x:0:\nshadow:x:42:\n' > etc/group
yes 'revision 0' | head -n `+fmt.Sprint(faultLines)+` > etc/public
`)
	if !plainSvn {
		w.sh(t, `cd root; printf 'first 0\n2\n3\n4\nlast 0\n' > etc/secret; chgrp 42 etc/secret; chmod 0640 etc/secret`)
	}
	w.do(t, "init", "--secrets", "clear", w.server+"/repo/m")
	w.do(t, "commit", "-m", "first state")
	w.sh(t, "svn checkout -q $S/repo/m peer")
	if plainSvn {
		w.sh(t, `
cd peer
printf 'first 0\n2\n3\n4\nlast 0\n' > etc/secret
svn add -q etc/secret
svn propset -q svn:unix-mode 0640 etc/secret
svn propset -q svn:group '42 shadow' etc/secret
svn commit -q -m secret`)
	}
	for i := range faultRevisions - 1 {
		w.sh(t, fmt.Sprintf(`
cd peer
sed -i 's/^last .*/last %d/' etc/secret
yes 'revision %d' | head -n %d > etc/public
svn commit -q -m 'revision %d'
`, i+1, i+1, faultLines, i+1))
	}
	w.sh(t, "rm -r peer; chmod 0755 root/etc")
	w.do(t, "update")
}

// TestNobodyReadsASecret changes files while somebody else reads them all the
// time: a closed file must never open, an open one always be whole.
func TestNobodyReadsASecret(t *testing.T) {
	t.Parallel()
	for _, plainSvn := range []bool{false, true} {
		t.Run(map[bool]string{false: "description", true: "plain-svn"}[plainSvn], func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			faultReadable(t, w, plainSvn)
			before := w.live(t)["etc/secret"].words
			if !strings.HasPrefix(before, "file 0640 0:42 ") {
				t.Fatalf("the secret is %s", before)
			}
			stop := w.reader(t)
			rounds := faultRuns(200) / 4 / 2
			for i := range rounds {
				w.changeAll(t, i)
			}
			r := stop()
			t.Logf("%d rounds of two updates, a revert and a merge; %d reads of the secret, %d of the public file, %d of the directory", rounds, r.Secret, r.Public, r.Dir)
			for _, s := range r.Seen {
				t.Error(s)
			}
			if least := 50 * rounds; r.Secret < least || r.Public < least || r.Dir < least/8 {
				t.Errorf("hardly read at all: this proves nothing")
			}
		})
	}
}

// changeAll lets rootwc replace both files in each of its ways.
func (w *faultWorld) changeAll(t *testing.T, i int) {
	t.Helper()
	oldest := 3 // when the files are all there
	to := func(n int) string { return fmt.Sprint(oldest + (i+n)%(faultRevisions-1)) }
	w.do(t, "update", "-r", to(0))
	w.do(t, "update", "-r", to(2))
	w.edit(t, "secret", "0640", "0:42", "first local\n2\n3\n4\nlast local\n")
	w.edit(t, "public", "0644", "0:0", strings.Repeat(fmt.Sprintf("local %d\n", i), faultLines))
	w.do(t, "revert", "etc")
	w.sh(t, `cp -a root/etc/secret root/tmp/new; sed -i 's/^first .*/first merged/' root/tmp/new; chgrp 42 root/tmp/new; chmod 0640 root/tmp/new; mv root/tmp/new root/etc/secret`)
	w.do(t, "update", "-r", to(3))
	if text, _ := os.ReadFile(w.path("etc/secret")); !strings.Contains(string(text), "first merged\n") {
		t.Errorf("not merged: %q", text)
	}
	w.do(t, "revert", "etc")
	if out := w.do(t, "status"); out != "" {
		t.Errorf("after a round:\n%s", out)
	}
	if got := w.live(t)["etc/secret"].words; !strings.HasPrefix(got, "file 0640 0:42 ") {
		t.Errorf("the secret is %s", got)
	}
}

// edit changes a file as a careful editor does.
func (w *faultWorld) edit(t *testing.T, name, mode, owner, text string) {
	t.Helper()
	tmp := w.path("tmp/new")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sh(t, fmt.Sprintf("chown %s root/tmp/new; chmod %s root/tmp/new; mv root/tmp/new root/etc/%s", owner, mode, name))
}

// reader starts a reader as nobody; the returned function ends it.
func (w *faultWorld) reader(t *testing.T) (stop func() *faultReads) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(w.bin), "reader-") // where nobody may go
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "reader")
	faultMust(t, run.Command{Args: []string{"cp", own, exe}})
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(w.path("etc"))
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, n := range names {
		known = append(known, n.Name())
	}
	end := filepath.Join(w.dir, "stop")
	var r faultResult
	var running sync.WaitGroup
	c := run.Command{Args: []string{exe}, Dir: "/", User: &run.User{UID: 65534, GID: 65534, Groups: []uint32{65534}},
		Env: []string{"ROOTWC_FAULT_READER=" + w.path("etc"), "ROOTWC_FAULT_NAMES=" + strings.Join(known, " "), "ROOTWC_FAULT_STOP=" + end}}
	running.Go(func() { r = faultExecuteLong(t.Context(), c) })
	return func() *faultReads {
		t.Helper()
		if err := os.WriteFile(end, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		running.Wait()
		reads := &faultReads{}
		if err := json.Unmarshal([]byte(r.out), reads); err != nil {
			t.Fatalf("%v: %v", err, r)
		}
		return reads
	}
}
