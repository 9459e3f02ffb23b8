package run

import (
	"os/exec"
	"runtime"
)

// runLocked starts and awaits cmd on one operating system thread. The signal
// of Pdeathsig fires when the *thread* that forked ends, see prctl(2), and
// the Go runtime ends idle threads as it likes.
func runLocked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}
