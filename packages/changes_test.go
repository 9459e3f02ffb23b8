package packages

import (
	"slices"
	"testing"
)

func TestChanges(t *testing.T) {
	p := func(name, version string) *Package { return &Package{Name: name, Version: version} }
	before := &Installed{Packages: []*Package{p("editor", "1"), p("kernel", "5"), p("nano", "7"), p("same", "1")}}
	now := &Installed{Packages: []*Package{p("editor", "1:2-3"), p("kernel", "5"), p("kernel", "6"), p("same", "1"), p("vim", "9")}}
	want := []Change{{"editor", "1", "1:2-3"}, {"kernel", "5", "5 6"}, {"nano", "7", ""}, {"vim", "", "9"}}
	if got := Changes(before, now); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
