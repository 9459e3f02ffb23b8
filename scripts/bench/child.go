package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"rootwc/internal/run"
)

// usage is what a program took.
type usage struct {
	Seconds float64 `json:"seconds"` // wall time, from before the start to after the end
	CPU     float64 `json:"cpu"`     // seconds, user and system
	// PeakBytes is ru_maxrss of wait4(2): of the largest process, when the
	// program starts others. It is never less than what the process that started
	// it held: execve(2) hands the peak on (exec_mmap, fs/exec.c).
	PeakBytes uint64 `json:"peakBytes"`
	Status    int    `json:"status"` // exit status
}

// childMain runs a program and writes its [usage] to a file. It is a process
// of its own because the bench program grows as it makes trees, and its memory
// would show in the peak of what it starts; this one stays at a few MiB.
func childMain(report string, args []string) int {
	u, err := child(args)
	var text []byte
	if err == nil {
		text, err = json.Marshal(u)
	}
	if err == nil {
		err = os.WriteFile(report, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(args []string) (*usage, error) {
	runtime.LockOSThread() // Pdeathsig fires when the thread ends
	program, found := run.Look(args[0])
	if !found {
		return nil, fmt.Errorf("cannot find %s", args[0])
	}
	attr := &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	}
	begin := time.Now()
	process, err := os.StartProcess(program, args, attr)
	if err != nil {
		return nil, err
	}
	state, err := process.Wait()
	took := time.Since(begin)
	if err != nil {
		return nil, err
	}
	rusage := state.SysUsage().(*syscall.Rusage)
	return &usage{
		Seconds:   took.Seconds(),
		CPU:       (state.UserTime() + state.SystemTime()).Seconds(),
		PeakBytes: uint64(rusage.Maxrss) << 10, // getrusage(2): kilobytes
		Status:    state.ExitCode(),
	}, nil
}
