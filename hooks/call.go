package hooks

import (
	"fmt"
	"strings"
)

// ProgramDirs are where a hook looks for rootwc, below the root: the caller's
// PATH may lead anywhere.
var ProgramDirs = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"}

const absent = "echo 'rootwc: warning: rootwc is gone, its package manager hooks are not: nothing is committed' >&2"

var setPath = "PATH=/" + strings.Join(ProgramDirs, ":/") + ":/sbin:/bin; "

// before is the call of rootwc before a run of a package manager: one line of
// shell that needs nothing of its caller's environment. Only a refusal, which
// the description has to ask for, ends it with another status than 0: an older
// rootwc without the verb, or one that crashes, stops nobody. Where the caller
// reads standard output, as dnf 5 and zypper do, the hook's file keeps it away
// from there. The line has neither " nor \, for which apt.conf(5) has no room.
func before(manager string) string {
	return fmt.Sprintf("%sif command -v rootwc >/dev/null; then rootwc --root=/ hooks before %s </dev/null; test $? -ne 3; else %s; fi", setPath, manager, absent)
}

// after is the call after it, which never fails. Where rootwc is gone, the call
// before has said so.
func after(manager string) string {
	return fmt.Sprintf("%s! command -v rootwc >/dev/null || rootwc --root=/ hooks after %s </dev/null || true", setPath, manager)
}
