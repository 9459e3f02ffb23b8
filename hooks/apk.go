package hooks

import "fmt"

// apk runs the programs in commit_hooks.d with the word pre-commit or post-commit.
var apk = Hook{
	Name: "apk",
	Here: has("sbin/apk", "usr/sbin/apk", "usr/bin/apk"),
	Files: always(File{"etc/apk/commit_hooks.d/rootwc", 0o755, fmt.Sprintf(`#!/bin/sh
case "$1" in
pre-commit) %s ;;
post-commit) %s ;;
esac
`, before("apk"), after("apk"))}),
}
