package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rootwc/packages"
	"rootwc/probes"
)

// command is what is run, as the log is to have it.
func (h *packageHook) command() string {
	if h.caller.Command == "" {
		return h.manager
	}
	return safe(h.caller.Command)
}

// message is a log message: what was run, by whom, and what it did to packages.
func (h *packageHook) message(title string, changes []packages.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nrun by %s\n", title, safe(h.caller.Who(h.userName)))
	if h.notes.Manager == "" {
		b.WriteString("what was changed before the run is not known, and may be among this\n")
	}
	for _, c := range changes {
		switch {
		case c.Before == "":
			fmt.Fprintf(&b, "installed %s %s\n", c.Key, c.Now)
		case c.Now == "":
			fmt.Fprintf(&b, "removed %s %s\n", c.Key, c.Before)
		default:
			fmt.Fprintf(&b, "changed %s %s -> %s\n", c.Key, c.Before, c.Now)
		}
	}
	return b.String()
}

func (h *packageHook) userName(uid string) string {
	number, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return uid
	}
	if name, known := h.view.Names.UserName(uint32(number)); known {
		return name
	}
	return "user " + uid
}

// installed is what is installed now; nil where there is no database that
// rootwc reads.
func (h *packageHook) installed() *packages.Installed {
	now, err := packages.Read(h.ctx, h.view.FileSystem())
	if err != nil {
		h.view.Detail("packages are not read: %v", err)
		return nil
	}
	return now
}

// changes compares what is installed with what was before the run, or else with
// what was recorded last.
func (h *packageHook) changes() []packages.Change {
	text := []byte(h.notes.Packages)
	if len(text) == 0 {
		text, _ = h.view.ReadFile(probes.Dir + "/" + probes.PackagesName + ".toml") // nothing is no text
	}
	before, err := packages.Parse(text)
	now := h.installed()
	if err != nil || now == nil {
		return nil
	}
	return packages.Changes(before, now)
}

// writePackages writes the probe of packages, which belongs to the revision.
func (h *packageHook) writePackages() error {
	taken, err := h.takeProbes(h.tree, []string{probes.PackagesName}, nil)
	if errors.Is(err, packages.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	return writeProbes(h.tree, taken)
}
