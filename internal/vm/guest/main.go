// Command guest is process 1 of a test's virtual machine. It makes the few
// file systems that every program expects, takes its job from the disk that
// holds it, runs the job's command, and writes the answer to another disk.
// Then it switches the machine off. What it and the command print is the
// console.
//
// It is linked statically and starts no shell: in an emulated machine each
// process costs some hundredths of a second.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
	"rootwc/internal/vm/exchange"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: error: this is process 1 of a test's virtual machine, nothing to be started by hand")
		os.Exit(2)
	}
	for _, v := range [][2]string{
		{"PATH", exchange.In + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		{"HOME", "/root"}, {"TERM", "dumb"}, {"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"},
	} {
		os.Setenv(v[0], v[1])
	}
	if err := live(); err != nil {
		fmt.Printf("guest: error: %v\n", err)
	}
	unmountAll()
	unix.Sync()
	// On success it does not return.
	fmt.Printf("guest: error: cannot switch off: %v\n", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	select {}
}

// live is all that a guest does between its start and its end.
func live() error {
	if err := mountBasics(); err != nil {
		return err
	}
	if cmdline, _ := os.ReadFile("/proc/cmdline"); slices.Contains(strings.Fields(string(cmdline)), exchange.Prove) {
		fmt.Println(exchange.Proved)
		return nil
	}
	if err := makeStaticNodes(); err != nil {
		return err
	}
	modprobe("virtio_pci", "virtio_blk", "virtio_rng")
	in, err := awaitDisk(exchange.SerialIn)
	if err != nil {
		return fmt.Errorf("cannot read the job: %w", err)
	}
	job, err := unpackJob(in)
	if err != nil {
		return fmt.Errorf("cannot read the job: %w", err)
	}
	for _, serial := range []string{exchange.SerialIn, exchange.SerialOut} {
		if err := hide(serial); err != nil {
			return fmt.Errorf("cannot hide the disk of the job: %w", err)
		}
	}
	answer := do(job)
	fmt.Printf("guest: status %d after %.1f s\n", answer.Status, answer.Done)
	if err := reveal(); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	out, err := awaitDisk(exchange.SerialOut)
	if err == nil {
		err = packAnswer(out, answer)
	}
	if err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// do prepares the guest for a job and runs it.
func do(job exchange.Job) exchange.Answer {
	answer := exchange.Answer{Status: -1}
	if err := prepare(job); err != nil {
		answer.Error = err.Error()
		fmt.Printf("guest: error: %v\n", err)
		return answer
	}
	answer.Up = uptime()
	fmt.Printf("guest: up after %.1f s\n", answer.Up)
	err := command(job)
	answer.Done = uptime()
	var failed *run.Error
	switch {
	case err == nil:
		answer.Status = 0
	case errors.As(err, &failed) && failed.Status > 0:
		answer.Status = failed.Status
	default:
		answer.Error = err.Error()
		fmt.Printf("guest: error: %v\n", err)
	}
	return answer
}

// command runs the job's command with an empty input. It must have one: where
// number 0 is closed, the next file gets it, and mkfs.btrfs 6.2 takes a device
// with that number for a missing one.
func command(job exchange.Job) error {
	empty, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer empty.Close()
	c := run.Command{Args: job.Args, Env: job.Env, Dir: exchange.In}
	return run.Interactive(context.Background(), c, empty, os.Stdout, os.Stderr)
}

// prepare does what a job asks for besides its command.
func prepare(job exchange.Job) error {
	if len(job.Modules) > 0 {
		modprobe(job.Modules...)
	}
	if job.Udev {
		if err := startUdev(); err != nil {
			return fmt.Errorf("cannot start udevd: %w", err)
		}
	}
	if job.Network {
		if err := bringUp("eth0", [4]byte{10, 0, 2, 15}, [4]byte{255, 255, 255, 0}); err != nil {
			return fmt.Errorf("cannot bring up eth0: %w", err)
		}
	}
	for _, serial := range job.Serials {
		if _, err := awaitDisk(serial); err != nil {
			return err
		}
	}
	if job.Udev {
		_, _, err := run.Output(context.Background(), run.Command{Args: []string{"udevadm", "settle", "--timeout=60"}})
		return err
	}
	return nil
}

// modprobe loads modules. One that the kernel has built in, or does not have,
// is no error here: what needs it says so.
func modprobe(modules ...string) {
	_, _, err := run.Output(context.Background(), run.Command{Args: append([]string{"modprobe", "--all", "--quiet"}, modules...)})
	if err != nil {
		fmt.Printf("guest: %v\n", err)
	}
}

// uptime is the number of seconds since the kernel started.
func uptime() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano()).Seconds()
}
