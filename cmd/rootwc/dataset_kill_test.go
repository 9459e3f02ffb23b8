package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootwc/internal/fault"
	"rootwc/internal/run"
)

// A dataset's transfer is killed at each of its points and at random moments.
// At any moment every byte is here, put aside here, or in the repository; and
// the same command, given again, comes to the same end as an undisturbed one.

// datasetKill is one scenario.
type datasetKill struct {
	name   string
	svn    bool   // the repository is Subversion's, and read into store
	script string // makes the machine, in the world's directory
	args   []string
	status int
	// safe are contents that must be in one of the places at any moment.
	safe []string
	// stay are files here that must not change, with their contents.
	stay map[string]string
}

const datasetMachine = `
svnadmin create repo
mkdir -p root/etc root/var/lib root/home/anna
printf 'root:x:0:0:root:/root:/bin/sh\nanna:x:%s:%s::/home/anna:/bin/sh\n' $A $A >root/etc/passwd
printf 'root:x:0:\nanna:x:%s:\n' $A >root/etc/group
mkdir store
`

func datasetKills() []datasetKill {
	var contents []string
	for i := range 12 {
		contents = append(contents, fmt.Sprintf("content-%d", i))
	}
	files := `for i in 0 1 2 3 4 5 6 7 8 9 10 11; do mkdir -p %[1]s/d$((i %% 3)); printf content-$i >%[1]s/d$((i %% 3))/$i; touch -d 2024-01-01 %[1]s/d$((i %% 3))/$i; done` + "\n"
	return []datasetKill{
		{
			name: "flush",
			script: datasetMachine + fmt.Sprintf(files, "root/home/anna/data") +
				"printf mine >root/home/anna/data/other; printf theirs >store/other; mkdir store/d1; cp -p root/home/anna/data/d1/1 store/d1/\n",
			args: []string{"dataset", "flush"}, status: 4,
			safe: slices.Concat(contents, []string{"mine", "theirs"}), stay: map[string]string{"other": "mine"},
		},
		{
			name: "flush-svn", svn: true,
			script: datasetMachine + fmt.Sprintf(files, "root/home/anna/data") +
				"svnadmin create big; printf theirs >other; printf mine >root/home/anna/data/other\n" +
				"svnmucc -m first put other $S/big/other; chmod -R a+rwX big\n",
			args: []string{"dataset", "flush"}, status: 4,
			safe: slices.Concat(contents, []string{"mine", "theirs"}), stay: map[string]string{"other": "mine"},
		},
		{
			name: "copy",
			script: datasetMachine + fmt.Sprintf(files, "store") + "mkdir root/home/anna/data\n" +
				"@checkout\n" +
				"for i in 3 6 9; do printf newer-$i >store/d0/$i; done; rm -r store/d1; printf fresh >store/fresh\n" +
				"printf mine >root/home/anna/data/mine; printf edited >root/home/anna/data/d2/2\n",
			args: []string{"dataset", "update"},
			safe: []string{"content-0", "newer-3", "newer-6", "newer-9", "content-2", "content-5", "fresh", "mine", "edited"},
			stay: map[string]string{"mine": "mine", "d2/2": "edited"},
		},
		{
			name: "selection",
			script: datasetMachine + fmt.Sprintf(files, "store") + "mkdir root/home/anna/data\n" +
				"@checkout\n" +
				"sed -i 's/d\\*/d0/' root/.rootwc/system.toml; printf edited >root/home/anna/data/d2/2; printf mine >root/home/anna/data/mine\n",
			args: []string{"dataset", "update"}, status: 4,
			safe: slices.Concat(contents, []string{"edited", "mine"}), stay: map[string]string{"d2/2": "edited", "mine": "mine"},
		},
	}
}

func TestDatasetKilled(t *testing.T) {
	for _, s := range datasetKills() {
		t.Run(s.name, func(t *testing.T) {
			w := s.build(t)
			began := time.Now()
			if r := w.rootwc(t, "", s.args...); r.status != s.status {
				t.Fatalf("undisturbed: %v", r)
			}
			took := time.Since(began)
			end := s.end(t, w)
			kills := 0
			for _, point := range fault.DatasetPoints {
				for hit := 1; ; hit++ {
					w.reset(t)
					r := w.rootwc(t, fmt.Sprintf("%s:%d", point, hit), s.args...)
					if !r.killed {
						break
					}
					kills++
					s.check(t, w, fmt.Sprintf("%s:%d", point, hit), end)
				}
			}
			for range faultRuns(20) {
				w.reset(t)
				after := time.Duration(rand.Int64N(int64(took)))
				if r := w.interrupt(t, after, syscall.SIGKILL, s.args...); r.killed {
					kills++
				}
				s.check(t, w, "after "+after.String(), end)
			}
			t.Logf("killed %d times", kills)
			if kills < 10 {
				t.Errorf("killed %d times only: this proves little", kills)
			}
		})
	}
}

// build makes the machine with its dataset.
func (s datasetKill) build(t *testing.T) *faultWorld {
	t.Helper()
	if _, found := run.Look("rsync"); !found {
		t.Skip("needs the program rsync")
	}
	w := newFaultWorld(t)
	first, second, _ := strings.Cut(s.script, "@checkout\n")
	w.sh(t, first)
	w.do(t, "init", w.server+"/repo/m1")
	typ, repository := s.name, "vfs:"+filepath.Join(w.dir, "store")
	if s.args[1] == "flush" {
		typ = "buffer"
	}
	if s.svn {
		repository = "svn:" + w.server + "/big"
	}
	page := fmt.Sprintf("\n[[dataset]]\npath = \"home/anna/data\"\ntype = %q\nrepository = %q\n", typ, repository)
	if s.name == "selection" {
		page += "include = [\"d*\"]\n"
	}
	f, err := os.OpenFile(w.path(".rootwc/system.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(page)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.sh(t, "chown -R $A:$A root/home/anna store")
	w.do(t, "dataset", "checkout")
	w.sh(t, second+"chown -R $A:$A root/home/anna store")
	w.keep(t)
	return w
}

// read brings what a Subversion repository holds into store.
func (s datasetKill) read(t *testing.T, w *faultWorld) {
	t.Helper()
	if s.svn {
		w.sh(t, "rm -rf store; svn export -q $S/big store; chown -R $A:$A store; chmod -R a+rwX big")
	}
}

// end is what there is when all is done.
func (s datasetKill) end(t *testing.T, w *faultWorld) string {
	t.Helper()
	s.read(t, w)
	return datasetTree(t, w.path("home/anna/data")) + "| " + datasetTree(t, filepath.Join(w.dir, "store"))
}

// datasetTree is what is in a directory, with owners, but for rootwc's own.
func datasetTree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	items := faultTree(t, dir, func(_, name string) bool { return strings.HasPrefix(name, ".rootwc-") })
	for _, rel := range slices.Sorted(maps.Keys(items)) {
		if rel != "." {
			fmt.Fprintf(&b, "%s: %s; ", rel, items[rel].words)
		}
	}
	return b.String()
}

// check looks that nothing is lost, and that the command comes to its end.
func (s datasetKill) check(t *testing.T, w *faultWorld, at, end string) {
	t.Helper()
	s.read(t, w)
	everywhere := faultTree(t, w.path("home/anna/data"), nil)
	for rel, item := range faultTree(t, filepath.Join(w.dir, "store"), nil) {
		everywhere["store/"+rel] = item
	}
	for _, content := range s.safe {
		found := false
		for _, item := range everywhere {
			found = found || strings.HasPrefix(item.words, "file ") && strings.HasSuffix(item.words, fmt.Sprintf(" %q", content))
		}
		if !found {
			t.Errorf("%s: %q is lost", at, content)
		}
	}
	for rel, content := range s.stay {
		if text, err := os.ReadFile(w.path("home/anna/data", rel)); string(text) != content {
			t.Errorf("%s: %s holds %q, %v", at, rel, text, err)
		}
	}
	if r := w.rootwc(t, "", s.args...); r.status != s.status {
		t.Errorf("%s: again: %v", at, r)
	}
	if got := s.end(t, w); got != end {
		t.Errorf("%s: the end is\n%s\nundisturbed it is\n%s", at, got, end)
	}
}
