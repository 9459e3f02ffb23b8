package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is where a run took place.
type machine struct {
	CPUs       int               `json:"cpus"`
	Memory     uint64            `json:"memoryBytes"`
	System     string            `json:"system"` // PRETTY_NAME of os-release(5)
	Kernel     string            `json:"kernel"`
	FileSystem string            `json:"fileSystem"` // of the scratch directory
	Versions   map[string]string `json:"versions"`
	PeakFloor  uint64            `json:"peakFloorBytes"` // what a program that does nothing shows as its peak
}

// String is for the head of the table.
func (m *machine) String() string {
	return fmt.Sprintf("%d CPUs, %.0f GiB, %s, Linux %s, %s", m.CPUs, float64(m.Memory)/(1<<30), m.System, m.Kernel, m.FileSystem)
}

func (l *lab) machine(ctx context.Context) (*machine, error) {
	m := &machine{CPUs: runtime.NumCPU(), System: "Linux", Versions: map[string]string{}}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		m.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				m.System = strings.Trim(value, `"`)
			}
		}
	}
	m.FileSystem = l.version(ctx, "stat", "--file-system", "--format=%T", l.scratch)
	for program, args := range versionCommands {
		if program == "rootwc" {
			args = []string{l.rootwc, "version"}
		}
		if v := l.version(ctx, args...); v != "" {
			m.Versions[program] = v
		}
	}
	u, err := l.time(ctx, &command{name: "true", args: []string{"true"}, good: silent(0)})
	if err != nil {
		return nil, err
	}
	m.PeakFloor = u.PeakBytes
	return m, nil
}

var versionCommands = map[string][]string{
	"rootwc":    nil,
	"svn":       {"svn", "--version", "--quiet"},
	"git":       {"git", "--version"},
	"fsvs":      {"fsvs", "--version"},
	"etckeeper": {"etckeeper", "--version"},
}
