package wc_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"rootwc/externals"
	"rootwc/internal/run"
	"rootwc/wc"
)

// TestAgainstSvn changes working copies at random, with svn and behind its
// back, and compares each state with what the real svn says of it: without an
// index, and with the one that the states before have left.
//
// ROOTWC_TREES is how many trees are compared, ROOTWC_SEED the seed of the
// first.
func TestAgainstSvn(t *testing.T) {
	for _, program := range []string{"svn", "svnadmin"} {
		if _, ok := run.Look(program); !ok {
			t.Skipf("needs %s, to compare with the real thing", program)
		}
	}
	trees := number("ROOTWC_TREES", 240)
	first := uint64(number("ROOTWC_SEED", int(time.Now().UnixNano()%1e9)))
	t.Logf("ROOTWC_SEED=%d ROOTWC_TREES=%d", first, trees)
	template := newLab(t, t.TempDir())
	template.makeRepository()
	const states = 12 // of one working copy
	for i := range uint64((trees + states - 1) / states) {
		seed := first + i
		t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
			t.Parallel()
			l := template.clone(t)
			r := rand.New(rand.NewPCG(seed, 1))
			for range states {
				l.change(r)
				if l.unjudged() {
					l.sh(false, "find . -name .svn -prune -o -type l -exec rm {} +")
				}
				if l.compare(r.IntN(4) == 0); t.Failed() {
					t.Logf("changes:\n%s", strings.Join(l.log, "\n"))
					return
				}
			}
		})
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// lab is a repository with a working copy, below one directory.
type lab struct {
	t   testing.TB
	dir string
	log []string
}

func newLab(t testing.TB, dir string) *lab { return &lab{t: t, dir: dir} }

func (l *lab) root() string { return filepath.Join(l.dir, "root") }

func (l *lab) path(rel string) string { return filepath.Join(l.root(), rel) }

// sh runs a script in the lab, for at most 10 s; failures count only where must
// is set: many random commands make no sense.
func (l *lab) sh(must bool, script string) {
	l.t.Helper()
	l.log = append(l.log, script)
	env := []string{"HOME=" + l.dir, "R=file://" + l.dir + "/repo", "SVN_I_LOVE_CORRUPTED_WORKING_COPIES_SO_DISABLE_SLEEP_FOR_TIMESTAMPS=yes"}
	svn := `svn() { command svn "$@" --non-interactive --config-dir "$HOME/config"; }` + "\n"
	out, warnings, err := run.Output(l.t.Context(), run.Command{Args: []string{"timeout", "-s", "KILL", "10", "sh", "-c", svn + script}, Dir: l.root(), Env: env})
	if must && err != nil {
		l.t.Fatalf("%s: %v\n%s%s", script, err, out, warnings)
	}
	if err != nil && script != "svn cleanup" { // perhaps killed: svn waits for ever at a fifo
		l.sh(false, "svn cleanup")
	}
}

// makeRepository makes a tree with something of everything, and a few
// revisions to update to.
func (l *lab) makeRepository() {
	if err := os.MkdirAll(l.root(), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := wc.WriteConfig(filepath.Join(l.dir, "config")); err != nil {
		l.t.Fatal(err)
	}
	l.sh(true, `set -e
svnadmin create ../repo
svn mkdir -q -m x $R/host $R/other $R/branch
svn checkout -q $R/host .
for d in a a/b a/b/c d e e/f; do mkdir $d; for n in 1 2 3; do echo "text of $d/$n" >$d/$n; done; done
printf 'one\ntwo\nthree\nfour\n' >text
printf '$Revision$ and $Id$\nbody\n' >keys
printf 'unix\nlines\n' >lines
printf 'dos\r\nlines\r\n' >dos
printf '\0\1\2' >binary
printf '#!/bin/sh\n' >script; chmod +x script
ln -s text link; ln -s nowhere a/dangling
mkdir empty 'with blank'; echo x >'with blank/at@sign'
svn add -q --force .
svn propset -q svn:keywords 'Revision Id' keys
svn propset -q svn:eol-style native lines; svn propset -q svn:eol-style CRLF dos
svn propset -q svn:ignore '*.tmp
ignored' .
svn propset -q svn:global-ignores '*.bak' a
svn commit -q -m first
svn checkout -q $R/other ../peer
echo external >../peer/file; mkdir ../peer/sub; echo s >../peer/sub/s
svn add -q ../peer/file ../peer/sub; svn commit -q -m other ../peer
svn copy -q -m branch $R/host $R/branch/one
svn propset -q svn:externals '^/other ext
^/other/file e/extfile
^/other/sub a/nested' .
svn commit -q -m externals
svn update -q
svn checkout -q $R/host ../peer2; cd ../peer2
echo new >a/new; echo changed >>text; svn rm -q d/2; svn rm -q e/f; svn propset -q p v a/1; echo more >>a/b/1; mkdir g; echo g >g/g
svn add -q a/new g; svn mv -q a/b/2 a/b/moved; svn rm -q link; echo file >link; svn add -q link
svn commit -q -m later`)
}

// clone is a copy of the lab, with its own repository's URL in the working
// copy.
func (l *lab) clone(t *testing.T) *lab {
	c := newLab(t, t.TempDir())
	if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"cp", "-a", l.dir + "/.", c.dir}}); err != nil {
		t.Fatal(err)
	}
	c.sh(true, "svn relocate file://"+l.dir+"/repo $R .") // externals follow
	return c
}

// commit is a change of its own: it lets the index hold on.
const commit = "rootwc commit"

// changes are what a person, a program or svn may do; @ stands for a path, ^ for
// a regular file, % for a directory, and # for a number.
var changes = []string{
	`echo edit-# >>^`, `echo edit-# >>^`, `printf x | dd of=^ bs=1 seek=0 conv=notrunc`, `touch @`, `touch -d '2020-01-01 00:00:#' @`,
	`cp -p ^ ../keep; printf y | dd of=^ bs=1 seek=1 conv=notrunc; touch -r ../keep ^`,
	`rm -rf @`, `rm -f @`, `mkdir @`, `mkdir -p %/sub#/deep`, `echo new >%/new#`, `echo n >%/n#.tmp`, `echo n >%/n#.bak`, `echo n >%/ignored`,
	`ln -s text %/ln#`, `mkfifo %/fifo#`, `rm -rf @; ln -s text @`, `rm -rf @; mkdir @`, `rm -rf @; echo file >@`, `rm -rf @; mkfifo @`,
	`rm -f link; ln -s other link`, `mv @ @.moved`, `chmod 0600 @`, `find . -name .svn -prune -o -type f -exec touch {} +`,
	`svn add -q --force %`, `svn add -q %/new#`, `svn add -q --no-ignore --force %`, `svn rm -q @`, `svn rm -q --force @`, `svn rm -q --keep-local @`,
	`svn mkdir -q %/made#`, `svn cp -q @ %/copy#`, `svn mv -q @ %/move#`, `svn cp -q % e/dircopy#`, `svn mv -q % e/dirmove#`,
	`svn revert -q @`, `svn revert -q -R %`, `svn revert -q -R .`, `svn revert -q -R --remove-added .`,
	`svn propset -q prop v# @`, `svn propdel -q svn:eol-style lines`, `svn propset -q svn:eol-style LF text`, `svn propset -q svn:keywords Id text`,
	`svn propset -q svn:ignore 'new*' %`, `svn propset -q svn:global-ignores 'n*' %`, `svn propdel -q svn:ignore .`, `svn propset -q svn:special x text`,
	`svn changelist -q list# @`, `svn lock -q @`,
	commit, commit, commit, `svn commit -q -m x @`, `svn commit -q -m x`, `svn update -q --ignore-externals`, `svn update -q -r 2 --ignore-externals`, `svn update -q -r 4 --accept postpone @`,
	`svn update -q --accept postpone`, `svn update -q --set-depth empty %`, `svn update -q --set-depth exclude %`, `svn update -q --set-depth infinity %`,
	`svn update -q --set-depth files %`, `svn switch -q --ignore-ancestry $R/branch/one/a a`, `svn switch -q --ignore-ancestry $R/host/a a`,
	`svn switch -q --ignore-ancestry $R/branch/one/text text`, `svn merge -q --accept postpone -c 6 $R/host .`, `svn merge -q --accept postpone -c -6 $R/host .`,
	`svn resolve -q --accept working @`, `svn resolve -q --accept working -R .`, `svn rm -q @; echo again >@; svn add -q @`, `svn cleanup -q`,
}

// change applies one to three random changes.
func (l *lab) change(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		text := changes[r.IntN(len(changes))]
		all, files, dirs := l.paths()
		quoted := func(list []string) string { return run.Quote([]string{list[r.IntN(len(list))]}) }
		text = strings.ReplaceAll(text, "^", quoted(files))
		text = strings.ReplaceAll(text, "@", quoted(all))
		text = strings.ReplaceAll(text, "%", quoted(dirs))
		text = strings.ReplaceAll(text, "#", strconv.Itoa(r.IntN(3)))
		if text == commit {
			l.commit()
			continue
		}
		l.sh(false, text)
	}
}

// paths lists what is on disk, and the files and directories of that.
func (l *lab) paths() (all, files, dirs []string) {
	filepath.WalkDir(l.root(), func(path string, d os.DirEntry, err error) error {
		if err != nil || path == l.root() {
			return nil
		}
		if d.Name() == ".svn" || d.Name() == "var" {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(l.root(), path)
		if strings.Contains(rel, "@") { // a peg revision
			return nil
		}
		all = append(all, rel)
		switch {
		case d.IsDir():
			dirs = append(dirs, rel)
		case d.Type().IsRegular():
			files = append(files, rel)
		}
		return nil
	})
	return append(all, "text"), append(files, "fresh"), append(dirs, ".") // there may be none
}

// unjudged says whether there is a symlink that leads to itself where svn
// expects a directory: then it gives no answer at all (E000040).
func (l *lab) unjudged() bool {
	_, _, err := run.Output(l.t.Context(), run.Command{Args: []string{"svn", "status", "--config-dir", l.dir + "/config", "--non-interactive"}, Dir: l.root()})
	return wc.HasCode(err, "000040")
}

// compare asks svn and rootwc, the latter with and without an index, and by
// way of svn.
func (l *lab) compare(ask bool) {
	l.t.Helper()
	with := l.rootwc()
	want := l.svn()
	for _, line := range with {
		// svn believes a size and a time that were put back; rootwc does not
		if path, ok := strings.CutPrefix(line, "modified "); ok && !slices.Contains(want, line) {
			for _, mark := range []string{" list=", " lock", " switched", " properties"} {
				path, _, _ = strings.Cut(path, mark)
			}
			l.sh(true, "touch -h "+run.Quote([]string{path}))
			with = l.rootwc()
			want = l.svn()
		}
	}
	if err := os.RemoveAll(l.path("var/lib/rootwc/index")); err != nil {
		l.t.Fatal(err)
	}
	answers := map[string][]string{"with an index": with, "without an index": l.rootwc()}
	if ask {
		answers["by asking svn"] = l.rootwc(wc.AskSvn)
	}
	for name, got := range answers {
		if !slices.Equal(got, want) {
			l.t.Errorf("%s:\n%s", name, differ(want, got))
		}
	}
}

// differ lists what only one of two sorted lists has.
func differ(want, got []string) string {
	var b strings.Builder
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintf(&b, "  only svn:    %s\n", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintf(&b, "  only rootwc: %s\n", line)
		}
	}
	return b.String()
}

// svn gives the real client's answer in lines "status path".
func (l *lab) svn() []string {
	l.t.Helper()
	out, _, err := run.Output(l.t.Context(), run.Command{Args: []string{"svn", "status", "--xml", "--no-ignore", "--config-dir", l.dir + "/config", "--non-interactive"}, Dir: l.root()})
	if err != nil {
		l.t.Fatal(err)
	}
	var doc struct {
		Entries []svnEntry `xml:"target>entry"`
		Lists   []struct {
			Name    string     `xml:"name,attr"`
			Entries []svnEntry `xml:"entry"`
		} `xml:"changelist"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		l.t.Fatal(err)
	}
	for _, list := range doc.Lists {
		for _, e := range list.Entries {
			e.list = list.Name
			doc.Entries = append(doc.Entries, e)
		}
	}
	missing := map[string]bool{}
	for _, e := range doc.Entries {
		missing[e.Path] = e.Status.Item == "missing" || e.Status.Item == "obstructed"
	}
	var lines []string
	for _, e := range doc.Entries {
		below := false // what is below a directory that is no more goes without saying
		for dir := filepath.Dir(e.Path); dir != "."; dir = filepath.Dir(dir) {
			below = below || missing[dir]
		}
		if line := e.line(); line != "" && !ours(e.Path) && !below {
			lines = append(lines, line)
		}
	}
	sort.Strings(lines)
	return slices.Compact(lines)
}

// ours says whether svn and rootwc see a path with other eyes on purpose: what
// is rootwc's own, and directories of externals, of which svn goes by what it
// once checked out, and rootwc by what is defined.
func ours(path string) bool {
	for _, top := range []string{"var", "ext", "a/nested"} {
		if path == top || strings.HasPrefix(path, top+"/") {
			return true
		}
	}
	return false
}

// aboveExternal says whether a path is unversioned to svn or rootwc only because
// of the external that it holds or is.
func aboveExternal(path string) bool { return path == "a" || path == "e" || path == "e/extfile" }

type svnEntry struct {
	Path   string `xml:"path,attr"`
	Status struct {
		Item     string    `xml:"item,attr"`
		Props    string    `xml:"props,attr"`
		Tree     bool      `xml:"tree-conflicted,attr"`
		Switched bool      `xml:"switched,attr"`
		Copied   bool      `xml:"copied,attr"`
		File     bool      `xml:"file-external,attr"`
		Lock     *struct{} `xml:"lock"`
	} `xml:"wc-status"`
	list string
}

func (e *svnEntry) line() string {
	s := &e.Status
	item := s.Item
	switch {
	case s.Tree || item == "conflicted" || s.Props == "conflicted":
		item = "conflicted"
	case item == "external", item == "unversioned" && aboveExternal(e.Path):
		return ""
	}
	// svn says of what a copied directory holds that it is copied; so does
	// rootwc of what it lists
	return line(item, e.Path, s.Props == "modified" && item != "added" && item != "replaced", s.Switched, s.Lock != nil, e.list)
}

// line is the form in which both answers are compared.
func line(item, path string, props, switched, lock bool, list string) string {
	marks := ""
	if props && item != "conflicted" {
		marks += " properties"
	}
	if switched {
		marks += " switched"
	}
	if lock {
		marks += " lock"
	}
	if list != "" {
		marks += " list=" + list
	}
	if item == "normal" && marks == "" {
		return ""
	}
	return item + " " + path + marks
}

// commit lets rootwc commit everything; what cannot be is no failure.
func (l *lab) commit() {
	l.sh(true, "find . -name .svn -prune -o -type p -exec rm {} +") // svn has no word for a fifo
	if len(l.log)%3 > 0 {                                           // else it may be out of date, or in conflict
		l.sh(false, "svn update -q --ignore-externals --accept working; svn resolve -q -R --accept working .; echo more >>text")
	}
	l.log = append(l.log, commit)
	t := l.open()
	defer t.Close()
	w, err := t.Begin("commit")
	if err != nil {
		l.t.Fatal(err)
	}
	defer w.End()
	l.attach(t)
	if plan, err := w.PlanCommit(l.t.Context(), wc.CommitOptions{Add: len(l.log)%2 == 0}); err == nil {
		_, err = plan.Run(l.t.Context(), "message")
		l.log = append(l.log, fmt.Sprintf("# %v", err))
	}
}

func (l *lab) open() *wc.Tree {
	l.t.Helper()
	t, err := wc.Open(l.root())
	if err != nil {
		l.t.Fatal(err)
	}
	t.Withhold = false
	return t
}

func (l *lab) attach(t *wc.Tree) {
	l.t.Helper()
	if _, err := t.Attach(""); err != nil {
		l.t.Fatal(err)
	}
	externals.Discover(t)
}

// rootwc gives rootwc's answer in the same form. Metadata is not compared.
func (l *lab) rootwc(before ...func(*wc.Tree) error) []string {
	l.t.Helper()
	if err := os.MkdirAll(l.path(wc.StatePath), 0o700); err != nil {
		l.t.Fatal(err)
	}
	t := l.open()
	defer t.Close()
	l.attach(t)
	for _, do := range before {
		if err := do(t); err != nil {
			l.t.Fatal(err)
		}
	}
	entries, err := t.Status(context.Background(), wc.StatusOptions{NoIgnore: true, Review: true})
	if err != nil {
		l.t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		if e.Status == wc.Unversioned && aboveExternal(e.Path) {
			continue
		}
		if line := line(string(e.Status), orRoot(e.Path), len(e.Properties) > 0, e.Switched, e.Token, e.Changelist); line != "" && !ours(e.Path) {
			lines = append(lines, line)
		}
	}
	sort.Strings(lines)
	return slices.Compact(lines)
}

func orRoot(path string) string {
	if path == "" {
		return "."
	}
	return path
}
