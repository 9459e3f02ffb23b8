//go:build faultpoints

package fault

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var hits atomic.Int64

// At kills this process with SIGKILL when ROOTWC_FAULT names the point;
// "place:3" means the third time.
func At(point string) {
	if !slices.Contains(Points, point) && !slices.Contains(DatasetPoints, point) {
		panic("internal error: unknown fault point " + point)
	}
	name, nth, _ := strings.Cut(os.Getenv("ROOTWC_FAULT"), ":")
	if name != point {
		return
	}
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil {
		n = 1
	}
	if hits.Add(1) == n {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}
