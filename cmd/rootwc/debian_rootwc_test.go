package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdHookable: hookable DIR makes a root as debian does, in which rootwc works
// too, with a repository at file:///srv/repo.
func cmdHookable(ts *testscript.TestScript, args []string) {
	cmdDebian(ts, args)
	root := ts.MkAbs(args[0])
	for _, name := range []string{"svn", "svnadmin"} {
		copyProgram(ts, root, name)
	}
	ts.Check(ts.Exec("which", "rootwc"))
	copyRootwc(ts, strings.TrimSpace(ts.ReadFile("stdout")), root)
	ts.Check(ts.Exec("svnadmin", "create", filepath.Join(root, "srv/repo")))
	ts.Check(os.WriteFile(ts.MkAbs("in.sh"), []byte(inRoot), 0o644))
}

// inRoot runs a program in a root with /dev and /proc: sh in.sh ROOT PROGRAM …
const inRoot = `root=$1; shift
unset TMPDIR HOME ROOTWC_ROOT # which lead elsewhere there
export root
exec unshare --mount sh -euc 'mount --bind /dev $root/dev; mount --bind /proc $root/proc; exec chroot $root "$@"' - "$@"
`

// copyRootwc copies rootwc to where hooks look for it. It is a static program
// unless the tests are built with cgo.
func copyRootwc(ts *testscript.TestScript, from, root string) {
	text, err := os.ReadFile(from)
	ts.Check(err)
	dir := filepath.Join(root, "usr/local/bin")
	ts.Check(errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "rootwc"), text, 0o755)))
	if ts.Exec("ldd", from) == nil {
		copyProgram(ts, root, from)
	}
}
