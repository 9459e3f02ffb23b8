package ignore

import "testing"

func TestVerdict(t *testing.T) {
	inherited := NewRules(
		Inherited{"^/", "*.top\n"},
		Inherited{"^/hosts", "*.host\n"},
	)
	root := inherited.Child("", "*\n", "*~\n.git\n")
	etc := root.Child("etc", "mtab\n*.cache\n", "")
	ssh := etc.Child("etc/ssh", "", "*.old\n*~\n")
	keys := ssh.Child("etc/ssh/keys", "", "")

	for _, test := range []struct {
		rules Rules
		name  string
		want  Verdict
	}{
		{Rules{}, "a", Verdict{}},
		{root, "usr", Verdict{true, "*", PropIgnore, ""}},
		{root, "a~", Verdict{true, "*", PropIgnore, ""}},
		{etc, "hosts", Verdict{}},
		{etc, "mtab", Verdict{true, "mtab", PropIgnore, "etc"}},
		{etc, "hosts~", Verdict{true, "*~", PropGlobalIgnores, ""}},
		{etc, "a.top", Verdict{true, "*.top", PropGlobalIgnores, "^/"}},
		{etc, "a.host", Verdict{true, "*.host", PropGlobalIgnores, "^/hosts"}},
		{ssh, "mtab", Verdict{}},
		{ssh, "a.old", Verdict{true, "*.old", PropGlobalIgnores, "etc/ssh"}},
		{ssh, "a~", Verdict{true, "*~", PropGlobalIgnores, "etc/ssh"}},
		{keys, "a.old", Verdict{true, "*.old", PropGlobalIgnores, "etc/ssh"}},
		{keys, ".git", Verdict{true, ".git", PropGlobalIgnores, ""}},
	} {
		if got := test.rules.Verdict(test.name); got != test.want {
			t.Errorf("in %q: Verdict(%q) = %+v, want %+v", test.rules.own.origin, test.name, got, test.want)
		}
	}
	if etc.Verdict("a.old").Ignored {
		t.Error("a child changed the rules of its parent")
	}
}

func TestChildOfPlainDirectoryAllocatesNothing(t *testing.T) {
	rules := Rules{}.Child("", "*\n", "*~\n")
	allocs := testing.AllocsPerRun(100, func() {
		if rules.Child("etc", "", "").Verdict("hosts").Ignored {
			t.Error("hosts is ignored")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
