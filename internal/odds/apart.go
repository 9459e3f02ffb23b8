package odds

import (
	"os"
	"os/exec"
	"syscall"
)

// Apart begins a package's tests again in a mount namespace of their own, where
// that may be had. Whoever makes a namespace gets a copy of all that is mounted
// in ours, and with that copy a device stays busy after it was unmounted here:
// see mount_namespaces(7).
func Apart() {
	const done = "ROOTWC_APART"
	unshare, err := exec.LookPath("unshare")
	if os.Getenv(done) != "" || err != nil || exec.Command(unshare, "--mount", "--", "true").Run() != nil {
		return
	}
	args := append([]string{unshare, "--mount", "--"}, os.Args...)
	_ = syscall.Exec(unshare, args, append(os.Environ(), done+"=1")) // else they run here
}
