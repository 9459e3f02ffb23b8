package ignore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// workingCopy is a real one, to ask svn what it thinks.
type workingCopy struct {
	t    *testing.T
	root string
	temp string
}

func newWorkingCopy(t *testing.T) workingCopy {
	for _, program := range []string{"svn", "svnadmin"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s, to compare with the real thing: %v", program, err)
		}
	}
	temp := t.TempDir()
	wc := workingCopy{t, filepath.Join(temp, "wc"), temp}
	wc.run("svnadmin", "create", filepath.Join(temp, "repo"))
	wc.svn("checkout", "-q", "file://"+filepath.Join(temp, "repo"), wc.root)
	return wc
}

func (wc workingCopy) run(program string, args ...string) string {
	wc.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		wc.t.Fatalf("%s %q: %v\n%s", program, args, err, stderr.String())
	}
	return string(out)
}

func (wc workingCopy) svn(args ...string) string {
	wc.t.Helper()
	return wc.run("svn", append([]string{"--non-interactive", "--config-dir", filepath.Join(wc.temp, "config")}, args...)...)
}

// mkdir makes a versioned directory with properties and unversioned files.
func (wc workingCopy) mkdir(dir, svnIgnore, globalIgnores string, names []string) {
	wc.t.Helper()
	full := filepath.Join(wc.root, dir)
	wc.svn("mkdir", "-q", full)
	for property, value := range map[string]string{PropIgnore: svnIgnore, PropGlobalIgnores: globalIgnores} {
		if value == "" {
			continue
		}
		file := filepath.Join(wc.temp, "value")
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			wc.t.Fatal(err)
		}
		wc.svn("propset", "-q", property, "-F", file, full)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(full, name), nil, 0o600); err != nil {
			wc.t.Fatal(err)
		}
	}
}

// status returns svn's letters by path.
func (wc workingCopy) status() map[string]byte {
	wc.t.Helper()
	letters := map[string]byte{}
	out := wc.svn("status", "--no-ignore", "--config-option", "config:miscellany:global-ignores=", wc.root)
	for line := range strings.Lines(out) {
		name, err := filepath.Rel(wc.root, strings.TrimSuffix(line[8:], "\n"))
		if err != nil {
			wc.t.Fatal(err)
		}
		letters[name] = line[0]
	}
	return letters
}

// randomText strings up to eight random pieces together.
func randomText(random *rand.Rand, pieces []string) string {
	var b strings.Builder
	for range 1 + random.IntN(8) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

// randomNames returns distinct file names, made of what patterns are made of.
func randomNames(random *rand.Rand) []string {
	pieces := strings.Split("a a b b c . - ! ^ [ ] * ? \\ # ~ { } , A é ü €", " ")
	pieces = append(pieces, " ")
	var names []string
	for range 40 {
		name := randomText(random, pieces)
		if len(name) > 1 && random.IntN(2) == 0 {
			name = strings.ToValidUTF8(name[:1+len(name)/4], "b") // short ones match more often
		}
		if name != "." && name != ".." {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// randomProp returns a few patterns: random ones, and names with a piece
// replaced by a wildcard.
func randomProp(random *rand.Rand, names []string) string {
	pieces := strings.Split("a b c . - * * * ? ? [ ] ! ^ [a-c] [!a] [^b] [a-] []] [!]a] [b-\\]] [\\ \\ \\* é [é] [a-ü] [ü-b] [é-ü] €", " ")
	var b strings.Builder
	for range 1 + random.IntN(4) {
		pattern := randomText(random, pieces)
		if random.IntN(2) == 0 {
			name := names[random.IntN(len(names))]
			at := random.IntN(len(name))
			pattern = strings.ToValidUTF8(name[:at]+pieces[random.IntN(len(pieces))]+name[at+1:], "?")
		}
		b.WriteString(pattern + "\n")
	}
	return b.String()
}

func TestSvnAgreesOnRandomPatterns(t *testing.T) {
	wc := newWorkingCopy(t)
	random := rand.New(rand.NewPCG(1, 14))
	type question struct {
		list  List
		prop  string
		names []string
	}
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	asked := map[string]question{}
	for i := range rounds {
		names := randomNames(random)
		prop := randomProp(random, names)
		dir := fmt.Sprintf("d%02d", i)
		wc.mkdir(dir, prop, "", names)
		asked[dir] = question{Parse(prop), prop, names}
	}
	letters := wc.status()
	ignored := 0
	for dir, q := range asked {
		for _, name := range q.names {
			want := letters[dir+"/"+name]
			got := byte('?')
			if _, ok := q.list.Match(name); ok {
				got = 'I'
				ignored++
			}
			if got != want {
				t.Errorf("svn:ignore %q: name %q is %c, but %c to svn", q.prop, name, got, want)
			}
		}
	}
	if ignored < rounds {
		t.Errorf("only %d names were ignored in %d rounds: the test says little", ignored, rounds)
	}
}

func TestSvnAgreesOnTable(t *testing.T) {
	wc := newWorkingCopy(t)
	names := map[string][]string{} // by pattern
	var patterns []string
	for _, test := range matchCases {
		if names[test.pattern] == nil {
			patterns = append(patterns, test.pattern)
		}
		names[test.pattern] = append(names[test.pattern], test.name)
	}
	dirs := map[string]string{}
	for i, pattern := range patterns {
		dirs[pattern] = fmt.Sprintf("d%02d", i)
		wc.mkdir(dirs[pattern], pattern, "", names[pattern])
	}
	letters := wc.status()
	for _, test := range matchCases {
		want := byte('?')
		if test.want {
			want = 'I'
		}
		if got := letters[dirs[test.pattern]+"/"+test.name]; got != want {
			t.Errorf("pattern %q, name %q: %c to svn, %c in the table", test.pattern, test.name, got, want)
		}
	}
}

// TestSvnAgreesOnRules sets both properties on three levels of directories.
func TestSvnAgreesOnRules(t *testing.T) {
	wc := newWorkingCopy(t)
	random := rand.New(rand.NewPCG(2, 14))
	names := []string{"a", "b", "c", "ab", "bc", "a.c", ".a", "a~", "*", "[a]"}
	asked := map[string]Rules{}
	for i := range 6 {
		rules, dir := Rules{}, ""
		for depth := range 3 {
			dir = filepath.Join(dir, fmt.Sprintf("d%d%d", i, depth))
			values := [2]string{}
			for v := range values {
				if random.IntN(2) == 0 {
					values[v] = Quote(names[random.IntN(len(names))]) + "\n" + names[random.IntN(len(names))] + "?\n"
				}
			}
			wc.mkdir(dir, values[0], values[1], names)
			rules = rules.Child(dir, values[0], values[1])
			asked[dir] = rules
		}
	}
	letters := wc.status()
	for dir, rules := range asked {
		for _, name := range names {
			got := byte('?')
			verdict := rules.Verdict(name)
			if verdict.Ignored {
				got = 'I'
			}
			if want := letters[dir+"/"+name]; got != want {
				t.Errorf("%s/%s is %c (%+v), but %c to svn", dir, name, got, verdict, want)
			}
		}
	}
}
