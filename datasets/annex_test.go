package datasets

import (
	"os"
	"testing"

	"rootwc/system"
)

// TestAnnex has copies and a selection of a git-annex repository.
func TestAnnex(t *testing.T) {
	need(t, "git", "git-annex")
	w := newWorld(t)
	t.Setenv("HOME", w.path("config"))
	w.must(os.WriteFile(w.path("config/.gitconfig"), []byte("[user]\nname = anna\nemail = anna@example.org\n[init]\ndefaultBranch = main\n"), 0o644))
	w.write(w.path("server/music"), "a=A long/x=X")
	for _, args := range [][]string{
		{"git", "-C", "server/music", "init", "-q"}, {"git", "-C", "server/music", "annex", "init", "-q"},
		{"git", "-C", "server/music", "annex", "add", "-q", "."}, {"git", "-C", "server/music", "commit", "-q", "-m", "first"},
	} {
		w.exec(args...)
	}
	content := func(name string) string {
		text, _ := os.ReadFile(w.path("root", name))
		return string(text)
	}
	set := func(name string, typ system.DatasetType, include ...string) system.Dataset {
		w.must(os.Mkdir(w.path("root", name), 0o755))
		d := system.Dataset{Path: name, Type: typ, Repository: "git-annex:" + w.path("server/music"), Include: include}
		if _, status := w.do(Checkout, d, Options{}); status != 0 {
			t.Fatalf("%s: status %d", name, status)
		}
		return d
	}
	all := set("music", system.Copy)
	if content("music/a") != "A" || content("music/long/x") != "X" {
		t.Errorf("copy: %s", w.tree(w.path("root/music")))
	}
	some := set("some", system.Selection, "long/**")
	if content("some/a") != "" || content("some/long/x") != "X" {
		t.Errorf("selection: %s", w.tree(w.path("root/some")))
	}
	w.write(w.path("root/music"), "new=N")
	if _, status := w.do(Commit, all, Options{}); status != 0 {
		t.Errorf("commit: status %d", status)
	}
	other := set("other", system.Copy)
	w.exec("git", "-C", "server/music", "annex", "merge")
	if _, status := w.do(Update, other, Options{}); status != 0 || content("other/new") != "N" {
		t.Errorf("update: status %d, %s", status, w.tree(w.path("root/other")))
	}
	some.Include = []string{"a"}
	if _, status := w.do(Update, some, Options{}); status != 0 || content("some/a") != "A" || content("some/long/x") != "" {
		t.Errorf("selection: status %d, %s", status, w.tree(w.path("root/some")))
	}
}
