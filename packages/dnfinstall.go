package packages

import (
	"context"
	"slices"
	"strings"
)

// dnf brings packages back with dnf(8), 4 or 5.
type dnf struct{ wish }

// Prepare has nothing to do: dnf asks the repositories by itself.
func (d *dnf) Prepare() []Step { return nil }

// dnfInstall never asks. What does not fit is left out, and the rest goes in.
// Weak dependencies that the machine had are asked for by name, and others stay
// away.
var dnfInstall = []string{"dnf", "--assumeyes", "--quiet", "--setopt=install_weak_deps=False", "--setopt=strict=False", "install", "--"}

func (d *dnf) Plan(ctx context.Context, _ bool) (*Plan, error) {
	plan := &Plan{}
	wanted, recommended := d.missing()
	var args []string
	if missing := slices.Concat(wanted, recommended); len(missing) > 0 {
		names := make([]string, len(missing))
		for i, key := range missing {
			names[i] = dnfName(key)
		}
		out, err := d.program(ctx, slices.Concat([]string{"dnf", "--quiet", "repoquery", "--available", "--queryformat", "%{name} %{name}.%{arch}\n", "--"}, names))
		if err != nil {
			return nil, err
		}
		there := asSet(strings.Fields(string(out)))
		for _, key := range missing {
			switch {
			case there[dnfName(key)]:
				args = append(args, dnfName(key))
			case slices.Contains(wanted, key):
				plan.Gone = append(plan.Gone, Gone{key, "no repository has it"})
			}
		}
	}
	plan.install(args, dnfInstall...)
	for i, name := range plan.Install {
		plan.Install[i] = dnfKey(name, d.recorded.Architectures)
	}
	return plan, d.mark(ctx, plan)
}

// mark adds the steps of dnf mark, whose words differ between 4 and 5.
func (d *dnf) mark(ctx context.Context, plan *Plan) error {
	user, dependency, _ := d.marks(plan.Install, nil)
	if len(user)+len(dependency) == 0 {
		return nil
	}
	out, err := d.program(ctx, []string{"dnf", "--version"})
	if err != nil {
		return err
	}
	words := [2]string{"install", "remove"}
	if strings.Contains(string(out), "dnf5") {
		words = [2]string{"user", "dependency"}
	}
	for i, names := range [][]string{user, dependency} {
		for j, key := range names {
			names[j] = dnfName(key)
		}
		plan.mark([]string{"wanted", "pulled in"}[i], names, "dnf", "--assumeyes", "--quiet", "mark", words[i], "--")
	}
	return nil
}

// dnfName is the name of a [Package.Key] for dnf: "glibc.i686".
func dnfName(key string) string { return strings.Replace(key, ":", ".", 1) }

// dnfKey undoes dnfName.
func dnfKey(name string, architectures []string) string {
	for _, foreign := range architectures {
		if before, ok := strings.CutSuffix(name, "."+foreign); ok {
			return before + ":" + foreign
		}
	}
	return name
}
