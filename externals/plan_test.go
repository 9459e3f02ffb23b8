package externals

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// at makes a Resolved of "OWNER PATH URL[@PEG]", where a dot is the root.
func at(line int, text string) Resolved {
	f := strings.Fields(text)
	url, peg, _ := strings.Cut(f[2], "@")
	r := Resolved{Owner: strings.TrimPrefix(f[0], "."), Path: f[1], URL: url}
	below := strings.TrimPrefix(strings.TrimPrefix(f[1], r.Owner), "/")
	r.Definition = Definition{Target: below, URL: url, Line: line}
	if peg != "" {
		r.Definition.Peg, _ = ParseRevision(peg)
	}
	return r
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want string // path, and what it is within
		errs string
	}{
		{"parents first, slash before other characters",
			[]string{". b u://h/1", ". a-b u://h/2", ". a/b/c u://h/3", ". a u://h/4", ". a/b u://h/5"},
			"a, a/b<a, a/b/c<a/b, a-b, b", ""},
		{"the first of two definitions of a path is kept",
			[]string{". d/x u://h/1", "d d/x u://h/2", ". e u://h/3"},
			"d/x, e", `external "d/x" ("/d" line 2): target appears more than once: "d/x" ("/" line 1)`},
		{"inside another external, beside its versioned paths",
			[]string{". x u://h/lib", ". x/other u://h/lib"}, "x, x/other<x", ""},
		{"the same content is versioned in the outer one",
			[]string{". x u://h/lib", ". x/sub/a%20b u://h/lib/sub/a%2520b", ". y/z u://h/lib"},
			"x, y/z", `external "x/sub/a%20b" ("/" line 2): path is versioned in another external: "x" ("/" line 1)`},
		{"other revisions may not have it",
			[]string{". x u://h/lib@3", ". x/sub u://h/lib/sub"}, "x, x/sub<x", ""},
		{"an external that defines itself",
			[]string{". x u://h/a", "x x/y u://h/b", "x/y x/y/z u://h/a", "x/y x/y/w u://h/c"},
			"x, x/y<x, x/y/w<x/y", `external "x/y/z" ("/x/y" line 3): external contains itself: "x" ("/" line 1)`},
		{"the same URL twice, but not defined by itself",
			[]string{". x u://h/a", ". x/y u://h/b", "x/y x/y/z u://h/a"}, "x, x/y<x, x/y/z<x/y", ""},
		{"unsafe paths",
			[]string{". ../x u://h/a", ". a/.svn/b u://h/a", ". /etc u://h/a", "a b u://h/a", ". ok u://h/a"},
			"ok", "unsafe target|unsafe target|unsafe target|internal error"},
	} {
		var in []Resolved
		for i, text := range c.in {
			in = append(in, at(i+1, text))
		}
		plan, errs := Plan(in)
		var got []string
		for _, r := range plan {
			text := r.Path
			if r.Within != "" {
				text += "<" + r.Within
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: plan %s, want %s", c.name, strings.Join(got, ", "), c.want)
		}
		want := strings.FieldsFunc(c.errs, func(r rune) bool { return r == '|' })
		if len(errs) != len(want) {
			t.Errorf("%s: errors %v, want %q", c.name, errs, want)
			continue
		}
		for i, err := range errs {
			var e *PlanError
			if !strings.Contains(err.Error(), want[i]) || !errors.As(err, &e) || e.Refused.Path == "" {
				t.Errorf("%s: error %v, want %q", c.name, err, want[i])
			}
		}
	}
}

func TestPlanKeepsItsInput(t *testing.T) {
	in := []Resolved{at(1, ". b u://h/b"), at(2, ". a u://h/a")}
	before := fmt.Sprint(in)
	if plan, errs := Plan(in); len(plan) != 2 || errs != nil || fmt.Sprint(in) != before {
		t.Errorf("Plan = %v, %v, input now %v", plan, errs, in)
	}
}
