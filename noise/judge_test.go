package noise

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func judge(base, live string, rules ...*Rule) Verdict {
	return Set(rules).Judge(func() ([]byte, []byte, bool) { return []byte(base), []byte(live), true })
}

func TestJudge(t *testing.T) {
	times := &Rule{Path: "a", Lines: []string{`^Time \d+$`}}
	for _, test := range []struct {
		name, base, live string
		quiet            bool
	}{
		{"changed line", "a\nTime 1\nb\n", "a\nTime 2\nb\n", true},
		{"other line", "a\nTime 1\nb\n", "a\nTime 1\nc\n", false},
		{"both", "a\nTime 1\nb\n", "a\nTime 2\nc\n", false},
		{"removed", "a\nTime 1\nb\n", "a\nb\n", true},
		{"added", "a\nb\n", "Time 1\nTime 2\na\nb\nTime 3\n", true},
		{"moved", "Time 1\na\nb\n", "a\nb\nTime 1\n", true},
		{"others moved over it", "a\nTime 1\nb\n", "b\nTime 1\na\n", false},
		{"to nothing", "Time 1\n", "", true},
		{"to nothing of more", "Time 1\na\n", "", false},
		{"from a line that does not count", "Time 1\n", "Time x\n", false},
		{"to one that does", "Time x\n", "Time 1\n", false},
		{"CRLF", "a\r\nTime 1\r\n", "a\r\nTime 2\r\n", true},
		{"its end changed", "a\nTime 1\n", "a\nTime 1\r\n", true},
		{"another's end changed", "a\nTime 1\n", "a\r\nTime 1\n", false},
		{"last without end", "a\nTime 1\n", "a\nTime 2", true},
		{"another without end", "Time 1\na\n", "Time 1\na", false},
		{"zero byte", "a\nTime 1\n\x00", "a\nTime 2\n\x00", false},
		{"not UTF-8", "\xff\nTime 1\n", "\xff\nTime 2\n", true},
		{"too large", strings.Repeat("a\n", MaxText/2) + "Time 1\n", strings.Repeat("a\n", MaxText/2) + "Time 2\n", false},
		{"only blank lines", "a\n", "a\n\n", false},
	} {
		if got := judge(test.base, test.live, times); got.Quiet() != test.quiet || got.Revert {
			t.Errorf("%s: %+v, want %v", test.name, got, test.quiet)
		}
	}
	if got := judge("a", "b"); got.Quiet() {
		t.Errorf("no rules explain %+v", got)
	}
	if got := judge("a\n", "b\n", &Rule{Lines: []string{"(?P<n>a)", "(?P<n>b)", "(?s).*"}}); !got.Quiet() {
		t.Error("patterns are compiled together")
	}
}

func TestJudgeTellsTheRules(t *testing.T) {
	times := &Rule{Lines: []string{`^Time `}, Revert: true}
	seen := &Rule{Lines: []string{`^Seen `}}
	unused := &Rule{Lines: []string{`^Other `}}
	whole := &Rule{}
	for _, test := range []struct {
		base, live string
		rules, by  []*Rule
		revert     bool
	}{
		{"Time 1\nSeen 1\n", "Time 2\nSeen 1\n", []*Rule{seen, times}, []*Rule{times}, true},
		{"Time 1\nSeen 1\n", "Time 1\nSeen 2\n", []*Rule{seen, times, unused}, []*Rule{seen}, false},
		{"Time 1\nSeen 1\n", "Time 2\nSeen 2\n", []*Rule{times, seen}, []*Rule{times, seen}, false},
		{"Time 1\nx\n", "Time 2\ny\n", []*Rule{times, whole}, []*Rule{whole}, false},
		{"Time 1\nx\n", "Time 2\nx\n", []*Rule{times, whole}, []*Rule{times}, true},
		{"x\x00", "y", []*Rule{times, whole}, []*Rule{whole}, false},
	} {
		if got := judge(test.base, test.live, test.rules...); !slices.Equal(got.Rules, test.by) || got.Revert != test.revert {
			t.Errorf("%q to %q: %+v", test.base, test.live, got)
		}
	}
	got := Set{seen, whole}.Judge(func() ([]byte, []byte, bool) { t.Error("texts that decide nothing are read"); return nil, nil, false })
	if !slices.Equal(got.Rules, []*Rule{whole}) {
		t.Errorf("%+v", got)
	}
}

// TestJudgeIsADiff changes texts at random: lines that do not count never make
// news, and a change of any other always does, which diff's longest common
// subsequence confirms.
func TestJudgeIsADiff(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	rule := &Rule{Lines: []string{`^n`}}
	pick := func() string { return []string{"n1\n", "n2\n", "a\n", "b\n", "c\n"}[r.IntN(5)] }
	text := func(n int) (all []string) {
		for range r.IntN(n) {
			all = append(all, pick())
		}
		return all
	}
	for range 20000 {
		base := text(8)
		live := slices.Clone(base)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(live) + 1)
			if r.IntN(2) == 0 || at == len(live) {
				live = slices.Insert(live, at, pick())
			} else {
				live = slices.Delete(live, at, at+1)
			}
		}
		if slices.Equal(base, live) {
			continue
		}
		want := alignable(base, live)
		if got := judge(strings.Join(base, ""), strings.Join(live, ""), rule); got.Quiet() != want {
			t.Fatalf("%q to %q: quiet %v, want %v", base, live, got.Quiet(), want)
		}
	}
}

// alignable says whether some line diff has no line but those that begin with
// n: the definition, tried out in every way.
func alignable(a, b []string) bool {
	switch {
	case len(a) == 0 && len(b) == 0:
		return true
	case len(a) > 0 && len(b) > 0 && a[0] == b[0] && alignable(a[1:], b[1:]):
		return true
	case len(a) > 0 && a[0][0] == 'n' && alignable(a[1:], b):
		return true
	}
	return len(b) > 0 && b[0][0] == 'n' && alignable(a, b[1:])
}

// FuzzJudge has texts and patterns of any kind: what is equal without the
// matching lines is quiet, and nothing else is.
func FuzzJudge(f *testing.F) {
	f.Add("a\nTime 1\n", "a\nTime 2", `^Time \d+$`)
	f.Add("\x00", "\xff\r\n", `.*`)
	f.Add("", "\n", `^$`)
	f.Fuzz(func(t *testing.T, base, live, pattern string) {
		n, err := CheckLine(pattern)
		if err != nil || n > MaxSize/10 || len(base)+len(live) > 1<<16 || base == live {
			return
		}
		rule := &Rule{Lines: []string{pattern}}
		want := hasLines([]byte(base)) && hasLines([]byte(live)) && bytes.Equal(without(rule, base), without(rule, live))
		if got := judge(base, live, rule); got.Quiet() != want {
			t.Errorf("%q to %q with %q: quiet %v", base, live, pattern, got.Quiet())
		}
	})
}

func without(r *Rule, text string) (rest []byte) {
	for line := range bytes.Lines([]byte(text)) {
		if !r.matches(line) {
			rest = append(rest, line...)
		}
	}
	return rest
}
