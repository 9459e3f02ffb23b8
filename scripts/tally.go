//go:build ignore

// Tally reads the output of "go test -json" and prints it for people: a line
// for each package, everything about tests that failed, why others were
// skipped, and how many there were. It exits with 1 when a test failed, when
// nothing ran or nothing that -show names, or, where the variable CI is set,
// when a test was skipped for want of something that could have been installed.
//
//	go test -json ./... | go run scripts/tally.go [-show TEST] [-summary FILE]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is one line of test2json; see go doc test2json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Output      string
	FailedBuild string
}

type tally struct {
	show     *regexp.Regexp // tests whose output is printed even when they pass
	shown    bool
	output   map[string][]string
	packages map[string]string // the action that ended each, the worst where it ran twice
	tests    map[string]int
	skipped  []string
	wanting  []string // skipped for want of a tool
}

func main() {
	show := flag.String("show", "", "print what tests that match log, passed or not; one has to run")
	summary := flag.String("summary", "", "write the closing line to this file as well")
	flag.Parse()
	if *show == "" {
		*show = "^$"
	}
	t := &tally{show: regexp.MustCompile(*show), shown: *show == "^$", output: map[string][]string{}, packages: map[string]string{}, tests: map[string]int{}}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			t.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "tally:", err)
			os.Exit(2)
		}
	}
	closing, good := t.close()
	if *summary != "" {
		if err := os.WriteFile(*summary, []byte(closing+"\n"), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "tally:", err)
			os.Exit(2)
		}
	}
	if !good {
		os.Exit(1)
	}
}

func (t *tally) line(line string) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		fmt.Print(line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
	case "output":
		t.take(key, e)
	case "pass", "fail", "skip":
		t.end(key, e)
	}
}

// take keeps the output of tests; that of packages is printed at once.
func (t *tally) take(key string, e event) {
	if e.Test != "" {
		t.output[key] = append(t.output[key], e.Output)
		return
	}
	if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "coverage:") {
		fmt.Print(e.Output)
	}
}

func (t *tally) end(key string, e event) {
	if e.Test == "" {
		if t.packages[e.Package] != "fail" {
			t.packages[e.Package] = e.Action
		}
		return
	}
	t.tests[e.Action]++
	t.shown = t.shown || t.show.MatchString(e.Test)
	said := t.output[key]
	delete(t.output, key)
	switch {
	case e.Action == "skip":
		t.skip(e, said)
	case e.Action == "fail", t.show.MatchString(e.Test):
		fmt.Print(strings.Join(said, ""))
	}
}

// want matches reasons that installing something would have removed.
var want = regexp.MustCompile(`(?i)\bneeds? |not installed|not found|no program|missing`)

var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// skip notes why a test was skipped: what it said last.
func (t *tally) skip(e event, said []string) {
	reason := "no reason given"
	for _, line := range said {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "=== ") {
			reason = place.ReplaceAllString(line, "")
		}
	}
	text := fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason)
	t.skipped = append(t.skipped, text)
	if want.MatchString(reason) {
		t.wanting = append(t.wanting, text)
	}
}

func (t *tally) close() (closing string, good bool) {
	for key, said := range t.output { // a test that never ended: a panic, or a timeout
		if !strings.HasSuffix(key, " ") {
			t.tests["fail"]++
			fmt.Printf("did not end: %s\n%s", key, strings.Join(said, ""))
		}
	}
	slices.Sort(t.skipped)
	for _, s := range t.skipped {
		fmt.Println("skipped:", s)
	}
	ended := map[string]int{}
	for _, action := range t.packages {
		ended[action]++
	}
	fmt.Printf("packages: %d ran, %d of them failed, %d without tests\n", ended["pass"]+ended["fail"], ended["fail"], ended["skip"])
	good = ended["fail"] == 0 && t.tests["fail"] == 0 && t.tests["pass"] > 0
	if len(t.wanting) > 0 && os.Getenv("CI") != "" {
		good = false
		fmt.Printf("%d tests were skipped for want of something, and CI is set: that counts as failure\n", len(t.wanting))
	}
	if !t.shown {
		good = false
		fmt.Printf("no test ran that matches %s\n", t.show)
	}
	closing = fmt.Sprintf("%d passed, %d failed, %d skipped", t.tests["pass"], t.tests["fail"], t.tests["skip"])
	fmt.Println(closing)
	return closing, good
}
