package hooks

import "fmt"

// apt calls DPkg::Pre-Invoke and DPkg::Post-Invoke around each of its runs of
// dpkg; aptitude, unattended-upgrades and all others that use its library do so
// too. Source: apt.conf(5).
//
// dpkg by hand has invoke hooks of its own, dpkg(1). They run under apt as
// well, several times a run. There DPKG_FRONTEND_LOCKED is set; aptitude does
// not set it, which rootwc sees by other means ([Caller.Aside]).
var apt = Hook{
	Name: "apt",
	Here: has("usr/bin/apt-get", "usr/bin/dpkg"),
	Files: always(
		File{"etc/apt/apt.conf.d/80rootwc", 0o644, fmt.Sprintf(`# Commits what changed before packages are installed, upgraded or removed, and
# then what that changed.
DPkg::Pre-Invoke { "%s"; };
DPkg::Post-Invoke { "%s"; };
`, before("apt"), after("apt"))},
		File{"etc/dpkg/dpkg.cfg.d/rootwc", 0o644, fmt.Sprintf(`# The same for dpkg by hand; under apt, apt's hooks do it.
pre-invoke=test -n "$DPKG_FRONTEND_LOCKED" || { %s; }
post-invoke=test -n "$DPKG_FRONTEND_LOCKED" || { %s; }
`, before("dpkg"), after("dpkg"))},
	),
}
