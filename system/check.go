package system

import (
	"fmt"
)

// Check says what is wrong with a description, as an [*Error]: a format of
// another major version; names that could be taken for an option or hold odd
// characters; an unknown policy or dataset type; a path that is not relative,
// clean and below the root; a line pattern that does not compile; rules of noise
// that make no sense, or cost too much; a dataset
// without repository or with settings that its type has no use for, or two for
// one path; a size for what has none to choose,
// or two for one node.
func (d *Description) Check() error {
	if err := checkFormat(d.Format); err != nil {
		return &Error{Reason: err.Error()}
	}
	return d.check(func(place string, err error) *Error {
		return &Error{Reason: fmt.Sprintf("%s: %v", place, err)}
	})
}

// check calls fault with the place and the reason of the first thing that is
// wrong.
func (d *Description) check(fault func(place string, err error) *Error) error {
	for _, c := range d.checks() {
		if err := c.run(); err != nil {
			return fault(c.place, err)
		}
	}
	return nil
}

// check is one rule for one value.
type check struct {
	place string // as document has it: "noise[1].lines[0]"
	run   func() error
}

func (d *Description) checks() []check {
	var list []check
	rule := func(place, value string, run func(string) error) {
		list = append(list, check{place, func() error { return run(value) }})
	}
	rule("system.hostname", d.System.Hostname, checkHostname)
	rule("system.os", d.System.OS, checkWord)
	rule("system.release", d.System.Release, checkWord)
	rule("packages.manager", d.Packages.Manager, checkWord)
	rule("packages.dirty", string(d.Packages.Dirty), checkDirty)
	rule("secrets.policy", string(d.Secrets.Policy), checkPolicy)
	place := "secrets.policy"
	index, err := d.Secrets.checkRecipients()
	if index >= 0 {
		place = fmt.Sprintf("secrets.recipients[%d]", index)
	}
	list = append(list, check{place, func() error { return err }})
	list = append(list, check{"hooks.timeout", func() error { return checkTimeout(d.Hooks.Timeout) }})
	for i, n := range d.Noise {
		place := fmt.Sprintf("noise[%d]", i)
		rule(orTable(place, "path", n.Path), n.Path, checkGlob)
		list = append(list, check{place, n.checkUse})
		for j, line := range n.Lines {
			rule(fmt.Sprintf("%s.lines[%d]", place, j), line, checkPattern)
		}
	}
	list = append(list, check{"noise[0]", func() error { return checkSizes(d.Noise) }})
	for i, pattern := range d.Commit.Auto {
		rule(fmt.Sprintf("commit.auto[%d]", i), pattern, checkGlob)
	}
	paths := map[string]bool{}
	for i, s := range d.Datasets {
		place := fmt.Sprintf("dataset[%d]", i)
		rule(orTable(place, "path", s.Path), s.Path, checkPath)
		if paths[s.Path] {
			rule(place+".path", s.Path, func(p string) error { return fmt.Errorf("two datasets have the path %q", p) })
		}
		paths[s.Path] = true
		rule(orTable(place, "type", string(s.Type)), string(s.Type), checkType)
		if s.Repository != "" {
			rule(place+".repository", s.Repository, checkRepository)
		}
		for j, pattern := range s.Include {
			rule(fmt.Sprintf("%s.include[%d]", place, j), pattern, checkInclude)
		}
		for j, pattern := range s.Exclude {
			rule(fmt.Sprintf("%s.exclude[%d]", place, j), pattern, checkInclude)
		}
		rule(place+".budget", string(s.Budget), checkBudget)
		rule(place+".limit", string(s.Limit), checkLimit)
		list = append(list, check{place, s.checkSettings})
	}
	nodes := map[string]bool{}
	for i, n := range d.Rebuild {
		place := fmt.Sprintf("rebuild[%d]", i)
		rule(orTable(place, "node", n.Node), n.Node, checkNode)
		if nodes[n.Node] {
			rule(place+".node", n.Node, func(node string) error { return fmt.Errorf("two sizes are for the node %q", node) })
		}
		nodes[n.Node] = true
		rule(orTable(place, "size", string(n.Size)), string(n.Size), checkSize)
		rule(place+".minimum", string(n.Minimum), checkAmount)
	}
	return list
}

// checkTimeout bounds what somebody at a terminal has to wait for.
func checkTimeout(seconds int) error {
	const most = 24 * 60 * 60
	if seconds < 0 || seconds > most {
		return fmt.Errorf("%d is no time to wait; write seconds, up to %d", seconds, most)
	}
	return nil
}

// orTable is the place of a value, or that of its table when it is missing.
func orTable(place, key, value string) string {
	if value == "" {
		return place
	}
	return place + "." + key
}
