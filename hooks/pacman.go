package hooks

import "fmt"

// pacman runs the hooks in order of their names: what was changed before is
// committed before any other hook, and what the packages changed after all
// others. Source: alpm-hooks(5). With --root both hooks and their programs are
// those of the other root.
var pacman = Hook{
	Name: "pacman",
	Here: has("usr/bin/pacman"),
	Files: always(
		alpmHook("00-rootwc-before", "Committing what changed before...", "PreTransaction", before("pacman"), "AbortOnFail\n"),
		alpmHook("zz-rootwc-after", "Committing what the packages changed...", "PostTransaction", after("pacman"), ""),
	),
}

func alpmHook(name, description, when, command, more string) File {
	return File{"etc/pacman.d/hooks/" + name + ".hook", 0o644, fmt.Sprintf(`[Trigger]
Operation = Install
Operation = Upgrade
Operation = Remove
Type = Package
Target = *

[Action]
Description = %s
When = %s
Exec = /bin/sh -c "%s"
%s`, description, when, command, more)}
}
