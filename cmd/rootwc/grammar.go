package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"rootwc/hooks"
	"rootwc/hooks/own"
	"rootwc/rebuild/export"
)

const description = `Keeps whole Linux machines in Subversion: / is a working copy, /etc and homes
are externals or parts of it, with owners, modes, ACLs and capabilities.

Exit status: 0 done, 1 differences found (with --exit-code or --check), 2 failed
or not understood, 3 refused for safety and nothing changed, 4 partly done.`

// Global are the options of every verb.
type Global struct {
	Root              string `help:"The machine's root; another than / for a chroot or a mounted disk." default:"/" env:"ROOTWC_ROOT" placeholder:"DIR"`
	Verbose           bool   `short:"v" help:"Show the svn commands that are run."`
	Username          string `help:"Name to give to the server, and author of what is committed." placeholder:"NAME"`
	PasswordFromStdin bool   `name:"password-from-stdin" help:"Read the server's password from standard input."`
	OwnHooks          bool   `name:"own-hooks" help:"Run the programs in etc/rootwc/hooks.d of a root other than / as well."`
}

// grammar is the command line.
type grammar struct {
	Global

	Init        initCmd        `cmd:"" help:"Put this machine's root under version control."`
	Status      statusCmd      `cmd:"" aliases:"st" help:"List what differs from the repository (the daily review)."`
	Diff        diffCmd        `cmd:"" help:"Show differences: content as unified diff, metadata in words."`
	Add         addCmd         `cmd:"" help:"Take paths under version control."`
	Forget      forgetCmd      `cmd:"" help:"Take paths out of version control and leave them on disk."`
	Ignore      ignoreCmd      `cmd:"" help:"Ignore unversioned paths, or tell why one is ignored."`
	Commit      commitCmd      `cmd:"" aliases:"ci" help:"Send changes to the repository, one revision for each repository."`
	Update      updateCmd      `cmd:"" aliases:"up" help:"Bring changes from the repository."`
	Promote     promoteCmd     `cmd:"" help:"Carry committed changes from this host's branch to the common one."`
	Revert      revertCmd      `cmd:"" help:"Put paths back to what was last committed."`
	Restore     restoreCmd     `cmd:"" help:"Bring back a path as it was at a date or revision."`
	Log         logCmd         `cmd:"" help:"Show the revisions of the machine or of a path."`
	Merge       mergeCmd       `cmd:"" help:"Merge what package managers have left beside configuration files: .dpkg-dist, .ucf-dist, .rpmnew, .pacnew and their like."`
	Resolve     resolveCmd     `cmd:"" help:"End a conflict."`
	Repair      repairCmd      `cmd:"" help:"Restore owners, modes, ACLs and attributes as committed."`
	Externals   externalsCmd   `cmd:"" help:"Working copies below the root: list, add, remove, pin, unpin."`
	Secrets     secretsCmd     `cmd:"" help:"Files that others may not read: list, restore, trust, rekey."`
	Dataset     datasetCmd     `cmd:"" help:"Large data that svn does not hold: list, checkout, update, commit, flush, backup, restore, allow."`
	Probe       probeCmd       `cmd:"" help:"Write down what is no file: partition tables, RAID, encryption, LVM, file systems, packages."`
	Packages    packagesCmd    `cmd:"" help:"What is installed: list it, compare it with what was recorded, bring it back."`
	Hooks       hooksCmd       `cmd:"" help:"Files by which other programs call rootwc: list, install, remove; and own programs around commit, update and materialize: allow, run."`
	Rebuild     rebuildCmd     `cmd:"" help:"Set up a machine's disks again, as its probes say."`
	Watch       watchCmd       `cmd:"" help:"Watch for changes that are not committed, and tell of them."`
	Materialize materializeCmd `cmd:"" aliases:"reconstruct" help:"Bring a machine's tree back on a fresh install."`
	Doctor      doctorCmd      `cmd:"" help:"Look for what is wrong with this installation."`
	Demo        demoCmd        `cmd:"" help:"Show the main job in a sandbox, with a copy of this machine's /etc."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// helpWords are what the texts of help above name.
var helpWords = kong.Vars{
	"version": version(), "probes": strings.Join(probeNames, ", "), "hooks": strings.Join(hooks.Names(), ", "), "exports": strings.Join(export.Formats(), ", "), "rescue": rescueMount, "events": strings.Join(own.Events, ", "),
}

// release is set by the linker in a release build.
var release = "0.1.0-dev"

func version() string {
	v := release
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += "+" + s.Value[:12]
			}
		}
	}
	return v
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	fmt.Fprintf(a.out, "rootwc %s\n", version())
	return nil
}
