package wc

import (
	"maps"
	"testing"
)

func TestMergeinfoAdd(t *testing.T) {
	for _, c := range []struct {
		value     string
		revisions []int64
		want      string
	}{
		{"", []int64{7}, "/trunk:7"},
		{"/trunk:3-5", []int64{6}, "/trunk:3-6"},
		{"/trunk:3-5,9", []int64{8, 7, 6}, "/trunk:3-9"},
		{"/trunk:9", []int64{3, 9}, "/trunk:3,9"},
		{"/trunk:3*", []int64{4}, "/trunk:3*,4"},
		{"/trunk:4-6*", []int64{5}, "/trunk:5"},
		{"/trunk:1-2\n/a:b/c:4*,6-8", []int64{9}, "/a:b/c:4*,6-8\n/trunk:1-2,9"},
	} {
		info, err := parseMergeinfo(c.value)
		if err == nil {
			err = info.add("/trunk", c.revisions...)
		}
		if err != nil || info.String() != c.want {
			t.Errorf("%q with %d = %q, %v; want %q", c.value, c.revisions, info, err, c.want)
		}
	}
}

func TestMergeinfoRefuses(t *testing.T) {
	for _, value := range []string{"trunk:3", "/trunk", ":3", "/trunk:x", "/trunk:5-3", "/trunk:0", "/trunk:1,,x"} {
		info, err := parseMergeinfo(value)
		if err == nil {
			err = info.add("/trunk", 9)
		}
		if err == nil {
			t.Errorf("%q passes as mergeinfo: %q", value, info)
		}
	}
}

func TestMergeinfoBelow(t *testing.T) {
	got := mergeinfo{"/trunk": "3-5,7*", "/other": "2*"}.below("docs/old")
	if want := (mergeinfo{"/trunk/docs/old": "3-5"}); !maps.Equal(got, want) {
		t.Errorf("below = %q, want %q", got, want)
	}
}

func FuzzMergeinfo(f *testing.F) {
	for _, s := range []string{"/trunk:3-5,7,9-12*", "/a:b/c:4*\n/trunk:1", "/:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		info, err := parseMergeinfo(value)
		if err != nil || info.add("/trunk", 4) != nil {
			return
		}
		again, err := parseMergeinfo(info.String())
		if err != nil || !maps.Equal(again, info) {
			t.Errorf("%q is written as %q, and read as %q, %v", value, info, again, err)
		}
	})
}
