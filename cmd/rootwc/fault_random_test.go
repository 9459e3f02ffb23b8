package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// interrupt runs rootwc and sends it a signal after a time. Package run
// offers no process to send one to.
func (w *faultWorld) interrupt(t *testing.T, after time.Duration, sig os.Signal, args ...string) faultResult {
	t.Helper()
	c := w.command("", args...)
	cmd := exec.CommandContext(t.Context(), c.Args[0], c.Args[1:]...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, append(os.Environ(), c.Env...), &out, &errs
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Signal(sig) })
	defer timer.Stop()
	err := cmd.Wait()
	r := faultResult{args: c.Args, status: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("a child outlives rootwc: %v", r)
	}
	ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r.killed = ok && ws.Signaled()
	w.noChildren(t)
	return r
}

// noChildren waits until no svn works on the world any more: it dies with
// rootwc, but a moment later.
func (w *faultWorld) noChildren(t *testing.T) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		found := ""
		all, _ := filepath.Glob("/proc/[0-9]*/cwd")
		for _, link := range all {
			if dir, err := os.Readlink(link); err == nil && strings.HasPrefix(dir, w.dir+"/") {
				found = link
			}
		}
		if found == "" {
			return
		}
		if time.Since(began) > 5*time.Second {
			t.Errorf("a child outlives rootwc: %s", found)
			return
		}
	}
}

// faultSeed is random, or ROOTWC_FAULT_SEED.
func faultSeed(t *testing.T) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("ROOTWC_FAULT_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("ROOTWC_FAULT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// faultMoments are times of interruptions, as parts of the time that the
// command takes.
type faultMoments struct{ kill, end []float64 }

// faultTimes chooses when to interrupt a command; not each is worth it.
func faultTimes(name string, random *rand.Rand) (times faultMoments) {
	often := map[string]int{"commit": 6, "update": 6, "materialize": 6, "revert": 4, "resolve-theirs": 3}
	n := often[name] * faultRuns(100) / 25
	for range n {
		times.kill = append(times.kill, random.Float64()*1.1)
	}
	for range n * 2 / 3 {
		times.end = append(times.end, random.Float64())
	}
	return times
}

// killAtAnyTime kills the command where no point was named.
func (s *faultScenario) killAtAnyTime(t *testing.T, w *faultWorld, ref *faultReference, times []float64) {
	for i, part := range times {
		after := time.Duration(part * float64(ref.took))
		w.reset(t)
		before := w.live(t)
		r := w.interrupt(t, after, unix.SIGKILL, s.args...)
		t.Run(fmt.Sprintf("%d-after-%v", i, after.Round(100*time.Microsecond)), func(t *testing.T) {
			if !r.killed && r.status != ref.exit {
				t.Errorf("neither killed nor done: %v", r)
			}
			ref.interrupted(t, w, before)
			s.mended(t, w, ref, i%2 == 0, true)
		})
	}
}

// saysInterrupted matches an error message that tells what happened.
var saysInterrupted = regexp.MustCompile(`(?m)^rootwc: error: .*(?i:interrupt|signal|cancel)`)

// askToEnd sends the command the signals that ask a program to end.
func (s *faultScenario) askToEnd(t *testing.T, w *faultWorld, ref *faultReference, times []float64) {
	for i, part := range times {
		after := time.Duration(part * float64(ref.took))
		sig := []os.Signal{unix.SIGINT, unix.SIGTERM}[i%2]
		w.reset(t)
		before := w.live(t)
		r := w.interrupt(t, after, sig, s.args...)
		t.Run(fmt.Sprintf("%d-%v-after-%v", i, sig, after.Round(100*time.Microsecond)), func(t *testing.T) {
			switch {
			case r.killed && r.cpu < 30*time.Millisecond: // before the signals are caught
			case r.killed || r.status < 0:
				t.Errorf("did not end in order: %v", r)
			case r.status == ref.exit: // done all the same
			case r.status == 2 || r.status == 4:
				if !saysInterrupted.MatchString(r.err) {
					t.Errorf("want a word about the interruption: %v", r)
				}
			default:
				t.Errorf("want exit status 2 or 4: %v", r)
			}
			if strings.Contains(r.err, "goroutine ") {
				t.Errorf("panicked: %v", r)
			}
			ref.interrupted(t, w, before)
			if !r.killed {
				w.idleButUnsure(t)
			}
			s.mended(t, w, ref, i%4 < 2, true)
		})
	}
}
