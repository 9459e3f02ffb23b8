package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rootwc/internal/run"
)

const (
	rootwcWatched = "rootwc status, watched"
	rootwcIdle    = "rootwc watch, idle for 30 s"

	idleTime  = 30 * time.Second
	readyTime = time.Minute
)

// watchedScene asks for the status of a clean tree with a watcher and without
// one, and looks at what the watcher costs when nothing happens.
func (g *ground) watchedScene(ctx context.Context, one *result) (err error) {
	alone := &contest{warm: 2, rounds: one.Rounds, entrants: []entrant{{commands: []command{g.rootwcStatus()}}}}
	without, err := g.hold(ctx, alone)
	if err != nil {
		return err
	}
	program, found := run.Look(g.rootwcStatus().args[0])
	if !found {
		return fmt.Errorf("cannot find %s", g.rootwcStatus().args[0])
	}
	watcher, err := os.StartProcess(program, []string{program, "--root", g.dir, "watch"}, &os.ProcAttr{Env: append(os.Environ(), g.env...), Files: []*os.File{nil, nil, os.Stderr}})
	if err != nil {
		return err
	}
	defer func() {
		_ = watcher.Signal(os.Interrupt)
		_, werr := watcher.Wait()
		err = errors.Join(err, werr)
	}()
	if err := g.trusted(ctx); err != nil {
		return err
	}
	watched := &contest{warm: 2, rounds: one.Rounds, entrants: []entrant{{commands: []command{g.rootwcStatus().as(rootwcWatched)}}}}
	with, err := g.hold(ctx, watched)
	if err != nil {
		return err
	}
	idle, err := idleness(ctx, watcher.Pid)
	one.Rows = append(append(with, without...), idle)
	return err
}

// trusted waits until the watcher vouches for the tree.
func (g *ground) trusted(ctx context.Context) error {
	status := g.rootwcStatus()
	args := append([]string{status.args[0], "--verbose"}, status.args[1:]...)
	for end := time.Now().Add(readyTime); time.Now().Before(end); {
		_, told, err := run.Output(ctx, run.Command{Args: args, Dir: status.dir, Env: append(g.env, status.env...)})
		if err != nil {
			return err
		}
		if strings.Contains(told, "the watcher vouches") {
			return g.wait(ctx)
		}
		if err := g.wait(ctx); err != nil {
			return err
		}
	}
	return errors.New("the watcher vouches for nothing")
}

// idleness is what a process takes while nobody asks it for anything.
func idleness(ctx context.Context, pid int) (row, error) {
	before, err := processTime(pid)
	if err != nil {
		return row{}, err
	}
	select {
	case <-ctx.Done():
		return row{}, ctx.Err()
	case <-time.After(idleTime):
	}
	after, err := processTime(pid)
	if err != nil {
		return row{}, err
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return row{}, err
	}
	_, peak, _ := strings.Cut(string(text), "VmHWM:") // proc_pid_status(5), in kB
	kib, err := strconv.ParseUint(strings.Fields(peak + " 0")[0], 10, 64)
	return row{Command: rootwcIdle, Args: []string{}, used: []usage{{Seconds: idleTime.Seconds(), CPU: after - before, PeakBytes: kib << 10}}}, err
}

// processTime is the CPU time of a process in seconds: the time on a processor
// of its schedstat, in nanoseconds, of all of its threads.
func processTime(pid int) (float64, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("process %d tells no times", pid)
	}
	total := 0.0
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseFloat(strings.Fields(string(text) + " 0")[0], 64)
		if err != nil {
			return 0, err
		}
		total += ns / 1e9
	}
	return total, nil
}
