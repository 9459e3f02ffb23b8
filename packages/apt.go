package packages

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// apt brings packages back with apt-get(8).
type apt struct {
	wish
	options []string // of the programs that only ask
}

// withoutCache keeps apt from writing what it has read: a plan leaves nothing.
var withoutCache = []string{"-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="}

// aptInstall never asks. Where a package's configuration file and one that is
// there differ, the one that is there stays: it has come from the repository.
// Recommendations that the machine had are asked for by name, and those that
// it had not stay away, whatever the next release recommends. What cannot be
// fetched is left out, and the rest goes in.
var aptInstall = []string{
	"--yes", "--quiet", "--no-install-recommends", "--fix-missing",
	"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
	"-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120",
	"install", "--",
}

func (a *apt) Prepare() (steps []Step) {
	if slices.ContainsFunc(a.now.Packages, func(p *Package) bool { return p.Broken }) {
		steps = append(steps, Step{Title: "finish what was interrupted", Args: []string{"dpkg", "--force-confdef", "--force-confold", "--configure", "--pending"}, Others: true})
	}
	foreign := false
	for _, architecture := range a.recorded.Architectures {
		if !slices.Contains(a.now.Architectures, architecture) && architecture != a.recorded.Architectures[0] {
			foreign = true
			steps = append(steps, Step{Title: "take packages of " + architecture + " as well", Args: []string{"dpkg", "--add-architecture", architecture}})
		}
	}
	if wanted, recommended := a.missing(); foreign || len(wanted)+len(recommended) > 0 {
		steps = append(steps, Step{Title: "ask the repositories", Args: []string{"apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=120", "update"}, Others: true})
	}
	return steps
}

func (a *apt) Plan(ctx context.Context, prepared bool) (*Plan, error) {
	plan := &Plan{}
	if !prepared {
		a.options = withoutCache
	}
	wanted, recommended := a.missing()
	known, err := a.candidates(ctx, slices.Concat(wanted, recommended))
	if err != nil {
		return nil, err
	}
	var args, unknown, unasked []string
	for _, key := range slices.Concat(wanted, recommended) {
		versions, there := known[key]
		switch {
		case there:
			args = append(args, a.versioned(plan, key, versions))
		case !prepared && (len(known) == 0 || !a.takes(key)):
			unasked = append(unasked, key)
		case slices.Contains(wanted, key):
			unknown = append(unknown, key)
		}
	}
	if plan.Gone, err = a.gone(ctx, unknown); err != nil {
		return nil, err
	}
	args, also, err := plan.fit(wanted, args, func(args []string) (*simulation, error) { return a.simulate(ctx, args) })
	if err != nil {
		return nil, err
	}
	if len(unasked) > 0 {
		plan.Notes = append(plan.Notes, fmt.Sprintf("a plan does not ask the repositories: whether they have %s is not known yet", few(unasked)))
		args = append(args, unasked...)
	}
	plan.Also = len(also)
	plan.install(args, slices.Concat([]string{"apt-get"}, aptInstall)...)
	manual, auto, hold := a.marks(plan.Install, also)
	plan.mark("wanted", manual, "apt-mark", "manual", "--")
	plan.mark("pulled in", auto, "apt-mark", "auto", "--")
	plan.mark("held", hold, "apt-mark", "hold", "--")
	slices.SortFunc(plan.Gone, func(x, y Gone) int { return strings.Compare(x.Name, y.Name) })
	return plan, nil
}

// takes tells whether apt knows of packages of an architecture already.
func (a *apt) takes(key string) bool {
	_, architecture, foreign := strings.Cut(key, ":")
	return !foreign || slices.Contains(a.now.Architectures, architecture)
}

// versioned is the argument for a package: one that was held comes in the
// version it was held at, where that is to be had.
func (a *apt) versioned(plan *Plan, key string, versions []string) string {
	p := a.recorded.Get(key)[0]
	switch {
	case !p.Held || versions[0] == p.Version:
		return key
	case slices.Contains(versions, p.Version):
		return key + "=" + p.Version
	}
	plan.Notes = append(plan.Notes, fmt.Sprintf("%s was held at %s, which no repository has: %s comes", key, p.Version, versions[0]))
	return key
}

// candidates are the versions of the packages that are to be had, the one that
// would be installed first. It asks with one process; names that apt takes for
// patterns bring others along, which are left out.
func (a *apt) candidates(ctx context.Context, keys []string) (map[string][]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	out, err := a.program(ctx, slices.Concat([]string{"apt-cache"}, a.options, []string{"policy", "--"}, keys))
	if err != nil {
		return nil, err
	}
	return parsePolicy(out), nil
}

// parsePolicy reads "apt-cache policy", see apt-cache(8).
func parsePolicy(out []byte) map[string][]string {
	known := map[string][]string{}
	key := ""
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case line[0] != ' ':
			key = strings.TrimSuffix(line, ":")
		case words[0] == "Candidate:" && len(words) == 2 && words[1] != "(none)":
			known[key] = []string{words[1]}
		case strings.HasPrefix(line, "     ") && !strings.HasPrefix(line, "      ") && known[key] != nil, strings.HasPrefix(line, " *** "):
			if words[0] == "***" {
				words = words[1:]
			}
			known[key] = append(known[key], words[0])
		}
	}
	return known
}

// gone says why packages are not to be had: another may provide what the name
// stands for now.
func (a *apt) gone(ctx context.Context, keys []string) (all []Gone, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	out, err := a.program(ctx, slices.Concat([]string{"apt-cache"}, a.options, []string{"showpkg", "--"}, keys))
	if err != nil {
		return nil, err
	}
	providers := parseProviders(out)
	for _, key := range keys {
		why := "no repository has it"
		if names := providers[key]; len(names) > 0 {
			why += "; it is provided by " + few(names)
		}
		all = append(all, Gone{key, why})
	}
	return all, nil
}

// parseProviders reads the packages below "Reverse Provides:" of "apt-cache
// showpkg".
func parseProviders(out []byte) map[string][]string {
	providers := map[string][]string{}
	name, in := "", false
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		line := lines.Text()
		if after, ok := strings.CutPrefix(line, "Package: "); ok {
			name, in = strings.TrimSpace(after), false
			continue
		}
		if strings.HasPrefix(line, "Reverse Provides:") {
			in = true
			continue
		}
		if words := strings.Fields(line); in && len(words) > 0 {
			providers[name] = union(providers[name], words[0])
		}
	}
	return providers
}

// simulate asks apt-get what it would do. It must not take away what is
// recorded.
func (a *apt) simulate(ctx context.Context, args []string) (*simulation, error) {
	out, err := a.program(ctx, slices.Concat([]string{"apt-get", "--simulate"}, a.options, aptInstall, args))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return &simulation{why: "it cannot be installed with the rest" + unmet(out)}, nil
	}
	s := parseSimulation(out)
	for _, key := range s.removed {
		if len(a.recorded.Get(key)) > 0 {
			s.why = fmt.Sprintf("it would take %s away", key)
		}
	}
	return s, nil
}

// parseSimulation reads the lines of "apt-get --simulate": "Inst NAME …" and
// "Remv NAME …". The name is followed by a version or, in brackets, more.
func parseSimulation(out []byte) *simulation {
	s := &simulation{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "Inst" && (len(words) < 3 || !strings.HasPrefix(words[2], "[")):
			s.installed = append(s.installed, words[1])
		case words[0] == "Remv":
			s.removed = append(s.removed, words[1])
		}
	}
	return s
}

// unmet is what apt says about dependencies: " a : Depends: b but it is not
// installable".
func unmet(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if _, why, ok := strings.Cut(line, " : "); ok && strings.HasPrefix(line, " ") {
			return ": " + strings.Join(strings.Fields(why), " ")
		}
	}
	return ""
}
