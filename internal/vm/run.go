package vm

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"rootwc/internal/run"
	"rootwc/internal/vm/exchange"
)

// Why a run ended before the machine switched itself off.
var (
	errCut     = errors.New("the power was cut")
	errReached = errors.New("the text that ends the run has come")
)

// Run starts a machine, and returns when it is off. A command that fails in
// the guest is no error: its exit status is in the result. With an error the
// result holds what there is, the console above all, and so it does after a
// cut.
func (i *Image) Run(ctx context.Context, m Machine) (*Result, error) {
	result := &Result{Status: -1}
	fill(&m)
	if err := i.check(m); err != nil {
		return result, err
	}
	accelerator, err := i.accelerator(ctx)
	if err != nil {
		return result, err
	}
	dir, err := os.MkdirTemp("", "rootwc-vm-*")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(dir)
	if err := prepare(&m, dir); err != nil {
		return result, err
	}
	args, err := i.arguments(m, accelerator, dir)
	if err != nil {
		return result, err
	}
	if err := start(ctx, m, args, result); err != nil || result.Cut || m.FromDisk {
		return result, err
	}
	return result, readAnswer(filepath.Join(dir, "out"), result)
}

// fill sets what the zero value stands for.
func fill(m *Machine) {
	m.Memory = or(m.Memory, 1536)
	m.CPUs = or(m.CPUs, 2)
	m.OutSize = or(m.OutSize, 64<<20)
	m.Timeout = or(m.Timeout, 10*time.Minute)
	m.Firmware = or(m.Firmware, BIOS)
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (i *Image) check(m Machine) error {
	switch {
	case m.FromDisk == (len(m.Command) > 0):
		return errors.New("a machine has a command, or starts from its first disk")
	case m.FromDisk && len(m.Disks) == 0:
		return errors.New("a machine without disks cannot start from one")
	case m.Udev && !i.udev:
		return errors.New("the image has no udevd")
	case m.Firmware != BIOS && m.Firmware != UEFI:
		return fmt.Errorf("unknown firmware %q", m.Firmware)
	}
	if m.Firmware == UEFI {
		if _, err := os.Stat(firmwareCode); err != nil {
			return fmt.Errorf("no firmware for UEFI (package ovmf): %w", err)
		}
	}
	if m.Repositories != "" {
		return missing("svnserve")
	}
	return nil
}

// prepare makes the files of a run: the job, room for the answer, and the
// firmware's variables.
func prepare(m *Machine, dir string) error {
	if m.Firmware == UEFI {
		if m.Variables == "" {
			m.Variables = filepath.Join(dir, "variables")
		}
		if _, err := os.Stat(m.Variables); errors.Is(err, fs.ErrNotExist) {
			fresh, err := os.ReadFile(firmwareVariables)
			if err != nil {
				return err
			}
			if err := os.WriteFile(m.Variables, fresh, 0o600); err != nil {
				return err
			}
		}
	}
	if m.FromDisk {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "out"), nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(filepath.Join(dir, "out"), m.OutSize); err != nil {
		return err
	}
	return writeJob(*m, filepath.Join(dir, "in"))
}

// writeJob writes the disk that the guest reads first.
func writeJob(m Machine, path string) error {
	job := exchange.Job{Args: m.Command, Env: m.Env, Udev: m.Udev, Network: m.Repositories != ""}
	if job.Network {
		job.Modules = append(job.Modules, "virtio_net")
	}
	for n, d := range m.Disks {
		job.Serials = append(job.Serials, d.serial(n))
		job.Modules = append(job.Modules, drivers[d.Bus]...)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w, err := exchange.NewWriter(buffered, job)
	if err != nil {
		return err
	}
	if m.Files != nil {
		if err := w.AddTree(m.Files); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Programs)) {
		if err := addProgram(w, name, m.Programs[name]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	// The kernel looks for partition tables in the first sectors, and complains
	// of a disk that has none.
	const least = 64 << 10
	if info, err := f.Stat(); err != nil || info.Size() >= least {
		return err // a tar ends on a multiple of 512 bytes, as a disk does
	}
	return f.Truncate(least)
}

func addProgram(w *exchange.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.Add("bin/"+name, f)
}

// start runs qemu to its end.
func start(ctx context.Context, m Machine, args []string, result *Result) error {
	// The keyboard: closed only at the end, because an end of file on its
	// standard input is news to qemu.
	keyboard, send, err := os.Pipe()
	if err != nil {
		return err
	}
	defer keyboard.Close()
	defer send.Close()

	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	screen := &console{copy: m.Console, send: send, dialogue: m.Dialogue}
	cut := func() { time.AfterFunc(m.CutAfter, func() { stop(errCut) }) } // of no effect when all is over
	screen.on(m.CutAt, cut)
	screen.on(m.Until, func() { stop(errReached) })
	if m.CutAt == nil && m.CutAfter > 0 {
		cut()
	}

	begin := time.Now()
	_, _, err = run.Output(ctx, run.Command{Args: args, Stdin: keyboard, Stdout: screen, Kill: true})
	result.Took = time.Since(begin)
	result.Console = screen.String()
	cause := context.Cause(ctx)
	switch {
	case err != nil && cause == errCut:
		result.Cut = true
		return nil
	case err != nil && cause == errReached:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the guest was not done after %v: %w%s", m.Timeout, err, lastLines(result.Console))
	case err != nil:
		return fmt.Errorf("cannot run a guest: %w%s", err, lastLines(result.Console))
	case m.CutAt != nil || m.CutAfter > 0:
		// It was faster than its end. The test decides what that means.
		return nil
	case screen.open():
		return fmt.Errorf("%w%s", ErrSilent, lastLines(result.Console))
	}
	return nil
}

// readAnswer reads the disk that the guest wrote last.
func readAnswer(path string, result *Result) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var answer exchange.Answer
	result.Files = fstest.MapFS{}
	err = exchange.Read(bufio.NewReaderSize(f, 1<<20), &answer, func(h *tar.Header, content io.Reader) error {
		if h.Typeflag == tar.TypeDir {
			result.Files[h.Name] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			return nil
		}
		data, err := io.ReadAll(content)
		result.Files[h.Name] = &fstest.MapFile{Data: data, Mode: h.FileInfo().Mode(), ModTime: h.ModTime}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w (%w)%s", ErrNoAnswer, err, lastLines(result.Console))
	}
	result.Status = answer.Status
	result.Up = time.Duration(answer.Up * float64(time.Second))
	result.Command = time.Duration(answer.Done*float64(time.Second)) - result.Up
	if answer.Error != "" {
		return fmt.Errorf("the guest cannot run its command: %s", answer.Error)
	}
	return nil
}

// lastLines is the end of a console, for an error.
func lastLines(console string) string {
	lines := strings.Split(strings.TrimSpace(console), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return "; its console is empty"
	}
	return "; its console ends with:\n" + strings.Join(lines[max(0, len(lines)-15):], "\n")
}
