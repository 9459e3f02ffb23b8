package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// bringUp gives an interface an address, as netdevice(7) describes it, and lo
// none: qemu's user network needs no route, all of it is one network.
func bringUp(name string, address, mask [4]byte) error {
	const limit = 10 * time.Second
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat("/sys/class/net/" + name); err == nil {
			break
		} else if time.Since(begin) > limit {
			return err
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, set := range []struct {
		what    string
		request uint
		value   func(*unix.Ifreq) error
	}{
		{"address", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address[:]) }},
		{"mask", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask[:]) }},
		{"flags", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := set.value(request); err != nil {
			return fmt.Errorf("%s: %w", set.what, err)
		}
		if err := unix.IoctlIfreq(fd, set.request, request); err != nil {
			return fmt.Errorf("%s: %w", set.what, err)
		}
	}
	return nil
}
