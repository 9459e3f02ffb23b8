package hooks

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// dnf is dnf 4, which loads plugins in Python, and dnf 5, which reads actions
// where libdnf5-plugin-actions is installed.
var dnf = Hook{
	Name:  "dnf",
	Here:  has("usr/bin/dnf", "usr/bin/dnf-3", "usr/bin/dnf5"),
	Files: dnfFiles,
}

// dnfActions is read by dnf 5. Blanks in an argument are escaped there, and the
// status of a command is not looked at: nothing can be refused. Source:
// libdnf5-actions(8).
const dnfActions = "etc/dnf/libdnf5-plugins/actions.d/rootwc.actions"

func dnfFiles(root *os.Root) (files []File) {
	if has("usr/bin/dnf5", dnfActions)(root) {
		files = append(files, File{dnfActions, 0o644, fmt.Sprintf(`# Commits what changed before a transaction, and then what that changed.
pre_transaction:::enabled=host-only:/bin/sh -c %s
post_transaction:::enabled=host-only:/bin/sh -c %s
`, dnfArgument(before("dnf")), dnfArgument(after("dnf")))})
	}
	for _, dir := range dnfPlugins(root) {
		files = append(files, File{path.Join(dir, "rootwc.py"), 0o644, dnfPlugin})
	}
	return files
}

// dnfArgument is shell text as one argument of an action, which has standard
// output to itself.
func dnfArgument(text string) string {
	return strings.ReplaceAll("{ "+text+"; } >&2", " ", `\ `)
}

// dnfPlugins are the directories of dnf 4 for plugins, beside dnf itself: the
// default of pluginpath in dnf.conf(5). It differs with the version of Python.
func dnfPlugins(root *os.Root) (dirs []string) {
	for _, pattern := range []string{"usr/lib/python3*/site-packages/dnf", "usr/lib/python3/dist-packages/dnf"} {
		found, _ := fs.Glob(root.FS(), pattern) // an error is one of the pattern
		for _, dir := range found {
			dirs = append(dirs, dir+"-plugins")
		}
	}
	return dirs
}

// dnfPlugin stops a transaction only where rootwc refuses it. What happens in
// another root is none of this machine's business.
var dnfPlugin = fmt.Sprintf(`"""Commits what changed before a transaction, and then what that changed."""
import os

import dnf


class RootWC(dnf.Plugin):
    name = "rootwc"

    def pre_transaction(self):
        if self.is_here() and os.system("%s") != 0:
            raise dnf.exceptions.Error("rootwc refuses: there are uncommitted changes")

    def transaction(self):
        if self.is_here():
            os.system("%s")

    def is_here(self):
        return self.base.conf.installroot == "/"
`, before("dnf"), after("dnf"))
