package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"rootwc/internal/fault"
	"rootwc/internal/run"
)

// secretsWorld is a machine with encrypted secrets, its own and anna's.
type secretsWorld struct {
	*faultWorld
	marker string // in every secret, and nowhere else
	key    string // file with the identity
}

// secrets are the paths of the secrets, with what lstat(2) has to say.
func (w *secretsWorld) secrets() map[string]string {
	return map[string]string{
		"etc/shadow":        "file 0640 0:42",
		"etc/ssh/host_key":  "file 0600 0:0",
		"home/anna/.ssh/id": fmt.Sprintf("file 0600 %d:%d", w.anna, w.anna),
	}
}

func newSecretsWorld(t *testing.T) *secretsWorld {
	t.Helper()
	w := &secretsWorld{newFaultWorld(t), rand.Text(), ""}
	w.key = filepath.Join(w.home(), "key.txt")
	id, err := age.GenerateX25519Identity()
	if err == nil {
		err = os.WriteFile(w.key, []byte(id.String()+"\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.sh(t, faultEtc+`
svnadmin create repo
svnadmin create repo2
svn mkdir -q -m 'place' $S/repo2/anna
chown -R $A:$A repo2
`)
	w.do(t, "init", "--secrets=encrypt", "--recipient="+id.Recipient().String(), w.server+"/repo/hosts/m")
	w.do(t, "externals", "add", w.server+"/repo2/anna", "home/anna")
	w.edit(t, "1")
	w.do(t, "add", "home/anna/.ssh")
	w.do(t, "commit", "--add", "-m", "first state")
	if out := w.do(t, "status"); out != "" {
		t.Fatalf("not clean from the start:\n%s", out)
	}
	return w
}

// edit changes every secret.
func (w *secretsWorld) edit(t *testing.T, version string) {
	t.Helper()
	w.sh(t, `
cd root
mkdir -p etc/ssh home/anna/.ssh
for f in etc/shadow etc/ssh/host_key home/anna/.ssh/id; do echo '`+w.marker+` `+version+`' >>$f; done
chmod 0600 etc/ssh/host_key home/anna/.ssh/id
chown -R $A:$A home/anna/.ssh
`)
}

// quiet looks for clear text: in the repositories with all their revisions,
// below the root but for the secrets themselves, in temporary places, and in
// what a command has printed.
func (w *secretsWorld) quiet(t *testing.T, r faultResult) {
	t.Helper()
	if strings.Contains(r.out+r.err+strings.Join(r.args, " "), w.marker) {
		t.Errorf("a secret was printed: %v", r)
	}
	for _, repo := range []string{"repo", "repo2"} {
		if dump := faultMust(t, run.Command{Args: []string{"svnadmin", "dump", "-q", filepath.Join(w.dir, repo)}}); strings.Contains(dump, w.marker) {
			t.Errorf("a secret is in %s", repo)
		}
	}
	temporary, err := filepath.Glob("/tmp/rootwc-tmp-*") // anna's
	if err != nil {
		t.Fatal(err)
	}
	grep := []string{"grep", "--recursive", "--files-with-matches", "--binary-files=text", "--fixed-strings", "--", w.marker, w.dir, w.tmp()}
	found := faultExecute(t.Context(), run.Command{Args: append(grep, temporary...)})
	for name := range strings.Lines(found.out) {
		name = strings.TrimSuffix(name, "\n")
		rel, _ := filepath.Rel(w.path(), name)
		if _, own := w.secrets()[rel]; !own && !w.appearing(t, rel) {
			t.Errorf("a secret is in %s", name)
		}
	}
}

// appearing says whether a path is a secret that was about to take the place of
// an old one: beside it, with its final metadata.
func (w *secretsWorld) appearing(t *testing.T, rel string) bool {
	t.Helper()
	if !strings.HasPrefix(filepath.Base(rel), ".rootwc-") {
		return false
	}
	for path, words := range w.secrets() {
		if it, err := faultDescribe(w.path(rel)); err == nil && filepath.Dir(path) == filepath.Dir(rel) && strings.HasPrefix(it.words, words) {
			return true
		}
	}
	return false
}

// whole checks that each secret that is there is one of these texts, with its
// metadata when it is the last of them.
func (w *secretsWorld) whole(t *testing.T, texts map[string][]string) {
	t.Helper()
	for path, words := range w.secrets() {
		it, err := faultDescribe(w.path(path))
		if err != nil {
			continue
		}
		last := texts[path][len(texts[path])-1]
		ok := it.words == last && strings.HasPrefix(it.words, words)
		for _, one := range texts[path] {
			ok = ok || it.words == one
		}
		if !ok {
			t.Errorf("%s is neither old nor new: %s", path, it.words)
		}
	}
}

// are the secrets as they are now.
func (w *secretsWorld) are(t *testing.T) map[string]string {
	t.Helper()
	now := map[string]string{}
	for path := range w.secrets() {
		it, err := faultDescribe(w.path(path))
		if err != nil {
			t.Fatal(err)
		}
		now[path] = it.words
	}
	return now
}

// eachKill kills a command at each hit of each named point, from the kept
// world.
func (w *secretsWorld) eachKill(t *testing.T, args []string, after func(t *testing.T, r faultResult)) {
	t.Helper()
	kills := 0
	for _, point := range fault.Points {
		for hit := 1; ; hit++ {
			at := fmt.Sprintf("%s:%d", point, hit)
			w.reset(t)
			r := w.rootwc(t, at, args...)
			if !r.killed {
				break
			}
			kills++
			t.Run(at, func(t *testing.T) { after(t, r) })
			if hit >= 3 && faultRuns(0) == 0 {
				hit += 4
			}
		}
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("never killed: this proves nothing")
	}
}

// TestSecretsCommitInterrupted kills commits of secrets: no clear text is
// anywhere at any moment, and the next command brings it to an end.
func TestSecretsCommitInterrupted(t *testing.T) {
	t.Parallel()
	w := newSecretsWorld(t)
	w.edit(t, "2")
	w.keep(t)
	before := w.are(t)
	args := []string{"commit", "-m", "changed"}
	w.eachKill(t, args, func(t *testing.T, r faultResult) {
		w.quiet(t, r)
		r = w.rootwc(t, "", args...)
		if r.status != 0 {
			t.Errorf("the next commit: %v", r)
		}
		w.quiet(t, r)
		if out := w.do(t, "status"); out != "" {
			t.Errorf("status in the end:\n%s", out)
		}
		// what the repository has now opens, and is what is here
		if out := w.do(t, "secrets", "restore", "--identity", w.key, "etc", "home"); out != "" {
			t.Errorf("what was encrypted differs from what is here:\n%s", out)
		}
		for path, words := range w.are(t) {
			if words != before[path] {
				t.Errorf("%s was changed: %s", path, words)
			}
		}
		w.sound(t)
		w.idle(t)
	})
}

// TestSecretsMaterializeInterrupted kills restores onto a fresh installation that
// has secrets of its own.
func TestSecretsMaterializeInterrupted(t *testing.T) {
	t.Parallel()
	w := newSecretsWorld(t)
	want := w.are(t)
	w.sh(t, `
rm -rf root/* root/.svn root/.rootwc
mkdir -p root/etc/ssh root/var/lib root/home/anna
chown $A:$A root/home/anna
echo installed >root/etc/shadow; chmod 0600 root/etc/shadow
echo installed >root/etc/ssh/host_key; chmod 0640 root/etc/ssh/host_key
`)
	w.keep(t)
	texts := map[string][]string{}
	for path, words := range want {
		it, _ := faultDescribe(w.path(path))
		texts[path] = []string{it.words, words}
	}
	args := []string{"materialize", "--identity", w.key, w.server + "/repo/hosts/m"}
	w.eachKill(t, args, func(t *testing.T, r faultResult) {
		w.quiet(t, r)
		w.whole(t, texts)
		if r = w.rootwc(t, "", args...); r.status != 0 {
			t.Errorf("the next run: %v", r)
		}
		w.quiet(t, r)
		w.noStrays(t)
		for path, words := range w.are(t) {
			if words != want[path] {
				t.Errorf("%s in the end: %s, want %s", path, words, want[path])
			}
		}
		if out := w.do(t, "status"); out != "" {
			t.Errorf("status in the end:\n%s", out)
		}
		w.sound(t)
		w.idle(t)
	})
}
