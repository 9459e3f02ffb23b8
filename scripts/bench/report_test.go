package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{4, 1}, 2.5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{1, 100, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 2000: "2,000", 200000: "200,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
}

// used makes the rounds of a row.
func used(peak uint64, seconds ...float64) (out []usage) {
	for _, s := range seconds {
		out = append(out, usage{Seconds: s, CPU: s / 2, PeakBytes: peak})
	}
	return out
}

// sample is a report of two scenes at 200,000 files.
func sample() *report {
	r := &report{
		Date:    time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Machine: &machine{CPUs: 2, Memory: 24 << 30, System: "Debian", Kernel: "6.1", FileSystem: "ext2/ext3", PeakFloor: 6 << 20},
		LeftOut: []string{"fsvs: fsvs is not installed"},
	}
	r.add(&result{Scene: sceneClean, Title: "clean", Files: 200000, Directories: 22223, Rounds: 3, Rows: []row{
		{Command: rootwcStatus, used: used(160<<20, 1.1, 1, 5)},
		{Command: svnStatus, used: used(20<<20, 4, 4.4, 5)},
	}})
	r.add(&result{Scene: sceneTouched, Title: "every file touched", Files: 200000, Directories: 22223, Rounds: 1, Rows: []row{
		{Command: rootwcStatus, used: used(1<<20, 6)},
		{Command: rootwcStatus + ", again", used: used(1<<20, 1.2)},
		{Command: svnStatus, used: used(1<<20, 10)},
	}})
	r.judge()
	return r
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	sample().text(&out)
	want, err := os.ReadFile("testdata/report.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("text is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTargets(t *testing.T) {
	want := map[string]bool{
		"clean, 200,000 files: rootwc status to svn status":                                          true,  // 1.1 of 4.4
		"clean, 200,000 files: rootwc status, peak MiB":                                              false, // 160
		"every file touched, 200,000 files: rootwc status to svn status":                             false, // 6 of 10
		"every file touched, 200,000 files: rootwc status, again to rootwc status of the clean tree": true,  // 1.2 of 1.1
		"every file touched, 200,000 files: rootwc status, peak MiB":                                 true,  // 1
	}
	r := sample()
	if len(r.Targets) != len(want) {
		t.Errorf("%d targets are judged, want %d", len(r.Targets), len(want))
	}
	for _, v := range r.Targets {
		if met, ok := want[v.What]; !ok || met != v.Met {
			t.Errorf("%q is met: %v (%v of %v)", v.What, v.Met, v.Value, v.AtMost)
		}
	}
}

func TestJSON(t *testing.T) {
	name := filepath.Join(t.TempDir(), "deep", "bench.json")
	if err := sample().writeJSON(name); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	row := back.find(sceneClean, 200000, svnStatus)
	if row == nil || row.Ratio != 0.25 || row.Min != 4 || row.Peak != 20<<20 || len(row.Seconds) != 3 {
		t.Errorf("the row of svn comes back as %+v", row)
	}
	if back.Format != "1.0.0" || len(back.Targets) != 5 {
		t.Errorf("format %q and %d targets come back", back.Format, len(back.Targets))
	}
}

func TestForest(t *testing.T) {
	for _, files := range []int{1, 9, 10, 60, 2000, 20000} {
		f := newForest(files)
		if len(f.files) != files || len(f.dirs) != (files+perDir-1)/perDir {
			t.Errorf("%d files: %d in %d directories", files, len(f.files), len(f.dirs))
		}
		seen := map[string]bool{}
		for _, name := range append(f.dirs, f.files...) {
			if seen[name] || strings.HasPrefix(name, "/") {
				t.Errorf("%d files: %q is there twice, or absolute", files, name)
			}
			seen[name] = true
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-scenes clean,nonsense", `"nonsense" is none of clean, watched, touched, commit, externals`},
		{"-peers hg", `"hg" is none of svn, git, fsvs, etckeeper, walk`},
		{"-files 10,0", `"0" is no number of files`},
		{"more", `unexpected argument "more"`},
	}
	for _, tt := range tests {
		if _, err := parse(strings.Fields(tt.args), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parse(%q) says %v, want %q", tt.args, err, tt.want)
		}
	}
}
