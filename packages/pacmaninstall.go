package packages

import (
	"context"
	"slices"
	"strings"
)

// pacman brings packages back with pacman(8).
type pacman struct{ wish }

// Prepare upgrades the whole system: Arch supports installing on a current one
// alone.
func (p *pacman) Prepare() []Step {
	if wanted, recommended := p.missing(); len(wanted)+len(recommended) == 0 {
		return nil
	}
	return []Step{{Title: "ask the repositories, and bring the system up to date", Args: []string{"pacman", "--noconfirm", "--noprogressbar", "--sync", "--refresh", "--sysupgrade"}}}
}

// pacmanInstall never asks. Files in /etc that are there have come from the
// repository, and are no obstacle.
var pacmanInstall = []string{"pacman", "--noconfirm", "--noprogressbar", "--sync", "--needed", "--overwrite", "etc/*", "--"}

func (p *pacman) Plan(ctx context.Context, _ bool) (*Plan, error) {
	plan := &Plan{}
	wanted, recommended := p.missing()
	var args []string
	if len(wanted)+len(recommended) > 0 {
		out, err := p.program(ctx, []string{"pacman", "--sync", "--list", "--quiet"})
		if err != nil {
			return nil, err
		}
		there := asSet(strings.Fields(string(out)))
		for _, key := range slices.Concat(wanted, recommended) {
			switch {
			case there[key]:
				args = append(args, key)
			case slices.Contains(wanted, key):
				plan.Gone = append(plan.Gone, Gone{key, "no repository has it"})
			}
		}
	}
	args, also, err := plan.fit(wanted, args, func(args []string) (*simulation, error) { return p.simulate(ctx, args) })
	if err != nil {
		return nil, err
	}
	plan.Also = len(also)
	plan.install(args, pacmanInstall...)
	explicit, dependency, _ := p.marks(plan.Install, also)
	plan.mark("wanted", explicit, "pacman", "--database", "--asexplicit", "--")
	plan.mark("pulled in", dependency, "pacman", "--database", "--asdeps", "--")
	slices.SortFunc(plan.Gone, func(x, y Gone) int { return strings.Compare(x.Name, y.Name) })
	return plan, nil
}

// simulate asks pacman what it would install.
func (p *pacman) simulate(ctx context.Context, args []string) (*simulation, error) {
	out, err := p.program(ctx, slices.Concat([]string{"pacman", "--noconfirm", "--sync", "--print", "--print-format", "%n", "--"}, args))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return &simulation{why: "it cannot be installed with the rest: " + err.Error()}, nil
	}
	return &simulation{installed: strings.Fields(string(out))}, nil
}
