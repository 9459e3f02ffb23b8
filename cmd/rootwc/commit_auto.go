package main

import (
	"fmt"
	"strings"

	"rootwc/wc"
)

// auto are the patterns of what may be committed without a person.
func (c *commitCmd) auto(a *app) ([]string, error) {
	if !c.Auto {
		return nil, nil
	}
	if len(c.Paths) > 0 || c.Add {
		return nil, fmt.Errorf("cannot commit: --auto takes what [commit] in %s lists, and goes without paths and --add", wc.DescriptionPath)
	}
	if a.description == nil {
		return nil, nil
	}
	return a.description.Commit.Auto, nil
}

// mostNamed is how many paths a standard message names.
const mostNamed = 20

// autoMessage is the log message of a commit that nobody wrote one for. The
// hostname is the description's; empty for none.
func autoMessage(plan *wc.Commit, hostname string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "automatic commit of %d %s", len(plan.Changes), plural("path", len(plan.Changes)))
	if hostname != "" {
		b.WriteString(" on " + hostname)
	}
	b.WriteString("\n\n")
	for i, ch := range plan.Changes {
		if i == mostNamed {
			fmt.Fprintf(&b, "and %d more\n", len(plan.Changes)-i)
			break
		}
		fmt.Fprintf(&b, "%c %s\n", ch.Letter, safe(ch.Path))
	}
	return b.String()
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
