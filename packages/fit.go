package packages

import (
	"fmt"
	"slices"
	"strings"
)

// simulation is what an installation would do.
type simulation struct {
	installed, removed []string
	why                string // it cannot be done
}

// fit leaves out what cannot be installed together with the rest, by halves:
// one package that does not fit must not keep the others away. Of those left
// out, the wanted ones are gone. Also are what the others need besides.
func (plan *Plan) fit(wanted, args []string, simulate func([]string) (*simulation, error)) (fitting, also []string, err error) {
	result := &simulation{}
	var add func(some []string) error
	add = func(some []string) error {
		if len(some) == 0 {
			return nil
		}
		s, err := simulate(slices.Concat(fitting, some))
		if err != nil {
			return err
		}
		if s.why == "" {
			fitting, result = append(fitting, some...), s
			return nil
		}
		if half := len(some) / 2; half > 0 {
			if err := add(some[:half]); err != nil {
				return err
			}
			return add(some[half:])
		}
		if key := keyOf(some[0]); slices.Contains(wanted, key) {
			plan.Gone = append(plan.Gone, Gone{key, s.why})
		}
		return nil
	}
	err = add(args)
	plan.Remove = result.removed
	for _, name := range result.installed {
		if !slices.ContainsFunc(fitting, func(arg string) bool { return keyOf(arg) == name }) {
			also = append(also, name)
		}
	}
	return fitting, also, err
}

// keyOf is the [Package.Key] of an argument such as "name=1.0".
func keyOf(arg string) string {
	key, _, _ := strings.Cut(arg, "=")
	return key
}

// mark adds a step that marks packages, unless there are none.
func (plan *Plan) mark(word string, names []string, args ...string) {
	if len(names) > 0 {
		plan.Steps = append(plan.Steps, Step{Title: fmt.Sprintf("mark %s as %s", count(len(names), "package"), word), Args: slices.Concat(args, names), Others: true})
	}
}

// install adds the step that installs packages, unless there are none.
func (plan *Plan) install(args []string, program ...string) {
	if len(args) == 0 {
		return
	}
	slices.Sort(args)
	for _, arg := range args {
		plan.Install = append(plan.Install, keyOf(arg))
	}
	plan.Steps = append(plan.Steps, Step{Title: "install " + count(len(args), "package"), Args: slices.Concat(program, args), Others: true})
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
