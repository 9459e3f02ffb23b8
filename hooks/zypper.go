package hooks

import "fmt"

// zypper, and all that use libzypp, start the plugins in plugins/commit and talk
// to them in frames that end with NUL, of which each is answered. A plugin
// cannot stop a commit: one that fails is left out from there on. Source:
// "Commit plugin" in the documentation of libzypp.
//
// sh cannot read up to a NUL. bash can, and is there wherever zypper is.
var zypper = Hook{
	Name: "zypper",
	Here: has("usr/bin/zypper"),
	Files: always(File{"usr/lib/zypp/plugins/commit/rootwc", 0o755, fmt.Sprintf(`#!/bin/bash
while IFS= read -r -d '' frame; do
	while [[ $frame == $'\n'* ]]; do frame=${frame#$'\n'}; done
	command=${frame%%%%$'\n'*}
	case $command in
	COMMITBEGIN) (%s) >&2 ;;
	COMMITEND) (%s) >&2 ;;
	esac
	printf 'ACK\n\n\0'
	if [[ $command == _DISCONNECT ]]; then break; fi
done
`, before("zypper"), after("zypper"))}),
}
